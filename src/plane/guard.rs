//! The right to be the one control plane of a database that the data directory's lock does not protect.
//!
//! Durable: one row of the ledger, with a holder and an end, renewed while the control plane runs. While the database is
//! away, the control plane waits. It writes nothing from before the row's end until the row is renewed, and ends if
//! another control plane has taken the row meanwhile: two never write to one ledger. (Requests that have a permit may
//! still be on their way then: epochs keep those apart, as they do for any two holders of a range.)

use std::{os::unix::fs::MetadataExt as _, path::Path, time::Duration};

use followlytics_store::{
    db::Right,
    ledger::{Ledger, LockTaken},
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};

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
/// How long is written after the last renewal was sent: sooner than the lease ends by the time a commit may take.
const WRITING: Duration = Duration::from_secs(50);
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
    right: Right,
    keeping: JoinHandle<()>,
}

impl Guard {
    /// Takes the right to this database for the process that holds this data directory's lock. `ledger` is not bound to
    /// that right. `lost` is told why when it is gone; whoever has not ended the process soon after finds it ended.
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
            let sent = Instant::now();
            match ledger.take_lock(NAME, &text, LEASE, is_gone).await? {
                LockTaken::Yes => {
                    let right = Right::until(sent + WRITING);
                    let keeping = tokio::spawn(keep(
                        ledger.clone(),
                        text.clone(),
                        right.clone(),
                        database.to_owned(),
                        lost,
                    ));
                    return Ok(Self {
                        ledger: ledger.clone(),
                        holder: text,
                        right,
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

    /// What is allowed to write while the row is renewed.
    pub(super) const fn right(&self) -> &Right {
        &self.right
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

/// Renews the right for ever; ends the process once another one has it.
async fn keep(
    ledger: Ledger,
    holder: String,
    right: Right,
    database: String,
    lost: watch::Sender<Option<String>>,
) {
    renew_for_ever(&ledger, &holder, &right).await;
    let message = format!(
        "lost the database {database}: another control plane has taken it over, and this one stops so that no two work on \
         one ledger; nothing is lost, start it again"
    );
    lost.send_replace(Some(message.clone()));
    tokio::time::sleep(STOPPING).await;
    // Whatever still hangs, hangs on the database that is gone. Children end with this process.
    eprintln!("error: {message}");
    std::process::exit(Exit::Storage.code().into());
}

/// Renews the right until another control plane has taken it. A database that is away takes it from nobody.
async fn renew_for_ever(ledger: &Ledger, holder: &str, right: &Right) {
    let mut pause = EVERY;
    loop {
        tokio::time::sleep(pause).await;
        let sent = Instant::now();
        pause = AGAIN;
        match timeout(ANSWER, ledger.renew_lock(NAME, holder, LEASE)).await {
            Ok(Ok(true)) => {
                right.extend(sent + WRITING);
                pause = EVERY;
            }
            Ok(Ok(false)) => return,
            Ok(Err(error)) => tracing::warn!(%error, "failed to renew the right to the database"),
            Err(_) => tracing::warn!("failed to renew the right to the database: no answer"),
        }
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

    fn right() -> Right {
        Right::until(Instant::now() + WRITING)
    }

    async fn can_write(db: &Db, right: &Right) -> bool {
        let tx = db.clone().guarded_by(right.clone()).begin().await;
        tx.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_that_can_be_renewed_is_kept() {
        let (db, ledger) = held().await;
        let right = right();
        let kept = timeout(Duration::from_hours(24), renew_for_ever(&ledger, "own", &right));
        assert!(kept.await.is_err(), "given up though every renewal was answered");
        assert!(can_write(&db, &right).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_that_somebody_took_is_lost_with_the_next_renewal() {
        let (db, ledger) = held().await;
        run(&db, "UPDATE locks SET holder = 'other'").await;
        let right = right();
        timeout(EVERY + AGAIN, renew_for_ever(&ledger, "own", &right))
            .await
            .unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn database_that_is_away_for_long_is_written_to_again_after_the_next_renewal() {
        let (db, ledger) = held().await;
        run(&db, "ALTER TABLE locks RENAME TO away").await;
        let right = right();
        let task = right.clone();
        let keeping = tokio::spawn(async move { renew_for_ever(&ledger, "own", &task).await });
        tokio::time::sleep(Duration::from_secs(49)).await;
        assert!(can_write(&db, &right).await);
        // From before another control plane can begin.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(WRITING + STOPPING <= Duration::try_from(LEASE).unwrap());
        assert!(!can_write(&db, &right).await);
        tokio::time::sleep(Duration::from_mins(10)).await;
        assert!(!keeping.is_finished() && !can_write(&db, &right).await);
        run(&db, "ALTER TABLE away RENAME TO locks").await;
        assert!(!can_write(&db, &right).await, "not renewed yet");
        tokio::time::sleep(AGAIN * 2).await;
        assert!(can_write(&db, &right).await);
        // Unless another one began meanwhile.
        run(&db, "UPDATE locks SET holder = 'other'").await;
        timeout(EVERY + AGAIN, keeping).await.unwrap().unwrap();
    }
}
