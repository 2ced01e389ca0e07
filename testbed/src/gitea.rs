//! A real Gitea with one followed account, on SQLite or PostgreSQL.
//!
//! Followers are seeded as rows of its database: the rows that its API writes. Follows during a test go through the API.
//! Gitea refuses to run as root: then it runs as the user `postgres`.
//!
//! Durable: nothing. Everything is in one temporary directory that is removed with the test process.

mod settings;
mod sql;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{http, keeper::Keeper, port, postgres, tools};
use sql::Sql;

/// The account that is followed.
pub const STAR: &str = "star";
/// A seeded account whose number is a multiple of this follows no account.
pub const IDLE: u32 = 10;
/// The password of every account.
const PASSWORD: &str = "correct-horse";
/// Account whose row is copied to seed a follower.
const TEMPLATE: &str = "template";
/// Files of the version that `cargo xtask tools` builds.
const FILES: &str = "gitea-1.26.0";
/// How long a start may take on a machine that is busy compiling.
const STARTING: Duration = Duration::from_mins(2);
/// Attempts to start; another process may take the port first.
const PORTS: u32 = 5;

/// Database of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file in its directory.
    Sqlite,
    /// A database of the tests' own PostgreSQL.
    Postgres,
}

/// A running server.
#[derive(Debug)]
pub struct Gitea {
    server: Keeper,
    port: u16,
    token: String,
    sql: Sql,
}

