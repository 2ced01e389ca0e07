//! Bluesky's own PDS and AppView, with the PLC directory and PostgreSQL they need.
//!
//! One Node.js process runs the three servers (`servers.cjs`). Followers are seeded as rows of the AppView's database: the
//! rows that its subscription writes. Follows during a test are records of the PDS, which the AppView indexes.
//!
//! Durable: nothing. Everything is in one temporary directory that is removed with the test process.

mod record;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::{http, keeper::Keeper, postgres::Postgres, tools};
pub use record::Follow;

const SCRIPT: &str = include_str!("bluesky/servers.cjs");
/// How long a start, or the indexing of a record, may take on a machine that is busy compiling.
const TIMEOUT: Duration = Duration::from_mins(2);
const COLLECTION: &str = "app.bsky.graph.follow";

/// The running servers.
#[derive(Debug)]
pub struct Bluesky {
    server: Keeper,
    directory: PathBuf,
    database: String,
    pds: u16,
    app_view: u16,
}

/// An account on the PDS.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its DID.
    pub did: String,
    /// Its handle.
    pub handle: String,
    authorization: String,
}

/// The URI of a record of a follow.
#[derive(Debug, Clone)]
pub struct Uri(String);

impl Bluesky {
    /// Starts servers of its own on a new database of the shared PostgreSQL; returns when they answer.
    pub fn start() -> Result<Self> {
        let program = tools::program("bluesky")?;
        let directory = tempfile::Builder::new()
            .prefix("followlytics-bluesky-")
            .tempdir()
            .context("failed to create a directory for the PDS")?
            .keep();
        let url = Postgres::shared()?.create_database()?;
        let database = url
            .rsplit('/')
            .next()
            .context("a database without a name")?
            .to_owned();
        let script = directory.join("servers.cjs");
        fs::write(&script, SCRIPT).context("failed to write servers.cjs")?;
        let ready = directory.join("ready");
        let path = |path: &Path| path.display().to_string();
        let arguments = [
            // The PDS keeps its repositories in the temporary directory.
            format!("TMPDIR={}", path(&directory)),
            "LOG_ENABLED=false".to_owned(),
            path(&program),
            path(&script),
            url,
            path(&ready),
        ];
        let log = directory.join("servers.log");
        let server = Keeper::start(Path::new("env"), arguments, &log, Some(&directory))?;
        let ports = wait_for(&server, &ready)?;
        Ok(Self {
            server,
            directory,
            database,
            pds: ports.0,
            app_view: ports.1,
        })
    }

