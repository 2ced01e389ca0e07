//! Why a database could not do what was asked, in sentences that name the remedy.
//!
//! Both databases end in the same variants, so that callers never ask which one it was. No text ever holds a
//! password: servers are named by host, port and database.

/// What the database's own library said.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

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
        source: Source,
    },
    /// The database's address cannot be read.
    #[error(
        "failed to read the database's address: {detail}; give --database postgres://USER:PASSWORD@HOST:5432/DATABASE"
    )]
    Address {
        /// What is wrong with it; never the address itself, which may hold a password.
        detail: String,
    },
    /// No server answered.
    #[error(
        "failed to reach PostgreSQL at {server}: is it running, and are the host and the port in --database right?"
    )]
    Unreachable {
        /// Host, port and database.
        server: String,
        /// What the connection said.
        #[source]
        source: Source,
    },
    /// The server does not let this user in, or not to this database.
    #[error("failed to log in to PostgreSQL at {server} as {user}: {remedy}")]
    Denied {
        /// Host, port and database.
        server: String,
        /// Who tried.
        user: String,
        /// What to change.
        remedy: &'static str,
        /// What the server said.
        #[source]
        source: Source,
    },
    /// A commit is answered before it is durable.
    #[error(
        "failed to use the database: {setting} is off there, so a charge or a page could be lost after it was confirmed; set \
         {setting} to on (ALTER SYSTEM, ALTER DATABASE or ALTER ROLE … SET {setting} = on), and leave it out of --database"
    )]
    NotDurable {
        /// The setting.
        setting: &'static str,
    },
    /// The user may not create tables.
    #[error(
        "failed to create the tables: this user may not create any in the database's schema; as its owner, run \
         `GRANT CREATE ON SCHEMA public TO` the user, or give the user a database of its own"
    )]
    Forbidden(#[source] Source),
    /// Somebody else holds what this needs for longer than the time-out (SQLite 10 s, PostgreSQL 30 s).
    #[error(
        "failed to lock the database: another process holds it; stop the other `followlytics` on this data directory, \
         or look for a transaction that hangs"
    )]
    Locked(#[source] Source),
    /// The disk is full; nothing of the transaction was written.
    #[error(
        "failed to write to the database: the disk is full; free some space and run the command again, nothing was lost"
    )]
    Full(#[source] Source),
    /// The database was written by a newer release.
    #[error(
        "failed to open the database: its schema is version {found}, this release knows up to {known}; use the newer `followlytics`"
    )]
    Newer {
        /// Schema version in the database.
        found: i64,
        /// Newest version this program knows.
        known: i64,
    },
    /// The connection was lost in mid-transaction. Nothing of it was written, unless it was its commit that
    /// got no answer: calling the same method again finds out.
    #[error(
        "failed to keep the connection to the database: the server went away or ended it; nothing is lost, it goes on by \
         itself once the server is back"
    )]
    Gone(#[source] Source),
    /// A unique constraint refused a row.
    #[error("failed to insert a row that exists already")]
    Exists(#[source] Source),
    /// Any other refusal of a statement.
    #[error("failed to run a statement")]
    Statement(#[source] Source),
    /// A column held another type than its reader asked for.
    #[error("failed to read column {column}: stored as {stored}")]
    Column {
        /// Position in the result row.
        column: usize,
        /// Type found.
        stored: &'static str,
    },
}

impl DbError {
    /// Whether the same call may succeed once the database is back or free again.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Locked(_) | Self::Full(_) | Self::Gone(_)
        )
    }
}
