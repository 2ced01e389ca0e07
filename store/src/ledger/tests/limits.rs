//! What platforms say of their limits, beside the window that everybody knows.

use followlytics_core::scan::window::Told;

use super::*;

/// A scan of GitHub, of which several share one token.
async fn on_github(desk: &Desk, uid: &str) -> Sandbox {
    let request = ScanRequest {
        uid: uid.into(),
        name: uid.into(),
        account: AccountRef::new("github", uid, None).unwrap(),
        base_url: "https://api.github.com".into(),
        credential: "default/github".into(),
        auth: Auth::UserToken,
        rules: Platform::GitHub.limits(Auth::UserToken).rules,
        ..desk.request.clone()
    };
    desk.ledger.ensure_scan(&request).await.unwrap();
    let identity = SandboxIdentity {
        uid: format!("runner-{uid}"),
        name: uid.into(),
        scan_uid: uid.into(),
    };
    let token = desk.ledger.issue_sandbox_token(&identity).await.unwrap();
    desk.ledger.find_sandbox(&token, None).await.unwrap().unwrap()
}

async fn refuse(desk: &Desk, sandbox: &Sandbox, lease: &Lease, failure: Failure) {
    let failed = Failed {
        held: held(lease),
        permit: permit(&lease.step).id,
        failure,
    };
    desk.ledger.record_failure(sandbox, &failed).await.unwrap();
}

fn secondary(retry_after_ms: Option<i64>) -> Failure {
    Failure {
        class: Class::SecondaryLimited,
        message: "too fast".into(),
        told: None,
        retry_after_ms,
    }
}

fn waits(step: &Step) -> i64 {
    let Step::Wait { wait_ms, .. } = step else {
        panic!("it may go on: {step:?}")
    };
    wait_ms / 1000
}

#[tokio::test]
async fn a_secondary_limit_pauses_every_scan_of_the_credential() {
    for (retry_after_ms, seconds) in [(None, 60), (Some(90_000), 90)] {
        let desk = Desk::new("100.00", None).await;
        let (a, b) = (on_github(&desk, "one").await, on_github(&desk, "two").await);
        let lease = desk.claim(&a).await;
        refuse(&desk, &a, &lease, secondary(retry_after_ms)).await;
        let other = desk.claim(&b).await;
        assert_eq!(waits(&other.step), seconds);
        desk.pass(seconds - 1);
        let release = followlytics_core::wire::Release {
            held: held(&other),
            unused: None,
        };
        assert!(waits(&desk.ledger.step(&b, &release).await.unwrap().step) >= 1);
        // Beside the pause, the minute that nobody told of may end as much later as its request travelled.
        desk.pass(13);
        permit(&desk.ledger.step(&b, &release).await.unwrap().step);
    }
}

#[tokio::test]
async fn the_primary_limits_headers_say_nothing_of_the_secondarys_minute() {
    let desk = Desk::new("100.00", None).await;
    let a = on_github(&desk, "one").await;
    let lease = desk.claim(&a).await;
    let told = Told {
        limit: Some(5000),
        remaining: Some(4000),
        reset: Timestamp::from_second(desk.seconds.load(Ordering::Relaxed) + 30).unwrap(),
    };
    let failure = Failure {
        class: Class::ServerError,
        told: Some(told),
        ..secondary(None)
    };
    refuse(&desk, &a, &lease, failure).await;
    let windows = desk
        .ledger
        .credential_use("default/github")
        .await
        .unwrap()
        .windows;
    let used: Vec<(i64, i64)> = windows.iter().map(|window| (window.used, window.limit)).collect();
    assert_eq!(
        used,
        [(1, 900), (1000, 5000)],
        "look-ups and pages are counted together"
    );
}

/// B-11: a failure of another kind before does not use up the try of a fresh token.
#[tokio::test]
async fn a_fresh_token_is_tried_whatever_failed_before() {
    for (has_new_token, is_tried) in [(true, true), (false, false)] {
        let desk = Desk::new("100.00", None).await;
        let a = desk.sandbox("a").await;
        desk.resolve(&a, 3000).await;
        let mut lease = desk.claim(&a).await;
        desk.fail(&a, &lease, Class::Network).await;
        desk.pass(2);
        let asks = followlytics_core::wire::Release {
            held: held(&lease),
            unused: None,
        };
        lease.step = desk.ledger.step(&a, &asks).await.unwrap().step;
        let failed = failed(&lease, Class::Unauthorized);
        if has_new_token {
            desk.ledger.record_refused_token(&a, &failed).await.unwrap();
        } else {
            desk.ledger.record_failure(&a, &failed).await.unwrap();
        }
        let hold = desk.ledger.summary("scan").await.unwrap().unwrap().hold;
        assert_eq!(hold.is_none(), is_tried, "{hold:?}");
    }
}

