//! The health monitor: observes every call of a database and of an object store, and publishes outages.
//!
//! In memory only, one per process. [`core::health`](followlytics_core::health) decides what is an outage. A part that
//! is unavailable is probed once per second, so that an outage ends without other work.

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use followlytics_core::health::{Access, Board, Cause, Health, Outage, Outcome, Part};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, task::JoinSet, time::Instant};

use crate::{
    db::{Db, DbError},
    ledger::Clock,
    objects::Objects,
    params,
};

#[cfg(test)]
mod tests;

/// How often silent calls are looked for.
const LOOK: Duration = Duration::from_millis(250);
/// A look that comes so late says that this process stood still: answers wait to be read.
const LATE: Duration = Duration::from_millis(500);
/// How often an unavailable part is probed.
const PROBE: Duration = Duration::from_secs(1);
/// How often clocks are compared.
const CLOCKS: Duration = Duration::from_secs(30);

/// The health monitor of one process; cheap to clone.
#[derive(Clone)]
pub struct Monitor {
    inner: Arc<Inner>,
}

struct Inner {
    board: Mutex<Board>,
    published: watch::Sender<Health>,
    /// Times are counted from here on the monotonic clock: a wall clock that jumps makes no outage.
    began: (Timestamp, Instant),
}

/// Lead of the database's clock over `clock`; `None` where the database has none. The time of the answer itself is not a
/// difference.
async fn clock_ahead(db: &Db, clock: &Clock) -> Result<Option<SignedDuration>, DbError> {
    let sent = clock();
    let Some(theirs) = db.read().await?.time() else {
        return Ok(None);
    };
    let ours = theirs.clamp(sent, clock().max(sent));
    Ok(Some(theirs.duration_since(ours)))
}

/// An error that may be an outage.
pub(crate) trait Symptom {
    /// The cause, or `None` if the part answered.
    fn cause(&self) -> Option<Cause>;
}

impl Monitor {
    /// A monitor that starts at this time, with every part available.
    pub fn new(now: Timestamp) -> Self {
        Self {
            inner: Arc::new(Inner {
                board: Mutex::default(),
                published: watch::Sender::default(),
                began: (now, Instant::now()),
            }),
        }
    }

    /// The state of the storage, now and on every change.
    pub fn subscribe(&self) -> watch::Receiver<Health> {
        self.inner.published.subscribe()
    }

    /// The state of the storage.
    pub fn health(&self) -> Health {
        self.update(|_, _| {});
        self.inner.published.borrow().clone()
    }

    /// Records a failure that no observed call reports, such as of the data directory.
    pub fn note(&self, part: Part, access: Access, cause: Cause) {
        self.update(|board, now| board.note(part, access, cause, now));
    }

    /// Records an input/output error of the data directory, if its cause is the disk.
    pub fn note_disk(&self, error: &io::Error) {
        if let Some(cause) = cause_of_io(error.kind()) {
            self.note(Part::Disk, Access::Write, cause);
        }
    }

    /// Replaces the outages that a child process observes; an empty list when it has exited.
    pub fn report(&self, child: &str, outages: Vec<Outage>) {
        self.update(|board, _| board.report(child, outages));
    }

    /// Looks for silent calls and probes unavailable parts, until dropped. `data` is the data directory.
    pub async fn watch(self, db: Db, objects: Option<Objects>, data: Option<PathBuf>) {
        let mut probes = JoinSet::new();
        let mut last_round = Instant::now();
        loop {
            let began = Instant::now();
            tokio::time::sleep(LOOK).await;
            if began.elapsed() < LOOK + LATE {
                self.update(|board, now| {
                    board.look(now);
                });
            }
            let mut due = Vec::new();
            self.update(|board, _| due = board.probes());
            while probes.try_join_next().is_some() {}
            // One round at a time: a probe of a silent part waits as any call does.
            if due.is_empty() || !probes.is_empty() || last_round.elapsed() < PROBE {
                continue;
            }
            last_round = Instant::now();
            for (part, access, bytes) in due {
                let (monitor, db, objects, data) = (self.clone(), db.clone(), objects.clone(), data.clone());
                probes.spawn(async move {
                    monitor
                        .probe((part, access), bytes, &db, objects.as_ref(), data.as_deref())
                        .await;
                });
            }
        }
    }

