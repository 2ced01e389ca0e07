//! The same seed, clock and requests give the same bytes.

use followlytics_simulator::{AccountSpec, ChurnSpec, FaultKind, FaultSpec, Platform, Trigger};

use crate::{
    bench::{APP, Bench, Reply, next_token},
    web_visit::{Visit, session},
};

async fn run(seed: u64) -> Vec<Reply> {
    let config = format!(r#"{{"seed":{seed},"x":{{"hiddenShare":0.1}},"bluesky":{{"hiddenShare":0.1}}}}"#);
    let bench = Bench::new(&config);
    bench.world.sign_in_web(session("a1", "reader")).unwrap();
    let churn = ChurnSpec {
        unfollows_per_request: 1.5,
        follows_per_request: 0.75,
        follows_per_second: 2.5,
        unfollows_per_second: 0.5,
        renames_per_request: 0.3,
        suspensions_per_request: 0.2,
        returns_per_request: 0.5,
        returns_together: 2,
    };
    for (platform, handle) in [
        (Platform::X, "nasa"),
        (Platform::Bluesky, "nasa.bsky.social"),
        (Platform::Gitea, "nasa"),
    ] {
        bench
            .world
            .create_account(AccountSpec {
                churn,
                ..AccountSpec::new(platform, handle, 900)
            })
            .unwrap();
    }
    for kind in [
        FaultKind::BadGateway,
        FaultKind::ShortPage,
        FaultKind::ResponseLost,
    ] {
        let trigger = Trigger::Probability(0.1);
        bench
            .world
            .set_fault(FaultSpec {
                trigger,
                times: 0,
                ..FaultSpec::once(kind)
            })
            .unwrap();
    }
    let id = bench.world.account(Platform::X, "nasa").unwrap().id;
    let pair = bench.world.issue_x_user_token("simulator", "nasa").unwrap();
    let mut replies = vec![
        bench
            .get_as(&format!("Bearer {}", pair.access_token), "/2/users/me")
            .await,
    ];
    let mut token: Option<String> = None;
    for round in 1..=40 {
        bench.advance_ms(137);
        let query = token
            .as_ref()
            .map(|token| format!("?pagination_token={token}"))
            .unwrap_or_default();
        let page = bench
            .get_as(APP, &format!("/2/users/{id}/followers{query}"))
            .await;
        if page.status == 200 {
            token = next_token(&page);
        }
        replies.push(page);
        replies.push(
            bench
                .sky_page(
                    "nasa.bsky.social",
                    &format!("cursor={}__b", bench.now_ms() - round),
                )
                .await,
        );
        replies.push(
            bench
                .gitea_page("nasa", usize::try_from(round).unwrap(), 20)
                .await,
        );
    }
    let visit = Visit {
        bench,
        session: session("a1", "reader"),
        id,
    };
    replies.push(visit.open("/nasa/followers").await);
    for _ in 0..20 {
        replies.push(visit.list(None).await);
    }
    let Visit { bench, .. } = visit;
    replies.push(bench.get("/admin/requests").await);
    replies.push(bench.get("/admin/events?limit=100000").await);
    replies.push(bench.get("/admin/totals").await);
    replies
}

#[tokio::test]
async fn two_worlds_of_one_seed_answer_byte_for_byte_alike() {
    assert_eq!(run(7).await, run(7).await);
}

#[tokio::test]
async fn another_seed_is_another_world() {
    let (one, other) = (run(7).await, run(8).await);
    let same = one
        .iter()
        .zip(&other)
        .filter(|(one, other)| one.body == other.body && !one.body.is_empty());
    assert!(same.count() < 5);
}