#[tokio::test]
async fn a_token_is_known_by_its_fingerprint_alone() {
    let desk = Desk::new("1.00", None).await;
    for (noted, shown) in [
        (None, None),
        (Some("0a1b2c3d4e5f"), Some("0a1b2c3d4e5f")),
        (Some("0a1b2c3d4e5f"), Some("0a1b2c3d4e5f")),
        (Some("5f4e3d2c1b0a"), Some("5f4e3d2c1b0a")),
    ] {
        if let Some(fingerprint) = noted {
            desk.ledger.note_fingerprint("team/x", fingerprint).await.unwrap();
        }
        let used = desk.ledger.credential_use("team/x").await.unwrap();
        assert_eq!(used.fingerprint.as_deref(), shown);
    }
}

/// Fails every request with this class until nothing is left to try; the number of requests.
async fn fail_until_over(desk: &Desk, sandbox: &Sandbox, class: Class) -> u32 {
    for requests in 0..50 {
        // Longer than any hold.
        desk.pass(1_000);
        match desk.ledger.claim(sandbox).await.unwrap() {
            Claimed::Finished if requests > 0 => return requests,
            Claimed::Range { held, .. } => {
                let lease = desk.ledger.open_lease(sandbox, held).await.unwrap();
                desk.fail(sandbox, &lease, class).await;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("it is tried for ever")
}

#[tokio::test]
async fn page_that_is_never_readable_ends_the_scan_with_its_reason() {
    use followlytics_core::{retry::MOST_UNREADABLE, scan::summary::Stage};
    let desk = Desk::new("1000.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    desk.ledger.commit_page(&a, &page).await.unwrap();
    desk.ledger.release_sandbox("a").await.unwrap();
    desk.pass(120);
    assert_eq!(
        fail_until_over(&desk, &a, Class::Malformed).await,
        MOST_UNREADABLE
    );
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!(
        (summary.stage, summary.ranges.failed, summary.scanned),
        (Stage::Merging, 1, 1000)
    );
    let failure = summary.failure.unwrap();
    assert_eq!(failure.reason, "PageUnreadable");
    assert!(
        failure.message.contains("said so; given up after 10 tries"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn page_whose_cursor_cannot_be_requested_is_given_up_and_costs_nothing() {
    use followlytics_core::{money::Usd, retry::MOST_UNREADABLE, scan::summary::Stage};
    let desk = Desk::new("1000.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    desk.ledger.commit_page(&a, &page).await.unwrap();
    desk.ledger.release_sandbox("a").await.unwrap();
    desk.pass(120);
    let tries = fail_until_over(&desk, &a, Class::CursorUnusable).await;
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!((tries, summary.stage), (MOST_UNREADABLE, Stage::Merging));
    // Only of the permit that was lost with its sandbox is the outcome unknown.
    assert_eq!(summary.ambiguous, Usd::from_nanos(10_000_000_000));
    assert_eq!(summary.failure.unwrap().reason, "PageUnreadable");
}

#[tokio::test]
async fn account_whose_answers_are_never_readable_fails_with_that_reason() {
    use followlytics_core::scan::summary::Stage;
    let desk = Desk::new("1000.00", None).await;
    let a = desk.sandbox("a").await;
    fail_until_over(&desk, &a, Class::Malformed).await;
    let summary = desk.ledger.summary("scan").await.unwrap().unwrap();
    assert_eq!(summary.stage, Stage::Ended);
    assert_eq!(summary.failure.unwrap().reason, "PageUnreadable");
}

/// The platform may have counted a request whose answer never came.
#[tokio::test]
async fn a_request_without_an_answer_keeps_its_slot() {
    let desk = Desk::new("100.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 3000).await;
    let lease = desk.claim(&a).await;
    let reply = desk.fail(&a, &lease, Class::NoAnswer).await;
    assert!(matches!(reply.step, Step::Wait { .. }), "{reply:?}");
    assert_eq!(desk.slots().await, 1);
}

#[tokio::test]
async fn an_edited_limit_counts_from_the_next_request_on() {
    let desk = Desk::new("1000.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 90_000).await;
    let lease = desk.claim(&a).await;
    let state = async |requests: i64| {
        let request = ScanRequest {
            generation: 1 + requests,
            rules: vec![Rule::new(Family::Followers, requests, 900_000)],
            ..desk.request.clone()
        };
        desk.ledger.ensure_scan(&request).await.unwrap();
    };
    state(2).await;
    let page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    let second = permit(&desk.ledger.commit_page(&a, &page).await.unwrap().step);
    let page = Desk::page(&lease, &second, 1000, false);
    let third = desk.ledger.commit_page(&a, &page).await.unwrap();
    assert!(
        waits(&third.step) >= 800,
        "two requests of two are used: {third:?}"
    );
    state(3).await;
    let release = followlytics_core::wire::Release {
        held: held(&lease),
        unused: None,
    };
    permit(&desk.ledger.step(&a, &release).await.unwrap().step);
}

#[tokio::test]
async fn a_stated_limit_stays_in_its_own_window_whatever_the_headers_say_of_theirs() {
    let desk = Desk::new("1000.00", None).await;
    let request = ScanRequest {
        generation: 2,
        rules: vec![Rule::new(Family::Followers, 3, 10_000)],
        ..desk.request.clone()
    };
    desk.ledger.ensure_scan(&request).await.unwrap();
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 90_000).await;
    let lease = desk.claim(&a).await;
    let now = desk.ledger.now();
    let told = |remaining| Told {
        limit: Some(300),
        remaining: Some(remaining),
        reset: now + jiff::SignedDuration::from_mins(15),
    };
    let mut next = lease.step.clone();
    for sent in 1..=9 {
        if let Step::Wait { .. } = next {
            // Never longer than the stated window, as late as it may have begun.
            assert!(waits(&next) <= 21, "{next:?}");
            desk.pass(waits(&next) + 1);
            let release = followlytics_core::wire::Release {
                held: held(&lease),
                unused: None,
            };
            next = desk.ledger.step(&a, &release).await.unwrap().step;
        }
        let mut page = Desk::page(&lease, &permit(&next), 1000, false);
        page.told = Some(told(300 - sent));
        next = desk.ledger.commit_page(&a, &page).await.unwrap().step;
    }
    let used = desk.ledger.credential_use("default/x").await.unwrap();
    let windows: Vec<_> = used
        .windows
        .iter()
        .map(|window| (window.limit, window.differs))
        .collect();
    assert!(windows.contains(&(300, None)), "{windows:?}");
}

/// What is published is what a public service grants; a server of one's own may grant more, and says so.
#[tokio::test]
async fn a_servers_own_limit_goes_before_what_its_platform_publishes() {
    let published = Rule::new(Family::Followers, 300, 900_000);
    for (rule, limit, differs) in [
        (published, 75_000, None),
        (published.stated(), 300, Some((300, 75_000))),
        (
            Rule::new(Family::Followers, 299, 900_000),
            299,
            Some((299, 75_000)),
        ),
    ] {
        let mut desk = Desk::new("1000.00", None).await;
        desk.request.rules = vec![rule];
        desk.ledger.ensure_scan(&desk.request).await.unwrap();
        let a = desk.sandbox("a").await;
        desk.resolve(&a, 90_000).await;
        let lease = desk.claim(&a).await;
        let mut page = Desk::page(&lease, &permit(&lease.step), 1000, false);
        page.told = Some(Told {
            limit: Some(75_000),
            remaining: Some(74_999),
            reset: desk.ledger.now() + jiff::SignedDuration::from_mins(15),
        });
        desk.ledger.commit_page(&a, &page).await.unwrap();
        let used = desk.ledger.credential_use("default/x").await.unwrap();
        assert_eq!((used.windows[0].limit, used.windows[0].differs), (limit, differs));
    }
}

#[tokio::test]
async fn the_stricter_of_a_stated_limit_and_a_reported_one_counts_and_the_difference_is_said() {
    let desk = Desk::new("1000.00", None).await;
    let a = desk.sandbox("a").await;
    desk.resolve(&a, 90_000).await;
    let lease = desk.claim(&a).await;
    let mut page = Desk::page(&lease, &permit(&lease.step), 1000, false);
    page.told = Some(Told {
        limit: Some(75),
        remaining: Some(1),
        reset: desk.ledger.now() + jiff::SignedDuration::from_mins(10),
    });
    let second = permit(&desk.ledger.commit_page(&a, &page).await.unwrap().step);
    let third = desk
        .ledger
        .commit_page(&a, &Desk::page(&lease, &second, 1000, false))
        .await
        .unwrap();
    assert!(waits(&third.step) >= 590, "{third:?}");
    let used = desk.ledger.credential_use("default/x").await.unwrap();
    assert_eq!(
        (used.windows[0].limit, used.windows[0].differs),
        (75, Some((300, 75)))
    );
}
