//! The database connection: one SQL text, short transactions, values of four plain types.
//!
//! Owns how statements reach SQLite or PostgreSQL, and what a transaction may run beside. Knows no table.
//! Everything is `async` because PostgreSQL is; SQLite runs inline on the calling thread, so a simulation with
//! virtual time replays exactly.

mod error;
mod guard;
mod pool;
mod postgres;
mod right;
mod scope;
#[cfg(test)]
pub(crate) mod sites;
mod sqlite;
mod value;

use std::{future::Future, path::Path, sync::Arc};

use followlytics_core::health::{Access, Part};
use jiff::Timestamp;

use crate::health::Monitor;

pub use error::{DbError, Source};
pub use guard::{Guard, Moment};
pub use right::Right;
pub(crate) use scope::Keys;
pub use scope::{Key, Scope};
pub use value::{FromValue, Row, Value};

/// The database: cheap to clone.
#[derive(Clone)]
pub struct Db {
    engine: Engine,
    callers_clock: bool,
    monitor: Option<Monitor>,
    guard: Option<Arc<dyn Guard>>,
}

#[derive(Clone)]
enum Engine {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Db {
    /// Opens (or creates) the SQLite file and brings its schema up to date.
    ///
    /// WAL with `synchronous=FULL`: SQLite's default in WAL mode may lose the last commits with the power.
    pub fn open(path: &Path) -> Result<Self, DbError> {
        Ok(Self::on(Engine::Sqlite(sqlite::Sqlite::open(path)?)))
    }

    /// A database that lives as long as this value; for simulation and tests.
    pub fn memory() -> Result<Self, DbError> {
        Ok(Self::on(Engine::Sqlite(sqlite::Sqlite::memory()?)))
    }

    /// Connects to a PostgreSQL database (`postgres://user:password@host:port/database`, or `postgresql://`)
    /// and brings its schema up to date.
    ///
    /// The connections are made from here on as they are needed, and again after the server was away. A pooler
    /// between must keep a session's connection (no transaction pooling): statements stay prepared.
    pub async fn connect(url: &str) -> Result<Self, DbError> {
        Ok(Self::on(Engine::Postgres(
            postgres::Postgres::connect(url).await?,
        )))
    }

