//! The right to be the one control plane of a database that the data directory's lock does not protect.
//!
//! Durable: one row of the ledger, with a holder and an end. It is renewed while the control plane runs; when it cannot
//! be, the control plane ends before the row does, so that two never work on one ledger. (A few requests may still be
//! on their way then: epochs keep those apart, as they do for any two holders of a range.)

use std::{os::unix::fs::MetadataExt as _, path::Path, time::Duration};

use followlytics_store::ledger::{Ledger, LockTaken};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::{
    data::DataDir,
    edge,
    exit::{Exit, Failure},
};

/// Name of the row.
const NAME: &str = "control-plane";
/// How long the right lasts without a renewal.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How often it is renewed, and how long one renewal may take.
const EVERY: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(5);
/// How soon a renewal is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// When it is given up, since the last renewal was answered: sooner than the lease by that answer and some room.
const GIVE_UP: Duration = Duration::from_secs(45);
/// How long everything may take to stop once the right is lost.
const STOPPING: Duration = Duration::from_secs(10);
/// How often the right is asked for by a command that finds it taken: others may hold it for a moment.
const TRIES: u32 = 20;
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// Who holds the right, as it is written into the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    /// New with every holder.
    id: String,
    /// The data directory, told from every other: only one process at a time has its lock.
    home: String,
    host: String,
    process: u32,
    directory: String,
}

/// The right, kept up by a task of its own.
pub(super) struct Guard {
    ledger: Ledger,
    holder: String,
    keeping: JoinHandle<()>,
}

impl Guard {
    /// Takes the right to this database for the process that holds this data directory's lock. `lost` is told why
    /// when it is gone; whoever has not ended the process soon after finds it ended.
    pub(super) async fn take(
        ledger: &Ledger,
        data: &DataDir,
        database: &str,
        lost: watch::Sender<Option<String>>,
    ) -> Result<Self, Failure> {
        let own = Holder {
            id: edge::new_id().to_string(),
            home: home(data)?,
            host: host(),
            process: std::process::id(),
            directory: data.root().display().to_string(),
        };
        let text = serde_json::to_string(&own).map_err(anyhow::Error::from)?;
        // One that held this data directory's lock is gone: this process has the lock now.
        let is_gone =
            |holder: &str| serde_json::from_str::<Holder>(holder).is_ok_and(|holder| holder.home == own.home);
        for tried in 0..TRIES {
            match ledger.take_lock(NAME, &text, LEASE, is_gone).await? {
                LockTaken::Yes => {
                    let keeping = tokio::spawn(keep(ledger.clone(), text.clone(), database.to_owned(), lost));
                    return Ok(Self {
                        ledger: ledger.clone(),
                        holder: text,
                        keeping,
                    });
                }
                LockTaken::By { holder, until } if tried + 1 == TRIES => {
                    return Err(in_use(database, &holder, until));
                }
                LockTaken::By { .. } => tokio::time::sleep(TRY_AGAIN).await,
            }
        }
        Err(Failure::storage(format!(
            "failed to take the database {database}"
        )))
    }

    /// Gives the right back: the next control plane need not wait.
    pub(super) async fn give_back(self) {
        self.keeping.abort();
        // A database that is away gives it back by itself, when its time is up.
        let _ = timeout(ANSWER, self.ledger.unlock(NAME, &self.holder)).await;
    }
}

fn in_use(database: &str, holder: &str, until: jiff::Timestamp) -> Failure {
    let who = serde_json::from_str::<Holder>(holder).map_or_else(
        |_| String::new(),
        |holder| {
            format!(
                " (process {} on {}, data directory {})",
                holder.process, holder.host, holder.directory
            )
        },
    );
    let until = until.strftime("%H:%M:%S UTC");
    Failure::storage(format!(
        "another followlytics{who} works on the database {database} until {until}, or longer if it still runs then: stop \
         it, use it with --server, or name another database with --database"
    ))
}

