//! Steps: what the holder of a range does next, and the permit for it where that is a request.

use followlytics_core::{
    money::Usd,
    mutants::{self, Mutant},
    platform::Family,
    scan::{
        edit::{BUDGET_EXHAUSTED, MONTHLY_BUDGET},
        permit::{self, Ask, Purse},
        plan,
        range::{Kind, Place, Range, State},
        source::Source,
        summary::{Hold, Stage},
        window::Slot,
    },
    wire::{Mode, Release, Reply, Step},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Ledger, LedgerError, Sandbox, ScanRow, claim, fallback, found, holds, meetings, months,
    permits::{self, PermitRow, PermitState},
    ranges, scans, windows,
};
use crate::db::Tx;

/// How long a runner is told to wait on something only a person can change.
const PERSON: SignedDuration = SignedDuration::from_mins(10);
/// How long a runner waits for the outcome of another one's request.
const RESERVED: SignedDuration = SignedDuration::from_secs(2);

impl Ledger {
    /// What the holder does next, after it waited or gave an unused permit back.
    pub async fn step(&self, sandbox: &Sandbox, release: &Release) -> Result<Reply, LedgerError> {
        let mut tx = self.begin_scan(&sandbox.scan).await?;
        let (mut scan, mut range) = match claim::current(&mut tx, sandbox, release.held).await {
            Err(LedgerError::Fenced) => {
                self.return_late(tx, sandbox, release).await?;
                return Err(LedgerError::Fenced);
            }
            current => current?,
        };
        let unused = permits::find(&mut tx, &sandbox.scan, release.unused.as_deref()).await?;
        let open = permits::find_open(&mut tx, &scan.request.uid, &range).await?;
        let now = self
            .lock_credential(&mut tx, &scan, unused.as_ref().or(open.as_ref()))
            .await?;
        if let Some(unused) = unused
            .as_ref()
            .filter(|unused| !unused.is_newer_than(sandbox.sent_at()))
        {
            permits::return_unused(&mut tx, &mut scan, &range, unused, now).await?;
        }
        let step = self
            .next_step(&mut tx, &mut scan, &mut range, (sandbox.sent_at(), now))
            .await?;
        save(tx, &scan, &range).await?;
        Ok(reply(step, &range))
    }

    /// What the holder of a range does next; grants the permit if it is a request.
    ///
    /// A holder asks only after it reported every request that it started. An open permit is therefore unused, and its
    /// answer was lost. Before its start is over it is handed out again; later it is returned and another one granted.
    /// A message older than the permit proves nothing: nothing is granted beside a permit that may be in use.
    pub(super) async fn next_step(
        &self,
        tx: &mut Tx,
        scan: &mut ScanRow,
        range: &mut Range,
        (sent, now): (Option<Timestamp>, Timestamp),
    ) -> Result<Step, LedgerError> {
        match scan.mode(now) {
            Mode::Suspend if !mutants::on(Mutant::SuspendIgnored) => return Ok(Step::Suspend),
            Mode::Cancel => return Ok(Step::Cancel),
            Mode::Run | Mode::Suspend => {}
        }
        // What was committed or edited since decides by which credential it goes on.
        scan.turn_to(range);
        if let Some(terms) = &scan.terms {
            // The newest limits that are known of a kept credential hold once it is gone.
            range.terms = Some(terms.clone());
        }
        let over = range.state != State::Open || range.holder.is_none();
        if !matches!(scan.stage, Stage::Resolving | Stage::Scanning) || over {
            return Ok(Step::Done);
        }
        if meetings::is_needless(tx, scan, range, now).await? {
            return Ok(Step::Done);
        }
        if let Some(hold) = scan.held(scan.source, now) {
            return Ok(held(hold, now));
        }
        let open = permits::find_open(tx, &scan.request.uid, range).await?;
        // A hand-over whose answer was lost is answered again; a permit that is open is settled by the old terms first.
        let is_over = range.terms.is_none() || range.has_outdated_terms(&scan.request);
        if is_over && open.is_none() {
            return Ok(another_credential());
        }
        if let Some(until) = range.not_before.filter(|_| !range.is_due(now)) {
            return Ok(Step::Wait {
                wait_ms: permits::ms_until(now, until),
                reason: "Retry".to_owned(),
                held: false,
            });
        }
        if let Some(open) = open {
            if now < open.start_by {
                permits::hand_out_again(tx, &open, sent).await?;
                return Ok(Step::Permit(open.to_wire(now)));
            }
            if !open.is_unused(sent) && now < open.settle_by {
                return Ok(Step::Wait {
                    wait_ms: permits::ms_until(now, open.settle_by),
                    reason: "Retry".to_owned(),
                    held: false,
                });
            }
            if open.is_unused(sent) {
                permits::return_unused(tx, scan, range, &open, now).await?;
            }
        }
        permits::sweep(tx, scan, now).await?;
        if is_over {
            return Ok(another_credential());
        }
        self.grant(tx, scan, range, (sent, now)).await
    }

