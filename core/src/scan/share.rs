//! Who may take the next slot of a scarce window when several scans share a credential.
//!
//! Larger priority first, then fewest pages left: short scans end early, and long ones lose little by it.
//! A scan that would be done by now had every slot been dealt out evenly goes before all others, the one that
//! would have been done first leading: that is what keeps every scan within twice its fair share.
//!
//! The rank only decides over slots that somebody better ranked will really use. One who reads a chain fetches
//! a page at a time, so near a window's end its claim shrinks to what it can still fetch, and the rest is
//! anybody's: no window ends with slots that a waiting scan could have had.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use super::{permit::START, window::Window};

/// A credential's fair time: with every slot it grows by a slot divided by the number of scans that want one.
/// A scan that came at `t` and needs `n` pages would have been done at `t + n` if slots were dealt out evenly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FairTime(i64);

/// Fair time counts in parts of a slot that most numbers of scans divide.
const SLOT: i64 = 720_720;

impl FairTime {
    /// As it was kept.
    pub const fn from_parts(parts: i64) -> Self {
        Self(parts)
    }

    /// To keep it.
    pub const fn parts(self) -> i64 {
        self.0
    }

    /// After one more slot that `scans` wanted.
    #[must_use]
    pub fn after_slot(self, scans: usize) -> Self {
        let scans = i64::try_from(scans).unwrap_or(i64::MAX).max(1);
        Self(self.0.saturating_add(SLOT / scans))
    }

    const fn plus_pages(self, pages: i64) -> Self {
        Self(self.0.saturating_add(pages.saturating_mul(SLOT)))
    }
}

/// A scan that wants slots of the credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    /// Uid of the scan.
    pub uid: String,
    /// Larger goes first.
    pub priority: i64,
    /// Pages it has read or asked for.
    pub asked: i64,
    /// Pages it has still to ask for, as far as one can tell.
    pub left: i64,
    /// The credential's fair time when it came.
    pub came: FairTime,
    /// Pages that those of its runners who want one now can fetch in an hour, by how long their last one took;
    /// 0 = none of them does, so nothing is kept for it.
    pub pages_per_hour: i64,
}

/// Whether a scan may take a slot now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It may, if there is one.
    Now,
    /// What is left is others'; at this instant it should ask again.
    Later(Timestamp),
}

/// Shortest time before asking again.
const AGAIN: SignedDuration = SignedDuration::from_millis(200);
const HOUR_MS: i128 = 3_600_000;

/// Where a scan stands in the queue; the smallest is first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank<'a> {
    /// Its fair share of slots would have sufficed by now.
    Overdue { due: FairTime, uid: &'a str },
    Waiting {
        priority: Reverse<i64>,
        left: i64,
        due: FairTime,
        uid: &'a str,
    },
}

impl Contender {
    fn rank(&self, fair: FairTime) -> Rank<'_> {
        let due = self.came.plus_pages(self.asked.saturating_add(self.left));
        if due <= fair {
            Rank::Overdue { due, uid: &self.uid }
        } else {
            Rank::Waiting {
                priority: Reverse(self.priority),
                left: self.left,
                due,
                uid: &self.uid,
            }
        }
    }

    /// Pages it will ask for within so much time.
    fn demand(&self, time: SignedDuration) -> i64 {
        let fetched = time
            .as_millis()
            .max(0)
            .saturating_mul(i128::from(self.pages_per_hour))
            / HOUR_MS;
        self.left.min(i64::try_from(fetched).unwrap_or(i64::MAX)).max(0)
    }
}

/// Decides for the scan `uid`, one of `contenders`; a scan that is none of them is not held back.
///
/// A full window is not this decision's matter: [`super::window::take`] says until when it is full.
pub fn turn(uid: &str, contenders: &[Contender], windows: &[Window], fair: FairTime, now: Timestamp) -> Turn {
    let Some(mine) = contenders
        .iter()
        .find(|one| one.uid == uid)
        .map(|one| one.rank(fair))
    else {
        return Turn::Now;
    };
    let before: Vec<&Contender> = contenders
        .iter()
        .filter(|other| other.rank(fair) < mine)
        .collect();
    let again = windows
        .iter()
        .filter_map(|window| held_back(window, &before, now))
        .max();
    again.map_or(Turn::Now, Turn::Later)
}

/// When to ask again, if what this window has left will be used by those before.
fn held_back(window: &Window, before: &[&Contender], now: Timestamp) -> Option<Timestamp> {
    let mut window = window.clone();
    window.refresh(now);
    let slots = window.limit() - window.used;
    let time = match window.last_start(START) {
        Some(last) => last.duration_since(now),
        None => SignedDuration::from_millis(window.rule.window_ms),
    };
    let demand = before
        .iter()
        .map(|one| one.demand(time))
        .fold(0, i64::saturating_add);
    if slots <= 0 || slots > demand {
        return None;
    }
    // Those before may fall behind what is kept for them: half the time left is early enough to use what they
    // leave, and late enough not to ask all the time.
    now.saturating_add((time / 2).max(AGAIN)).ok()
}

#[cfg(test)]
mod tests;
