//! Places that the platform refuses, again and again.

use followlytics_core::{
    retry::MOST_UNREADABLE,
    scan::{
        plan::Probe,
        range::{Range, State},
        summary::{Stage, Summary},
    },
};

use super::*;

/// A scan of a list of Bluesky without a price, and the name of its scan: a chain where no probe shows a position,
/// otherwise ranges by time.
pub(super) async fn free(is_chain: bool) -> (Desk, Sandbox) {
    let mut desk = Desk::new("1.00", None).await;
    desk.request = ScanRequest {
        uid: "free".into(),
        name: "free".into(),
        account: AccountRef::new("bluesky", "nasa.test", None).unwrap(),
        credential: "default/bluesky".into(),
        auth: Auth::Anonymous,
        rules: Vec::new(),
        ..desk.request
    };
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let a = desk.sandbox_of("free", "a").await;
    let mut step = desk.resolve(&a, 50_000).await.step;
    while let Step::Permit(probe) = step {
        let position = probe.place.position;
        let found = Found {
            held: Held { range: 0, epoch: 1 },
            permit: probe.id,
            finding: Finding::Probe(Probe {
                rows: 100,
                next: Some(if is_chain {
                    Place::unread(position, "odd")
                } else {
                    Place {
                        position: position - 60_000_000,
                        cursor: Some("given".into()),
                    }
                }),
                asked: probe.place,
                total: None,
            }),
            told: None,
        };
        step = desk.ledger.record_finding(&a, &found).await.unwrap().step;
    }
    (desk, a)
}

/// Commits a page of a hundred rows that leads to this place.
pub(super) async fn commit(desk: &Desk, sandbox: &Sandbox, lease: &mut Lease, output: Place) {
    let mut page = Desk::page(lease, &permit(&lease.step), 100, false);
    page.header.scan.clone_from(&sandbox.scan);
    page.header.platform = desk.request.account.platform;
    page.header.output = output;
    lease.step = desk.ledger.commit_page(sandbox, &page).await.unwrap().step;
}

/// Commits so many pages of a chain, with tokens that never come again.
pub(super) async fn read(desk: &Desk, sandbox: &Sandbox, lease: &mut Lease, pages: u32) {
    for _ in 0..pages {
        let permit = permit(&lease.step);
        let next = permit.place.followed_by(&format!("token-{}", permit.seq));
        commit(desk, sandbox, lease, next).await;
    }
}

pub(super) async fn refuse(desk: &Desk, sandbox: &Sandbox, lease: &mut Lease) {
    lease.step = desk.fail(sandbox, lease, Class::CursorExpired).await.step;
}

pub(super) async fn summary(desk: &Desk, uid: &str) -> Summary {
    desk.ledger.summary(uid).await.unwrap().unwrap()
}

pub(super) async fn range(desk: &Desk, uid: &str, id: u32) -> Range {
    let mut ranges = desk.ledger.merge_input(uid).await.unwrap().ranges;
    ranges.retain(|range| range.id == id);
    ranges.remove(0)
}

#[tokio::test]
async fn a_chain_that_is_refused_no_further_than_before_is_given_up() {
    for (first, second) in [(3, 3), (3, 1), (3, 0)] {
        let (desk, a) = free(true).await;
        let mut lease = desk.claim(&a).await;
        assert_eq!(lease.span, None);
        read(&desk, &a, &mut lease, first).await;
        refuse(&desk, &a, &mut lease).await;
        assert_eq!(permit(&lease.step).place, Place::at(0), "it starts again once");
        read(&desk, &a, &mut lease, second).await;
        refuse(&desk, &a, &mut lease).await;
        let summary = summary(&desk, "free").await;
        let failure = summary.failure.unwrap();
        assert_eq!(
            (summary.stage, failure.reason.as_str(), summary.scanned),
            (
                Stage::Merging,
                "PageUnreadable",
                i64::from(100 * (first + second))
            )
        );
        assert!(
            failure
                .message
                .contains("said so; given up where it was refused before"),
            "{}",
            failure.message
        );
    }
}

#[tokio::test]
async fn a_paid_chain_starts_again_only_while_it_gets_further() {
    let desk = Desk::new("400.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 1000).await;
    let mut lease = desk.claim(&a).await;
    for pages in [1, 2, 4] {
        read(&desk, &a, &mut lease, pages).await;
        refuse(&desk, &a, &mut lease).await;
        assert_eq!(permit(&lease.step).place, Place::at(0));
    }
    read(&desk, &a, &mut lease, 4).await;
    refuse(&desk, &a, &mut lease).await;
    let summary = summary(&desk, "scan").await;
    assert_eq!(summary.stage, Stage::Merging, "{:?}", summary.hold);
    assert_eq!(summary.spent, "11.01".parse().unwrap());
}

#[tokio::test]
async fn a_chain_that_is_refused_at_its_start_fails_with_that_reason() {
    let (desk, a) = free(true).await;
    let mut lease = desk.claim(&a).await;
    refuse(&desk, &a, &mut lease).await;
    let summary = summary(&desk, "free").await;
    assert_eq!(
        (summary.stage, summary.failure.unwrap().reason.as_str()),
        (Stage::Ended, "PageUnreadable")
    );
}

#[tokio::test]
async fn a_range_is_given_up_at_a_refused_cursor_that_shows_no_position() {
    let (desk, a) = free(false).await;
    let mut lease = desk.claim(&a).await;
    let middle = lease.span.unwrap().lo.max(0) + 1_000_000;
    commit(&desk, &a, &mut lease, Place::unread(middle, "odd")).await;
    refuse(&desk, &a, &mut lease).await;
    let given_up = range(&desk, "free", lease.range).await;
    assert_eq!((given_up.state, given_up.rows), (State::Failed, 100));
    let summary = summary(&desk, "free").await;
    assert_eq!((summary.stage, summary.hold), (Stage::Scanning, None));
    assert_eq!(summary.failure.unwrap().reason, "PageUnreadable");
    assert_ne!(
        desk.claim(&a).await.range,
        lease.range,
        "the other ranges are read on"
    );
}

#[tokio::test]
async fn a_range_whose_position_leads_to_the_same_refused_cursor_is_given_up() {
    let (desk, a) = free(false).await;
    let mut lease = desk.claim(&a).await;
    let refused = Place {
        position: lease.span.unwrap().lo.max(0) + 1_000_000,
        cursor: Some("refused".into()),
    };
    commit(&desk, &a, &mut lease, refused.clone()).await;
    refuse(&desk, &a, &mut lease).await;
    commit(&desk, &a, &mut lease, refused).await;
    refuse(&desk, &a, &mut lease).await;
    assert_eq!(range(&desk, "free", lease.range).await.state, State::Failed);
}

#[tokio::test]
async fn a_position_that_stays_refused_is_tried_a_few_times_and_given_up() {
    let (desk, a) = free(false).await;
    let first = desk.claim(&a).await.range;
    let mut tries = 0;
    while range(&desk, "free", first).await.state == State::Open {
        desk.pass(1_000);
        let mut lease = desk.claim(&a).await;
        if lease.range == first {
            refuse(&desk, &a, &mut lease).await;
            tries += 1;
        } else {
            let middle = lease.place.position.min(1 << 60) - 60_000_000;
            commit(&desk, &a, &mut lease, Place::at(middle)).await;
        }
        let release = followlytics_core::wire::Release {
            held: held(&lease),
            unused: None,
        };
        let _ = desk.ledger.release(&a, &release).await;
        assert!(tries <= MOST_UNREADABLE, "it is tried for ever");
    }
    assert_eq!(tries, MOST_UNREADABLE);
}
