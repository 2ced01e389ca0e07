//! What is bounded: the log of changes, Events, the size of a request.

use crate::toolkit::{Boat, World, boat, request};
use followlytics_store::params;
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::json;

async fn count(world: &World, sql: &str) -> i64 {
    let mut tx = world.db.begin().await.unwrap();
    tx.find(sql, params![]).await.unwrap().unwrap().get(0).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_log_keeps_ten_thousand_changes_and_tells_older_watches_to_list() {
    let world = World::new();
    let start = world.boat("a").await.resource_version().unwrap();
    for miles in 0..10_600 {
        let patch = Patch::Merge(json!({"status": {"miles": miles}}));
        world
            .boats()
            .patch_status("a", &PatchParams::default(), &patch)
            .await
            .unwrap();
    }
    let kept = count(&world, "SELECT COUNT(*) FROM resource_events").await;
    assert!((10_000..10_256).contains(&kept), "{kept}");
    let events = world
        .boats()
        .watch(&WatchParams::default(), &start)
        .await
        .unwrap();
    let seen: Vec<WatchEvent<Boat>> = events.try_collect().await.unwrap();
    assert!(
        matches!(seen.as_slice(), [WatchEvent::Error(status)] if status.code == 410),
        "{seen:?}"
    );
    // A kind of which nothing was dropped can still be watched from the beginning.
    let quiet = WatchParams::default().timeout(1).disable_bookmarks();
    let events = world.oars().watch(&quiet, &start).await.unwrap();
    assert!(events.try_collect::<Vec<_>>().await.unwrap().is_empty());
    // A watch that lags by many batches is told every change once, in order.
    let since = (start.parse::<i64>().unwrap() + 1_000).to_string();
    let events = world.boats().watch(&quiet, &since).await.unwrap();
    let seen: Vec<WatchEvent<Boat>> = events.try_collect().await.unwrap();
    assert_eq!(seen.len(), 9_600);
}

#[tokio::test]
async fn the_oldest_events_are_forgotten() {
    let world = World::new();
    let api: Api<Event> = Api::default_namespaced(world.client.clone());
    for number in 0..5_200 {
        let mut event = Event::default();
        event.metadata.name = Some(format!("e{number}"));
        api.create(&PostParams::default(), &event).await.unwrap();
    }
    let kept = count(&world, "SELECT COUNT(*) FROM resources WHERE resource = 'events'").await;
    assert!((5_000..5_064).contains(&kept), "{kept}");
    assert!(api.get_opt("e0").await.unwrap().is_none());
    assert!(api.get_opt("e5199").await.unwrap().is_some());
}

#[tokio::test]
async fn a_request_beyond_three_mebibytes_is_refused() {
    let world = World::new();
    let mut huge = boat("a");
    huge.spec.harbour = "x".repeat(3 << 20);
    let body = serde_json::to_string(&huge).unwrap();
    let uri = "/apis/test.io/v1/namespaces/default/boats";
    let (code, status) = request(&world, "POST", uri, "application/json", &body).await;
    assert_eq!(
        (code, status["reason"].as_str()),
        (413, Some("RequestEntityTooLarge"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_side_by_side_lose_nothing() {
    let world = World::new();
    world.boat("a").await;
    let writers = (0..8).map(|writer| {
        let boats = world.boats();
        tokio::spawn(async move {
            for _ in 0..25 {
                loop {
                    let mut seen = boats.get("a").await.unwrap();
                    seen.spec
                        .flags
                        .push(format!("{writer}-{}", seen.resource_version().unwrap()));
                    match boats.replace("a", &PostParams::default(), &seen).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(crate::toolkit::status_of(&error).code, 409),
                    }
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let last = world.boats().get("a").await.unwrap();
    assert_eq!(
        (last.spec.flags.len(), last.metadata.generation),
        (200, Some(201))
    );
}
