//! How values and refusals look on PostgreSQL's wire.

use sqlx::{
    Column as _, Row as _, Type, TypeInfo as _,
    encode::{Encode, IsNull},
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgRow, PgTypeInfo, types::Oid},
};

use crate::db::{DbError, Row, Value};

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => {
                return Self::Gone(error.into());
            }
            sqlx::Error::Database(refused) => refused.code(),
            _ => None,
        };
        match code.as_deref() {
            Some("23505") => Self::Exists(error.into()),
            // Deadlocks and serialization failures too: nothing was written, the same call may succeed.
            Some("55P03" | "40001" | "40P01") => Self::Locked(error.into()),
            Some("53100") => Self::Full(error.into()),
            // Ended by an administrator, a crash, a shutdown, or for sitting idle in a transaction.
            Some("57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P04") => {
                Self::Gone(error.into())
            }
            Some(code) if code.starts_with("08") => Self::Gone(error.into()),
            _ => Self::Statement(error.into()),
        }
    }
}

impl Type<sqlx::Postgres> for Value {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, sqlx::Postgres> for Value {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(v) => Encode::<sqlx::Postgres>::encode_by_ref(v, buffer),
            Self::Real(v) => Encode::<sqlx::Postgres>::encode_by_ref(v, buffer),
            Self::Text(v) => Encode::<sqlx::Postgres>::encode_by_ref(v, buffer),
            Self::Blob(v) => Encode::<sqlx::Postgres>::encode_by_ref(v, buffer),
        }
    }

    /// A NULL leaves its type to the statement: the server infers the column's. The server keeps what the first
    /// execution declared, and any later value of the column fits it.
    fn produces(&self) -> Option<PgTypeInfo> {
        Some(match self {
            Self::Null => <Self as Type<sqlx::Postgres>>::type_info(),
            Self::Int(_) => <i64 as Type<sqlx::Postgres>>::type_info(),
            Self::Real(_) => <f64 as Type<sqlx::Postgres>>::type_info(),
            Self::Text(_) => <str as Type<sqlx::Postgres>>::type_info(),
            Self::Blob(_) => <[u8] as Type<sqlx::Postgres>>::type_info(),
        })
    }
}

/// A row as every database gives it.
pub(super) fn read(row: &PgRow) -> Result<Row, DbError> {
    let values = row.columns().iter().enumerate().map(|(column, described)| {
        Ok(match described.type_info().name() {
            "INT8" => row.try_get::<Option<i64>, _>(column)?.map(Value::Int),
            "INT4" => row.try_get::<Option<i32>, _>(column)?.map(Value::from),
            "BOOL" => row.try_get::<Option<bool>, _>(column)?.map(Value::from),
            "FLOAT8" => row.try_get::<Option<f64>, _>(column)?.map(Value::Real),
            "BYTEA" => row.try_get::<Option<Vec<u8>>, _>(column)?.map(Value::Blob),
            // Text, and whatever no column here is: reading it as a number then names the column.
            _ => row.try_get::<Option<String>, _>(column)?.map(Value::Text),
        }
        .unwrap_or(Value::Null))
    });
    values
        .collect::<Result<_, sqlx::Error>>()
        .map(Row)
        .map_err(DbError::from)
}
