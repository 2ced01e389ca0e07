//! Long lists: the truth in the order of ids, sums of it, and large changes between two scans.

use std::{collections::BTreeSet, sync::Arc};

use followlytics_simulator::{AccountSpec, BulkSpec, Platform, RollDigest, RollOf, UserState, World};

use crate::bench::{Bench, sorted};

const NASA: (Platform, &str) = (Platform::X, "nasa");

fn roll(world: &Arc<World>, of: RollOf, stretch: (u64, u64)) -> Vec<String> {
    let roll = world.roll(NASA.0, NASA.1, of, stretch).unwrap();
    roll.flatten().map(|row| row.id).collect()
}

/// A list that loses, gains and renames many, some of them one by one; returns the order before and after.
fn shaken(bench: &Bench) -> (u64, u64) {
    let world = &bench.world;
    let ids = world.truth_between(NASA.0, NASA.1, 0, 0).unwrap();
    world.unfollow_user(NASA.0, NASA.1, &ids[7]).unwrap();
    world.set_state(NASA.0, &ids[8], UserState::Suspended).unwrap();
    let from = world.order();
    let spec = BulkSpec {
        seed: 3,
        unfollow_share: 0.1,
        rename_share: 0.2,
        follow: 500,
    };
    let done = world.bulk(NASA.0, NASA.1, spec).unwrap();
    assert_eq!((done.from_order, done.followed), (from, 500));
    assert!(
        (400..600).contains(&done.unfollowed) && (850..1_150).contains(&done.renamed),
        "{done:?}"
    );
    world.follow_user(NASA.0, NASA.1, &ids[7]).unwrap();
    world.set_state(NASA.0, &ids[9], UserState::Suspended).unwrap();
    world.rename(NASA.0, &ids[10], "somebody_else").unwrap();
    // Gone and back inside the stretch: neither lost nor gained, and not there throughout.
    let whoever = world.truth_between(NASA.0, NASA.1, from, world.order()).unwrap()[20].clone();
    world.unfollow_user(NASA.0, NASA.1, &whoever).unwrap();
    world.follow_user(NASA.0, NASA.1, &whoever).unwrap();
    (from, world.order())
}

fn nasa() -> Bench {
    Bench::with_account("{}", NASA.0, NASA.1, 5_000).0
}

#[tokio::test]
async fn gained_and_lost_are_the_difference_of_two_listings() {
    let bench = nasa();
    let (from, to) = shaken(&bench);
    let at = |order| sorted(bench.world.truth_between(NASA.0, NASA.1, order, order).unwrap());
    let (before, after): (BTreeSet<_>, BTreeSet<_>) =
        (at(from).into_iter().collect(), at(to).into_iter().collect());
    let missing =
        |one: &BTreeSet<String>, other: &BTreeSet<String>| one.difference(other).cloned().collect::<Vec<_>>();
    assert_eq!(
        roll(&bench.world, RollOf::Lost, (from, to)),
        missing(&before, &after)
    );
    assert_eq!(
        roll(&bench.world, RollOf::Gained, (from, to)),
        missing(&after, &before)
    );
    assert!(missing(&after, &before).len() >= 501);
}

#[tokio::test]
async fn a_roll_is_the_truth_in_the_order_of_ids() {
    let bench = nasa();
    let stretch = shaken(&bench);
    let truth = bench
        .world
        .truth_between(NASA.0, NASA.1, stretch.0, stretch.1)
        .unwrap();
    assert_eq!(
        roll(&bench.world, RollOf::Throughout, stretch),
        sorted(truth.clone())
    );
    let ever = bench
        .world
        .ever_present_between(NASA.0, NASA.1, stretch.0, stretch.1)
        .unwrap();
    assert_eq!(
        roll(&bench.world, RollOf::Ever, stretch),
        ever.iter().cloned().collect::<Vec<_>>()
    );
    for of in [RollOf::Throughout, RollOf::Ever] {
        let mut digest = RollDigest::default();
        for id in roll(&bench.world, of, stretch).iter().rev() {
            digest.add(id);
        }
        assert_eq!(
            bench.world.roll_digest(NASA.0, NASA.1, of, stretch).unwrap(),
            digest
        );
    }
    let everybody: Vec<&str> = ever
        .iter()
        .map(String::as_str)
        .chain(["1000000000000000001"])
        .collect();
    let judged = bench.world.judge(NASA.0, NASA.1, everybody, stretch).unwrap();
    assert_eq!(judged.throughout, truth.len() as u64);
    assert_eq!(judged.sometimes, (ever.len() - truth.len()) as u64);
    assert_eq!(
        (judged.invented, judged.example.as_deref()),
        (1, Some("1000000000000000001"))
    );
}

