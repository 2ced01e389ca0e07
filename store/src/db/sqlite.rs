//! SQLite: one connection, used inline on the calling thread.
//!
//! Nothing here waits on another thread: a simulation with virtual time replays exactly. A write holds the
//! connection from its first statement to its last, so that whatever scope it asked for it is alone.

use std::{path::Path, sync::Arc};

use rusqlite::{
    Connection,
    types::{ToSqlOutput, ValueRef},
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{DbError, Row, Value};
use crate::migrations;

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{ConstraintViolation, DatabaseBusy, DatabaseLocked, DiskFull};
        match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => Self::Locked(error.into()),
            Some(DiskFull) => Self::Full(error.into()),
            Some(ConstraintViolation) => Self::Exists(error.into()),
            _ => Self::Statement(error.into()),
        }
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

/// The file, or the memory.
#[derive(Clone)]
pub(super) struct Sqlite {
    connection: Arc<Mutex<Connection>>,
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, DbError> {
        let open = |source: rusqlite::Error| DbError::Open {
            path: path.display().to_string(),
            source: source.into(),
        };
        let connection = Connection::open(path).map_err(open)?;
        connection
            .busy_timeout(std::time::Duration::from_secs(10))
            .map_err(open)?;
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(open)?;
        connection
            .pragma_update(None, "synchronous", "FULL")
            .map_err(open)?;
        Self::prepare(connection)
    }

    pub(super) fn memory() -> Result<Self, DbError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Self, DbError> {
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.set_prepared_statement_cache_capacity(256);
        migrations::sqlite::apply(&connection)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    pub(super) async fn begin(&self) -> Result<Transaction, DbError> {
        self.start("BEGIN IMMEDIATE").await
    }

    /// Without the write lock: another process that writes does not keep this one from reading.
    pub(super) async fn read(&self) -> Result<Transaction, DbError> {
        self.start("BEGIN").await
    }

    async fn start(&self, begin: &str) -> Result<Transaction, DbError> {
        let connection = Arc::clone(&self.connection).lock_owned().await;
        connection.execute_batch(begin)?;
        Ok(Transaction {
            connection,
            open: true,
        })
    }
}

/// A running transaction.
pub(super) struct Transaction {
    connection: OwnedMutexGuard<Connection>,
    open: bool,
}

impl Transaction {
    pub(super) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, DbError> {
        let sql = positional(sql);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let changed = statement.execute(rusqlite::params_from_iter(params))?;
        Ok(changed as u64)
    }

    pub(super) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, DbError> {
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

    #[cfg(test)]
    pub(super) fn prepare(&mut self, sql: &str) -> Result<(), DbError> {
        self.connection.prepare(&positional(sql))?;
        Ok(())
    }

    pub(super) fn commit(mut self) -> Result<(), DbError> {
        self.connection.execute_batch("COMMIT")?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Transaction {
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
