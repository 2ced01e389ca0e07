//! One place that brings no page, while the rest of the list is read or not.

use followlytics_core::{
    retry::MOST_UNREADABLE,
    scan::{
        range::{Kind, Range, RangeId, State, most_lines},
        summary::Stage,
    },
    wire::Release,
};

use super::{
    refusals::{commit, free, range, summary},
    *,
};

async fn release(desk: &Desk, sandbox: &Sandbox, lease: &Lease) {
    let release = Release {
        held: held(lease),
        unused: None,
    };
    // A range that ended took its lease along.
    let _ = desk.ledger.release(sandbox, &release).await;
}

/// Claims once and returns the lease at once: of the bad range with a failure of this class, of any other one with a
/// page, or with the same failure in an outage. Returns the range.
async fn work(desk: &Desk, a: &Sandbox, bad: RangeId, class: Class, outage: bool) -> Option<RangeId> {
    let Ok(Claimed::Range { held, .. }) = desk.ledger.claim(a).await else {
        return None;
    };
    let mut lease = desk.ledger.open_lease(a, held).await.unwrap();
    if matches!(lease.step, Step::Permit(_)) {
        if lease.range == bad || outage {
            desk.fail(a, &lease, class).await;
        } else {
            let next = Place::at(lease.place.position.min(1 << 60) - 60_000_000);
            commit(desk, a, &mut lease, next).await;
        }
    }
    release(desk, a, &lease).await;
    Some(lease.range)
}

async fn open(desk: &Desk) -> Vec<Range> {
    let ranges = desk.ledger.merge_input("free").await.unwrap().ranges;
    let is_open = |range: &Range| range.kind == Kind::Listing && range.state == State::Open;
    ranges.into_iter().filter(is_open).collect()
}

#[tokio::test]
async fn a_place_that_fails_while_others_are_read_is_given_up_and_holds_up_nothing() {
    for class in [Class::ServerError, Class::NoAnswer, Class::Unknown] {
        let (desk, a) = free(false).await;
        let bad = open(&desk).await[0].id;
        let (mut tries, mut pages) = (0, 0);
        for _ in 0..2_000 {
            if range(&desk, "free", bad).await.state != State::Open {
                break;
            }
            desk.pass(7);
            match work(&desk, &a, bad, class, false).await {
                Some(id) if id == bad => tries += 1,
                Some(_) => pages += 1,
                None => {}
            }
        }
        assert_eq!(range(&desk, "free", bad).await.state, State::Failed, "{class}");
        assert!(
            (MOST_UNREADABLE..=MOST_UNREADABLE + 3).contains(&tries),
            "{class}: {tries} tries"
        );
        assert!(pages > 100, "{class}: {pages} pages of the others");
        let failure = summary(&desk, "free").await.failure.unwrap();
        assert_eq!(failure.reason, "PageUnreadable");
        assert!(failure.message.contains("said so; given up after 10 tries"));
    }
}

#[tokio::test]
async fn the_last_place_that_is_left_is_given_up_where_others_were_read_beside_it() {
    let (desk, a) = free(false).await;
    let bad = open(&desk).await[0].id;
    let mut others = 0;
    for _ in 0..2_000 {
        if summary(&desk, "free").await.stage != Stage::Scanning {
            break;
        }
        desk.pass(7);
        let Ok(Claimed::Range { held, .. }) = desk.ledger.claim(&a).await else {
            continue;
        };
        let mut lease = desk.ledger.open_lease(&a, held).await.unwrap();
        if matches!(lease.step, Step::Permit(_)) {
            if lease.range == bad {
                desk.fail(&a, &lease, Class::ServerError).await;
            } else {
                // Each other range is one page.
                let end = Place::at(lease.span.unwrap().lo);
                commit(&desk, &a, &mut lease, end).await;
                others += 1;
            }
        }
        release(&desk, &a, &lease).await;
    }
    assert!(others > 2, "{others}");
    assert_eq!(summary(&desk, "free").await.stage, Stage::Merging);
}

#[tokio::test]
async fn an_outage_is_waited_for_whatever_was_read_before() {
    let (desk, a) = free(false).await;
    let bad = open(&desk).await[0].id;
    for _ in 0..20 {
        desk.pass(7);
        work(&desk, &a, bad, Class::ServerError, false).await;
    }
    let before = open(&desk).await.len();
    for _ in 0..500 {
        desk.pass(300);
        work(&desk, &a, bad, Class::ServerError, true).await;
    }
    let row = desk.ledger.find_scan("free").await.unwrap().unwrap();
    assert_eq!((row.stage, row.failure), (Stage::Scanning, None));
    assert_eq!(row.hold.unwrap().reason, "PlatformUnreachable");
    assert_eq!(open(&desk).await.len(), before);
}

