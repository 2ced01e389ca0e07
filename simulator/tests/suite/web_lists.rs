//! X's web client: pages of followers, their cursors, both shapes of a user.

use std::collections::BTreeSet;

use followlytics_simulator::{ChurnSpec, Platform, UserState};
use serde_json::{Value, json};

use crate::{
    bench::{START_MS, sorted},
    web_visit::{Visit, WHO, position, read},
};

fn truth(visit: &Visit) -> Vec<String> {
    let world = &visit.bench.world;
    world.truth(Platform::X, WHO, world.now(), world.now()).unwrap()
}

#[tokio::test]
async fn a_walk_sees_exactly_the_population_and_ranked_rows_twice() {
    let visit = Visit::new(json!({}), 1_000);
    let pages = visit.walk(None).await;
    let first = &pages[0];
    assert!((65..=70).contains(&first.ids.len()), "{}", first.ids.len());
    assert!(pages[1..pages.len() - 1].iter().all(|page| page.ids.len() == 20));
    let (ranked, newest) = first.ids.split_at(20);
    let truth = truth(&visit);
    let mut in_order: Vec<String> = newest.to_vec();
    in_order.extend(pages[1..].iter().flat_map(|page| page.ids.clone()));
    in_order.reverse();
    assert_eq!(in_order, truth);
    assert!(ranked.iter().all(|id| truth.contains(id) && !newest.contains(id)));
    assert_eq!(ranked.iter().collect::<BTreeSet<_>>().len(), 20);
    let results = first_results(&visit).await;
    let verified = results.iter().take(20).map(|row| row["is_blue_verified"] == true);
    let verified: Vec<bool> = verified.collect();
    assert!(
        verified.is_sorted_by(|one, other| one >= other) && verified[5],
        "{verified:?}"
    );
}

async fn first_results(visit: &Visit) -> Vec<Value> {
    let body = visit.list(None).await.json();
    let instructions = &body["data"]["user"]["result"]["timeline"]["timeline"]["instructions"];
    let entries = instructions.as_array().unwrap().last().unwrap()["entries"].clone();
    let results = entries.as_array().unwrap().iter();
    results
        .map(|entry| entry["content"]["itemContent"]["user_results"]["result"].clone())
        .filter(|result| !result.is_null())
        .collect()
}

#[tokio::test]
async fn a_short_list_is_one_page_without_ranked_rows() {
    for followers in [0, 1, 60] {
        let visit = Visit::new(json!({}), followers);
        let page = read(&visit.list(None).await);
        let mut ids = page.ids.clone();
        ids.reverse();
        assert_eq!(ids, truth(&visit));
        assert!(page.bottom.unwrap().starts_with("0|"));
    }
    let visit = Visit::new(json!({}), 75);
    let pages = visit.walk(None).await;
    let all: BTreeSet<String> = pages.into_iter().flat_map(|page| page.ids).collect();
    assert_eq!(sorted(all.into_iter().collect()), sorted(truth(&visit)));
}

#[tokio::test]
async fn a_page_is_framed_as_on_the_platform() {
    let visit = Visit::new(json!({}), 500);
    let body = visit.list(None).await.json();
    let instructions = &body["data"]["user"]["result"]["timeline"]["timeline"]["instructions"];
    let kinds: Vec<_> = instructions
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "TimelineClearCache",
            "TimelineTerminateTimeline",
            "TimelineTerminateTimeline",
            "TimelineAddEntries"
        ]
    );
    let entries = instructions[3]["entries"].as_array().unwrap();
    let number = |entry: &Value| entry["sortIndex"].as_str().unwrap().parse::<u64>().unwrap();
    let request = number(entries.last().unwrap());
    let length = u64::try_from(entries.len()).unwrap() - 2;
    assert_eq!(
        (request >> 22) + 1_288_834_974_657,
        u64::try_from(START_MS).unwrap(),
        "a snowflake of the request's time"
    );
    assert_eq!(number(&entries[0]), request - 1);
    let bottom = &entries[entries.len() - 2];
    assert_eq!(number(bottom), request - length - 1);
    assert_eq!(
        bottom["entryId"],
        format!("cursor-bottom-{}", request - length - 1)
    );
    let value = bottom["content"]["value"].as_str().unwrap();
    assert!(value.ends_with(&format!("|{}", request - length - 3)), "{value}");
    assert_eq!(
        entries.last().unwrap()["content"]["value"],
        format!("-1|{request}")
    );
    let id = entries[0]["content"]["itemContent"]["user_results"]["result"]["rest_id"]
        .as_str()
        .unwrap();
    assert_eq!(entries[0]["entryId"], format!("user-{id}"));
}