    /// Compares the database's clock with `clock`, now and every 30 s, until dropped. Ends at once where the database has
    /// no clock of its own.
    pub async fn compare_clocks(self, db: Db, clock: Clock) {
        loop {
            match clock_ahead(&db, &clock).await {
                Ok(None) => return,
                Ok(Some(ahead)) => self.update(|board, _| board.compare_clocks(ahead)),
                // An outage, which is reported as such.
                Err(_) => {}
            }
            tokio::time::sleep(CLOCKS).await;
        }
    }

    async fn probe(
        &self,
        lane: (Part, Access),
        bytes: u64,
        db: &Db,
        objects: Option<&Objects>,
        data: Option<&Path>,
    ) {
        // The observed call itself reports the outcome.
        let failed = match (lane, objects, data) {
            ((Part::Database, access), ..) => probe_database(db, access).await.err().map(|e| e.to_string()),
            ((Part::Objects, access), Some(objects), _) => {
                let name = format!("{:x}", self.now().as_nanosecond());
                objects
                    .probe(access, &name, bytes)
                    .await
                    .err()
                    .map(|e| e.to_string())
            }
            ((Part::Disk, access), _, Some(data)) => match probe_disk(data, bytes).await {
                Ok(()) => {
                    self.update(|board, _| board.clear(Part::Disk, access));
                    None
                }
                Err(error) => Some(error.to_string()),
            },
            ((part, access), ..) => {
                // Not in use here: nothing waits for it.
                self.update(|board, _| board.clear(part, access));
                None
            }
        };
        if let Some(error) = failed {
            tracing::debug!(part = %lane.0, error, "storage is still unavailable");
        }
    }

    /// Observes a call that carries `bytes`; `stored` says whether its success proves that writes succeed.
    pub(crate) async fn observe<T, E: Symptom>(
        &self,
        (part, access): (Part, Access),
        bytes: u64,
        stored: impl FnOnce(&T) -> bool,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let number = self.board().begin(part, access, bytes, self.now());
        let mut running = Running {
            monitor: self,
            number,
            outcome: Outcome::Dropped,
        };
        let answer = call.await;
        running.outcome = match &answer {
            Ok(value) if stored(value) => Outcome::Stored(bytes),
            Ok(_) => Outcome::Answered,
            Err(error) => error.cause().map_or(Outcome::Answered, Outcome::Failed),
        };
        drop(running);
        answer
    }

    fn now(&self) -> Timestamp {
        let (wall, monotonic) = self.inner.began;
        wall.saturating_add(monotonic.elapsed()).unwrap_or(Timestamp::MAX)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // Nothing panics while holding it.
        self.inner.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the board and publishes what follows from it.
    fn update(&self, change: impl FnOnce(&mut Board, Timestamp)) {
        let now = self.now();
        let mut board = self.board();
        change(&mut board, now);
        let health = board.review(now);
        let published = &self.inner.published;
        if *published.borrow() != *health {
            log_changes(&published.borrow(), health);
            published.send_replace(health.clone());
        }
    }
}

/// One log line for each part that becomes unavailable or available.
fn log_changes(before: &Health, after: &Health) {
    for outage in &after.outages {
        if before.find(outage.part).is_none() {
            tracing::warn!(outage = outage.brief(), "storage unavailable");
        }
    }
    if let Some(said) = after.clock_skew().filter(|_| before.clock_ahead.is_none()) {
        tracing::warn!("{said}");
    }
    for outage in &before.outages {
        if after.find(outage.part).is_none() {
            tracing::info!(outage = outage.brief(), since = %outage.since, "storage available again");
        }
    }
}

/// A call on its way; reports its outcome also when its caller stops waiting.
struct Running<'a> {
    monitor: &'a Monitor,
    number: u64,
    outcome: Outcome,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.monitor
            .update(|board, now| board.end(self.number, self.outcome, now));
    }
}