impl Gitea {
    /// Starts a server and returns when it answers requests.
    pub fn start(database: Database) -> Result<Self> {
        let mut last = None;
        for _ in 0..PORTS {
            match Self::try_start(database) {
                Ok(server) => return Ok(server),
                Err(error) if format!("{error:#}").contains("address already in use") => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.context("no port was tried")?)
    }

    fn try_start(database: Database) -> Result<Self> {
        let home = Home::new()?;
        let port = port::free()?;
        let sql = match database {
            Database::Sqlite => Sql::file(home.directory.join("data").join("gitea.db")),
            Database::Postgres => Sql::postgres()?,
        };
        let ini = settings::text(&home.directory, port, &sql);
        fs::write(home.ini(), ini).context("failed to write app.ini")?;
        home.give(&home.ini())?;
        let (program, arguments) = home.command(&["web"]);
        let log = home.directory.join("gitea.log");
        let server = Keeper::start(&program, arguments, &log, Some(&home.directory))?;
        wait_until_ready(&server, port)?;
        for name in [STAR, TEMPLATE] {
            let email = format!("{name}@example.org");
            home.run(&[
                "admin",
                "user",
                "create",
                "--username",
                name,
                "--password",
                PASSWORD,
                "--email",
                &email,
                "--must-change-password=false",
            ])?;
        }
        let token = home.run(&[
            "admin",
            "user",
            "generate-access-token",
            "--raw",
            "--username",
            STAR,
            "--scopes",
            "read:user",
        ])?;
        let token = token.lines().last().unwrap_or_default().trim().to_owned();
        Ok(Self {
            server,
            port,
            token,
            sql,
        })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Host and port, as a part of an account's name.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A token of [`STAR`] with the scope `read:user`: Gitea 1.26 lists followers for signed-in users only.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Adds accounts `f1` to `f<count>`. All but every [`IDLE`]th follow [`STAR`], in an order that is not that of their ids.
    pub fn seed(&self, count: u32) -> Result<()> {
        self.sql.seed(count)
    }

    /// Ids of the accounts that follow [`STAR`], read from the database.
    pub fn followers(&self) -> Result<BTreeSet<String>> {
        let rows = self.sql.rows(
            "SELECT CAST(user_id AS TEXT) FROM follow WHERE follow_id = (SELECT id FROM \"user\" WHERE lower_name = 'star')",
        )?;
        Ok(rows.into_iter().collect())
    }

    /// Ids of all accounts by their names.
    pub fn ids(&self) -> Result<BTreeMap<String, String>> {
        let rows = self
            .sql
            .rows("SELECT lower_name || ' ' || CAST(id AS TEXT) FROM \"user\"")?;
        rows.iter()
            .map(|row| {
                let (name, id) = row.split_once(' ').context("a row without an id")?;
                Ok((name.to_owned(), id.to_owned()))
            })
            .collect()
    }

    /// `name` follows [`STAR`].
    pub fn follow(&self, name: &str) -> Result<()> {
        self.change("PUT", name)
    }

    /// `name` no longer follows [`STAR`].
    pub fn unfollow(&self, name: &str) -> Result<()> {
        self.change("DELETE", name)
    }

    /// Last lines of the log.
    pub fn last_output(&self) -> String {
        self.server.last_words()
    }

    fn change(&self, method: &str, name: &str) -> Result<()> {
        let path = format!("/api/v1/user/following/{STAR}");
        let basic = format!("Basic {}", STANDARD.encode(format!("{name}:{PASSWORD}")));
        let response = http::request(self.port, method, &path, Some(&basic), None)?;
        if response.status != 204 {
            bail!("{method} by {name} failed: {} {}", response.status, response.body);
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a real program comes up in real time")]
fn wait_until_ready(server: &Keeper, port: u16) -> Result<()> {
    let start = Instant::now();
    while !http::answers(port, "/api/v1/version") {
        if !server.is_running() || start.elapsed() > STARTING {
            bail!(
                "failed to start Gitea within {STARTING:?}; it said last:\n{}",
                server.last_words()
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The directory of a server, and the user that runs it.
struct Home {
    directory: PathBuf,
    program: PathBuf,
    owner: Option<(u32, u32)>,
}

impl Home {
    fn new() -> Result<Self> {
        let program = tools::program("gitea")?;
        let files = tools::cache()?.join("tools").join("share").join(FILES);
        let directory = tempfile::Builder::new()
            .prefix("followlytics-gitea-")
            .tempdir()
            .context("failed to create a directory for Gitea")?
            .keep();
        // The server's user is another one when the tests run as root.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        let mut home = Self {
            directory,
            program,
            owner: postgres::owner()?,
        };
        for name in ["data", "custom", "repositories"] {
            fs::create_dir(home.directory.join(name))?;
            home.give(&home.directory.join(name))?;
        }
        // Another user may not look into the cache directory.
        copy(&files, &home.directory.join("static"))
            .with_context(|| format!("failed to copy {}: run `cargo xtask tools`", files.display()))?;
        let own = home.directory.join("gitea");
        if fs::hard_link(&home.program, &own).is_err() {
            fs::copy(&home.program, &own).context("failed to copy Gitea's program")?;
        }
        home.program = own;
        Ok(home)
    }

    fn ini(&self) -> PathBuf {
        self.directory.join("app.ini")
    }

    fn give(&self, path: &Path) -> Result<()> {
        if let Some((uid, gid)) = self.owner {
            chown(path, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    /// The program as its own user, with its own settings and no other environment.
    fn command(&self, words: &[&str]) -> (PathBuf, Vec<String>) {
        let mut line: Vec<String> = Vec::new();
        if let Some((uid, gid)) = self.owner {
            line.extend([
                "setpriv".into(),
                format!("--reuid={uid}"),
                format!("--regid={gid}"),
            ]);
            line.extend(["--clear-groups".into(), "--".into()]);
        }
        line.extend(["env".into(), "-i".into()]);
        line.push(format!("PATH={}", std::env::var("PATH").unwrap_or_default()));
        line.push(format!("HOME={}", self.directory.join("data").display()));
        line.push(self.program.display().to_string());
        line.extend(["--config".into(), self.ini().display().to_string()]);
        line.extend(words.iter().map(|word| (*word).to_owned()));
        let program = PathBuf::from(line.remove(0));
        (program, line)
    }

    fn run(&self, words: &[&str]) -> Result<String> {
        let (program, arguments) = self.command(words);
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&self.directory)
            .output()
            .context("failed to run Gitea")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!(
                "gitea {words:?} failed: {text}{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(text)
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copied = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &copied)?;
        } else {
            fs::copy(entry.path(), copied)?;
        }
    }
    Ok(())
}