    /// Returns the settings of the server that are off although a crash of its machine can then damage the database.
    /// A crash of the server alone, or of this process, loses nothing with them.
    pub async fn unsafe_settings(&self) -> Result<Vec<&'static str>, DbError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(Vec::new()),
            Engine::Postgres(postgres) => postgres.unsafe_settings().await,
        }
    }

    /// A PostgreSQL database whose schema is up to date already; connects when it is used.
    #[cfg(test)]
    pub(crate) fn prepared(url: &str) -> Self {
        Self::on(Engine::Postgres(postgres::Postgres::prepared(url).unwrap()))
    }

    fn on(engine: Engine) -> Self {
        Self {
            engine,
            callers_clock: false,
            monitor: None,
            guard: None,
        }
    }

    /// The same database, whose calls this monitor observes.
    #[must_use]
    pub fn observed_by(mut self, monitor: &Monitor) -> Self {
        self.monitor = Some(monitor.clone());
        self
    }

    /// The same database, whose calls this guard may refuse.
    #[must_use]
    pub fn guarded_by(mut self, guard: impl Guard + 'static) -> Self {
        self.guard = Some(Arc::new(guard));
        self
    }

    /// The monitor that observes this database.
    pub fn monitor(&self) -> Option<&Monitor> {
        self.monitor.as_ref()
    }

    /// The same database, whose transactions leave the time to their caller, even on PostgreSQL; for tests with
    /// a clock of their own.
    #[must_use]
    pub fn with_callers_clock(mut self) -> Self {
        self.callers_clock = true;
        self
    }

    /// Starts a write transaction that is alone in the ledger. Dropping it undoes everything.
    pub async fn begin(&self) -> Result<Tx, DbError> {
        self.begin_within(Scope::Ledger).await
    }

    /// Starts a write transaction that runs beside those of other scopes. Dropping it undoes everything.
    pub async fn begin_within(&self, scope: Scope<'_>) -> Result<Tx, DbError> {
        let begin = async {
            check(self.guard.as_ref(), Moment::Begin)?;
            Ok(match &self.engine {
                Engine::Sqlite(sqlite) => Inner::Sqlite(sqlite.begin().await?),
                Engine::Postgres(postgres) => Inner::Postgres(postgres.begin(scope).await?),
            })
        };
        let inner = observed(self.monitor.as_ref(), Access::Write, false, begin).await?;
        Ok(self.transaction(inner, Access::Write))
    }

    /// Starts a transaction that sees one moment's state throughout, waits for no writer and keeps none waiting.
    /// It must not write: PostgreSQL refuses.
    pub async fn read(&self) -> Result<Tx, DbError> {
        let begin = async {
            check(self.guard.as_ref(), Moment::Read)?;
            Ok(match &self.engine {
                Engine::Sqlite(sqlite) => Inner::Sqlite(sqlite.read().await?),
                Engine::Postgres(postgres) => Inner::Postgres(postgres.read().await?),
            })
        };
        let inner = observed(self.monitor.as_ref(), Access::Read, false, begin).await?;
        Ok(self.transaction(inner, Access::Read))
    }

    /// Runs one reading statement by itself, in one round trip; finds one row or none.
    #[cfg_attr(test, track_caller)]
    pub fn find<'a>(
        &'a self,
        sql: &'a str,
        params: &'a [Value],
    ) -> impl Future<Output = Result<Option<Row>, DbError>> + Send + 'a {
        #[cfg(test)]
        sites::record(std::panic::Location::caller(), sql);
        let find = async move {
            check(self.guard.as_ref(), Moment::Read)?;
            let rows = match &self.engine {
                Engine::Sqlite(sqlite) => sqlite.read().await?.query(sql, params)?,
                Engine::Postgres(postgres) => postgres.query(sql, params).await?,
            };
            Ok(rows.into_iter().next())
        };
        observed(self.monitor.as_ref(), Access::Read, false, find)
    }

    fn transaction(&self, inner: Inner, access: Access) -> Tx {
        Tx {
            inner,
            callers_clock: self.callers_clock,
            monitor: self.monitor.clone(),
            guard: self.guard.clone().filter(|_| access == Access::Write),
            access,
            changed: false,
        }
    }
}

fn check(guard: Option<&Arc<dyn Guard>>, moment: Moment) -> Result<(), DbError> {
    guard.map_or(Ok(()), |guard| guard.check(moment))
}

/// Runs a call under the monitor, if there is one.
fn observed<T>(
    monitor: Option<&Monitor>,
    access: Access,
    stored: bool,
    call: impl Future<Output = Result<T, DbError>>,
) -> impl Future<Output = Result<T, DbError>> {
    // Boxed, or every caller's future carries the call twice.
    let call = Box::pin(call);
    async move {
        match monitor {
            None => call.await,
            Some(monitor) => {
                monitor
                    .observe((Part::Database, access), 0, |_| stored, call)
                    .await
            }
        }
    }
}

/// A running transaction.
pub struct Tx {
    inner: Inner,
    callers_clock: bool,
    monitor: Option<Monitor>,
    guard: Option<Arc<dyn Guard>>,
    access: Access,
    /// Whether a statement changed rows: only then its commit proves that the database stores.
    changed: bool,
}

enum Inner {
    Sqlite(sqlite::Transaction),
    Postgres(postgres::Transaction),
}

impl Tx {
    /// The database's own time after the last lock of this transaction was taken; `None` where the caller's
    /// clock counts (SQLite).
    pub fn time(&self) -> Option<Timestamp> {
        match &self.inner {
            Inner::Postgres(postgres) if !self.callers_clock => Some(postgres.time()),
            _ => None,
        }
    }