    async fn grant(
        &self,
        tx: &mut Tx,
        scan: &mut ScanRow,
        range: &mut Range,
        (sent, now): (Option<Timestamp>, Timestamp),
    ) -> Result<Step, LedgerError> {
        let Some((family, place)) = request_of(scan, range, now) else {
            // Not only after the last finding: the scan may have been suspended just then.
            found::finish(tx, scan, range, now).await?;
            return Ok(Step::Done);
        };
        if range.kind == Kind::Listing && months::has_waited(scan) {
            months::check(tx, scan, now).await?;
            if let Some(hold) = scan.held(scan.source, now) {
                return Ok(held(hold, now));
            }
        }
        let month = months::month(tx, scan, now).await?;
        let (max_rows, price) = match asked(scan, range, family, &months::purse(scan, month)) {
            Ask::Rows { rows, .. } if mutants::on(Mutant::NothingReserved) => (rows, Usd::ZERO),
            Ask::Rows { rows, price } => (rows, price),
            Ask::Exhausted
                if asked(scan, range, family, &months::settled(tx, scan, now).await?) != Ask::Exhausted =>
            {
                return Ok(reserved(months::is_short(scan, month)));
            }
            Ask::Exhausted if scan.terms.is_some() && months::is_short(scan, month) => {
                // The scan names another credential by now: it takes over.
                range.terms = None;
                return Ok(another_credential());
            }
            Ask::Exhausted => {
                if months::is_short(scan, month) {
                    months::exhaust(scan, now);
                } else {
                    holds::exhaust(scan);
                }
                fallback::fall_back(tx, scan, range, now).await?;
                let reason = scan
                    .hold_mut()
                    .as_ref()
                    .map(|hold| hold.reason.clone())
                    .unwrap_or_default();
                return Ok(Step::Wait {
                    wait_ms: permits::ms(PERSON),
                    reason,
                    held: true,
                });
            }
        };
        let start_by = match windows::slot(tx, scan, family, now).await? {
            Slot::Free { start_by } => start_by,
            Slot::Full { until } => {
                return Ok(Step::Wait {
                    wait_ms: permits::ms_until(now, until),
                    reason: "RateLimitWindow".to_owned(),
                    held: false,
                });
            }
        };
        let row = PermitRow {
            id: (self.ids)(),
            credential: scan.credential().to_owned(),
            range: range.id,
            epoch: range.epoch,
            seq: range.seq,
            family,
            place,
            max_rows,
            price,
            state: PermitState::Open,
            granted_at: now,
            start_by,
            settle_by: permit::settle_by(start_by),
            asked_at: sent,
        };
        permits::insert(tx, scan, &row).await?;
        scan.purse.reserved = scan.purse.reserved.plus(price);
        scan.started.get_or_insert(now);
        range.claimed = permit::claimed(range, scan.seek(), scan.page_rows(), scan.grain().floor);
        Ok(Step::Permit(row.to_wire(now)))
    }
}

/// Makes durable what became of a range and its scan.
pub(super) async fn save(mut tx: Tx, scan: &ScanRow, range: &Range) -> Result<(), LedgerError> {
    ranges::put(&mut tx, &scan.request.uid, range).await?;
    scans::put(&mut tx, scan).await?;
    Ok(tx.commit().await?)
}

/// The scan waits for a time, or for a person.
fn held(hold: &Hold, now: Timestamp) -> Step {
    let until = hold.until.unwrap_or_else(|| later(now, PERSON));
    Step::Wait {
        wait_ms: permits::ms_until(now, until),
        reason: hold.reason.clone(),
        held: true,
    }
}

/// The holder returns its lease and claims again: the next lease comes with the other credential's token.
pub(super) fn another_credential() -> Step {
    Step::Wait {
        wait_ms: 0,
        reason: "CredentialChanged".to_owned(),
        held: true,
    }
}

/// Another request has reserved what is left of the month, or of the scan's budget, and may not need it.
fn reserved(month: bool) -> Step {
    let reason = if month { MONTHLY_BUDGET } else { BUDGET_EXHAUSTED };
    Step::Wait {
        wait_ms: permits::ms(RESERVED),
        reason: reason.to_owned(),
        held: false,
    }
}

/// What the holder of a range hears; the broker adds the token.
pub(super) const fn reply(step: Step, range: &Range) -> Reply {
    Reply {
        step,
        span: range.span,
        token: None,
    }
}

/// What the range's next request is.
pub(super) fn request_of(scan: &ScanRow, range: &Range, now: Timestamp) -> Option<(Family, Place)> {
    match (range.kind, &scan.report) {
        (Kind::Resolve, None) => Some((Family::Lookup, Place::default())),
        (Kind::Resolve, Some(_)) if names_server(scan) && scan.server.is_none() => {
            Some((Family::Server, Place::default()))
        }
        (Kind::Resolve, Some(report)) => {
            let request = &scan.request;
            // The last probe's clock would move the places of the earlier ones: all look from the first request.
            let from = scan.started.unwrap_or(now);
            plan::probe_at(
                request.account.platform,
                report,
                &request.wishes,
                &scan.probes,
                from,
            )
            .map(|place| (Family::Followers, place))
        }
        (Kind::Listing | Kind::Seam | Kind::Sweep, _) => Some((Family::Followers, range.place.clone())),
    }
}

/// Whether the API that lists the account says which program it runs.
fn names_server(scan: &ScanRow) -> bool {
    scan.source == Source::Api && scan.request.account.platform.facts().names_server
}

fn asked(scan: &ScanRow, range: &Range, family: Family, purse: &Purse) -> Ask {
    let from = (range.source, scan.request.account.platform);
    match (family, range.kind) {
        (Family::Lookup, _) => permit::ask_lookup(from, purse),
        (Family::Server, _) => Ask::Rows {
            rows: 1,
            price: Usd::ZERO,
        },
        (Family::Followers, Kind::Resolve | Kind::Seam | Kind::Sweep) => {
            permit::ask(from, scan.page_rows(), 0, 0, purse)
        }
        (Family::Followers, Kind::Listing) => {
            let next = range.seq.saturating_add(1);
            let cap = scan.plan.as_ref().map_or(0, |plan| plan.row_cap_of(next));
            permit::ask(from, scan.page_rows(), cap, range.rows, purse)
        }
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}