#[tokio::test]
async fn a_cursor_is_the_time_of_the_last_follow_and_keeps_its_meaning() {
    let visit = Visit::new(json!({}), 800);
    let first = read(&visit.list(None).await);
    let cursor = first.bottom.unwrap();
    let ms = position(&cursor) >> 20;
    assert!(ms < START_MS && ms > START_MS - 4 * 366 * 86_400_000, "{ms}");
    let second = read(&visit.list(Some(&cursor)).await);
    visit.bench.world.follow(Platform::X, WHO, 9).unwrap();
    for gone in first.ids.iter().skip(20).take(7) {
        assert!(visit.bench.world.unfollow_user(Platform::X, WHO, gone).unwrap());
    }
    visit.bench.advance_ms(86_400_000);
    let again = read(&visit.list(Some(&cursor)).await);
    assert_eq!(again.ids, second.ids, "neither churn nor time shifts a page");
    let last = second.ids.last().unwrap();
    assert!(visit.bench.world.unfollow_user(Platform::X, WHO, last).unwrap());
    let below = read(&visit.list(second.bottom.as_deref()).await);
    assert_eq!(below.ids.len(), 20, "the follow a cursor names may be gone");
}

#[tokio::test]
async fn only_the_first_page_ignores_the_count() {
    for (count, expected) in [(20, 20), (50, 50), (100, 100)] {
        let visit = Visit::new(json!({"count": count}), 400);
        let first = read(&visit.list(None).await);
        assert!((65..=70).contains(&first.ids.len()));
        let second = read(&visit.list(first.bottom.as_deref()).await);
        assert_eq!(second.ids.len(), expected);
    }
}

#[tokio::test]
async fn a_cursor_this_server_never_gave_is_refused_unless_it_may_be_fabricated() {
    let refusing = Visit::new(json!({}), 800);
    let second = read(&refusing.list(None).await).bottom.unwrap();
    let middle = position(&second) - (200 << 40);
    for made_up in [
        format!("{middle}|7"),
        format!("{}|7", START_MS << 20),
        "7".to_owned(),
        "-5|7".to_owned(),
        format!("{}|x", position(&second)),
        "|".to_owned(),
    ] {
        let reply = refusing.list(Some(&made_up)).await;
        assert_eq!(reply.status, 400, "{made_up}");
        assert_eq!(reply.json()["errors"][0]["code"], 214);
    }
    let stored = format!("{}|1", position(&second));
    assert_eq!(
        refusing.list(Some(&stored)).await.status,
        200,
        "any snowflake will do"
    );

    let accepting = Visit::new(json!({"acceptFabricatedCursor": true}), 800);
    let page = read(&accepting.list(Some(&format!("{middle}|7"))).await);
    assert_eq!(page.ids.len(), 20);
    assert!(position(&page.bottom.unwrap()) < middle);
    let newest = read(&accepting.list(Some(&format!("{}|7", START_MS << 20))).await);
    assert_eq!(newest.ids.last(), truth(&accepting).get(780));
    assert_eq!(accepting.list(Some("seven|7")).await.status, 400);
}

#[tokio::test]
async fn behind_the_end_there_is_nothing() {
    let visit = Visit::new(json!({}), 30);
    let page = read(&visit.list(Some("0|1")).await);
    assert!(page.ids.is_empty() && page.bottom.unwrap().starts_with("0|"));
    let top = read(&visit.list(Some("-1|1")).await);
    assert_eq!(top.ids.len(), 30, "the top cursor is the newest end");
}

#[tokio::test]
async fn users_who_cannot_be_shown_are_left_out_or_empty_and_never_rows() {
    let visit = Visit::of(json!({"x": {"hiddenShare": 0.3, "web": {}}}), 1_000);
    let pages = visit.walk(None).await;
    let seen: BTreeSet<String> = pages.iter().flat_map(|page| page.ids.clone()).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), sorted(truth(&visit)));
    let empty: usize = pages.iter().map(|page| page.unavailable).sum();
    assert!((100..220).contains(&empty), "{empty}");
}

#[tokio::test]
async fn both_shapes_say_the_same_of_a_user() {
    let (modern, legacy) = (
        Visit::new(json!({}), 400),
        Visit::new(json!({"shape": "legacy"}), 400),
    );
    let pairs = first_results(&modern)
        .await
        .into_iter()
        .zip(first_results(&legacy).await);
    let mut protected = 0;
    for (new, old) in pairs {
        assert_eq!((&new["rest_id"], &new["id"]), (&old["rest_id"], &old["id"]));
        let old = &old["legacy"];
        assert_eq!(new["core"]["screen_name"], old["screen_name"]);
        assert_eq!(new["core"]["name"], old["name"]);
        assert_eq!(new["core"]["created_at"], old["created_at"]);
        assert_eq!(new["profile_bio"]["description"], old["description"]);
        assert_eq!(new["location"]["location"], old["location"]);
        assert_eq!(new["relationship_counts"]["followers"], old["followers_count"]);
        assert_eq!(new["relationship_counts"]["following"], old["friends_count"]);
        assert_eq!(new["tweet_counts"]["tweets"], old["statuses_count"]);
        assert_eq!(new["privacy"]["protected"] == true, old["protected"] == true);
        protected += usize::from(old["protected"] == true);
        let created = new["core"]["created_at"].as_str().unwrap();
        assert!(created.contains(" +0000 20") && created.len() == 30, "{created}");
    }
    assert!(protected > 0);
}