    /// Waits until no other transaction holds `key`, and holds it to the end of this one.
    ///
    /// Take it before the first write and after the transaction's own scope: locks that are always taken in
    /// one order cannot wait for each other.
    pub async fn lock(&mut self, key: Key<'_>) -> Result<(), DbError> {
        match &mut self.inner {
            Inner::Sqlite(_) => Ok(()),
            Inner::Postgres(postgres) => {
                observed(self.monitor.as_ref(), self.access, false, postgres.lock(key)).await
            }
        }
    }

    /// Runs a statement and returns the number of rows it changed.
    #[cfg_attr(test, track_caller)]
    #[cfg_attr(
        not(test),
        expect(clippy::manual_async_fn, reason = "an `async fn` cannot know its caller")
    )]
    pub fn execute<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Value],
    ) -> impl Future<Output = Result<u64, DbError>> + Send + 'a {
        #[cfg(test)]
        sites::record(std::panic::Location::caller(), sql);
        async move {
            let inner = &mut self.inner;
            let execute = async {
                match inner {
                    Inner::Sqlite(sqlite) => sqlite.execute(sql, params),
                    Inner::Postgres(postgres) => postgres.execute(sql, params).await,
                }
            };
            let changed = observed(self.monitor.as_ref(), self.access, false, execute).await?;
            self.changed |= changed > 0;
            Ok(changed)
        }
    }

    /// Runs a statement that returns rows (also `… RETURNING …`).
    #[cfg_attr(test, track_caller)]
    #[cfg_attr(
        not(test),
        expect(clippy::manual_async_fn, reason = "an `async fn` cannot know its caller")
    )]
    pub fn query<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Value],
    ) -> impl Future<Output = Result<Vec<Row>, DbError>> + Send + 'a {
        #[cfg(test)]
        sites::record(std::panic::Location::caller(), sql);
        async move { self.rows(sql, params).await }
    }

    /// Like [`Tx::query`], for statements that find one row or none.
    #[cfg_attr(test, track_caller)]
    #[cfg_attr(
        not(test),
        expect(clippy::manual_async_fn, reason = "an `async fn` cannot know its caller")
    )]
    pub fn find<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Value],
    ) -> impl Future<Output = Result<Option<Row>, DbError>> + Send + 'a {
        #[cfg(test)]
        sites::record(std::panic::Location::caller(), sql);
        async move { Ok(self.rows(sql, params).await?.into_iter().next()) }
    }

    async fn rows(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, DbError> {
        let inner = &mut self.inner;
        let query = async {
            match inner {
                Inner::Sqlite(sqlite) => sqlite.query(sql, params),
                Inner::Postgres(postgres) => postgres.query(sql, params).await,
            }
        };
        observed(self.monitor.as_ref(), self.access, false, query).await
    }

    /// Lets the database read a statement without running it.
    #[cfg(test)]
    pub(crate) async fn prepare(&mut self, sql: &str) -> Result<(), DbError> {
        match &mut self.inner {
            Inner::Sqlite(sqlite) => sqlite.prepare(sql),
            Inner::Postgres(postgres) => postgres.prepare(sql).await,
        }
    }

    /// Makes everything durable.
    pub async fn commit(self) -> Result<(), DbError> {
        let inner = self.inner;
        let commit = async {
            // It may have waited for locks in the meantime.
            check(self.guard.as_ref(), Moment::Commit)?;
            match inner {
                Inner::Sqlite(sqlite) => sqlite.commit()?,
                Inner::Postgres(postgres) => postgres.commit().await?,
            }
            check(self.guard.as_ref(), Moment::Committed)
        };
        observed(self.monitor.as_ref(), self.access, self.changed, commit).await
    }
}

#[cfg(test)]
mod tests;
