//! Deliberate bugs for the tests: each must be caught by the invariant it breaks, or the harness proves nothing.
//!
//! Chosen at run time, one at a time, in builds with the feature `mutants` only. Without the feature every
//! question is answered `false` at compile time and nothing of this is left in the program.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// A deliberate bug, named by what it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantArray)]
pub enum Mutant {
    /// COVER: a split leaves a gap.
    SplitGap,
    /// DISJOINT: a split leaves an overlap.
    SplitOverlap,
    /// ONE-HOLDER: a live lease is given to somebody else.
    LiveLeaseTaken,
    /// FENCE: a write under an old epoch counts.
    EpochUnchecked,
    /// PAGE-ONCE: a committed page does not move the checkpoint.
    CheckpointStays,
    /// NO-LOSS: a page is acknowledged without its object.
    ObjectSkipped,
    /// NO-LOSS: the merge forgets a row.
    RowForgotten,
    /// NO-DOUBLE: the merge keeps every sighting.
    DuplicatesKept,
    /// VISIBLE-ONCE: version numbers have holes.
    VersionSkipped,
    /// PAY-BOUND: pages that an earlier holder had sent are fetched again.
    AdoptionSkipped,
    /// BUDGET: what is perhaps charged is free again.
    AmbiguousReleased,
    /// BUDGET: a permit reserves nothing.
    NothingReserved,
    /// RATE: a permit takes no slot.
    SlotUncounted,
    /// TOKEN: a fresh pair is not stored.
    PairNotStored,
    /// PAUSE: permits are granted while the scan is being suspended.
    SuspendIgnored,
    /// PAUSE: Suspended is true while requests are open.
    SuspendedTooEarly,
    /// STABLE: a list that closes up is read the wrong way.
    WrongDirection,
    /// STABLE: seams are taken for read.
    SeamSkipped,
    /// STABLE: one known row is a meeting.
    MetByOneRow,
    /// STABLE: a finished region is taken for whole although a gap is open in it.
    GapTaken,
}

/// Whether this deliberate bug is on. Always `false` without the feature.
#[cfg(not(feature = "mutants"))]
#[inline]
pub const fn on(_: Mutant) -> bool {
    false
}

#[cfg(feature = "mutants")]
mod active {
    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Whether this deliberate bug is on in this thread.
    pub fn on(mutant: Mutant) -> bool {
        ACTIVE.get() == Some(mutant)
    }

    /// Chooses the deliberate bug of this thread.
    pub fn choose(mutant: Option<Mutant>) {
        ACTIVE.set(mutant);
    }
}

#[cfg(feature = "mutants")]
pub use active::{choose, on};