#[tokio::test]
async fn renamed_users_answer_to_their_new_handles_and_not_to_their_old() {
    let bench = nasa();
    let (from, to) = shaken(&bench);
    let rows: Vec<_> = bench
        .world
        .roll(NASA.0, NASA.1, RollOf::Renamed, (from, to))
        .unwrap()
        .flatten()
        .collect();
    assert!(rows.len() > 700);
    for row in rows.iter().step_by(50) {
        let [old, new] = row.handles.clone().unwrap();
        let found = bench
            .get_as(crate::bench::APP, &format!("/2/users/by/username/{new}"))
            .await
            .json();
        assert_eq!(found["data"]["id"], row.id);
        let gone = bench
            .get_as(crate::bench::APP, &format!("/2/users/by/username/{old}"))
            .await
            .json();
        assert!(gone.get("data").is_none(), "{old}");
    }
    assert!(
        rows.iter()
            .any(|row| row.handles.as_ref().unwrap()[1] == "somebody_else")
    );
    assert!(
        bench
            .world
            .roll(NASA.0, NASA.1, RollOf::Renamed, (to, to))
            .unwrap()
            .next()
            .is_none()
    );
}

#[tokio::test]
async fn bulk_changes_rolls_and_digests_are_at_hand_over_http() {
    let bench = nasa();
    let done = bench
        .post(
            "/admin/accounts/x/nasa/bulk",
            r#"{"seed":1,"unfollowShare":0.5,"follow":10}"#,
        )
        .await
        .json();
    let stretch = format!("fromOrder={}&toOrder={}", done["fromOrder"], done["toOrder"]);
    assert_eq!(bench.get("/admin/order").await.json()["order"], done["toOrder"]);
    let lost = bench
        .get(&format!("/admin/accounts/x/nasa/roll?of=lost&{stretch}"))
        .await;
    assert_eq!(lost.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(
        lost.body.lines().count(),
        usize::try_from(done["unfollowed"].as_u64().unwrap()).unwrap()
    );
    let mut digest = RollDigest::default();
    for line in lost.body.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        digest.add(row["id"].as_str().unwrap());
    }
    let told = bench
        .get(&format!("/admin/accounts/x/nasa/digest?of=lost&{stretch}"))
        .await
        .json();
    assert_eq!(serde_json::from_value::<RollDigest>(told).unwrap(), digest);
    let now = bench.get("/admin/accounts/x/nasa/digest").await.json();
    assert_eq!(
        now["count"],
        bench.world.account(NASA.0, NASA.1).unwrap().followers
    );
    let refused = bench
        .post("/admin/accounts/x/nasa/bulk", r#"{"unfollowShare":2}"#)
        .await;
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("unfollowShare")
    );
    let events = bench.get("/admin/events").await.json();
    assert_eq!(
        (&events[0]["kind"], &events[0]["count"]),
        (&"unfollow".into(), &done["unfollowed"])
    );
}

#[tokio::test]
async fn ids_of_numbers_are_rolled_by_number_and_others_by_text() {
    for platform in Platform::ALL {
        let handle = if platform == Platform::Bluesky {
            "nasa.bsky.social"
        } else {
            "nasa"
        };
        let (bench, _) = Bench::with_account("{}", platform, handle, 3_000);
        let rows: Vec<_> = bench
            .world
            .roll(platform, handle, RollOf::Throughout, (0, 0))
            .unwrap()
            .flatten()
            .collect();
        assert_eq!(rows.len(), 3_000);
        match platform {
            Platform::Gitea | Platform::Github => {
                assert!(rows.is_sorted_by_key(|row| row.id.parse::<u64>().unwrap()));
            }
            _ => assert!(rows.is_sorted_by_key(|row| row.id.clone())),
        }
    }
}

/// Bytes this process has in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[tokio::test]
async fn a_hundred_million_followers_are_not_held_in_memory() {
    let config = r#"{"x":{"limits":{"followersApp":4000000}}}"#;
    let bench = Bench::new(config);
    let before = resident();
    let spec = AccountSpec::new(NASA.0, NASA.1, 100_000_000);
    let id = bench.world.create_account(spec).unwrap().id;
    let mut token = None;
    for _ in 0..20 {
        let query = token
            .map(|token| format!("&pagination_token={token}"))
            .unwrap_or_default();
        let page = bench.x_page(&id, &format!("max_results=1000{query}")).await;
        token = crate::bench::next_token(&page);
        assert_eq!(crate::bench::x_ids(&page).len(), 1_000);
    }
    bench
        .world
        .unfollow_at(NASA.0, NASA.1, 50_000_000, 1_000)
        .unwrap();
    let spec = BulkSpec {
        seed: 1,
        unfollow_share: 0.001,
        rename_share: 0.0,
        follow: 1_000_000,
    };
    let done = bench.world.bulk(NASA.0, NASA.1, spec).unwrap();
    let left = bench.world.account(NASA.0, NASA.1).unwrap().followers;
    assert_eq!(left, 100_000_000 - 1_000 - done.unfollowed + 1_000_000);
    let grown = resident().saturating_sub(before);
    assert!(grown < 100_000_000, "{grown} bytes");
}