#[tokio::test]
async fn a_look_up_names_the_account_and_its_count() {
    let visit = Visit::new(json!({}), 321);
    let result = visit.look_up("NASA").await.json()["data"]["user"]["result"].clone();
    assert_eq!(
        (&result["rest_id"], &result["core"]["screen_name"]),
        (&json!(visit.id), &json!(WHO))
    );
    assert_eq!(result["relationship_counts"]["followers"], 321);
    assert_eq!(visit.look_up("nosuch").await.json(), json!({"data": {}}));
    let world = &visit.bench.world;
    world.set_state(Platform::X, WHO, UserState::Suspended).unwrap();
    let suspended = visit.look_up(WHO).await.json();
    assert_eq!(
        suspended["data"]["user"]["result"]["__typename"],
        "UserUnavailable"
    );
    assert_eq!(suspended["data"]["user"]["result"]["reason"], "Suspended");
}

#[tokio::test]
async fn a_closed_list_is_open_to_its_owner_only() {
    let visit = Visit::new(json!({}), 10);
    visit.bench.world.set_protected(Platform::X, WHO, true).unwrap();
    let closed = visit.list(None).await;
    assert_eq!(closed.json()["errors"][0]["code"], 37);
    assert_eq!(closed.json()["data"]["user"]["result"]["timeline"], json!({}));
    let owner = crate::web_visit::session("0wner", WHO);
    visit.bench.world.sign_in_web(owner.clone()).unwrap();
    let owner = Visit {
        session: owner,
        ..visit
    };
    assert_eq!(read(&owner.list(None).await).ids.len(), 10);
}

#[tokio::test]
async fn the_log_knows_who_read_what() {
    let visit = Visit::new(json!({}), 200);
    let first = read(&visit.list(None).await);
    read(&visit.list(first.bottom.as_deref()).await);
    visit.look_up(WHO).await;
    let requests = visit.bench.world.requests(0, 10);
    assert_eq!(requests[0].rows, first.ids);
    assert_eq!(
        (requests[0].cursor.as_ref(), &requests[1].cursor),
        (None, &first.bottom)
    );
    assert!(requests.iter().all(|one| one.principal == "web:reader"));
    assert!(requests.iter().all(|one| one.charged_nano_usd == 0));
    assert_eq!(requests[0].account.as_ref(), Some(&visit.id));
    assert_eq!(
        requests[0].token,
        Some(visit.bench.world.web_sessions()[0].token.clone())
    );
    let totals = visit.bench.world.totals();
    assert_eq!(totals.by_endpoint["x.webFollowers"][&200], 2);
    assert_eq!(totals.by_endpoint["x.webUser"][&200], 1);
}

#[tokio::test]
async fn a_list_that_changes_while_it_is_read_loses_nobody_who_stays() {
    let visit = Visit::new(json!({}), 1_500);
    let world = &visit.bench.world;
    let churn = ChurnSpec {
        unfollows_per_request: 2.5,
        follows_per_request: 1.5,
        suspensions_per_request: 0.5,
        ..ChurnSpec::default()
    };
    world.set_churn(Platform::X, WHO, churn).unwrap();
    let from = world.order();
    let mut cursor = None;
    let mut seen = BTreeSet::new();
    loop {
        let reply = visit.list(cursor.as_deref()).await;
        if reply.status == 429 {
            visit.bench.advance_ms(900_000);
            continue;
        }
        let page = read(&reply);
        seen.extend(page.ids);
        cursor = page.bottom;
        if cursor.as_deref().is_some_and(|text| text.starts_with("0|")) {
            break;
        }
    }
    let judged = world
        .judge(
            Platform::X,
            WHO,
            seen.iter().map(String::as_str),
            (from, world.order()),
        )
        .unwrap();
    let stable = world
        .truth_between(Platform::X, WHO, from, world.order())
        .unwrap();
    assert_eq!(judged.invented, 0, "{judged:?}");
    assert_eq!(usize::try_from(judged.throughout).unwrap(), stable.len());
    assert!(stable.len() < 1_400 && stable.iter().all(|id| seen.contains(id)));
}
