//! From a permit to a committed page.

use followlytics_core::{
    row::Line,
    scan::range::{NEWEST, Place, Span},
    wire::{Mode, Refusal, Step},
};
use followlytics_runner::Outcome;

use crate::script::{
    Ends, answer, at, beat, finished, followers, granted, lost, ok, permit, refused, reply, wait,
};

const FIRST: &str = "/xrpc/app.bsky.graph.getFollowers?actor=did%3Aplc%3Anasa&limit=100";

fn next() -> Place {
    Place {
        position: 5_000_001,
        cursor: Some("5000__b~".into()),
    }
}

#[tokio::test(start_paused = true)]
async fn each_permit_becomes_one_request_and_one_page() {
    let ends = Ends::new();
    ends.says("claim", [granted(permit(7, Place::at(NEWEST), 10)), finished()]);
    ends.says(
        "platform",
        [
            followers(Some("5000__b"))
                .with("ratelimit-remaining", "5")
                .with("ratelimit-reset", "60"),
            followers(None),
        ],
    );
    ends.says(
        "pages",
        [ok(&reply(permit(8, next(), 10))), ok(&reply(Step::Done))],
    );
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    let second = format!("{FIRST}&cursor=5000__b~");
    assert_eq!(
        ends.talk(),
        ["claim", FIRST, "pages", second.as_str(), "pages", "claim"]
    );
    let [first, last] = &ends.pages()[..] else {
        panic!("{:?}", ends.pages())
    };
    let header = &first.header;
    assert_eq!(
        (header.range, header.epoch, header.seq, header.permit.as_str()),
        (3, 2, 7, "p7")
    );
    assert_eq!(
        (&header.input, &header.output, header.exhausted),
        (&Place::at(NEWEST), &next(), false)
    );
    assert_eq!(
        (header.seen_at, header.returned, header.account_id.as_str()),
        (at(0), 1, "did:plc:nasa")
    );
    assert!(matches!(&first.lines[..], [Line::Row(row)] if row.id == "did:plc:a"));
    assert_eq!(
        (last.header.exhausted, &last.header.output),
        (true, &Place::at(1000))
    );
    let window = ends.all("pages")[0].request.headers()["x-followlytics-window"].clone();
    assert_eq!(window, r#"{"remaining":5,"reset":"1970-01-01T00:01:00Z"}"#);
    assert!(
        !ends.all("pages")[1]
            .request
            .headers()
            .contains_key("x-followlytics-window")
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_sends_the_same_bytes_again_and_buys_nothing_twice() {
    let ends = Ends::new();
    ends.says("claim", [granted(permit(7, Place::at(NEWEST), 10)), finished()]);
    ends.says("platform", [followers(None)]);
    let away = Refusal::Unavailable {
        detail: "disk".into(),
    };
    ends.says(
        "pages",
        [
            lost(),
            refused(503, &away),
            answer(502, "<html>"),
            ok(&reply(Step::Done)),
        ],
    );
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    let sent = ends.all("pages");
    assert_eq!(sent.len(), 4);
    assert!(
        sent.iter()
            .all(|again| again.request.body() == sent[0].request.body())
    );
    assert_eq!(
        sent.iter().map(|sent| sent.at).collect::<Vec<_>>(),
        [0, 100, 300, 700]
    );
    assert_eq!(ends.all(FIRST).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_broker_away_past_the_permits_end_gets_the_page_once_it_is_back() {
    let ends = Ends::new();
    ends.says("claim", [granted(permit(7, Place::at(NEWEST), 10)), finished()]);
    ends.says("platform", [followers(None)]);
    let away = (0..60).map(|_| lost());
    ends.says("pages", away.chain([ok(&reply(Step::Done))]));
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    let last = ends.all("pages").last().unwrap().at;
    assert!(last > 100_000, "{last}");
    assert_eq!(
        (ends.all("/xrpc").len(), ends.talk().last().unwrap().as_str()),
        (1, "claim")
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_reported_and_a_fresh_token_used() {
    let ends = Ends::new();
    ends.says("claim", [granted(permit(7, Place::at(NEWEST), 10)), finished()]);
    ends.says("platform", [answer(401, "{}"), followers(None)]);
    let mut again = reply(permit(8, Place::at(NEWEST), 10));
    again.token = Some("second".into());
    ends.says("failed", [ok(&again)]);
    ends.says("pages", [ok(&reply(Step::Done))]);
    assert_eq!(ends.run().await.unwrap(), Outcome::Finished);
    let failed = &ends.json("failed")[0];
    assert_eq!(
        (&failed["range"], &failed["epoch"], &failed["permit"]),
        (&3.into(), &2.into(), &"p7".into())
    );
    assert_eq!(failed["failure"]["class"], "Unauthorized");
    let tokens: Vec<_> = ends
        .all("/xrpc")
        .iter()
        .map(|sent| sent.request.headers()["authorization"].clone())
        .collect();
    assert_eq!(tokens, ["Bearer first", "Bearer second"]);
}

#[tokio::test(start_paused = true)]
async fn a_moved_end_is_the_end() {
    let ends = Ends::new();
    ends.says("claim", [granted(permit(7, Place::at(NEWEST), 10)), finished()]);
    ends.says("platform", [followers(Some("5000__b")), followers(None)]);
    let mut moved = reply(permit(8, next(), 10));
    moved.span = Some(Span { lo: 4000, hi: NEWEST });
    ends.says("pages", [ok(&moved), ok(&reply(Step::Done))]);
    ends.run().await.unwrap();
    assert_eq!(ends.pages()[1].header.output, Place::at(4000));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_a_heartbeat_moved_is_the_end() {
    let ends = Ends::new();
    ends.says("claim", [granted(wait(5)), finished()]);
    let mut moved = beat(Mode::Run);
    moved.span = Some(Span { lo: 4000, hi: NEWEST });
    ends.says("heartbeat", [ok(&moved)]);
    ends.says("step", [ok(&reply(permit(7, Place::at(NEWEST), 10)))]);
    ends.says("platform", [followers(None)]);
    ends.says("pages", [ok(&reply(Step::Done))]);
    ends.run().await.unwrap();
    assert_eq!(ends.pages()[0].header.output, Place::at(4000));
}
