//! Deliberate bugs for the tests: a test must catch each of them, or the tests prove nothing.
//!
//! `docs/mutants.md` names the test for each. One is chosen at run time, in builds with the feature `mutants` only: for a
//! thread ([`choose`]), or for the whole process by the environment variable `FOLLOWLYTICS_MUTANT`. Without the feature
//! [`on`] is `false` at compile time and nothing of this is left in the program.

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

    /// A heartbeat does not extend its lease.
    HeartbeatIgnored,
    /// A heartbeat's answer lacks the range's new end.
    EndNotAnswered,
    /// A runner ignores the new end that a heartbeat brings.
    EndNotTaken,
    /// A lease can be taken a second before its end.
    LeaseTakenEarly,
    /// A sandbox that takes its own range again keeps the epoch.
    EpochKept,
    /// Adoption looks for pages of the last epoch only.
    LastEpochAdopted,
    /// Adoption looks for pages of open permits only.
    OpenPermitsAdopted,

    /// A page that is adopted leaves no row of usage.
    AdoptedPageUncharged,
    /// Dollars stay ambiguous after their permit is settled.
    AmbiguityKept,
    /// A month's budget ignores open permits.
    OpenPermitsUncounted,
    /// A hold for lack of money ends although the money that came free buys no row.
    ReliefUnpriced,
    /// A paid scan runs without the lease of its command.
    ConsentIgnored,

    /// A permit that was not used keeps its slot of the window.
    UnusedSlotKept,
    /// A request that may have been counted frees its slot of the window.
    AmbiguousSlotFreed,
    /// A permit turns ambiguous once its start is over.
    AmbiguousAtStart,
    /// An unused permit of a lost lease is not taken back.
    LatePermitKept,
    /// A message takes a permit back that was handed out again after it was sent.
    StaleMessageTaken,
    /// A reported limit replaces a stricter one that a Credential states.
    StatedLimitOverridden,
    /// Scans of one credential do not wait for each other on PostgreSQL.
    CredentialUnlocked,
    /// A pair is refreshed that another refresher has replaced meanwhile.
    RefreshedTwice,

    /// A runner sends a request after its permit's start is over.
    StartIgnored,
    /// A runner sends a request while its scan is paused.
    PauseIgnored,

    /// The time of a sighting does not decide which one the merge keeps.
    SeenAtIgnored,
    /// The same, where sorted runs are merged.
    RunSeenAtIgnored,
    /// A scan since a result stops at one known row.
    SinceByOneRow,

    /// A sandbox that lost the answer to its claim is given a second range while the source of the first one waits.
    ClaimAnsweredTwice,
    /// A chain whose credential is no longer named goes by the limits that its lease was granted with.
    LimitsForgotten,

    /// Bluesky: rows behind a page of one key count as the proof that the page had all of its key.
    TieAskedOnce,
    /// Bluesky: a key whose rows were left out is not marked, and is asked for without an end.
    TieUnmarked,
    /// An empty page proves the end of a list that may be hidden.
    EmptyEndTrusted,
    /// A user's view of a list counts as the whole list.
    UserViewTrusted,
    /// Followers that nothing explains do not count against a result.
    UnexplainedExact,
    /// Any number of missing followers counts as drift.
    CutTakenForDrift,

    /// Gitea's lists count as lists in the order of follows.
    GiteaOrderTrusted,
    /// An end above older followers counts as the end.
    FalseEndAccepted,
    /// A run of known rows counts as an overlap wherever its rows stand among the known ones.
    ReturnedBlockMet,
    /// A result says nothing of follows that can be dated back.
    BackdatingUnsaid,
    /// The control plane of one command records every command's scans.
    OthersRecorded,
    /// A reported limit counts for any window.
    HeadersForAnyWindow,
    /// A hold of the month outlives the month's raise.
    MonthHoldKept,
    /// Rows that were not requested are spent from the budget.
    SurplusAsSpent,
    /// Lists by time end at 1970.
    ListEndsAt1970,
    /// Rows count as evenly spread over a range.
    DensityIgnored,
    /// Probes say nothing of how densely rows lie.
    ProbesBlind,
    /// An open newest range is not cut by what was read of it.
    OpenEndUnseen,
    /// A scan says nothing of parts that are unavailable.
    OutageUnsaid,
    /// An outage has no event.
    OutageUnannounced,
    /// Hidden followers are counted below zero.
    HiddenNegative,

    /// Any permit can be returned unused.
    UsedPermitReturned,
    /// A page of an ambiguous permit is refused.
    LatePageRefused,
    /// A window keeps the limit that it was first counted with.
    EditedLimitIgnored,
    /// A charge goes to the credential that the scan names by now.
    NamedCredentialCharged,
    /// An unused permit frees a slot of the credential that the scan names by now.
    NamedSlotFreed,
    /// Ambiguous dollars go with their scan.
    DeletedChargesForgotten,
    /// Tokens that repeat are followed without an end.
    CycleUnseen,
    /// A PostgreSQL that confirms commits too early is taken.
    UnsafeCommitsTaken,
    /// The number of a deleted version is used again.
    VersionReused,
    /// Requests of killed runners are not counted.
    KilledUncounted,
    /// Pages that are fetched again are not counted.
    RefetchUncounted,
    /// A full disk is no cause of an outage.
    FullDiskUnseen,

    /// A runner uses a permit again.
    PermitUsedTwice,
    /// A runner drops a page that the broker cannot store.
    PageGivenUp,
    /// A runner counts a permit's start from the broker's clock.
    BrokersClockTrusted,
    /// A diff concludes who is lost from an incomplete result.
    IncompleteConcluded,
    /// Gitea: a page that is shorter than its total allows is taken as it is.
    ShortPageUnnoticed,
    /// Bluesky: a cursor before 1970 cannot be read.
    NegativeYearsUnread,
    /// Bluesky: a page is refused for its cursor.
    OddCursorRefused,
}

