//! Findings: what the look-up and the probes brought; after the last one, the plan.

use followlytics_core::{
    money::Usd,
    platform::Family,
    scan::{
        plan,
        range::{Kind, Range, State},
        summary::Stage,
    },
    wire::{Finding, Found, Reply},
};
use jiff::Timestamp;

use super::{
    Ledger, LedgerError, Sandbox, ScanRow, claim, holds, months,
    permits::{self, PermitRow, PermitState},
    ranges, scans, windows,
};
use crate::db::Tx;

impl Ledger {
    /// Records a finding of the resolving runner and answers with the next step. Repeatable.
    pub async fn record_finding(&self, sandbox: &Sandbox, found: &Found) -> Result<Reply, LedgerError> {
        let now = self.now();
        let mut tx = self.db.begin().await?;
        let (mut scan, mut range) = claim::current(&mut tx, sandbox, found.held).await?;
        let permit = permits::get_current(&mut tx, &scan.request.uid, &range, &found.permit).await?;
        if matches!(permit.state, PermitState::Open | PermitState::Ambiguous) {
            settle(&mut tx, &mut scan, &permit, &found.finding, now).await?;
            if let Some(told) = found.told {
                windows::learn(&mut tx, &scan, permit.family, told, now).await?;
            }
            record(&mut scan, &permit, &found.finding)?;
            range.seq += 1;
            range.attempts = 0;
        }
        let step = self.next_step(&mut tx, &mut scan, &mut range, now).await?;
        ranges::put(&mut tx, &sandbox.scan, &range).await?;
        scans::put(&mut tx, &scan).await?;
        tx.commit().await?;
        self.notify();
        Ok(Reply {
            step,
            span: None,
            token: None,
        })
    }
}

async fn settle(
    tx: &mut Tx,
    scan: &mut ScanRow,
    permit: &PermitRow,
    finding: &Finding,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let platform = scan.request.account.platform;
    let lines = match finding {
        Finding::Account(_) => 1,
        // Never more than was asked for: a sandbox cannot raise its own bill.
        Finding::Probe(probe) => probe.rows.clamp(0, permit.max_rows.into()),
    };
    let price = platform.price(permit.family, lines);
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
    let plan = plan::plan(
        request.account.platform,
        report,
        &scan.probes,
        &request.wishes,
        &request.rules,
        from,
    );
    let first = claim::next_id(tx, &request.uid).await?;
    for (planned, id) in plan.ranges.iter().zip(first..) {
        let listing = Range::new(id, Kind::Listing, planned.span, plan.walk, planned.rows);
        ranges::put(tx, &request.uid, &listing).await?;
    }
    range.state = State::Done;
    followlytics_core::scan::lease::give_back(range);
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
