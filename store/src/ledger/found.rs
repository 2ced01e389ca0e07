//! Findings: what the look-up and the probes brought; after the last one, the plan.

use followlytics_core::{
    money::Usd,
    platform::Family,
    scan::{
        lease,
        plan::{self, Plan, Planned},
        range::{Kind, Range, State},
        since::Since,
        summary::{Hold, Stage},
    },
    wire::{Finding, Found, Reply},
};
use jiff::Timestamp;

use super::{
    Ledger, LedgerError, Sandbox, ScanRow, claim, fallback, holds, months,
    permits::{self, PermitRow, PermitState},
    ranges, results,
    step::{reply, save},
    windows,
};
use crate::db::Tx;

const INVALID_SPEC: &str = "InvalidSpec";

impl Ledger {
    /// Records a finding of the resolving runner and answers with the next step. Repeatable.
    pub async fn record_finding(&self, sandbox: &Sandbox, found: &Found) -> Result<Reply, LedgerError> {
        let mut tx = self.begin_scan(&sandbox.scan).await?;
        let (mut scan, mut range) = claim::current(&mut tx, sandbox, found.held).await?;
        let permit = permits::get_current(&mut tx, &scan.request.uid, &range, &found.permit).await?;
        let now = self.lock_credential(&mut tx, &scan, Some(&permit)).await?;
        if matches!(permit.state, PermitState::Open | PermitState::Ambiguous) {
            permits::answered_late(&mut scan, &permit);
            settle(&mut tx, &mut scan, &permit, &found.finding, now).await?;
            if let Some(told) = sandbox.translate(found.told, self, now) {
                let used = (permit.credential.as_str(), permit.family);
                windows::learn(&mut tx, &scan, used, told, now).await?;
            }
            record(&mut scan, &permit, &found.finding)?;
            range.seq += 1;
            range.attempts = 0;
        }
        let step = self
            .next_step(&mut tx, &mut scan, &mut range, (sandbox.sent_at(), now))
            .await?;
        save(tx, &scan, &range).await?;
        self.notify();
        Ok(reply(step, &range))
    }
}

async fn settle(
    tx: &mut Tx,
    scan: &mut ScanRow,
    permit: &PermitRow,
    finding: &Finding,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let lines = match finding {
        Finding::Account(_) | Finding::Server(_) => 1,
        // Never more than was asked for: a sandbox cannot raise its own bill.
        Finding::Probe(probe) => probe.rows.clamp(0, permit.max_rows.into()),
    };
    let price = scan.price(permit.family, lines);
    permits::settle(tx, scan, permit, PermitState::Settled, price).await?;
    permits::charge(tx, scan, permit, lines, price, now).await
}

fn record(scan: &mut ScanRow, permit: &PermitRow, finding: &Finding) -> Result<(), LedgerError> {
    match (permit.family, finding) {
        (Family::Lookup, Finding::Account(report)) => {
            scan.requests.lookups += 1;
            scan.report = Some(report.clone());
            Ok(())
        }
        (Family::Server, Finding::Server(server)) => {
            scan.requests.lookups += 1;
            scan.server = Some(server.clone());
            Ok(())
        }
        (Family::Followers, Finding::Probe(probe)) => {
            scan.requests.probes += 1;
            scan.probes.push(probe.clone());
            Ok(())
        }
        _ => Err(LedgerError::invalid(
            "finding: the permit was granted for the other kind of request",
        )),
    }
}

/// Makes the plan and its ranges; from here on the scan lists, waits for a budget, or ends as a dry run.
pub(super) async fn finish(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let request = &scan.request;
    let Some(report) = &scan.report else { return Ok(()) };
    let from = scan.started.unwrap_or(now);
    let platform = request.account.platform;
    let mut plan = plan::plan(
        platform,
        report,
        &scan.probes,
        &request.wishes,
        &request.rules,
        from,
    );
    if let Some(since) = request.wishes.since {
        match results::base(tx, scan, since).await? {
            Ok(Some(base)) => plan = plan.going_on_from(base, platform, &request.rules),
            Ok(None) => {}
            Err(newest) => return refuse(tx, scan, range, since, newest, now).await,
        }
    }
    let plan = fallback::share_out(tx, scan, plan, now).await?;
    add_ranges(tx, scan, &plan, &plan.ranges).await?;
    finish_range(range);
    scan.plan = Some(plan);
    if scan.request.dry_run {
        scan.stage = Stage::Ended;
        scan.ended = Some(now);
    } else {
        scan.stage = Stage::Scanning;
        holds::check_budget(scan);
        months::check(tx, scan, now).await?;
    }
    debug_assert!(
        scan.purse.reserved >= Usd::ZERO,
        "a reservation was released twice"
    );
    Ok(())
}

/// Puts planned ranges on the list, to be read from where they are planned.
pub(super) async fn add_ranges(
    tx: &mut Tx,
    scan: &ScanRow,
    plan: &Plan,
    planned: &[Planned],
) -> Result<(), LedgerError> {
    let uid = &scan.request.uid;
    let first = claim::next_id(tx, uid).await?;
    for (planned, id) in planned.iter().zip(first..) {
        let listing =
            Range::new(id, Kind::Listing, planned.span, plan.walk, planned.rows).from_source(planned.source);
        ranges::put(tx, uid, &listing).await?;
    }
    Ok(())
}

fn finish_range(range: &mut Range) {
    range.state = State::Done;
    lease::give_back(range);
}

/// Ends a scan that is to go on from a result that does not exist.
async fn refuse(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    since: Since,
    newest: i64,
    now: Timestamp,
) -> Result<(), LedgerError> {
    finish_range(range);
    let newest = match newest {
        0 => "it has none yet; leave `since` out".to_owned(),
        newest => format!("the newest is {newest}"),
    };
    scan.failure = Some(Hold {
        reason: INVALID_SPEC.to_owned(),
        message: format!(
            "spec.since.version: {} has no result {since}; {newest}",
            scan.request.account
        ),
        until: None,
    });
    holds::end_early(tx, scan, now).await
}
