//! Each deliberate bug must be caught by the invariant it breaks: otherwise the simulation proves nothing.

use followlytics_core::mutants::{Mutant, choose};
use followlytics_tests::sim::{Scenario, run};

/// Seeds tried for each.
const SEEDS: u64 = 600;

/// The invariants of which at least one has to name the bug.
fn broken_by(mutant: Mutant) -> &'static [&'static str] {
    match mutant {
        Mutant::SplitGap | Mutant::SplitOverlap => &["COVER/DISJOINT"],
        Mutant::LiveLeaseTaken => &["ONE-HOLDER"],
        Mutant::EpochUnchecked => &["FENCE"],
        Mutant::CheckpointStays => &["PAGE-ONCE"],
        Mutant::ObjectSkipped | Mutant::RowForgotten => &["NO-LOSS"],
        Mutant::DuplicatesKept => &["NO-DOUBLE"],
        Mutant::VersionSkipped => &["VISIBLE-ONCE"],
        Mutant::AdoptionSkipped => &["PAY-BOUND"],
        Mutant::AmbiguousReleased | Mutant::NothingReserved => &["BUDGET"],
        Mutant::SlotUncounted => &["RATE"],
        Mutant::PairNotStored => &["TOKEN"],
        Mutant::SuspendIgnored | Mutant::SuspendedTooEarly => &["PAUSE"],
        Mutant::WrongDirection | Mutant::SeamSkipped | Mutant::MetByOneRow | Mutant::GapTaken => &["STABLE"],
    }
}

fn is_caught(mutant: Mutant) -> Result<u64, String> {
    choose(Some(mutant));
    let mut other = None;
    for seed in 0..SEEDS {
        let Some(broken) = run(Scenario::of(seed)).broken else {
            continue;
        };
        if broken_by(mutant)
            .iter()
            .any(|invariant| broken.contains(invariant))
        {
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
    ($($name:ident => $mutant:ident),+ $(,)?) => {
        $(#[test]
        fn $name() {
            let seed = is_caught(Mutant::$mutant).unwrap_or_else(|error| panic!("{error}"));
            println!("{} caught at seed {seed}", Mutant::$mutant);
        })+

        #[test]
        fn every_mutant_has_its_test() {
            use strum::VariantArray as _;
            assert_eq!(Mutant::VARIANTS.len(), [$(Mutant::$mutant),+].len());
        }
    };
}

mutants! {
    a_gap_is_caught => SplitGap,
    an_overlap_is_caught => SplitOverlap,
    a_stolen_live_lease_is_caught => LiveLeaseTaken,
    an_unchecked_epoch_is_caught => EpochUnchecked,
    a_checkpoint_that_stays_is_caught => CheckpointStays,
    a_skipped_object_is_caught => ObjectSkipped,
    a_forgotten_row_is_caught => RowForgotten,
    kept_duplicates_are_caught => DuplicatesKept,
    a_skipped_version_is_caught => VersionSkipped,
    a_skipped_adoption_is_caught => AdoptionSkipped,
    released_ambiguity_is_caught => AmbiguousReleased,
    a_permit_without_reservation_is_caught => NothingReserved,
    an_uncounted_slot_is_caught => SlotUncounted,
    a_pair_that_is_not_stored_is_caught => PairNotStored,
    an_ignored_suspend_is_caught => SuspendIgnored,
    a_suspend_that_is_true_too_early_is_caught => SuspendedTooEarly,
    the_wrong_direction_is_caught => WrongDirection,
    a_skipped_seam_is_caught => SeamSkipped,
    a_meeting_by_one_row_is_caught => MetByOneRow,
    a_gap_taken_for_read_is_caught => GapTaken,
}