/// Whether this deliberate bug is on. Always `false` without the feature.
#[cfg(not(feature = "mutants"))]
#[inline]
pub const fn on(_: Mutant) -> bool {
    false
}

#[cfg(feature = "mutants")]
mod active {
    use std::{
        cell::Cell,
        io::Write as _,
        sync::{Once, OnceLock},
    };

    use strum::VariantArray as _;

    use super::Mutant;

    /// Environment variable that names the deliberate bug of a whole process.
    const VARIABLE: &str = "FOLLOWLYTICS_MUTANT";

    thread_local! {
        static OF_THREAD: Cell<Option<Mutant>> = const { Cell::new(None) };
    }
    static OF_PROCESS: OnceLock<Option<Mutant>> = OnceLock::new();
    static REACHED: Once = Once::new();

    /// Whether this deliberate bug is on in this thread, or in the whole process.
    ///
    /// # Panics
    /// If the environment names an unknown one: a test that passes then would prove nothing.
    pub fn on(mutant: Mutant) -> bool {
        OF_THREAD.get() == Some(mutant) || is_of_process(mutant)
    }

    /// Chooses the deliberate bug of this thread.
    pub fn choose(mutant: Option<Mutant>) {
        OF_THREAD.set(mutant);
    }

    fn is_of_process(mutant: Mutant) -> bool {
        let is_chosen = *OF_PROCESS.get_or_init(of_environment) == Some(mutant);
        if is_chosen {
            // Not `eprintln!`: the test harness captures that.
            REACHED.call_once(|| {
                let _ = writeln!(std::io::stderr(), "mutant {mutant} was reached");
            });
        }
        is_chosen
    }

    #[expect(
        clippy::disallowed_methods,
        clippy::panic,
        reason = "only in builds for tests, which no decision of the shipped program depends on"
    )]
    fn of_environment() -> Option<Mutant> {
        let name = std::env::var(VARIABLE).ok()?;
        let known = || Mutant::VARIANTS.iter().map(<&str>::from).collect::<Vec<_>>();
        let Ok(mutant) = name.parse() else {
            panic!(
                "{VARIABLE}={name}: mutant not found; expected one of {}",
                known().join(", ")
            )
        };
        Some(mutant)
    }
}

#[cfg(feature = "mutants")]
pub use active::{choose, on};
