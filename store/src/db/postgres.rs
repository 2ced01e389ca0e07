//! PostgreSQL: transactions that lock their scope first, on connections of their own.
//!
//! Writers run READ COMMITTED: each statement sees what was committed before it, so everything after the lock
//! sees what the lock's last holder wrote. Readers run REPEATABLE READ, READ ONLY, without a lock: one moment's
//! state. The locks and the time come back with the BEGIN, in one round trip.

mod durability;
mod wire;

use std::{fmt::Write as _, future::Future, str::FromStr as _, sync::Arc, time::Duration};

use jiff::Timestamp;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _,
    postgres::{PgArguments, PgConnectOptions},
};

use super::{
    DbError, Key, Row, Scope, Value,
    pool::{Lease, Pool},
    scope::{Keys, Lock},
};
use crate::migrations;

/// The longest a statement may take; more than the server's own `lock_timeout`, which is the better answer.
const LONGEST: Duration = Duration::from_mins(1);
/// Microseconds since 1970 by the server's clock now, not at the transaction's start.
const CLOCK: &str = "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000000) AS BIGINT)";

/// What the server does for every session; the address may say otherwise (`?options[lock_timeout]=5s`).
const SETTINGS: [(&str, &str); 2] = [
    // A process that was stopped in mid-transaction must not hold its locks for ever.
    ("idle_in_transaction_session_timeout", "10s"),
    ("lock_timeout", "30s"),
];

/// One PostgreSQL database.
#[derive(Clone)]
pub(super) struct Postgres {
    pool: Arc<Pool>,
    keys: Keys,
}

impl Postgres {
    pub(super) async fn connect(url: &str) -> Result<Self, DbError> {
        let options = options(url)?;
        let first = Pool::new(options.clone());
        let mut lease = first.lease().await?;
        let commits = durability::required(lease.connection()?).await?;
        let schema = migrations::postgres::apply(lease.connection()?).await?;
        Ok(Self {
            pool: Pool::new(options.options([(durability::COMMITS, commits)])),
            keys: Keys::of(&schema),
        })
    }

    #[cfg(test)]
    pub(super) fn prepared(url: &str) -> Result<Self, DbError> {
        Ok(Self {
            pool: Pool::new(options(url)?),
            keys: Keys::of("public"),
        })
    }

