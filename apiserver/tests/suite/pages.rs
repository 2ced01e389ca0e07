//! Lists in pages, lists of a version, and what is refused about them.

use crate::toolkit::{World, boat, get, names};
use followlytics_store::resources;
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

const BOATS: &str = "/apis/test.io/v1/namespaces/default/boats";
const JSON: &str = "application/json";

async fn boats(world: &World, all: &str) {
    for name in all.chars() {
        world.boat(&name.to_string()).await;
    }
}

async fn page(world: &World, query: &str) -> Value {
    let (code, list) = get(world, &format!("{BOATS}?{query}"), JSON).await;
    assert_eq!(code, 200, "{list}");
    list
}

fn token(list: &Value) -> String {
    let token = list.pointer("/metadata/continue").and_then(Value::as_str);
    token.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn pages_follow_each_other_until_nothing_is_left() {
    let world = World::new();
    boats(&world, "abcde").await;
    let first = page(&world, "limit=2").await;
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    let second = page(&world, &format!("limit=2&continue={}", token(&first))).await;
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second["metadata"]["remainingItemCount"], 1);
    let third = page(&world, &format!("limit=2&continue={}", token(&second))).await;
    assert_eq!(
        (names(&third), token(&third)),
        (vec!["e".to_owned()], String::new())
    );
    assert_eq!(third["metadata"].get("remainingItemCount"), None);
}

#[tokio::test]
async fn every_page_is_of_the_version_of_the_first() {
    let world = World::new();
    boats(&world, "abcd").await;
    let first = page(&world, "limit=1").await;
    let at = first["metadata"]["resourceVersion"].clone();
    // Gone, changed, new, and both new and gone: none of it was so when the first page was read.
    world.boats().delete("b", &DeleteParams::default()).await.unwrap();
    let crew = Patch::Merge(json!({"spec": {"crew": 0}}));
    world
        .boats()
        .patch("c", &PatchParams::default(), &crew)
        .await
        .unwrap();
    boats(&world, "ef").await;
    world.boats().delete("f", &DeleteParams::default()).await.unwrap();
    let second = page(&world, &format!("limit=2&continue={}", token(&first))).await;
    assert_eq!(names(&second), ["b", "c"]);
    assert_eq!(second["items"][1]["spec"]["crew"], 2);
    assert_eq!(
        (
            &second["metadata"]["resourceVersion"],
            &second["metadata"]["remainingItemCount"]
        ),
        (&at, &json!(1))
    );
    let third = page(&world, &format!("continue={}", token(&second))).await;
    assert_eq!(names(&third), ["d"]);
    let exact = page(
        &world,
        &format!(
            "resourceVersionMatch=Exact&resourceVersion={}",
            at.as_str().unwrap()
        ),
    )
    .await;
    assert_eq!(names(&exact), ["a", "b", "c", "d"]);
    assert_eq!(names(&page(&world, "").await), ["a", "c", "d", "e"]);
}

#[tokio::test]
async fn a_list_whose_version_is_forgotten_may_go_on_with_the_present() {
    let world = World::new();
    boats(&world, "abc").await;
    let first = page(&world, "limit=1").await;
    world.boats().delete("b", &DeleteParams::default()).await.unwrap();
    let mut tx = world.db.begin().await.unwrap();
    let version = resources::current_version(&mut tx).await.unwrap();
    resources::trim_events(&mut tx, version).await.unwrap();
    tx.commit().await.unwrap();
    let uri = format!("{BOATS}?limit=1&continue={}", token(&first));
    let (code, expired) = get(&world, &uri, JSON).await;
    assert_eq!((code, expired["reason"].as_str()), (410, Some("Expired")));
    let rest = page(&world, &format!("continue={}", token(&expired))).await;
    assert_eq!(names(&rest), ["c"]);
    let old = format!("{BOATS}?resourceVersionMatch=Exact&resourceVersion=2");
    let (code, expired) = get(&world, &old, JSON).await;
    assert_eq!(
        (code, expired["message"].as_str()),
        (410, Some("The resourceVersion for the provided list is too old."))
    );
}

#[tokio::test]
async fn pages_of_a_selection_say_nothing_of_how_much_is_left() {
    let world = World::new();
    for (name, colour) in [("a", "red"), ("b", "blue"), ("c", "red"), ("d", "red")] {
        let mut one = boat(name);
        one.labels_mut().insert("colour".into(), colour.into());
        world.boats().create(&PostParams::default(), &one).await.unwrap();
    }
    let first = page(&world, "limit=2&labelSelector=colour%3Dred").await;
    assert_eq!(names(&first), ["a", "c"]);
    assert_eq!(first["metadata"].get("remainingItemCount"), None);
    let second = page(
        &world,
        &format!("limit=2&labelSelector=colour%3Dred&continue={}", token(&first)),
    )
    .await;
    assert_eq!(names(&second), ["d"]);
}

#[tokio::test]
async fn options_that_cannot_be_right_are_refused_in_kubernetes_words() {
    let world = World::new();
    boats(&world, "ab").await;
    let forbidden = "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: ";
    for (query, code, message) in [
        (
            "resourceVersionMatch=Exact",
            422,
            format!("{forbidden}resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ),
        (
            "resourceVersionMatch=Exact&resourceVersion=0",
            422,
            format!("{forbidden}resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""),
        ),
        (
            "watch=1&sendInitialEvents=true",
            422,
            format!("{forbidden}sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        ),
        (
            "limit=x",
            400,
            "strconv.ParseInt: parsing \"x\": invalid syntax".to_owned(),
        ),
        (
            "resourceVersion=99",
            504,
            "Timeout: Too large resource version: 99, current: 3".to_owned(),
        ),
    ] {
        let (found, status) = get(&world, &format!("{BOATS}?{query}"), JSON).await;
        assert_eq!(
            (found, status["message"].as_str()),
            (code, Some(message.as_str()))
        );
    }
    let (code, status) = get(&world, &format!("{BOATS}?continue=x"), JSON).await;
    assert_eq!(code, 400);
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .starts_with("invalid continue token")
    );
}

#[tokio::test]
async fn a_list_that_takes_any_version_is_not_cut() {
    let world = World::new();
    boats(&world, "abc").await;
    assert_eq!(names(&page(&world, "limit=1&resourceVersion=0").await).len(), 3);
}
