//! The database connection: one SQL text, short transactions, values of four plain types.
//!
//! Owns how statements reach SQLite. Knows no table. Everything is `async` because PostgreSQL will be;
//! SQLite runs inline on the calling thread, so a simulation with virtual time replays exactly.

use std::{path::Path, sync::Arc};

use rusqlite::{
    Connection,
    types::{ToSqlOutput, ValueRef},
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::migrations;

/// Why the database could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The file could not be opened or configured.
    #[error(
        "failed to open the database at {path}: is the directory writable and no other `followlytics up` using it?"
    )]
    Open {
        /// The file.
        path: String,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// Another process holds the database longer than the busy time-out (10 s).
    #[error(
        "failed to lock the database: another process holds it; stop the other `followlytics` on this data directory"
    )]
    Locked(#[source] rusqlite::Error),
    /// The disk is full; nothing of the transaction was written.
    #[error(
        "failed to write to the database: the disk is full; free some space and run the command again, nothing was lost"
    )]
    Full(#[source] rusqlite::Error),
    /// The database was written by a newer release.
    #[error(
        "failed to open the database: its schema is version {found}, this release knows up to {known}; use the newer `followlytics`"
    )]
    Newer {
        /// Schema version in the file.
        found: i64,
        /// Newest version this program knows.
        known: i64,
    },
    /// A unique constraint refused a row.
    #[error("failed to insert a row that exists already")]
    Exists(#[source] rusqlite::Error),
    /// Any other refusal of a statement.
    #[error("failed to run a statement")]
    Statement(#[source] rusqlite::Error),
    /// A column held another type than its reader asked for.
    #[error("failed to read column {column}: stored as {stored}")]
    Column {
        /// Position in the result row.
        column: usize,
        /// Type found.
        stored: &'static str,
    },
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{ConstraintViolation, DatabaseBusy, DatabaseLocked, DiskFull};
        match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => Self::Locked(error),
            Some(DiskFull) => Self::Full(error),
            Some(ConstraintViolation) => Self::Exists(error),
            _ => Self::Statement(error),
        }
    }
}

/// A value of a column: the four types that SQLite and PostgreSQL share here.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// BIGINT; also booleans (0, 1) and times (microseconds since 1970).
    Int(i64),
    /// DOUBLE.
    Real(f64),
    /// TEXT; also JSON.
    Text(String),
    /// BLOB.
    Blob(Vec<u8>),
}

macro_rules! value_from {
    ($($source:ty => |$v:ident| $make:expr),+ $(,)?) => {
        $(impl From<$source> for Value {
            fn from($v: $source) -> Self {
                $make
            }
        })+
    };
}
value_from! {
    i64 => |v| Self::Int(v),
    i32 => |v| Self::Int(v.into()),
    u32 => |v| Self::Int(v.into()),
    bool => |v| Self::Int(v.into()),
    f64 => |v| Self::Real(v),
    &str => |v| Self::Text(v.to_owned()),
    &String => |v| Self::Text(v.clone()),
    String => |v| Self::Text(v),
    Vec<u8> => |v| Self::Blob(v),
    &[u8] => |v| Self::Blob(v.to_vec()),
    jiff::Timestamp => |v| Self::Int(v.as_microsecond()),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(v) => ValueRef::Integer(*v),
            Self::Real(v) => ValueRef::Real(*v),
            Self::Text(v) => ValueRef::Text(v.as_bytes()),
            Self::Blob(v) => ValueRef::Blob(v),
        }))
    }
}

/// Builds the parameter list of a statement: `params![id, "text", None::<i64>]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Value::from($value)),*][..] };
}

/// One row of a result.
#[derive(Debug, Clone)]
pub struct Row(Vec<Value>);

impl Row {
    /// The value of the `column`-th column (from 0).
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T, DbError> {
        let value = self.0.get(column).unwrap_or(&Value::Null);
        T::from_value(value).ok_or(DbError::Column {
            column,
            stored: value.type_name(),
        })
    }
}

impl Value {
    fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int(_) => "BIGINT",
            Self::Real(_) => "DOUBLE",
            Self::Text(_) => "TEXT",
            Self::Blob(_) => "BLOB",
        }
    }
}

/// A type that a column can be read as.
pub trait FromValue: Sized {
    /// `None` when the stored type differs.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($target:ty => $pattern:pat => $make:expr),+ $(,)?) => {
        $(impl FromValue for $target {
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    $pattern => $make,
                    _ => None,
                }
            }
        })+
    };
}
from_value! {
    i64 => Value::Int(v) => Some(*v),
    u32 => Value::Int(v) => u32::try_from(*v).ok(),
    u64 => Value::Int(v) => u64::try_from(*v).ok(),
    bool => Value::Int(v) => Some(*v != 0),
    f64 => Value::Real(v) => Some(*v),
    String => Value::Text(v) => Some(v.clone()),
    Vec<u8> => Value::Blob(v) => Some(v.clone()),
    jiff::Timestamp => Value::Int(v) => jiff::Timestamp::from_microsecond(*v).ok(),
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}