    /// Returns the settings that are off although a crash of the server's machine can then damage the database.
    pub(super) async fn unsafe_settings(&self) -> Result<Vec<&'static str>, DbError> {
        durability::off(self.pool.lease().await?.connection()?).await
    }

    pub(super) async fn begin(&self, scope: Scope<'_>) -> Result<Transaction, DbError> {
        let locks = self.keys.of_scope(scope);
        self.start(&format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; {}",
            locking(&locks)
        ))
        .await
    }

    pub(super) async fn read(&self) -> Result<Transaction, DbError> {
        let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SELECT {CLOCK}");
        self.start(&begin).await
    }

    /// Begins on a connection that still stands: one that was kept may have died with an earlier server.
    async fn start(&self, begin: &str) -> Result<Transaction, DbError> {
        loop {
            let mut lease = self.pool.lease().await?;
            let is_fresh = lease.is_fresh();
            lease.began();
            match clock(&mut lease, begin).await {
                Ok(time) => {
                    return Ok(Transaction {
                        lease,
                        keys: self.keys.clone(),
                        time,
                        failed: false,
                    });
                }
                Err(DbError::Gone(_)) if !is_fresh => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// One reading statement, a transaction of its own.
    pub(super) async fn query(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>, DbError> {
        loop {
            let mut lease = self.pool.lease().await?;
            let is_fresh = lease.is_fresh();
            match query(&mut lease, sql, params).await {
                Err(DbError::Gone(_)) if !is_fresh => {}
                answer => return answer,
            }
        }
    }
}

/// A running transaction.
pub(super) struct Transaction {
    lease: Lease,
    keys: Keys,
    time: Timestamp,
    failed: bool,
}

impl Transaction {
    pub(super) fn time(&self) -> Timestamp {
        self.time
    }

    pub(super) async fn lock(&mut self, key: Key<'_>) -> Result<(), DbError> {
        let lock = self.keys.of_key(key);
        let time = clock(&mut self.lease, &locking(&[lock])).await;
        self.time = self.note(time)?;
        Ok(())
    }

    pub(super) async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, DbError> {
        let bound = bind(sql, params)?;
        let answer = timed(self.lease.connection()?.execute(bound)).await;
        let done = self.lease.heard(answer);
        Ok(self.note(done)?.rows_affected())
    }

    pub(super) async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, DbError> {
        let found = query(&mut self.lease, sql, params).await;
        self.note(found)
    }

    /// Lets the server infer every type: whatever the first execution declares, NULLs or not, must not matter.
    #[cfg(test)]
    pub(super) async fn prepare(&mut self, sql: &str) -> Result<(), DbError> {
        use sqlx::{Either, SqlSafeStr as _, Statement as _, TypeInfo as _};
        let sql = AssertSqlSafe(sql).into_sql_str();
        let answer = timed(self.lease.connection()?.prepare(sql)).await;
        let statement = self.lease.heard(answer)?;
        let parameters = match statement.parameters() {
            Some(Either::Left(parameters)) => parameters,
            _ => &[],
        };
        let columns = statement.columns().iter().map(sqlx::Column::type_info);
        let shared = ["INT8", "FLOAT8", "TEXT", "BYTEA"];
        match parameters
            .iter()
            .find(|parameter| !shared.contains(&parameter.name()))
            .or_else(|| {
                columns
                    .into_iter()
                    .find(|column| column.name() != "INT4" && !shared.contains(&column.name()))
            }) {
            None => Ok(()),
            Some(odd) => Err(DbError::Statement(
                format!("{} is not shared: CAST it", odd.name()).into(),
            )),
        }
    }

    /// After a refused statement PostgreSQL answers COMMIT with a silent ROLLBACK: that is never a success.
    pub(super) async fn commit(mut self) -> Result<(), DbError> {
        if self.failed {
            return Err(DbError::Statement(
                "a statement of this transaction had failed before".into(),
            ));
        }
        let answer = timed(self.lease.connection()?.execute(sqlx::raw_sql("COMMIT"))).await;
        self.lease.heard(answer)?;
        self.lease.ended();
        Ok(())
    }

    fn note<T>(&mut self, outcome: Result<T, DbError>) -> Result<T, DbError> {
        self.failed |= outcome.is_err();
        outcome
    }
}

fn options(url: &str) -> Result<PgConnectOptions, DbError> {
    let address = |detail: &str| DbError::Address {
        detail: detail.to_owned(),
    };
    match url.split_once("://") {
        Some(("postgres" | "postgresql", _)) => {}
        Some((scheme, _)) => {
            return Err(address(&format!(
                "`{scheme}` is not a database this program knows"
            )));
        }
        None => return Err(address("it is not a URL")),
    }
    // What the parser says may quote the URL, and with it the password.
    let options = PgConnectOptions::from_str(url).map_err(|_| address("it is not a URL of PostgreSQL"))?;
    let own = options.get_options().unwrap_or_default().to_owned();
    let settings = SETTINGS.iter().filter(|(name, _)| !own.contains(name));
    let is_named = options.get_application_name().is_some();
    let options = options
        .disable_statement_logging()
        .statement_cache_capacity(256)
        .options(settings.copied());
    Ok(if is_named {
        options
    } else {
        options.application_name("followlytics")
    })
}

/// A statement that takes these locks in order and then reads the clock: each step reads the one before.
fn locking(locks: &[Lock]) -> String {
    let mut sql = String::new();
    let mut from = String::new();
    for (number, lock) in locks.iter().enumerate() {
        let word = if sql.is_empty() { "WITH" } else { "," };
        let call = match lock {
            Lock::Shared(key) => format!("pg_advisory_xact_lock_shared({key})"),
            Lock::Exclusive(key) => format!("pg_advisory_xact_lock({key})"),
        };
        let _ = write!(sql, "{word} l{number} AS MATERIALIZED (SELECT {call}{from}) ");
        from = format!(" FROM l{number}");
    }
    format!("{sql}SELECT {CLOCK}{from}")
}

/// Runs statements without parameters whose last one reads the clock.
async fn clock(lease: &mut Lease, sql: &str) -> Result<Timestamp, DbError> {
    let answer = timed(lease.connection()?.fetch_one(sqlx::raw_sql(AssertSqlSafe(sql)))).await;
    let micros: i64 = lease.heard(answer)?.try_get(0).map_err(DbError::from)?;
    Timestamp::from_microsecond(micros).map_err(|error| DbError::Statement(error.into()))
}

async fn query(lease: &mut Lease, sql: &str, params: &[Value]) -> Result<Vec<Row>, DbError> {
    let bound = bind(sql, params)?;
    let answer = timed(lease.connection()?.fetch_all(bound)).await;
    lease.heard(answer)?.iter().map(wire::read).collect()
}

type Bound<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

fn bind<'q>(sql: &'q str, params: &[Value]) -> Result<Bound<'q>, DbError> {
    use sqlx::Arguments as _;
    let mut arguments = PgArguments::default();
    for value in params {
        arguments.add(value.clone()).map_err(DbError::Statement)?;
    }
    Ok(sqlx::query_with(AssertSqlSafe(sql), arguments))
}

/// One exchange with the server.
async fn timed<T>(exchange: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, DbError> {
    match tokio::time::timeout(LONGEST, exchange).await {
        Ok(answer) => Ok(answer?),
        Err(late) => Err(DbError::Gone(late.into())),
    }
}
