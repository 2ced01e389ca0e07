//! A list of keys whose oldest followers change while it is read.

use followlytics_core::scan::{
    ends::{Ended, Verdict, judge},
    plan::Probe,
    range::{Kind, OLDEST, Range},
    summary::Stage,
};

use super::*;

/// A scan of 30,000 followers on a self-hosted `AppView`, planned.
async fn planned(desk: &Desk) -> Sandbox {
    let request = ScanRequest {
        uid: "keys".into(),
        name: "keys".into(),
        account: AccountRef::new("bluesky", "alice.test", None).unwrap(),
        base_url: "http://127.0.0.1:2584".into(),
        credential: "anonymous@bluesky".into(),
        auth: Auth::Anonymous,
        rules: Vec::new(),
        ..desk.request.clone()
    };
    desk.ledger.ensure_scan(&request).await.unwrap();
    let sandbox = desk.sandbox_of("keys", "a").await;
    let mut step = desk.resolve(&sandbox, 30_000).await.step;
    while let Step::Permit(permit) = step {
        let finding = Finding::Probe(Probe {
            asked: permit.place,
            rows: 100,
            next: None,
            total: None,
        });
        let found = Found {
            held: Held { range: 0, epoch: 1 },
            permit: permit.id,
            finding,
            told: None,
        };
        step = desk.ledger.record_finding(&sandbox, &found).await.unwrap().step;
    }
    sandbox
}

/// Reads a range with one page of so many rows.
async fn read(desk: &Desk, sandbox: &Sandbox, lease: &Lease, rows: i64, ends: bool) {
    let lo = lease.span.unwrap().lo;
    let mut page = Desk::page(lease, &permit(&lease.step), rows, ends);
    page.header.scan = "keys".into();
    page.header.platform = Platform::Bluesky;
    page.header.output = Place::at(lo);
    page.key = page.key.replace("/scan/", "/keys/");
    assert_eq!(
        desk.ledger.commit_page(sandbox, &page).await.unwrap().step,
        Step::Done
    );
}

/// Reads every range; the one above the oldest is told that the list ends.
async fn read_with_a_false_end(desk: &Desk, sandbox: &Sandbox) {
    let ranges = listing(desk).await;
    let mut bounds: Vec<i64> = ranges.iter().map(|range| range.span.unwrap().lo).collect();
    bounds.sort_unstable();
    assert_eq!(bounds[0], OLDEST);
    for _ in ranges {
        let lease = desk.claim(sandbox).await;
        let lo = lease.span.unwrap().lo;
        read(desk, sandbox, &lease, i64::from(lo != bounds[1]), lo <= bounds[1]).await;
    }
}

async fn listing(desk: &Desk) -> Vec<Range> {
    let input = desk.ledger.merge_input("keys").await.unwrap();
    let is_listing = |range: &Range| range.kind == Kind::Listing;
    input.ranges.into_iter().filter(is_listing).collect()
}

async fn judged(desk: &Desk) -> (Verdict, Vec<Ended>, Stage) {
    let input = desk.ledger.merge_input("keys").await.unwrap();
    let stage = desk.ledger.find_scan("keys").await.unwrap().unwrap().stage;
    (judge(&input.ranges, &input.ended), input.ended, stage)
}

#[tokio::test]
async fn end_above_older_rows_is_checked_before_the_merge() {
    let desk = Desk::new("1.00", None).await;
    let sandbox = planned(&desk).await;
    read_with_a_false_end(&desk, &sandbox).await;
    let (verdict, ended, stage) = judged(&desk).await;
    assert_eq!(
        (verdict, ended.len(), stage),
        (Verdict::Contradict(1), 2, Stage::Scanning)
    );
    // The tail still ends there, and the older row is gone.
    for _ in 0..2 {
        let check = desk.claim(&sandbox).await;
        assert_eq!(check.kind, Kind::Seam);
        read(&desk, &sandbox, &check, 0, true).await;
    }
    let (verdict, ended, stage) = judged(&desk).await;
    assert_eq!((verdict, ended.len(), stage), (Verdict::Agree, 4, Stage::Merging));
}

#[tokio::test]
async fn false_end_that_is_repeated_is_merged_as_a_contradiction() {
    let desk = Desk::new("1.00", None).await;
    let sandbox = planned(&desk).await;
    read_with_a_false_end(&desk, &sandbox).await;
    for number in 0..6 {
        let check = desk.claim(&sandbox).await;
        let is_tail = number % 2 == 0;
        read(&desk, &sandbox, &check, i64::from(!is_tail), is_tail).await;
    }
    let (verdict, _, stage) = judged(&desk).await;
    assert_eq!((verdict, stage), (Verdict::Contradict(1), Stage::Merging));
}
