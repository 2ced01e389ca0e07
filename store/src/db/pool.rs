//! Connections to one PostgreSQL database: as many as there is work for, up to a bound, kept for the next.
//!
//! A connection whose transaction ended is given back at once; one whose transaction was dropped is rolled back
//! first, in the background; one that broke is closed. Nothing is asked of a connection before it is used: the
//! first statement of a transaction changes nothing and is simply tried again on another connection.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, error::DatabaseError, postgres::PgConnectOptions,
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::DbError;

/// Most connections of one process: PostgreSQL allows 100 in all by default, and several processes share them.
const MOST: usize = 16;
/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long one may wait for its turn at a connection.
const WAITING: Duration = Duration::from_secs(30);

/// The connections of one process to one database.
pub(super) struct Pool {
    options: PgConnectOptions,
    idle: Mutex<Vec<PgConnection>>,
    slots: Arc<Semaphore>,
}

impl Pool {
    pub(super) fn new(options: PgConnectOptions) -> Arc<Self> {
        Arc::new(Self {
            options,
            idle: Mutex::default(),
            slots: Arc::new(Semaphore::new(MOST)),
        })
    }

    /// A connection that is nobody else's.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, DbError> {
        let slot = match timeout(WAITING, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => slot,
            Ok(Err(closed)) => return Err(DbError::Gone(closed.into())),
            Err(_) => {
                let busy = format!("all {MOST} connections to the database were busy for {WAITING:?}");
                return Err(DbError::Locked(busy.into()));
            }
        };
        let kept = self.idle().pop();
        let is_fresh = kept.is_none();
        let connection = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Lease {
            connection: Some(connection),
            pool: Arc::clone(self),
            slot: Some(slot),
            is_fresh,
            in_transaction: false,
        })
    }

    async fn connect(&self) -> Result<PgConnection, DbError> {
        match timeout(CONNECTING, self.options.connect()).await {
            Ok(connected) => connected.map_err(|error| refusal(&self.options, error)),
            Err(late) => Err(DbError::Unreachable {
                server: server(&self.options),
                source: late.into(),
            }),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one connection.
pub(super) struct Lease {
    connection: Option<PgConnection>,
    pool: Arc<Pool>,
    slot: Option<OwnedSemaphorePermit>,
    is_fresh: bool,
    in_transaction: bool,
}

impl Lease {
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, DbError> {
        let closed = || DbError::Gone("the connection was closed".into());
        self.connection.as_mut().ok_or_else(closed)
    }

    /// Whether the connection was made for this lease: then a failure is the server's, not the connection's age.
    pub(super) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// From here to [`Lease::ended`] a dropped lease is rolled back.
    pub(super) fn began(&mut self) {
        self.in_transaction = true;
    }

    pub(super) fn ended(&mut self) {
        self.in_transaction = false;
    }

    /// Passes an answer on. A connection that broke, or did not answer, is closed, and with it those that have
    /// waited since before.
    pub(super) fn heard<T>(&mut self, answer: Result<T, DbError>) -> Result<T, DbError> {
        if matches!(answer, Err(DbError::Gone(_))) {
            self.connection = None;
            self.pool.idle().clear();
        }
        answer
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if !self.in_transaction {
            self.pool.idle().push(connection);
            return;
        }
        // Without a runtime the connection is closed, and the server rolls back by itself.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let (pool, slot) = (Arc::clone(&self.pool), self.slot.take());
        runtime.spawn(async move {
            let rolled_back = sqlx::raw_sql("ROLLBACK").execute(&mut connection).await;
            if rolled_back.is_ok() {
                pool.idle().push(connection);
            }
            drop(slot);
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // A goodbye on the wire: without it the server notes every end as a lost connection.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        for connection in self.idle().drain(..) {
            runtime.spawn(connection.close());
        }
    }
}

/// The server as errors name it: never its password.
pub(super) fn server(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(folder) => format!("{}:{}/{database}", folder.display(), options.get_port()),
        None => format!("{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

/// Why no connection came about.
fn refusal(options: &PgConnectOptions, error: sqlx::Error) -> DbError {
    let code = error.as_database_error().and_then(DatabaseError::code);
    let remedy = match code.as_deref() {
        Some("28P01" | "28000") => {
            "give the right user and password in --database, and let pg_hba.conf admit them from here"
        }
        Some("3D000") => "there is no such database: create it (createdb), or name another in --database",
        Some("42501") => "this user may not use the database: GRANT CONNECT ON DATABASE … TO it",
        Some("53300") => "it has no connection left: raise its max_connections, or stop another client",
        _ if is_about_tls(&error) => {
            "encryption failed: name the authority of the server's certificate (?sslrootcert=FILE), and the host as it does"
        }
        _ => {
            return DbError::Unreachable {
                server: server(options),
                source: error.into(),
            };
        }
    };
    DbError::Denied {
        server: server(options),
        user: options.get_username().to_owned(),
        remedy,
        source: error.into(),
    }
}

fn is_about_tls(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}
