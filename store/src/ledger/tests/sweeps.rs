//! A list that is read twice.

use followlytics_core::scan::{
    plan::Probe,
    range::{Kind, Walk},
    summary::Stage,
};

use super::*;

/// A scan of 120 followers on Gitea, in pages of 50.
pub(super) async fn resolved(desk: &Desk, sweeps: u32) -> Sandbox {
    let mut request = ScanRequest {
        uid: "twice".into(),
        name: "twice".into(),
        account: AccountRef::new("gitea", "alice", Some("git.test")).unwrap(),
        credential: "anonymous@git.test".into(),
        auth: Auth::Anonymous,
        rules: Vec::new(),
        ..desk.request.clone()
    };
    request.wishes.sweeps = sweeps;
    desk.ledger.ensure_scan(&request).await.unwrap();
    let sandbox = desk.sandbox_of("twice", "a").await;
    let reply = desk.resolve(&sandbox, 120).await;
    let probe = permit(&reply.step);
    let found = Found {
        held: Held { range: 0, epoch: 1 },
        permit: probe.id,
        finding: Finding::Probe(Probe {
            asked: probe.place,
            rows: 50,
            next: Some(Place::at(100)),
            total: Some(120),
        }),
        told: None,
    };
    desk.ledger.record_finding(&sandbox, &found).await.unwrap();
    sandbox
}

pub(super) async fn read(
    desk: &Desk,
    sandbox: &Sandbox,
    lease: &Lease,
    step: &Step,
    to: i64,
    last: bool,
) -> Step {
    let mut page = Desk::page(lease, &permit(step), 50, last);
    page.header.scan = "twice".into();
    page.header.platform = Platform::Gitea;
    page.header.output = Place::at(to);
    page.key = page.key.replace("/scan/", "/twice/");
    desk.ledger.commit_page(sandbox, &page).await.unwrap().step
}

#[tokio::test]
async fn a_second_pass_follows_the_first_in_the_other_direction() {
    let desk = Desk::new("1.00", None).await;
    let sandbox = resolved(&desk, 2).await;
    let stage = async || desk.ledger.find_scan("twice").await.unwrap().unwrap().stage;
    let plan = desk
        .ledger
        .find_scan("twice")
        .await
        .unwrap()
        .unwrap()
        .plan
        .unwrap();
    assert_eq!((plan.requests, plan.rows_to_read()), (2 + 6, 240));
    let first = desk.claim(&sandbox).await;
    assert_eq!(
        (first.kind, first.walk, first.place.position),
        (Kind::Listing, Walk::Down, 150)
    );
    let step = read(&desk, &sandbox, &first, &first.step, 100, false).await;
    let step = read(&desk, &sandbox, &first, &step, 50, false).await;
    assert_eq!(read(&desk, &sandbox, &first, &step, 0, false).await, Step::Done);
    assert_eq!(stage().await, Stage::Scanning);
    let second = desk.claim(&sandbox).await;
    assert_eq!(
        (second.kind, second.walk, second.place.position),
        (Kind::Sweep, Walk::Up, 0)
    );
    let step = read(&desk, &sandbox, &second, &second.step, 50, false).await;
    assert_eq!(read(&desk, &sandbox, &second, &step, 100, true).await, Step::Done);
    assert_eq!(stage().await, Stage::Merging);
    let ranges = desk.ledger.merge_input("twice").await.unwrap().ranges;
    assert_eq!(ranges.iter().filter(|range| range.kind == Kind::Sweep).count(), 1);
}

#[tokio::test]
async fn one_pass_is_the_default() {
    let desk = Desk::new("1.00", None).await;
    let sandbox = resolved(&desk, 1).await;
    let lease = desk.claim(&sandbox).await;
    assert_eq!(
        read(&desk, &sandbox, &lease, &lease.step, 0, false).await,
        Step::Done
    );
    assert_eq!(
        desk.ledger.find_scan("twice").await.unwrap().unwrap().stage,
        Stage::Merging
    );
}
