//! Failures: what a request that brought nothing does to its permit, its range and its scan.

use followlytics_core::{
    money::Usd,
    mutants::{self, Mutant},
    platform::Family,
    retry::{self, Class, Failure, Last, MOST_UNREADABLE, Next},
    scan::{
        consent,
        fallback::gives_out,
        lease,
        plan::Probe,
        range::{Kind, Range, State},
        source::Source,
        summary::{Hold, Stage},
    },
    wire::{Failed, Reply, Step},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Ledger, LedgerError, Sandbox, ScanRow, claim, commit,
    fallback::{self, Entered},
    holds, lone,
    permits::{self, PermitRow, PermitState},
    ranges, restart, scans,
    step::{another_credential, reply, request_of, save},
    windows,
};
use crate::db::Tx;

const PAGE_UNREADABLE: &str = "PageUnreadable";
/// Failures of a page, of any class, after which a refused token is not tried anew any more.
const MOST_TOKENS: u32 = 4;
/// What is waited for longer is told as a hold.
const LONG: SignedDuration = SignedDuration::from_mins(1);

impl Ledger {
    /// Records a failed request and answers what to do next. Repeatable.
    pub async fn record_failure(&self, sandbox: &Sandbox, failed: &Failed) -> Result<Reply, LedgerError> {
        self.record(sandbox, failed, false).await
    }

    /// Records a request whose token was refused, where the credential has another one by now. It is tried with that one,
    /// whatever else failed before.
    pub async fn record_refused_token(
        &self,
        sandbox: &Sandbox,
        failed: &Failed,
    ) -> Result<Reply, LedgerError> {
        self.record(sandbox, failed, true).await
    }

    async fn record(
        &self,
        sandbox: &Sandbox,
        failed: &Failed,
        has_new_token: bool,
    ) -> Result<Reply, LedgerError> {
        let mut tx = self.begin_scan(&sandbox.scan).await?;
        let (mut scan, mut range) = match claim::current(&mut tx, sandbox, failed.held).await {
            Err(LedgerError::Fenced) => {
                self.settle_late(tx, sandbox, failed).await?;
                return Err(LedgerError::Fenced);
            }
            current => current?,
        };
        let permit = permits::get_current(&mut tx, &scan.request.uid, &range, &failed.permit).await?;
        let now = self.lock_credential(&mut tx, &scan, Some(&permit)).await?;
        let used = (permit.credential.as_str(), permit.family);
        let failure = &Failure {
            told: sandbox.translate(failed.failure.told, self, now),
            ..failed.failure.clone()
        };
        if is_news(&permit, failure) {
            settle(&mut tx, &mut scan, &permit, failure).await?;
            if mutants::on(Mutant::AmbiguousSlotFreed) && state_after(failure) == PermitState::Ambiguous {
                windows::release(&mut tx, &scan, used, permit.granted_at, now).await?;
            }
            if let Some(told) = failure.told {
                windows::learn(&mut tx, &scan, used, told, now).await?;
            }
            range.attempts += 1;
            if failure.class == Class::SecondaryLimited {
                // It is the credential that asked too fast, not this scan: all of its scans pause.
                let delay = match retry::next(failure.class, range.attempts) {
                    Next::Again(delay) => delay,
                    Next::Over(_) | Next::GiveUp => failure.class.policy().delay,
                };
                windows::pause(&mut tx, &scan, used, again_at(failure, delay, now)).await?;
            }
            let tries = if has_new_token && range.attempts <= MOST_TOKENS {
                1
            } else {
                range.attempts
            };
            apply(&mut tx, &mut scan, &mut range, (failure, tries), now).await?;
        }
        let step = if scan.failure.is_some() && scan.stage != Stage::Scanning {
            Step::Cancel
        } else if scan.terms.is_some() && range.terms.is_none() {
            another_credential()
        } else {
            self.next_step(&mut tx, &mut scan, &mut range, (sandbox.sent_at(), now))
                .await?
        };
        save(tx, &scan, &range).await?;
        self.notify();
        Ok(reply(step, &range))
    }

