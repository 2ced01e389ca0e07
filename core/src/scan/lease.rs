//! Leases: who may read which range, and which one a free runner gets.

use jiff::{SignedDuration, Timestamp};

use super::{
    range::{Range, State},
    split::{self, Cut, Grain},
};
use crate::mutants::{self, Mutant};

/// How long a lease lives without a heartbeat.
pub const TTL: SignedDuration = SignedDuration::from_secs(15);
/// How often its holder says that it is alive.
pub const HEARTBEAT: SignedDuration = SignedDuration::from_secs(4);

/// What a sandbox that asks for work gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The range it holds already: a claim is idempotent.
    Keep(usize),
    /// An open range nobody holds.
    Take(usize),
    /// Half of what another holder has not claimed.
    Split(usize, Cut),
    /// Nothing now; at this instant something may be free.
    Wait(Timestamp),
    /// Every range is read or given up.
    Nothing,
}

/// How long a sandbox without work waits before it asks again.
const IDLE: SignedDuration = SignedDuration::from_millis(200);

/// Chooses for one sandbox. `ranges` are all open ranges of the scan, in order of their ids.
pub fn claim(ranges: &[Range], sandbox: &str, grain: Grain, now: Timestamp) -> Claim {
    let open = || ranges.iter().enumerate().filter(|(_, r)| r.state == State::Open);
    if let Some((index, _)) = open().find(|(_, r)| r.holder.as_deref() == Some(sandbox) && r.is_held(now)) {
        return Claim::Keep(index);
    }
    if open().next().is_none() {
        return Claim::Nothing;
    }
    let ready = |r: &Range| (!r.is_held(now) || mutants::on(Mutant::LiveLeaseTaken)) && r.is_due(now);
    if let Some((index, _)) = open().find(|(_, r)| ready(r)) {
        return Claim::Take(index);
    }
    if let Some((index, cut)) = split::choose(ranges, grain, now) {
        return Claim::Split(index, cut);
    }
    let soonest = open()
        .filter_map(|(_, r)| r.not_before.filter(|_| !r.is_due(now) && !r.is_held(now)))
        .min();
    let idle = now.saturating_add(IDLE).unwrap_or(now);
    Claim::Wait(soonest.map_or(idle, |at| at.max(idle)))
}

/// Under which name a sandbox holds a lease; each tab of its browser, from 1, holds one of its own.
pub fn holder(sandbox: &str, tab: u32) -> String {
    match tab {
        0 => sandbox.to_owned(),
        tab => format!("{sandbox}/{tab}"),
    }
}

/// Whether a lease's holder is this sandbox, or a tab of its browser.
pub fn is_held_by(holder: &str, sandbox: &str) -> bool {
    holder
        .strip_prefix(sandbox)
        .is_some_and(|tab| tab.is_empty() || tab.starts_with('/'))
}

/// Whether a write under `epoch` by `sandbox` still counts; anything else is told that it is fenced.
pub fn is_current(range: &Range, sandbox: &str, epoch: u64) -> bool {
    range.epoch == epoch && range.holder.as_deref() == Some(sandbox) || mutants::on(Mutant::EpochUnchecked)
}

/// Gives the range to a sandbox: the epoch grows, so that every write of an earlier holder is refused.
pub fn grant(range: &mut Range, sandbox: &str, now: Timestamp) {
    let is_again = range.holder.as_deref() == Some(sandbox);
    range.epoch += u64::from(!(mutants::on(Mutant::EpochKept) && is_again));
    range.holder = Some(sandbox.to_owned());
    range.leased_at = Some(now);
    range.lease_rows = 0;
    extend(range, now);
    // Only a permit moves it on again: what an earlier holder had claimed and not read is free.
    range.claimed = range.place.position;
}

/// Extends the lease; the epoch stays.
pub fn extend(range: &mut Range, now: Timestamp) {
    range.lease_until = now.saturating_add(TTL).ok();
}