#[tokio::test]
async fn the_only_range_waits_for_the_platform() {
    let (desk, a) = free(true).await;
    let only = open(&desk).await[0].id;
    for _ in 0..100 {
        desk.pass(1_000);
        work(&desk, &a, only, Class::ServerError, false).await;
    }
    let row = desk.ledger.find_scan("free").await.unwrap().unwrap();
    assert_eq!((row.stage, row.failure), (Stage::Scanning, None));
}

/// A scan of Bluesky that was looked up, and its first probe.
async fn probing(desk: &mut Desk) -> (Sandbox, Lease) {
    desk.request = ScanRequest {
        uid: "free".into(),
        account: AccountRef::new("bluesky", "nasa.test", None).unwrap(),
        credential: "default/bluesky".into(),
        auth: Auth::Anonymous,
        rules: Vec::new(),
        ..desk.request.clone()
    };
    desk.ledger.ensure_scan(&desk.request).await.unwrap();
    let a = desk.sandbox_of("free", "a").await;
    desk.resolve(&a, 50_000).await;
    let lease = desk.claim(&a).await;
    assert_eq!(
        (lease.kind, permit(&lease.step).family),
        (Kind::Resolve, Family::Followers)
    );
    (a, lease)
}

#[tokio::test]
async fn a_probe_that_cannot_be_read_is_left_out() {
    for (class, most) in [
        (Class::Malformed, MOST_UNREADABLE),
        (Class::CursorUnusable, MOST_UNREADABLE),
        (Class::CursorExpired, 1),
        (Class::SeekRefused, 1),
    ] {
        let mut desk = Desk::new("1.00", None).await;
        let (a, _) = probing(&mut desk).await;
        let mut tries = 0;
        while summary(&desk, "free").await.stage == Stage::Resolving {
            desk.pass(1_000);
            work(&desk, &a, 0, class, false).await.unwrap();
            tries += 1;
            assert!(tries < 40, "{class}: it is tried for ever");
        }
        assert_eq!(tries, most, "{class}");
        let summary = summary(&desk, "free").await;
        assert_eq!(
            (summary.stage, summary.failure, summary.hold),
            (Stage::Scanning, None, None),
            "{class}"
        );
        assert_eq!(
            open(&desk).await[0].span,
            None,
            "{class}: nothing shows where to enter"
        );
    }
}

#[tokio::test]
async fn a_second_pass_whose_place_comes_again_is_given_up() {
    let desk = Desk::new("1.00", None).await;
    let a = sweeps::resolved(&desk, 2).await;
    let lease = desk.claim(&a).await;
    let mut step = lease.step.clone();
    for to in [100, 50, 0] {
        step = sweeps::read(&desk, &a, &lease, &step, to, to == 0).await;
    }
    let mut tries = 0;
    while summary(&desk, "twice").await.stage == Stage::Scanning {
        desk.pass(1_000);
        let lease = desk.claim(&a).await;
        assert_eq!(lease.kind, Kind::Sweep);
        let (from, step) = (permit(&lease.step).place.position, lease.step.clone());
        sweeps::read(&desk, &a, &lease, &step, from, false).await;
        release(&desk, &a, &lease).await;
        tries += 1;
        assert!(tries < 40, "it is tried for ever");
    }
    let summary = summary(&desk, "twice").await;
    assert_eq!(
        (tries, summary.stage, summary.failure.unwrap().reason.as_str()),
        (12, Stage::Merging, "CursorRepeated")
    );
}

#[tokio::test]
async fn a_chain_of_ever_new_cursors_ends_with_every_row_it_read() {
    let (desk, a) = free(true).await;
    let mut lease = desk.claim(&a).await;
    let most = most_lines(50_000);
    let (mut lines, mut empty) = (0, 0);
    while let Step::Permit(permit) = lease.step.clone() {
        // The last few have no rows.
        let rows = (most - 5 - lines).min(9_000);
        let mut page = Desk::page(&lease, &permit, rows, false);
        page.header.scan = "free".into();
        page.header.platform = Platform::Bluesky;
        page.header.output = permit.place.followed_by(&format!("c{}", permit.seq));
        lease.step = desk.ledger.commit_page(&a, &page).await.unwrap().step;
        lines += rows;
        empty += i64::from(rows == 0);
        assert!(lines + empty <= most + 9_000, "it is read for ever");
    }
    assert!(lines + empty > most && empty > 0);
    let summary = summary(&desk, "free").await;
    assert_eq!((summary.stage, summary.scanned), (Stage::Merging, lines));
    let failure = summary.failure.unwrap();
    assert_eq!(failure.reason, "ListEndless");
    assert!(failure.message.contains("50000 followers"), "{}", failure.message);
}