/// Renews the right for ever; ends the process when that cannot be done.
async fn keep(ledger: Ledger, holder: String, database: String, lost: watch::Sender<Option<String>>) {
    let why = renew_for_ever(&ledger, &holder).await;
    let message = format!(
        "lost the database {database}: {why}, and this control plane stops so that no two work on one ledger; nothing is \
         lost, start it again"
    );
    lost.send_replace(Some(message.clone()));
    tokio::time::sleep(STOPPING).await;
    // Whatever still hangs, hangs on the database that is gone. Children end with this process.
    eprintln!("error: {message}");
    std::process::exit(Exit::Storage.code().into());
}

/// Renews the right as long as that can be done; why it could not be.
async fn renew_for_ever(ledger: &Ledger, holder: &str) -> &'static str {
    loop {
        match timeout(GIVE_UP, renewed(ledger, holder)).await {
            Ok(true) => {}
            Ok(false) => return "another control plane has taken it over",
            Err(_) => return "it could not be reached for too long",
        }
    }
}

/// Waits for the next renewal: `true` when it is done, `false` when somebody else has the right.
async fn renewed(ledger: &Ledger, holder: &str) -> bool {
    tokio::time::sleep(EVERY).await;
    loop {
        match timeout(ANSWER, ledger.renew_lock(NAME, holder, LEASE)).await {
            Ok(Ok(is_ours)) => return is_ours,
            Ok(Err(error)) => tracing::warn!(%error, "failed to renew the right to the database"),
            Err(_) => tracing::warn!("failed to renew the right to the database: no answer"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What tells this data directory from every other: its own name, and the file that is locked, so that a copy of the
/// directory is another one.
fn home(data: &DataDir) -> Result<String, Failure> {
    let refused = |path: &Path, source: std::io::Error| {
        Failure::storage(format!(
            "failed to use {}: {source}; make the data directory writable for you",
            path.display()
        ))
    };
    let name = data.root().join("id");
    if !name.exists() {
        std::fs::write(&name, edge::new_id().to_string()).map_err(|source| refused(&name, source))?;
    }
    let id = std::fs::read_to_string(&name).map_err(|source| refused(&name, source))?;
    let lock = data.root().join("lock");
    let found = std::fs::metadata(&lock).map_err(|source| refused(&lock, source))?;
    Ok(format!("{}:{}:{}", id.trim(), found.dev(), found.ino()))
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        "a machine without a name".to_owned()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use followlytics_store::db::Db;

    use super::*;

    async fn held() -> (Db, Ledger) {
        let db = Db::memory().unwrap();
        let ids = Arc::new(|| edge::new_id().to_string());
        let ledger = Ledger::new(db.clone(), edge::clock(), ids);
        let taken = ledger.take_lock(NAME, "own", LEASE, |_| false).await.unwrap();
        assert_eq!(taken, LockTaken::Yes);
        (db, ledger)
    }

    async fn run(db: &Db, sql: &str) {
        let mut tx = db.begin().await.unwrap();
        tx.execute(sql, &[]).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_that_can_be_renewed_is_kept() {
        let (_db, ledger) = held().await;
        let kept = timeout(Duration::from_hours(24), renew_for_ever(&ledger, "own"));
        assert!(kept.await.is_err(), "given up though every renewal was answered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_that_somebody_took_is_lost_with_the_next_renewal() {
        let (db, ledger) = held().await;
        run(&db, "UPDATE locks SET holder = 'other'").await;
        let why = timeout(EVERY + AGAIN, renew_for_ever(&ledger, "own"))
            .await
            .unwrap();
        assert!(why.contains("taken it over"), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_may_come_back_before_the_right_ends_and_not_later() {
        let (db, ledger) = held().await;
        let hide = "ALTER TABLE locks RENAME TO away";
        run(&db, hide).await;
        let (task, own) = (ledger.clone(), "own");
        let keeping = tokio::spawn(async move { renew_for_ever(&task, own).await });
        tokio::time::sleep(Duration::from_secs(40)).await;
        run(&db, "ALTER TABLE away RENAME TO locks").await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(!keeping.is_finished(), "it came back in time");
        run(&db, hide).await;
        let why = timeout(GIVE_UP + EVERY, keeping).await.unwrap().unwrap();
        assert!(why.contains("could not be reached"), "{why}");
        // Nobody else can begin before: the last answer was at most `ANSWER` old.
        assert!(GIVE_UP + ANSWER + STOPPING <= Duration::try_from(LEASE).unwrap());
    }
}
