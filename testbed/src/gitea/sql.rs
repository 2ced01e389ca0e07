//! Gitea's database: the same statements on SQLite and PostgreSQL.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use rusqlite::Connection;

use super::{IDLE, STAR, TEMPLATE};
use crate::postgres::{PASSWORD, Postgres, USER};

/// Columns of a copied account that differ from those of the template; `i` is the number of the copy.
///
/// Without an avatar, the first request that lists an account draws one and stores it, which takes 50 times as long.
const OWN: [(&str, &str); 5] = [
    ("avatar", "'f' || i"),
    ("name", "'f' || i"),
    ("lower_name", "'f' || i"),
    ("email", "'f' || i || '@example.org'"),
    ("avatar_email", "'f' || i || '@example.org'"),
];

/// How long a statement waits for the server's own writes.
const BUSY: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) enum Sql {
    File(PathBuf),
    /// A database of the shared server, by its name.
    Postgres(String),
}

impl Sql {
    pub(super) fn file(path: PathBuf) -> Self {
        Self::File(path)
    }

    pub(super) fn postgres() -> Result<Self> {
        let url = Postgres::shared()?.create_database()?;
        let name = url.rsplit('/').next().context("a database without a name")?;
        Ok(Self::Postgres(name.to_owned()))
    }

    /// The lines of `app.ini`.
    pub(super) fn settings(&self) -> String {
        match self {
            Self::File(path) => format!(
                "DB_TYPE = sqlite3\nPATH = {}\nSQLITE_JOURNAL_MODE = WAL",
                path.display()
            ),
            Self::Postgres(name) => format!(
                "DB_TYPE = postgres\nHOST = 127.0.0.1:{}\nNAME = {name}\nUSER = {USER}\nPASSWD = {PASSWORD}\nSSL_MODE = disable",
                Postgres::shared().map_or(0, Postgres::port)
            ),
        }
    }

    pub(super) fn run(&self, sql: &str) -> Result<()> {
        match self {
            Self::File(path) => {
                let connection = open(path)?;
                connection
                    .execute_batch(&format!("BEGIN IMMEDIATE; {sql}; COMMIT"))
                    .with_context(|| format!("failed to run {sql}"))
            }
            Self::Postgres(name) => Postgres::shared()?
                .run_sql(name, &format!("BEGIN; {sql}; COMMIT"))
                .map(drop),
        }
    }

    /// The first column, a text.
    pub(super) fn rows(&self, sql: &str) -> Result<Vec<String>> {
        match self {
            Self::File(path) => {
                let connection = open(path)?;
                let mut statement = connection.prepare(sql)?;
                let rows = statement.query_map([], |row| row.get(0))?;
                Ok(rows.collect::<Result<_, _>>()?)
            }
            Self::Postgres(name) => {
                let printed = Postgres::shared()?.run_sql(name, sql)?;
                Ok(printed.lines().map(str::to_owned).collect())
            }
        }
    }

    /// Copies the template's row, then inserts the rows of the follows with their counts.
    pub(super) fn seed(&self, count: u32) -> Result<()> {
        let columns: Vec<String> = self
            .columns()?
            .into_iter()
            .filter(|column| column != "id")
            .collect();
        let names: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
        let values: Vec<String> = columns
            .iter()
            .map(|column| {
                let own = OWN.iter().find(|(name, _)| name == column);
                own.map_or_else(|| format!("t.\"{column}\""), |(_, value)| (*value).to_owned())
            })
            .collect();
        self.run(&format!(
            "INSERT INTO \"user\" ({}) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             SELECT {} FROM \"user\" t, n WHERE t.lower_name = '{TEMPLATE}' ORDER BY i;
             INSERT INTO follow (user_id, follow_id, created_unix) \
             SELECT u.id, star.id, 1700000000 FROM \"user\" u, \"user\" star \
             WHERE star.lower_name = '{STAR}' AND u.lower_name LIKE 'f%' \
             AND CAST(substr(u.lower_name, 2) AS INTEGER) % {IDLE} <> 0 ORDER BY u.id * 48271 % 65537, u.id;
             UPDATE \"user\" SET num_following = 1 WHERE id IN (SELECT user_id FROM follow);
             UPDATE \"user\" SET num_followers = (SELECT COUNT(*) FROM follow) WHERE lower_name = '{STAR}'",
            names.join(", "),
            values.join(", "),
        ))
    }

    fn columns(&self) -> Result<Vec<String>> {
        self.rows(match self {
            Self::File(_) => "SELECT name FROM pragma_table_info('user')",
            Self::Postgres(_) => {
                "SELECT column_name FROM information_schema.columns \
                 WHERE table_schema = 'public' AND table_name = 'user' ORDER BY ordinal_position"
            }
        })
    }
}

fn open(path: &PathBuf) -> Result<Connection> {
    let connection = Connection::open(path).context("failed to open Gitea's database")?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}
