//! Each deliberate bug of an invariant must be caught by that invariant: otherwise the simulation proves nothing.
//!
//! `docs/mutants.md` lists them beside those that smaller tests catch.

use followlytics_core::mutants::{Mutant, choose};
use followlytics_tests::sim::{Scenario, run};

/// Seeds tried for each.
const SEEDS: u64 = 600;

/// The seed at which this invariant names the bug.
fn is_caught(mutant: Mutant, invariant: &str) -> Result<u64, String> {
    choose(Some(mutant));
    let mut other = None;
    for seed in 0..SEEDS {
        let Some(broken) = run(Scenario::of(seed)).broken else {
            continue;
        };
        if broken.contains(invariant) {
            choose(None);
            return Ok(seed);
        }
        other.get_or_insert(broken);
    }
    choose(None);
    Err(format!(
        "{mutant} survived {SEEDS} seeds; other invariants said: {other:?}"
    ))
}

macro_rules! mutants {
    ($($name:ident => $mutant:ident, $invariant:literal;)+) => {
        $(#[test]
        fn $name() {
            let seed = is_caught(Mutant::$mutant, $invariant).unwrap_or_else(|error| panic!("{error}"));
            println!("{} caught at seed {seed}", Mutant::$mutant);
        })+
    };
}

mutants! {
    a_gap_is_caught => SplitGap, "COVER/DISJOINT";
    an_overlap_is_caught => SplitOverlap, "COVER/DISJOINT";
    a_stolen_live_lease_is_caught => LiveLeaseTaken, "ONE-HOLDER";
    an_unchecked_epoch_is_caught => EpochUnchecked, "FENCE";
    a_checkpoint_that_stays_is_caught => CheckpointStays, "PAGE-ONCE";
    a_skipped_object_is_caught => ObjectSkipped, "NO-LOSS";
    a_forgotten_row_is_caught => RowForgotten, "NO-LOSS";
    kept_duplicates_are_caught => DuplicatesKept, "NO-DOUBLE";
    a_skipped_version_is_caught => VersionSkipped, "VISIBLE-ONCE";
    a_skipped_adoption_is_caught => AdoptionSkipped, "PAY-BOUND";
    released_ambiguity_is_caught => AmbiguousReleased, "BUDGET";
    a_permit_without_reservation_is_caught => NothingReserved, "BUDGET";
    an_uncounted_slot_is_caught => SlotUncounted, "RATE";
    a_pair_that_is_not_stored_is_caught => PairNotStored, "TOKEN";
    an_ignored_suspend_is_caught => SuspendIgnored, "PAUSE";
    a_suspend_that_is_true_too_early_is_caught => SuspendedTooEarly, "PAUSE";
    the_wrong_direction_is_caught => WrongDirection, "STABLE";
    a_skipped_seam_is_caught => SeamSkipped, "STABLE";
    a_meeting_by_one_row_is_caught => MetByOneRow, "STABLE";
    a_gap_taken_for_read_is_caught => GapTaken, "STABLE";
}
