//! How a lease ends before its range does.

use std::time::Duration;

use followlytics_core::{
    scan::range::{NEWEST, Place},
    wire::{Claim, Mode, Refusal, Step, VERSION},
};
use followlytics_runner::{Outcome, RunnerError};
use tokio::sync::watch;

use crate::script::{
    Ends, answer, at, beat, finished, followers, granted, lost, ok, permit, refused, reply, wait,
};

fn one_permit(start_within: i64) -> Step {
    permit(7, Place::at(NEWEST), start_within)
}

#[tokio::test(start_paused = true)]
async fn a_fenced_page_is_dropped_and_the_next_range_claimed() {
    let ends = Ends::new();
    ends.says("claim", [granted(one_permit(10)), finished()]);
    ends.says("platform", [followers(None)]);
    ends.says("pages", [refused(409, &Refusal::Fenced)]);
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    assert_eq!(
        (
            ends.all("pages").len(),
            ends.all("claim").len(),
            ends.all("release").len()
        ),
        (1, 2, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_in_flight_when_the_lease_is_lost_is_finished_and_its_page_sent() {
    let ends = Ends::new();
    ends.says("claim", [granted(one_permit(10)), finished()]);
    ends.says("platform", [followers(Some("5000__b")).after(20)]);
    ends.says("heartbeat", [refused(409, &Refusal::Fenced)]);
    ends.says("pages", [refused(409, &Refusal::Fenced)]);
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    assert_eq!(
        (ends.all("pages")[0].at, ends.all("claim")[1].at),
        (20_000, 20_000)
    );
    assert_eq!(ends.all("heartbeat").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_lost_without_a_request_in_flight_is_dropped_at_once() {
    let ends = Ends::new();
    ends.says("claim", [granted(wait(50)), finished()]);
    ends.says("heartbeat", [refused(409, &Refusal::Fenced)]);
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    assert_eq!(ends.all("claim")[1].at, 4000);
}

#[tokio::test(start_paused = true)]
async fn a_page_in_hand_is_kept_while_the_broker_cannot_store_it() {
    let ends = Ends::new();
    ends.says("claim", [granted(one_permit(10)), finished()]);
    ends.says("platform", [followers(None)]);
    let away = || {
        refused(
            503,
            &Refusal::Unavailable {
                detail: "the object store".into(),
            },
        )
    };
    let mut answers: Vec<_> = (0..300).map(|_| away()).collect();
    answers.push(ok(&reply(Step::Done)));
    ends.says("pages", answers);
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    assert_eq!((ends.all("/xrpc").len(), ends.all("pages").len()), (1, 301));
    assert!(ends.all("pages")[300].at > 590_000);
    assert_eq!(ends.talk().iter().filter(|what| *what == "claim").count(), 2);
    assert!(ends.all("release").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_page_nobody_stores_is_given_up_by_a_runner_that_has_to_end_and_its_permit_stays_used() {
    for (mode, stops) in [(Mode::Suspend, false), (Mode::Cancel, false), (Mode::Run, true)] {
        let ends = Ends::new();
        ends.says("claim", [granted(one_permit(10))]);
        ends.says("platform", [followers(None)]);
        ends.says("heartbeat", [ok(&beat(Mode::Run)), ok(&beat(mode))]);
        ends.says("pages", [answer(503, "")]);
        let (tell, stop) = watch::channel(false);
        let asked = async {
            tokio::time::sleep(Duration::from_secs(8)).await;
            tell.send_replace(stops);
        };
        let (outcome, ()) = tokio::join!(ends.run_until(stop), asked);
        let expected = if mode == Mode::Cancel {
            Outcome::Cancelled
        } else {
            Outcome::Suspended
        };
        assert_eq!(outcome.unwrap(), expected);
        let release = ends.json("release");
        assert_eq!((release.len(), release[0].get("unused")), (1, None));
        let at = ends.all("release")[0].at;
        assert!((50_000..=56_000).contains(&at), "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_whose_request_has_started_is_neither_used_again_nor_returned() {
    let ends = Ends::new();
    ends.says("claim", [granted(one_permit(10)), finished()]);
    ends.says("platform", [followers(Some("5000__b"))]);
    ends.says("pages", [ok(&reply(one_permit(10))), ok(&reply(Step::Done))]);
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    assert_eq!(ends.all("/xrpc").len(), 1);
    assert_eq!(ends.json("release")[0].get("unused"), None);
}

#[tokio::test(start_paused = true)]
async fn the_way_of_an_answer_counts_against_the_start_of_its_permit() {
    // Whatever the broker's clock shows.
    for (way, requests, broker) in [(9, 1, 0), (11, 0, 0), (9, 1, -3_600), (11, 0, 3_600)] {
        let ends = Ends::new();
        let mut step = one_permit(10);
        if let Step::Permit(permit) = &mut step {
            permit.seen_at = at(broker);
        }
        ends.says("claim", [granted(step).after(way), finished()]);
        ends.says("platform", [followers(None)]);
        ends.says("pages", [ok(&reply(Step::Done))]);
        assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
        assert_eq!(ends.all("/xrpc").len(), requests);
        assert_eq!(ends.all("release").len(), 1 - requests);
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_came_too_late_is_returned_unused() {
    let ends = Ends::new();
    ends.says("claim", [granted(one_permit(0)), finished()]);
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    assert_eq!(ends.talk(), ["claim", "release", "claim"]);
    let release = &ends.json("release")[0];
    assert_eq!(
        (&release["range"], &release["epoch"], &release["unused"]),
        (&3.into(), &2.into(), &"p7".into())
    );
    assert!(ends.all("claim")[1].at > 0, "a slow broker makes no busy loop");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_go_on_beside_a_slow_request_and_survive_a_silent_broker() {
    let ends = Ends::new();
    ends.says("claim", [granted(one_permit(10)), finished()]);
    ends.says("platform", [followers(None).after(25)]);
    ends.says(
        "heartbeat",
        [
            lost(),
            answer(503, ""),
            ok(&beat(Mode::Run)).after(60),
            ok(&beat(Mode::Run)),
        ],
    );
    ends.says("pages", [ok(&reply(Step::Done))]);
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    let beats: Vec<i64> = ends.all("heartbeat").iter().map(|sent| sent.at).collect();
    assert_eq!(
        beats,
        [4000, 8000, 12_000, 20_000, 24_000],
        "one that hangs is given up after a period"
    );
    assert_eq!(ends.all("pages").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_in_flight_at_suspension_is_finished_and_posted_and_no_other_starts() {
    for (mode, outcome) in [
        (Mode::Suspend, Outcome::Suspended),
        (Mode::Cancel, Outcome::Cancelled),
    ] {
        let ends = Ends::new();
        ends.says("claim", [granted(one_permit(10)), finished()]);
        ends.says("platform", [followers(Some("5000__b")).after(6)]);
        ends.says("heartbeat", [ok(&beat(mode))]);
        let next = Place {
            position: 5_000_001,
            cursor: Some("5000__b".into()),
        };
        ends.says("pages", [ok(&reply(permit(8, next, 100)))]);
        assert_eq!(ends.run().await.unwrap(), outcome);
        assert_eq!((ends.all("/xrpc").len(), ends.all("pages").len()), (1, 1));
        assert_eq!(ends.json("release")[0]["unused"], "p8");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_asked_to_end_finishes_its_request_and_gives_the_lease_back() {
    let ends = Ends::new();
    ends.says("claim", [granted(one_permit(10))]);
    ends.says("platform", [followers(Some("5000__b")).after(6)]);
    let next = Place {
        position: 5_000_001,
        cursor: Some("5000__b".into()),
    };
    ends.says("pages", [ok(&reply(permit(8, next, 100)))]);
    let (tell, stop) = watch::channel(false);
    let asked = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        tell.send_replace(true);
    };
    let (outcome, ()) = tokio::join!(ends.run_until(stop), asked);
    assert_eq!(outcome.unwrap(), Outcome::Suspended);
    assert_eq!((ends.all("/xrpc").len(), ends.all("pages").len()), (1, 1));
    assert_eq!(ends.json("release")[0]["unused"], "p8");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_ends_the_work_gives_the_lease_back() {
    for (step, outcome) in [
        (Step::Suspend, Outcome::Suspended),
        (Step::Cancel, Outcome::Cancelled),
    ] {
        let ends = Ends::new();
        ends.says("claim", [granted(step)]);
        assert_eq!(ends.run().await.unwrap(), outcome);
        assert_eq!(ends.json("release")[0].get("unused"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_nobody_hears_does_not_keep_the_runner() {
    let ends = Ends::new();
    ends.says("claim", [granted(Step::Suspend)]);
    ends.says("release", [lost()]);
    assert_eq!(ends.run().await.unwrap(), Outcome::Suspended);
    assert!(ends.all("release").last().unwrap().at <= 5000);
}

#[tokio::test(start_paused = true)]
async fn a_claim_outlasts_a_broker_that_restarts() {
    let ends = Ends::new();
    let until = Claim::Wait {
        wait_ms: 600_000,
        reason: "RateLimitWindow".into(),
    };
    ends.says(
        "claim",
        [
            lost(),
            answer(503, ""),
            ok(&until),
            refused(409, &Refusal::Fenced),
            finished(),
        ],
    );
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    let claims: Vec<i64> = ends.all("claim").iter().map(|sent| sent.at).collect();
    assert_eq!(
        claims,
        [0, 100, 300, 60_300, 60_350],
        "asked again within a minute, whatever the broker says"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_would_come_again_ends_the_runner() {
    for (answer, is_expected) in [
        (
            refused(401, &Refusal::Unknown),
            (|error| matches!(error, RunnerError::Unknown)) as fn(&RunnerError) -> bool,
        ),
        (answer(401, ""), |error| matches!(error, RunnerError::Unknown)),
        (refused(400, &Refusal::Invalid { detail: "x".into() }), |error| {
            matches!(error, RunnerError::Refused { .. })
        }),
        (answer(413, ""), |error| {
            matches!(error, RunnerError::Refused { .. })
        }),
        (answer(200, "{}"), |error| {
            matches!(error, RunnerError::Answer { .. })
        }),
    ] {
        let ends = Ends::new();
        ends.says("claim", [granted(one_permit(10))]);
        ends.says("platform", [followers(None)]);
        ends.says("pages", [answer]);
        let error = ends.run().await.unwrap_err();
        assert!(is_expected(&error), "{error:?}");
    }
    let ends = Ends::new();
    ends.says("claim", [granted(one_permit(10))]);
    ends.says("platform", [followers(None).after(60)]);
    ends.says("heartbeat", [refused(401, &Refusal::Unknown)]);
    assert!(matches!(ends.run().await.unwrap_err(), RunnerError::Unknown));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_runner_does_nothing_more() {
    // Twice as fine as anything happens: before, in and after every request of this lease.
    for step in 0..30 {
        let ends = Ends::new();
        ends.says("claim", [granted(one_permit(100)), finished()]);
        ends.says(
            "platform",
            [followers(Some("5000__b")).after(2), followers(None).after(2)],
        );
        let next = Place {
            position: 5_000_001,
            cursor: Some("5000__b".into()),
        };
        ends.says(
            "pages",
            [
                ok(&reply(permit(8, next, 100))).after(2),
                ok(&reply(Step::Done)).after(2),
            ],
        );
        let killed = tokio::time::timeout(Duration::from_millis(500 * step), ends.run()).await;
        let then = ends.sent().len();
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(ends.sent().len(), then, "killed at {step}: {killed:?}");
        assert_eq!(killed.is_ok(), step >= 16);
    }
}

#[test]
fn a_runner_can_move_between_threads() {
    fn is_send(_: impl Send) {}
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async { is_send(Ends::new().run()) });
}

#[tokio::test(start_paused = true)]
async fn a_broker_of_another_release_ends_the_runner_with_the_remedy() {
    let ends = Ends::new();
    let refusal = Refusal::Version {
        broker: VERSION + 1,
        runner: Some(VERSION),
    };
    ends.says("claim", [refused(400, &refusal)]);
    let error = ends.run().await.unwrap_err();
    assert!(matches!(error, RunnerError::Version { broker } if broker == VERSION + 1));
    assert!(
        error
            .to_string()
            .contains("give both the same release and the scan goes on")
    );
    assert_eq!(ends.talk(), ["claim"]);
}