/// The database: cheap to clone, one writer at a time.
#[derive(Clone)]
pub struct Db {
    connection: Arc<Mutex<Connection>>,
}

impl Db {
    /// Opens (or creates) the file and brings its schema up to date.
    ///
    /// WAL with `synchronous=FULL`: SQLite's default in WAL mode may lose the last commits with the power.
    pub fn open(path: &Path) -> Result<Self, DbError> {
        let open = |source| DbError::Open {
            path: path.display().to_string(),
            source,
        };
        let connection = Connection::open(path).map_err(open)?;
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(open)?;
        connection
            .pragma_update(None, "synchronous", "FULL")
            .map_err(open)?;
        connection
            .busy_timeout(std::time::Duration::from_secs(10))
            .map_err(open)?;
        Self::prepare(connection)
    }

    /// A database that lives as long as this value; for simulation and tests.
    pub fn memory() -> Result<Self, DbError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Self, DbError> {
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.set_prepared_statement_cache_capacity(256);
        migrations::apply(&connection)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    /// Starts a write transaction; it waits for the running one. Dropping it undoes everything.
    pub async fn begin(&self) -> Result<Tx, DbError> {
        let connection = Arc::clone(&self.connection).lock_owned().await;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Tx {
            connection,
            open: true,
        })
    }
}

/// A running transaction.
pub struct Tx {
    connection: OwnedMutexGuard<Connection>,
    open: bool,
}

#[expect(
    clippy::unused_async,
    reason = "PostgreSQL waits here; callers are written once for both"
)]
impl Tx {
    /// Runs a statement and returns the number of rows it changed.
    pub async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, DbError> {
        let sql = positional(sql);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let changed = statement.execute(rusqlite::params_from_iter(params))?;
        Ok(changed as u64)
    }

    /// Runs a statement that returns rows (also `… RETURNING …`).
    pub async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, DbError> {
        let sql = positional(sql);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let columns = statement.column_count();
        let mut found = statement.query(rusqlite::params_from_iter(params))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let values = (0..columns)
                .map(|column| read(row, column))
                .collect::<Result<_, _>>()?;
            rows.push(Row(values));
        }
        Ok(rows)
    }

    /// Like [`Tx::query`], for statements that find one row or none.
    pub async fn find(&mut self, sql: &str, params: &[Value]) -> Result<Option<Row>, DbError> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Makes everything durable.
    pub async fn commit(mut self) -> Result<(), DbError> {
        self.connection.execute_batch("COMMIT")?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        // A failed COMMIT leaves the transaction open as well: undo it, or the next BEGIN fails.
        if self.open && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

fn read(row: &rusqlite::Row<'_>, column: usize) -> Result<Value, DbError> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(v) => Value::Int(v),
        ValueRef::Real(v) => Value::Real(v),
        ValueRef::Text(v) => Value::Text(String::from_utf8_lossy(v).into_owned()),
        ValueRef::Blob(v) => Value::Blob(v.to_vec()),
    })
}

/// `$1` → `?1`: SQLite numbers `$n` by first appearance, which swaps parameters; `?n` is positional.
fn positional(sql: &str) -> String {
    sql.replace('$', "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn placeholders_are_positional() {
        let db = Db::memory().unwrap();
        let mut tx = db.begin().await.unwrap();
        let rows = tx
            .query("SELECT $2, $1", params!["first", "second"])
            .await
            .unwrap();
        assert_eq!(rows[0].get::<String>(0).unwrap(), "second");
    }

    #[tokio::test]
    async fn a_dropped_transaction_leaves_nothing() {
        let db = Db::memory().unwrap();
        {
            let mut tx = db.begin().await.unwrap();
            tx.execute("CREATE TABLE kept (id BIGINT)", params![])
                .await
                .unwrap();
        }
        let mut tx = db.begin().await.unwrap();
        let found = tx
            .query("SELECT name FROM sqlite_master WHERE name = $1", params!["kept"])
            .await
            .unwrap();
        assert!(found.is_empty());
    }

    #[tokio::test]
    async fn a_column_of_another_type_is_an_error_that_names_it() {
        let db = Db::memory().unwrap();
        let mut tx = db.begin().await.unwrap();
        let row = tx.find("SELECT 1, 'x'", params![]).await.unwrap().unwrap();
        let error = row.get::<i64>(1).unwrap_err();
        assert_eq!(error.to_string(), "failed to read column 1: stored as TEXT");
    }
}
