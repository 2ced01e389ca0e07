//! Values of the four plain types that SQLite and PostgreSQL share here, and rows of them.
//!
//! Owns what may be bound and read; knows neither database.

use super::DbError;

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

/// Builds the parameter list of a statement: `params![id, "text", None::<i64>]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Value::from($value)),*][..] };
}

/// One row of a result.
#[derive(Debug, Clone)]
pub struct Row(pub(super) Vec<Value>);

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
