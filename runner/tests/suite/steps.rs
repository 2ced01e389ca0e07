//! Waiting, and finding out what there is to read.

use followlytics_core::{
    platform::{Auth, Family},
    scan::range::{Kind, Place},
    wire::{Claim, Lease, Mode, Step},
};
use followlytics_runner::Outcome;

use crate::script::{Ends, answer, beat, finished, granted, held_back, lease, ok, permit, reply, wait};

#[tokio::test(start_paused = true)]
async fn a_short_wait_keeps_the_lease_and_its_heartbeats() {
    let ends = Ends::new();
    ends.says("claim", [granted(wait(30)), finished()]);
    ends.says("step", [ok(&reply(Step::Done))]);
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    assert_eq!(ends.all("step")[0].at, 30_000);
    assert_eq!(ends.json("step")[0], serde_json::json!({"range": 3, "epoch": 2}));
    assert_eq!(ends.all("heartbeat").len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_over_a_minute_gives_the_lease_back_and_claims_again() {
    let ends = Ends::new();
    ends.says("claim", [granted(wait(90)), granted(wait(30)), finished()]);
    ends.says("step", [ok(&reply(Step::Done))]);
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    assert_eq!(ends.talk(), ["claim", "release", "claim", "step", "claim"]);
    assert_eq!(
        (
            ends.all("release")[0].at,
            ends.all("claim")[1].at,
            ends.all("step")[0].at
        ),
        (0, 60_000, 90_000)
    );
}

#[tokio::test(start_paused = true)]
async fn while_a_source_is_held_a_range_of_the_other_is_claimed_at_once() {
    let ends = Ends::new();
    ends.says("claim", [granted(held_back(30)), granted(wait(5)), finished()]);
    ends.says("step", [ok(&reply(Step::Done))]);
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    assert_eq!(ends.talk(), ["claim", "release", "claim", "step", "claim"]);
    assert_eq!((ends.all("claim")[1].at, ends.all("step")[0].at), (0, 5_000));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_has_passed_makes_no_busy_loop() {
    let ends = Ends::new();
    ends.says("claim", [granted(wait(-5)), finished()]);
    ends.says(
        "step",
        [ok(&reply(wait(-5))), ok(&reply(wait(-5))), ok(&reply(Step::Done))],
    );
    ends.run().await.unwrap();
    assert_eq!(
        ends.all("step").iter().map(|sent| sent.at).collect::<Vec<_>>(),
        [10, 20, 30]
    );
}

#[tokio::test(start_paused = true)]
async fn a_suspension_ends_a_wait_at_the_next_heartbeat() {
    let ends = Ends::new();
    ends.says("claim", [granted(wait(50))]);
    ends.says("heartbeat", [ok(&beat(Mode::Run)), ok(&beat(Mode::Suspend))]);
    assert_eq!(ends.run().await.unwrap(), Outcome::Suspended);
    assert_eq!(ends.all("release")[0].at, 8000);
    assert!(ends.all("step").is_empty());
}

/// A look-up, then a probe that must list by the id the look-up found.
#[tokio::test(start_paused = true)]
async fn an_account_is_looked_up_and_its_list_probed() {
    let ends = Ends::new();
    let Step::Permit(mut look_up) = permit(0, Place::at(0), 10) else {
        unreachable!()
    };
    look_up.family = Family::Lookup;
    let resolve = Lease {
        kind: Kind::Resolve,
        account_id: None,
        span: None,
        auth: Auth::Anonymous,
        token: None,
        ..lease(Step::Permit(look_up))
    };
    ends.says("claim", [ok(&Claim::Lease(Box::new(resolve))), finished()]);
    ends.says(
        "platform",
        [
            answer(200, r#"{"did":"did:plc:n","handle":"nasa.test","followersCount":9,"createdAt":"2020-01-01T00:00:00Z"}"#),
            answer(200, r#"{"followers":[{"did":"did:plc:a"},{"did":"did:plc:b"}],"cursor":"4000__b"}"#),
        ],
    );
    ends.says(
        "found",
        [
            ok(&reply(permit(1, Place::at(5_000_000), 10))),
            ok(&reply(Step::Done)),
        ],
    );
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    assert_eq!(
        ends.talk(),
        [
            "claim",
            "/xrpc/app.bsky.actor.getProfile?actor=nasa.test",
            "found",
            "/xrpc/app.bsky.graph.getFollowers?actor=did%3Aplc%3An&limit=100&cursor=5000__bafyrei",
            "found",
            "claim"
        ]
    );
    assert!(
        ends.all("/xrpc")
            .iter()
            .all(|sent| !sent.request.headers().contains_key("authorization"))
    );
    let found = ends.json("found");
    assert_eq!(
        found[0],
        serde_json::json!({"range": 3, "epoch": 2, "permit": "p0", "finding": {"account":
            {"id": "did:plc:n", "handle": "nasa.test", "followers": 9, "created": "2020-01-01T00:00:00Z"}}})
    );
    assert_eq!(
        found[1]["finding"]["probe"],
        serde_json::json!({"asked": {"position": 5_000_000}, "rows": 2, "next": {"position": 4_000_001, "cursor": "4000__b~"}})
    );
}