    /// Settles the permit of a request that failed after its lease was lost; nothing else is changed by it.
    async fn settle_late(&self, mut tx: Tx, sandbox: &Sandbox, failed: &Failed) -> Result<(), LedgerError> {
        let Some(mut scan) = scans::find(&mut tx, &sandbox.scan).await? else {
            return Ok(());
        };
        let permit = permits::get(&mut tx, &sandbox.scan, &failed.permit).await?;
        let is_its_own = permit.range == failed.held.range && permit.epoch == failed.held.epoch;
        if !is_its_own || !is_news(&permit, &failed.failure) {
            return Ok(());
        }
        self.lock_credential(&mut tx, &scan, Some(&permit)).await?;
        settle(&mut tx, &mut scan, &permit, &failed.failure).await?;
        scans::put(&mut tx, &scan).await?;
        tx.commit().await?;
        self.notify();
        Ok(())
    }
}

/// Whether a failure settles its permit: one that arrives after the permit was due, too, unless its charge stays unknown.
fn is_news(permit: &PermitRow, failure: &Failure) -> bool {
    permit.state == PermitState::Open
        || permit.state == PermitState::Ambiguous && state_after(failure) == PermitState::Failed
}

async fn settle(
    tx: &mut Tx,
    scan: &mut ScanRow,
    permit: &PermitRow,
    failure: &Failure,
) -> Result<(), LedgerError> {
    permits::answered_late(scan, permit);
    permits::settle(tx, scan, permit, state_after(failure), Usd::ZERO).await?;
    scan.requests.failed += 1;
    Ok(())
}

/// What becomes of the permit of a failed request.
fn state_after(failure: &Failure) -> PermitState {
    if failure.class.policy().may_be_charged {
        PermitState::Ambiguous
    } else {
        PermitState::Failed
    }
}

async fn apply(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    (failure, failed): (&Failure, u32),
    now: Timestamp,
) -> Result<(), LedgerError> {
    let next = retry::next(failure.class, failed);
    let is_over = matches!(next, Next::Again(_) | Next::Over(Last::Hold | Last::Stop));
    if is_over && range.has_outdated_terms(&scan.request) {
        // What one credential was refused says nothing of the one that the scan names by now.
        range.attempts = 0;
        return Ok(());
    }
    match next {
        Next::Again(delay) => {
            let at = again_at(failure, delay, now);
            range.wait_until(at, now);
            // A platform that names a time and no window: people see what is waited for.
            if failure.told.is_none() && now.duration_until(at) > LONG {
                *scan.hold_mut() = Some(held(scan, failure, Some(at)));
            }
            Ok(())
        }
        Next::Over(Last::Stop) if scan.terms.is_some() => {
            // The chain's own credential is refused, and the scan names another one by now: it takes over. Where the
            // platform refuses it the chain's token, the chain starts again if the budget pays for it.
            range.attempts = 0;
            range.terms = None;
            Ok(())
        }
        Next::GiveUp => {
            let tries = tries(range);
            give_up(tx, scan, range, failure, &tries, now).await
        }
        Next::Over(last @ (Last::Hold | Last::Stop)) => {
            let is_alone =
                last == Last::Hold && lone::is_about_the_page(tx, scan, range, failure.class).await?;
            if is_alone && range.attempts >= MOST_UNREADABLE {
                let tries = tries(range);
                return give_up(tx, scan, range, failure, &tries, now).await;
            }
            let others = last == Last::Hold && others_go_on(tx, scan, range, now).await?;
            match last {
                Last::Hold if is_alone && others => {
                    let rounds = range.attempts.saturating_sub(failure.class.policy().tries);
                    range.wait_until(again_at(failure, retry::hold(rounds), now), now);
                }
                Last::Hold => {
                    wait(scan, failure, now);
                    // If it is the page after all, the others show it first.
                    let until = scan.hold_mut().as_ref().and_then(|hold| hold.until);
                    if let Some(until) = until.filter(|_| others) {
                        range.wait_until(lone::after_the_others(until), now);
                    }
                }
                _ => *scan.hold_mut() = Some(held(scan, failure, None)),
            }
            // Tries of a page are counted over all holds.
            if !is_alone {
                range.attempts = 0;
            }
            if gives_out(range.source, failure.class, last) {
                fallback::fall_back(tx, scan, range, now).await?;
            }
            Ok(())
        }
        Next::Over(Last::Restart) if range.source == Source::Browser => {
            let refusals = range.attempts;
            let entered = fallback::refuse_entry(tx, scan, range).await?;
            range.attempts = 0;
            if entered == Entered::Anew {
                return Ok(());
            }
            let passes = fallback::passes(tx, scan, range).await?;
            if refusals.saturating_add(passes) > MOST_UNREADABLE {
                let why =
                    format!("given up after {passes} readings from the newest end and {refusals} refusals");
                return give_up(tx, scan, range, failure, &why, now).await;
            }
            // Where the list was entered before, or cannot be entered at all, it may only be refused for now.
            range.attempts = refusals;
            wait(scan, failure, now);
            if gives_out(range.source, failure.class, Last::Hold) {
                fallback::fall_back(tx, scan, range, now).await?;
            }
            Ok(())
        }
        Next::Over(Last::Restart) => restart::restart(tx, scan, range, failure, now).await,
        Next::Over(Last::Fail) => {
            scan.failure = Some(held(scan, failure, None));
            holds::end_early(tx, scan, now).await?;
            // It was fenced with all others.
            *range = ranges::get(tx, &scan.request.uid, range.id).await?;
            Ok(())
        }
    }
}

