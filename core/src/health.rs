//! Health of the storage: which part is unavailable, since when and why.
//!
//! Pure: calls report their start and outcome with the time, the board decides what is an outage. Nothing is durable:
//! an outage of the ledger cannot be written to the ledger.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

use crate::clock::{TOLERANCE, difference};

#[cfg(test)]
mod tests;

/// Age of a call without an answer at which its part counts as unavailable, unless other calls are answered.
pub const SILENT: SignedDuration = SignedDuration::from_secs(4);
/// Bytes per second that a slow part still stores; a call with many bytes is silent that much later.
const SLOWEST: u64 = 1 << 20;
/// An outage that starts again within this time is the same outage.
const SAME: SignedDuration = SignedDuration::from_secs(10);
/// Ended outages that are kept for their events.
const KEPT: usize = 8;
/// Largest write that is tried to find out whether a full part has space again.
pub const LARGEST_PROBE: u64 = 1 << 20;

/// A part of the storage.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Display, IntoStaticStr,
)]
pub enum Part {
    /// The ledger and the API objects: SQLite or PostgreSQL.
    Database,
    /// Pages and results: files or S3.
    Objects,
    /// The data directory: directories of sandboxes and of the worker.
    Disk,
}

/// Short cause of an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The disk, bucket or quota is full.
    NoSpace,
    /// The server accepts no connection.
    ConnectionRefused,
    /// The server closed the connection.
    ConnectionLost,
    /// The server or its address is not reachable.
    Unreachable,
    /// No answer.
    TimedOut,
    /// Wrong credentials or missing rights.
    AccessDenied,
    /// The bucket does not exist.
    NoBucket,
    /// Another process holds the lock.
    Locked,
    /// The part answers with an error of its own.
    Failing,
}

impl Cause {
    /// The cause and what would change it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NoSpace => ("no space left", "free some space, or raise the quota"),
            Self::ConnectionRefused => ("connection refused", "start the server, or check its address"),
            Self::ConnectionLost => ("connection lost", "check that the server runs"),
            Self::Unreachable => ("not reachable", "check the server's address and the network"),
            Self::TimedOut => ("timed out", "check that the server or the disk answers"),
            Self::AccessDenied => ("access denied", "check the credentials and the rights"),
            Self::NoBucket => (
                "no such bucket",
                "create the bucket, or check its name and region",
            ),
            Self::Locked => ("locked by another process", "end the process that holds the lock"),
            Self::Failing => ("input/output error", "check the disk or the server's own log"),
        }
    }

    /// What would change it.
    pub const fn remedy(self) -> &'static str {
        self.words().1
    }

    /// Whether the part cannot even be read.
    pub const fn is_away(self) -> bool {
        matches!(
            self,
            Self::ConnectionRefused | Self::ConnectionLost | Self::Unreachable | Self::TimedOut
        )
    }

    /// Whether an answer alone does not prove that writes succeed again.
    const fn needs_a_write(self) -> bool {
        matches!(
            self,
            Self::NoSpace | Self::AccessDenied | Self::NoBucket | Self::Failing
        )
    }
}

/// Whether a call reads or writes: a full disk is still read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// It changes nothing.
    Read,
    /// It may change something.
    Write,
}

/// Outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The part answered.
    Answered,
    /// The part stored this number of bytes.
    Stored(u64),
    /// The part is unavailable.
    Failed(Cause),
    /// The caller stopped waiting.
    Dropped,
}

/// A part that is unavailable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Which part.
    pub part: Part,
    /// Why.
    pub cause: Cause,
    /// Time of the first call that failed.
    pub since: Timestamp,
}

impl Outage {
    /// Part and cause, such as `objects: no space left`.
    pub fn brief(&self) -> String {
        let part = <&str>::from(self.part).to_ascii_lowercase();
        format!("{part}: {}", self.cause.words().0)
    }

    /// One sentence with the remedy; names no address.
    pub fn message(&self) -> String {
        format!(
            "{}; {}; the scan resumes automatically",
            self.brief(),
            self.cause.words().1
        )
    }
}

/// An outage that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The outage.
    pub outage: Outage,
    /// Time of its end.
    pub until: Timestamp,
}