    /// Base URL of the AppView.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.app_view)
    }

    /// Last lines of the log.
    pub fn last_output(&self) -> String {
        self.server.last_words()
    }

    /// Creates an account `<name>.test`; returns when the AppView lists it.
    pub fn create_account(&self, name: &str) -> Result<Account> {
        let handle = format!("{name}.test");
        let body =
            json!({"handle": handle, "email": format!("{name}@example.org"), "password": "correct-horse"});
        let created = self.post("com.atproto.server.createAccount", None, &body)?;
        let text = |field: &str| created.get(field)?.as_str().map(str::to_owned);
        let account = Account {
            did: text("did").context("an account without a DID")?,
            handle,
            authorization: format!(
                "Bearer {}",
                text("accessJwt").context("an account without a token")?
            ),
        };
        let sql = format!("SELECT did FROM appview.actor WHERE did = '{}'", account.did);
        self.wait_until(|| Ok(!self.rows(&sql)?.is_empty()))?;
        Ok(account)
    }

    /// Creates a record: `account` follows `subject`, dated `created_at`. The AppView indexes it a moment later.
    pub fn follow(&self, account: &Account, subject: &str, created_at: &str) -> Result<Uri> {
        let record = json!({"$type": COLLECTION, "subject": subject, "createdAt": created_at});
        let body = json!({"repo": account.did, "collection": COLLECTION, "record": record});
        let created = self.post("com.atproto.repo.createRecord", Some(account), &body)?;
        let uri = created.get("uri").and_then(Value::as_str);
        Ok(Uri(uri.context("a record without a URI")?.to_owned()))
    }

    /// Deletes the record of a follow.
    pub fn unfollow(&self, account: &Account, follow: &Uri) -> Result<()> {
        let key = follow.0.rsplit('/').next().unwrap_or_default();
        let body = json!({"repo": account.did, "collection": COLLECTION, "rkey": key});
        self.post("com.atproto.repo.deleteRecord", Some(account), &body)
            .map(drop)
    }

    /// Returns when the AppView has indexed a follow, or its deletion.
    pub fn wait_until_indexed(&self, follow: &Uri, exists: bool) -> Result<()> {
        let sql = format!("SELECT uri FROM appview.follow WHERE uri = '{}'", follow.0);
        self.wait_until(|| Ok(self.rows(&sql)?.is_empty() != exists))
    }

    /// DIDs of the accounts that follow `subject`, read from the AppView's database.
    pub fn followers(&self, subject: &str) -> Result<BTreeSet<String>> {
        let sql = format!("SELECT creator FROM appview.follow WHERE \"subjectDid\" = '{subject}'");
        Ok(self.rows(&sql)?.into_iter().collect())
    }

    /// Inserts accounts that follow `subject` into the AppView's database. They exist nowhere else.
    pub fn seed(&self, subject: &str, follows: &[Follow]) -> Result<()> {
        let mut sql = String::new();
        copy(
            &mut sql,
            "actor (did, handle, \"indexedAt\")",
            follows,
            |follow| format!("{}\t{}\t{}", follow.did, follow.handle, follow.indexed_at),
        );
        copy(
            &mut sql,
            "record (uri, cid, did, json, \"indexedAt\")",
            follows,
            |follow| {
                let (uri, cid) = (follow.uri(), follow.cid(subject));
                // COPY reads backslashes as escapes; the text has none.
                let json = follow.json(subject);
                format!("{uri}\t{cid}\t{}\t{json}\t{}", follow.did, follow.indexed_at)
            },
        );
        let columns = "follow (uri, cid, creator, \"subjectDid\", \"createdAt\", \"indexedAt\")";
        copy(&mut sql, columns, follows, |follow| {
            let (uri, cid) = (follow.uri(), follow.cid(subject));
            let dates = format!("{}\t{}", follow.created_at, follow.indexed_at);
            format!("{uri}\t{cid}\t{}\t{subject}\t{dates}", follow.did)
        });
        copy(
            &mut sql,
            "profile_agg (did, \"followsCount\")",
            follows,
            |follow| format!("{}\t1", follow.did),
        );
        let count = format!("SELECT COUNT(*) FROM appview.follow WHERE \"subjectDid\" = '{subject}'");
        // Writing to a String cannot fail.
        let _ = writeln!(
            sql,
            "INSERT INTO appview.profile_agg (did, \"followersCount\") VALUES ('{subject}', ({count})) \
             ON CONFLICT (did) DO UPDATE SET \"followersCount\" = excluded.\"followersCount\";\nANALYZE appview.follow;"
        );
        let file = self.directory.join("seed.sql");
        fs::write(&file, sql).context("failed to write seed.sql")?;
        Postgres::shared()?.run_file(&self.database, &file)
    }

    /// One column of the AppView's database.
    fn rows(&self, sql: &str) -> Result<Vec<String>> {
        let printed = Postgres::shared()?.run_sql(&self.database, sql)?;
        Ok(printed.lines().map(str::to_owned).collect())
    }

    fn post(&self, method: &str, account: Option<&Account>, body: &Value) -> Result<Value> {
        let authorization = account.map(|account| account.authorization.as_str());
        let path = format!("/xrpc/{method}");
        let response = http::request(self.pds, "POST", &path, authorization, Some(body));
        response
            .and_then(|response| response.json())
            .with_context(|| format!("{method} failed"))
    }

    #[expect(clippy::disallowed_methods, reason = "real programs work in real time")]
    fn wait_until(&self, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
        let start = Instant::now();
        while !is_so()? {
            if start.elapsed() > TIMEOUT {
                bail!(
                    "the AppView did not index within {TIMEOUT:?}; it said last:\n{}",
                    self.last_output()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// Appends a COPY statement with its rows.
fn copy(sql: &mut String, table: &str, follows: &[Follow], row: impl Fn(&Follow) -> String) {
    let _ = writeln!(sql, "COPY appview.{table} FROM STDIN;");
    for follow in follows {
        let _ = writeln!(sql, "{}", row(follow));
    }
    sql.push_str("\\.\n");
}

/// Ports of PDS and AppView.
#[expect(clippy::disallowed_methods, reason = "a real program comes up in real time")]
fn wait_for(server: &Keeper, ready: &Path) -> Result<(u16, u16)> {
    let start = Instant::now();
    loop {
        if let Ok(text) = fs::read_to_string(ready) {
            let mut ports = text.split_whitespace().map(str::parse);
            if let (Some(Ok(pds)), Some(Ok(app_view))) = (ports.next(), ports.next()) {
                return Ok((pds, app_view));
            }
        }
        if !server.is_running() || start.elapsed() > TIMEOUT {
            bail!(
                "failed to start Bluesky's servers within {TIMEOUT:?}; they said last:\n{}",
                server.last_words()
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