/// Whether another range of the same source can be read now: one page that cannot be read holds up its own range only.
pub(super) async fn others_go_on(
    tx: &mut Tx,
    scan: &ScanRow,
    range: &Range,
    now: Timestamp,
) -> Result<bool, LedgerError> {
    let open = ranges::open(tx, &scan.request.uid).await?;
    Ok(open
        .iter()
        .any(|other| other.id != range.id && other.source == range.source && other.is_due(now)))
}

/// How often the next page of a range was tried, as the reason to give the range up.
pub(super) fn tries(range: &Range) -> String {
    format!("given up after {} tries", range.attempts)
}

/// Gives a range up whose next page cannot be read or requested.
pub(super) async fn give_up(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    failure: &Failure,
    why: &str,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let message = format!(
        "{}: {}; {why}, the rest of this part of the list is missing: scan the account again later",
        scan.request.account, failure.message
    );
    end_range(tx, scan, range, (PAGE_UNREADABLE, message), now).await
}

/// Ends a range before its end. What was read of it is merged with the other ranges; the scan has failed if there is no
/// row and nothing left to read. The list is planned without a probe that cannot be read.
pub(super) async fn end_range(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    (reason, message): (&str, String),
    now: Timestamp,
) -> Result<(), LedgerError> {
    if let (Kind::Resolve, Some((Family::Followers, place))) = (range.kind, request_of(scan, range, now)) {
        scan.probes.push(Probe::given_up(place));
        range.seq += 1;
        range.attempts = 0;
        return Ok(());
    }
    let uid = scan.request.uid.clone();
    scan.failure = Some(Hold {
        reason: reason.to_owned(),
        message,
        until: None,
    });
    range.give_up();
    ranges::put(tx, &uid, range).await?;
    let all = ranges::all(tx, &uid).await?;
    if scan.lines == 0 && all.iter().all(|range| range.state != State::Open) {
        holds::end_early(tx, scan, now).await?;
        *range = ranges::get(tx, &uid, range.id).await?;
        return Ok(());
    }
    commit::merge_if_read(tx, scan, &all, now).await
}

/// All of the source waits, longer each time.
pub(super) fn wait(scan: &mut ScanRow, failure: &Failure, now: Timestamp) {
    let until = again_at(failure, retry::hold(scan.hold_rounds), now);
    *scan.hold_mut() = Some(held(scan, failure, Some(until)));
    scan.hold_rounds += 1;
}

/// A time the platform named wins over a computed delay.
pub(super) fn again_at(failure: &Failure, delay: SignedDuration, now: Timestamp) -> Timestamp {
    let after = failure.retry_after_ms.map(SignedDuration::from_millis);
    let after = after.and_then(|after| now.saturating_add(after).ok());
    let reset = failure
        .told
        .filter(|told| told.remaining.unwrap_or(0) == 0)
        .map(|told| told.reset);
    let named = match failure.class {
        Class::RateLimited => reset.or(after),
        // The headers are the primary limit's; they count only where nothing else is said.
        Class::SecondaryLimited => after.or(reset),
        _ => after,
    };
    named
        .filter(|at| *at > now)
        .unwrap_or_else(|| now.saturating_add(delay).unwrap_or(Timestamp::MAX))
}