/// State of the storage at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Parts that are unavailable, at most one entry per part.
    pub outages: Vec<Outage>,
    /// Recent outages that are over.
    pub ended: Vec<Ended>,
    /// Seconds by which the database's clock is ahead of the control plane's. `None` where both agree, and where the
    /// database has no clock of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead: Option<i64>,
}

impl Health {
    /// The outage of this part.
    pub fn find(&self, part: Part) -> Option<&Outage> {
        self.outages.iter().find(|outage| outage.part == part)
    }

    /// The difference between the database's clock and the control plane's in words, if they differ.
    pub fn clock_skew(&self) -> Option<String> {
        let ahead = SignedDuration::from_secs(self.clock_ahead?);
        difference("the database's clock", ahead, "the control plane's")
    }
}

/// A failed kind of call that has not succeeded since.
#[derive(Debug, Clone)]
struct Fault {
    cause: Cause,
    since: Timestamp,
    bytes: u64,
}

/// A call without an outcome yet.
#[derive(Debug, Clone)]
struct Pending {
    lane: Lane,
    since: Timestamp,
    bytes: u64,
}

type Lane = (Part, Access);

/// Calls and their outcomes.
#[derive(Debug, Default)]
pub struct Board {
    faults: BTreeMap<Lane, Fault>,
    pending: BTreeMap<u64, Pending>,
    answered: BTreeMap<Lane, Timestamp>,
    reported: BTreeMap<String, Vec<Outage>>,
    health: Health,
    /// Time of the last regular look for silent calls; `None` before the first.
    looked: Option<Timestamp>,
    next: u64,
}