/// Takes the range back.
pub fn give_back(range: &mut Range) {
    range.holder = None;
    range.lease_until = None;
    range.leased_at = None;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::range::{Kind, Span, Walk};

    const GRAIN: Grain = Grain {
        unit: 10,
        page_rows: 10,
        floor: 0,
        top: i64::MAX,
        left: 1000,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn ranges(count: u32) -> Vec<Range> {
        (0..count)
            .map(|n| {
                let span = Span {
                    lo: i64::from(n) * 1000,
                    hi: i64::from(n + 1) * 1000,
                };
                Range::new(n, Kind::Listing, Some(span), Walk::Down, 1000)
            })
            .collect()
    }

    #[test]
    fn a_claim_is_idempotent_for_its_sandbox() {
        let mut ranges = ranges(2);
        grant(&mut ranges[0], "a", at(0));
        assert_eq!(claim(&ranges, "a", GRAIN, at(1)), Claim::Keep(0));
        assert_eq!(claim(&ranges, "b", GRAIN, at(1)), Claim::Take(1));
    }

    #[test]
    fn an_expired_lease_is_taken_over_and_its_epoch_grows() {
        let mut ranges = ranges(1);
        grant(&mut ranges[0], "a", at(0));
        assert!(ranges[0].is_held(at(14)), "to its end");
        assert_eq!(claim(&ranges, "b", GRAIN, at(15)), Claim::Take(0));
        grant(&mut ranges[0], "b", at(15));
        assert!(is_current(&ranges[0], "b", 2));
        assert!(!is_current(&ranges[0], "a", 1));
        assert!(!is_current(&ranges[0], "a", 2), "the epoch alone is not enough");
    }

    #[test]
    fn a_sandbox_that_takes_its_own_range_again_is_fenced_from_its_first_lease() {
        let mut ranges = ranges(1);
        grant(&mut ranges[0], "a", at(0));
        assert_eq!(claim(&ranges, "a", GRAIN, at(15)), Claim::Take(0));
        grant(&mut ranges[0], "a", at(15));
        assert!(is_current(&ranges[0], "a", 2) && !is_current(&ranges[0], "a", 1));
    }

    #[test]
    fn a_lease_of_a_clock_that_was_set_back_since_is_over() {
        let mut ranges = ranges(1);
        grant(&mut ranges[0], "a", at(3_600));
        assert_eq!(claim(&ranges, "b", GRAIN, at(0)), Claim::Take(0));
    }

    #[test]
    fn a_free_runner_takes_half_when_nothing_waits() {
        let mut ranges = ranges(1);
        grant(&mut ranges[0], "a", at(0));
        let Claim::Split(0, cut) = claim(&ranges, "b", GRAIN, at(1)) else {
            panic!("no split")
        };
        assert_eq!(cut.residual, Span { lo: 0, hi: 500 });
    }

    #[test]
    fn a_range_that_cools_down_is_waited_for() {
        let mut ranges = ranges(1);
        // That far away only a clock that was set back is.
        ranges[0].not_before = Some(at(86_400));
        assert!(ranges[0].is_due(at(0)));
        ranges[0].not_before = Some(at(30));
        assert_eq!(claim(&ranges, "a", GRAIN, at(1)), Claim::Wait(at(30)));
        assert_eq!(claim(&ranges, "a", GRAIN, at(30)), Claim::Take(0));
    }

    #[test]
    fn a_tab_holds_for_its_sandbox_and_for_no_other() {
        for tab in [0, 1, 12] {
            let holder = holder("a", tab);
            assert!(is_held_by(&holder, "a") && !is_held_by(&holder, "b"), "{holder}");
        }
        assert!(!is_held_by("ab/1", "a"));
        assert_ne!(holder("a", 0), holder("a", 1));
    }

    #[test]
    fn nothing_is_left_once_all_is_read() {
        let mut ranges = ranges(2);
        for range in &mut ranges {
            range.state = State::Done;
        }
        assert_eq!(claim(&ranges, "a", GRAIN, at(1)), Claim::Nothing);
    }
}
