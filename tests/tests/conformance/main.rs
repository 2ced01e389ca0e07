//! One script, two servers: etcd with kube-apiserver, and the embedded API server. Whatever the script asks, status
//! code, body and watch events must be the same on both.
//!
//! `topics/` holds the script, `crds/` the kinds it uses besides the shipped ones, `omissions.yaml` what the embedded
//! server leaves out on purpose, which docs/decisions/0014-conformance.md shows. Needs the programs of
//! `cargo xtask tools`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and two real servers run in real time"
)]

mod compare;
mod mask;
mod omissions;
mod play;
mod script;
mod select;
mod servers;
mod side;

use omissions::Omissions;
use play::Play;

/// Requests the script has at the least: it may grow, it may not shrink.
const FEWEST_REQUESTS: usize = 150;

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_server_answers_as_kubernetes_does() {
    let (real, embedded) = servers::start().await.unwrap();
    let mut play = Play::new(real, embedded, Omissions::read().unwrap());
    for topic in script::topics().unwrap() {
        play.perform(&topic).await.unwrap();
    }
    let outcome = play.finish();
    println!("{}", outcome.report);
    println!(
        "{} requests to each of two servers; {} differ in {} places; left out on purpose:\n\n{}",
        outcome.requests, outcome.differing, outcome.differences, outcome.omissions
    );
    assert_eq!(outcome.differences, 0, "answers differ, see above");
    assert!(
        outcome.unmet.is_empty(),
        "omissions.yaml names what no longer differs: {:#?}",
        outcome.unmet
    );
    assert!(
        outcome.requests >= FEWEST_REQUESTS,
        "{} requests",
        outcome.requests
    );
}

#[test]
fn the_decision_shows_what_is_left_out() {
    let page = script::directory().join("../../../docs/decisions/0014-conformance.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let table = Omissions::read().unwrap().table();
    assert!(
        text.contains(&table),
        "docs/decisions/0014-conformance.md must have this table:\n\n{table}"
    );
}