impl Board {
    /// Records the start of a call that carries `bytes`; returns its number.
    pub fn begin(&mut self, part: Part, access: Access, bytes: u64, now: Timestamp) -> u64 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let lane = (part, access);
        let since = now;
        self.pending.insert(number, Pending { lane, since, bytes });
        number
    }

    /// Records the outcome of a call.
    pub fn end(&mut self, number: u64, outcome: Outcome, now: Timestamp) {
        let Some(call) = self.pending.remove(&number) else {
            return;
        };
        let Pending { lane, since, bytes } = call;
        match outcome {
            Outcome::Answered => self.answer(lane, None, now),
            Outcome::Stored(stored) => self.answer(lane, Some(stored.max(bytes)), now),
            // One process waits for another; an outage only once that takes as long as silence.
            Outcome::Failed(Cause::Locked) | Outcome::Dropped
                if now.duration_since(self.quiet_since(lane, since)) < silent_after(bytes) => {}
            Outcome::Failed(cause) => self.fail(lane, cause, bytes, since.max(self.last(lane))),
            Outcome::Dropped => self.fail(lane, Cause::TimedOut, bytes, since),
        }
    }

    /// Records a failure that was noticed inside a call, or outside of any.
    pub fn note(&mut self, part: Part, access: Access, cause: Cause, now: Timestamp) {
        self.fail((part, access), cause, 0, now);
    }

    /// Records that a part works for this kind of call, noticed outside of any call.
    pub fn clear(&mut self, part: Part, access: Access) {
        self.faults.remove(&(part, access));
    }

    /// Replaces the outages that a child process observes.
    pub fn report(&mut self, child: &str, outages: Vec<Outage>) {
        if outages.is_empty() {
            self.reported.remove(child);
        } else {
            self.reported.insert(child.to_owned(), outages);
        }
    }

    /// Records by how much the database's clock is ahead of the control plane's. A published difference stays while it
    /// is the same within a second: every change writes every scan's status.
    pub fn compare_clocks(&mut self, ahead: SignedDuration) {
        let published = &mut self.health.clock_ahead;
        let seconds = ahead
            .as_secs()
            .saturating_add(i64::from(ahead.subsec_millis() / 500));
        if ahead.abs() < TOLERANCE {
            *published = None;
        } else if published.is_none_or(|before| before.abs_diff(seconds) > 1) {
            *published = Some(seconds);
        }
    }

    /// Kinds of calls that failed and are to be tried, with the bytes a write needs to carry.
    pub fn probes(&self) -> Vec<(Part, Access, u64)> {
        let faults = self.faults.iter();
        faults
            .map(|((part, access), fault)| (*part, *access, fault.bytes.clamp(1, LARGEST_PROBE)))
            .collect()
    }

    /// Looks for silent calls, then reviews. To be called regularly, and not by a process that was stopped or busy for
    /// long: then answers have come that it has not read yet.
    pub fn look(&mut self, now: Timestamp) -> &Health {
        self.looked = Some(now);
        self.review(now)
    }

    /// Updates and returns the state of the storage.
    pub fn review(&mut self, now: Timestamp) -> &Health {
        let mut current = self.observe();
        let gone = self.health.outages.iter();
        let gone = gone.filter(|before| current.iter().all(|outage| outage.part != before.part));
        let over: Vec<Ended> = gone
            .map(|outage| Ended {
                outage: outage.clone(),
                until: now,
            })
            .collect();
        for outage in &mut current {
            if let Some(before) = self.health.find(outage.part) {
                // The published time identifies the outage: an earlier failure that is reported later is not another one.
                outage.since = before.since;
            } else if let Some(place) = self.resumed(outage.part, now) {
                outage.since = self.health.ended.remove(place).outage.since;
            }
        }
        self.health.outages = current;
        self.health.ended.extend(over);
        let surplus = self.health.ended.len().saturating_sub(KEPT);
        self.health.ended.drain(..surplus);
        &self.health
    }

    /// The ended outage of this part that has just started again.
    fn resumed(&self, part: Part, now: Timestamp) -> Option<usize> {
        self.health
            .ended
            .iter()
            .position(|ended| ended.outage.part == part && now.duration_since(ended.until) <= SAME)
    }

    fn observe(&self) -> Vec<Outage> {
        let mut all: BTreeMap<Part, Outage> = BTreeMap::new();
        let faults = self.faults.iter().map(|((part, _), fault)| Outage {
            part: *part,
            cause: fault.cause,
            since: fault.since,
        });
        let reported = self.reported.values().flatten().cloned();
        for outage in faults.chain(reported).chain(self.silent()) {
            let one = all.entry(outage.part).or_insert_with(|| outage.clone());
            one.since = one.since.min(outage.since);
            if one.cause == Cause::TimedOut {
                one.cause = outage.cause;
            }
        }
        all.into_values().collect()
    }

    /// Calls without an answer for too long.
    fn silent(&self) -> impl Iterator<Item = Outage> + '_ {
        self.pending.values().filter_map(|call| {
            let since = self.quiet_since(call.lane, call.since);
            let looked = self.looked?;
            let silent = looked.duration_since(since) >= silent_after(call.bytes);
            silent.then_some(Outage {
                part: call.lane.0,
                cause: Cause::TimedOut,
                since,
            })
        })
    }

    /// Since when a call that began at `since` has waited while no other call of its kind was answered.
    fn quiet_since(&self, lane: Lane, since: Timestamp) -> Timestamp {
        since.max(self.last(lane))
    }

    fn last(&self, lane: Lane) -> Timestamp {
        self.answered.get(&lane).copied().unwrap_or(Timestamp::MIN)
    }

    fn answer(&mut self, lane: Lane, stored: Option<u64>, now: Timestamp) {
        self.answered.insert(lane, now);
        let Some(fault) = self.faults.get(&lane) else {
            return;
        };
        let write = lane.1 == Access::Write && fault.cause.needs_a_write();
        let proved = match stored {
            _ if !write => true,
            Some(bytes) => fault.cause != Cause::NoSpace || bytes >= fault.bytes.min(LARGEST_PROBE),
            None => false,
        };
        if proved {
            self.faults.remove(&lane);
        }
    }

    fn fail(&mut self, lane: Lane, cause: Cause, bytes: u64, since: Timestamp) {
        let fault = self.faults.entry(lane).or_insert(Fault { cause, since, bytes });
        fault.bytes = fault.bytes.max(bytes);
        // A known cause says more than a missing answer.
        if cause != Cause::TimedOut {
            fault.cause = cause;
        }
    }
}

fn silent_after(bytes: u64) -> SignedDuration {
    let seconds = i64::try_from(bytes / SLOWEST).unwrap_or(i64::MAX);
    SILENT.saturating_add(SignedDuration::from_secs(seconds))
}