async fn probe_database(db: &Db, access: Access) -> Result<(), DbError> {
    if access == Access::Read {
        return db.find("SELECT 1", params![]).await.map(drop);
    }
    let mut tx = db.begin_within(crate::db::Scope::Rows).await?;
    let sql = "INSERT INTO locks (name, holder, until) VALUES ('storage-probe', '', 1) \
               ON CONFLICT (name) DO UPDATE SET until = 1";
    tx.execute(sql, params![]).await?;
    tx.commit().await
}

async fn probe_disk(data: &Path, bytes: u64) -> io::Result<()> {
    let path = data.join("storage-probe");
    let written = tokio::fs::write(
        &path,
        vec![0_u8; usize::try_from(bytes.max(4096)).unwrap_or(4096)],
    )
    .await;
    let removed = tokio::fs::remove_file(&path).await;
    written.and(removed)
}

/// The cause that an input/output error shows; `None` for errors of the call itself.
pub(crate) fn cause_of_io(kind: io::ErrorKind) -> Option<Cause> {
    use io::ErrorKind;
    Some(match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Cause::NoSpace,
        ErrorKind::ConnectionRefused => Cause::ConnectionRefused,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::NotConnected => Cause::ConnectionLost,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            Cause::Unreachable
        }
        ErrorKind::TimedOut => Cause::TimedOut,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Cause::AccessDenied,
        ErrorKind::StaleNetworkFileHandle => Cause::Failing,
        _ => return None,
    })
}

/// The first input/output error in a chain of causes.
pub(crate) fn io_in<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            // A wrapper of another error is of kind `Other`: what it wraps says more.
            let inner = found
                .get_ref()
                .map(|inner| inner as &(dyn std::error::Error + 'static));
            return inner.and_then(io_in).or(Some(found));
        }
        next = error.source();
    }
    None
}

impl Symptom for DbError {
    fn cause(&self) -> Option<Cause> {
        match self {
            Self::Full(_) => Some(Cause::NoSpace),
            Self::Locked(_) => Some(Cause::Locked),
            Self::Denied { .. } | Self::Forbidden(_) => Some(Cause::AccessDenied),
            Self::Unreachable { source, .. } => Some(cause_of(source.as_ref(), Cause::Unreachable)),
            Self::Gone(source) => Some(cause_of(source.as_ref(), Cause::ConnectionLost)),
            Self::Statement(source) => sqlite_cause(source.as_ref()),
            Self::Open { .. }
            | Self::Address { .. }
            | Self::Newer { .. }
            | Self::NotDurable { .. }
            | Self::Exists(_)
            | Self::Column { .. } => None,
        }
    }
}

/// What a chain of causes says of a connection.
fn cause_of(source: &(dyn std::error::Error + 'static), otherwise: Cause) -> Cause {
    if source.is::<tokio::time::error::Elapsed>() {
        return Cause::TimedOut;
    }
    let known = io_in(source).and_then(|error| cause_of_io(error.kind()));
    known.unwrap_or(otherwise)
}

/// Of SQLite's refusals those that the file system makes.
fn sqlite_cause(source: &(dyn std::error::Error + 'static)) -> Option<Cause> {
    use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly, SystemIoFailure};
    match source.downcast_ref::<rusqlite::Error>()?.sqlite_error_code()? {
        SystemIoFailure | CannotOpen => Some(Cause::Failing),
        PermissionDenied | ReadOnly => Some(Cause::AccessDenied),
        _ => None,
    }
}