pub(super) fn held(scan: &ScanRow, failure: &Failure, until: Option<Timestamp>) -> Hold {
    let (reason, remedy) = match failure.class {
        Class::RateLimited | Class::SecondaryLimited => ("RateLimitWindow", "it goes on by itself"),
        Class::UsageCapped => (
            "UsageCapped",
            "resume the scan once the platform's cap is reset or raised",
        ),
        Class::CreditsDepleted => (
            "CreditsDepleted",
            "buy credits on the platform, then resume the scan",
        ),
        Class::Unauthorized => ("CredentialInvalid", "give a valid token, then resume the scan"),
        Class::Forbidden => (
            "PlatformRefused",
            "allow the application to list followers, then resume the scan",
        ),
        Class::NotFound => (
            "AccountNotFound",
            "check the handle: the account may have been renamed or deleted",
        ),
        Class::Protected => (
            "AccountProtected",
            "its followers are shown to nobody without its consent",
        ),
        Class::Suspended => (
            "AccountSuspended",
            "nothing can be listed while the platform suspends the account",
        ),
        Class::BadRequest => (
            "PlatformRefused",
            "this is a fault of this program: please report it",
        ),
        Class::CursorExpired | Class::SeekRefused => (
            PAGE_UNREADABLE,
            "the platform refuses the place of this page; it is tried again",
        ),
        Class::CursorRepeated => (
            "CursorRepeated",
            "the platform names the token of a page as the next one; it is tried again",
        ),
        Class::LoggedOut => (
            "SessionEnded",
            "sign in again and store the session, then resume the scan",
        ),
        Class::Challenge | Class::SessionLocked => (
            "ChallengeShown",
            "sign in by hand and do what the platform asks for, then resume the scan",
        ),
        Class::Blocked => (
            "PlatformRefused",
            "the platform refuses this browser; read the list by the API, or resume the scan later",
        ),
        Class::MarkupChanged | Class::ClientOutdated => (
            "MarkupChanged",
            "use a newer `followlytics`, or read the list by the API",
        ),
        Class::NoBrowser => (
            "BrowserMissing",
            "install the package chromium where runners run, then resume the scan",
        ),
        Class::BrowserCrashed | Class::PageStuck | Class::NotStarted => {
            ("BrowserFailing", "it goes on by itself")
        }
        Class::Malformed | Class::CursorUnusable => (
            PAGE_UNREADABLE,
            "the page is tried again, and its range is given up if that does not help",
        ),
        Class::ServerError | Class::Network | Class::NoAnswer | Class::Unknown => {
            ("PlatformUnreachable", "it goes on by itself")
        }
    };
    let request = &scan.request;
    // Which commands these are depends on names of objects, which the ledger does not know.
    let commands = match failure.class {
        Class::Unauthorized | Class::LoggedOut => {
            format!(
                ": `followlytics why {}` names the commands",
                consent::named(&request.name, &request.namespace)
            )
        }
        _ => String::new(),
    };
    let message = format!("{}: {}; {remedy}{commands}", request.account, failure.message);
    Hold {
        reason: reason.to_owned(),
        message,
        until,
    }
}

impl Ledger {
    /// Gives back every lease of a sandbox that is known to be gone. Its open permits stay until `settle_by`:
    /// their requests may have been charged.
    pub async fn release_sandbox(&self, uid: &str) -> Result<(), LedgerError> {
        let Some(sandbox) = super::sandboxes::find(&mut self.db.read().await?, uid).await? else {
            return Ok(());
        };
        let mut tx = self.begin_scan(&sandbox.scan).await?;
        let mut released = false;
        for mut range in ranges::open(&mut tx, &sandbox.scan).await? {
            if range
                .holder
                .as_deref()
                .is_some_and(|holder| sandbox.is_holder(holder))
            {
                lease::give_back(&mut range);
                ranges::put(&mut tx, &sandbox.scan, &range).await?;
                released = true;
            }
        }
        if released {
            tx.commit().await?;
            self.notify();
        }
        Ok(())
    }
}
