//! Watches: raw, through kube's watcher, across restarts.

use crate::toolkit::{Boat, Oar, OarSpec, World, boat};
use followlytics_store::resources;
use futures::{Stream, StreamExt, TryStreamExt, pin_mut};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    runtime::{WatchStreamExt, watcher, watcher::Event},
};
use serde_json::json;

fn told(event: &WatchEvent<Boat>) -> String {
    match event {
        WatchEvent::Added(boat) => format!("added {}", boat.name_any()),
        WatchEvent::Modified(boat) => format!("modified {}", boat.name_any()),
        WatchEvent::Deleted(boat) => format!("deleted {}", boat.name_any()),
        WatchEvent::Bookmark(mark) if mark.metadata.annotations.is_empty() => "bookmark".into(),
        WatchEvent::Bookmark(_) => "end of state".into(),
        WatchEvent::Error(status) => format!("error {}", status.code),
    }
}

async fn next(events: &mut (impl Stream<Item = Result<WatchEvent<Boat>, kube::Error>> + Unpin)) -> String {
    told(&events.next().await.unwrap().unwrap())
}

async fn forget_the_log(world: &World) {
    let mut tx = world.db.begin().await.unwrap();
    let version = resources::current_version(&mut tx).await.unwrap();
    resources::trim_events(&mut tx, version).await.unwrap();
    tx.commit().await.unwrap();
}

async fn label(world: &World, name: &str, value: serde_json::Value) {
    let patch = Patch::Merge(json!({"metadata": {"labels": {"colour": value}}}));
    world
        .boats()
        .patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_every_change_after_its_version_and_no_empty_write() {
    let world = World::new();
    let made = world.boat("a").await;
    let params = WatchParams::default().timeout(10).disable_bookmarks();
    let events = world
        .boats()
        .watch(&params, &made.resource_version().unwrap())
        .await
        .unwrap()
        .boxed();
    pin_mut!(events);
    world
        .boats()
        .replace("a", &PostParams::default(), &made)
        .await
        .unwrap();
    label(&world, "a", json!("red")).await;
    world.boat("b").await;
    world.boats().delete("a", &DeleteParams::default()).await.unwrap();
    let seen: Vec<_> = events.by_ref().try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(
        seen.iter().map(told).collect::<Vec<_>>(),
        ["modified a", "added b", "deleted a"]
    );
    let versions: Vec<u64> = seen
        .iter()
        .map(|event| match event {
            WatchEvent::Added(boat) | WatchEvent::Modified(boat) | WatchEvent::Deleted(boat) => {
                boat.resource_version().unwrap().parse().unwrap()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(
        versions.is_sorted() && versions.windows(2).all(|pair| pair[0] != pair[1]),
        "{versions:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_selector_sees_objects_come_and_go() {
    let world = World::new();
    let start = world.boat("a").await.resource_version().unwrap();
    let params = WatchParams::default()
        .labels("colour=red")
        .timeout(10)
        .disable_bookmarks();
    let events = world.boats().watch(&params, &start).await.unwrap();
    for value in [json!("blue"), json!("red"), json!("red"), json!(null)] {
        label(&world, "a", value).await;
    }
    let crew = Patch::Merge(json!({"spec": {"crew": 1}}));
    world
        .boats()
        .patch("a", &PatchParams::default(), &crew)
        .await
        .unwrap();
    let seen: Vec<_> = events.try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(
        seen.iter().map(told).collect::<Vec<_>>(),
        ["added a", "deleted a"]
    );
    let WatchEvent::Deleted(gone) = &seen[1] else {
        panic!()
    };
    assert_eq!(gone.labels()["colour"], "red", "the last state that was shown");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_is_told_how_far_it_has_come() {
    let world = World::new();
    let start = world.boat("a").await.resource_version().unwrap();
    let params = WatchParams::default().timeout(61);
    let events = world.boats().watch(&params, &start).await.unwrap().boxed();
    pin_mut!(events);
    world
        .oars()
        .create(&PostParams::default(), &Oar::new("o", OarSpec::default()))
        .await
        .unwrap();
    for _ in 0..2 {
        let WatchEvent::Bookmark(mark) = events.next().await.unwrap().unwrap() else {
            panic!()
        };
        assert!(
            mark.metadata.resource_version > start,
            "another kind's version counts too"
        );
    }
    assert!(events.next().await.is_none(), "the time is up");
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_ends_with_a_bookmark() {
    let world = World::new();
    world.boat("a").await;
    world.boat("b").await;
    let params = WatchParams::default().initial_events().timeout(10);
    let events = world.boats().watch(&params, "0").await.unwrap().boxed();
    pin_mut!(events);
    let seen = [
        next(&mut events).await,
        next(&mut events).await,
        next(&mut events).await,
    ];
    assert_eq!(seen, ["added a", "added b", "end of state"]);
    world.boat("c").await;
    assert_eq!(next(&mut events).await, "added c");
}

#[tokio::test]
async fn a_watch_from_before_the_log_is_refused_in_the_stream() {
    let world = World::new();
    let start = world.boat("a").await.resource_version().unwrap();
    world.boat("b").await;
    forget_the_log(&world).await;
    let events = world
        .boats()
        .watch(&WatchParams::default(), &start)
        .await
        .unwrap()
        .boxed();
    let seen: Vec<_> = events.try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(seen.iter().map(told).collect::<Vec<_>>(), ["error 410"]);
}

#[tokio::test]
async fn a_version_from_another_database_must_be_listed_again() {
    let world = World::new();
    let events = world
        .boats()
        .watch(&WatchParams::default(), "4711")
        .await
        .unwrap();
    let seen: Vec<_> = events.try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(seen.iter().map(told).collect::<Vec<_>>(), ["error 410"]);
    let error = world
        .boats()
        .list(&ListParams::default().at("4711"))
        .await
        .unwrap_err();
    assert_eq!(crate::toolkit::status_of(&error).code, 504);
}

async fn init_names(events: &mut (impl Stream<Item = watcher::Result<Event<Boat>>> + Unpin)) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        match events.next().await.unwrap() {
            Ok(Event::InitApply(boat)) => names.push(boat.name_any()),
            Ok(Event::InitDone) => return names,
            Ok(_) | Err(_) => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn kubes_watcher_lists_again_when_it_is_too_old() {
    for config in [
        watcher::Config::default(),
        watcher::Config::default().streaming_lists(),
    ] {
        let world = World::new();
        world.boat("a").await;
        let events = watcher(world.boats(), config.timeout(20))
            .default_backoff()
            .boxed();
        pin_mut!(events);
        assert_eq!(init_names(&mut events).await, ["a"]);
        // Nobody polls the watch meanwhile, so it stands before what the log forgets.
        world.boat("b").await;
        world.boats().delete("a", &DeleteParams::default()).await.unwrap();
        forget_the_log(&world).await;
        assert_eq!(init_names(&mut events).await, ["b"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_after_a_restart_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("followlytics.db");
    let world = World::on(followlytics_store::db::Db::open(&path).unwrap(), 1);
    let start = world.boat("a").await.resource_version().unwrap();
    world.boat("b").await;
    drop(world);
    let world = World::on(followlytics_store::db::Db::open(&path).unwrap(), 1_000);
    let params = WatchParams::default().timeout(10).disable_bookmarks();
    let events = world.boats().watch(&params, &start).await.unwrap();
    let newest = world.boat("c").await.resource_version().unwrap();
    let seen: Vec<_> = events.try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(seen.iter().map(told).collect::<Vec<_>>(), ["added b", "added c"]);
    assert_eq!(
        newest, "4",
        "versions go on after a restart, the default namespace is not made again"
    );
}

#[tokio::test]
async fn closing_the_server_ends_its_watches() {
    let world = World::new();
    let start = world.boat("a").await.resource_version().unwrap();
    let events = world
        .boats()
        .watch(&WatchParams::default(), &start)
        .await
        .unwrap();
    let server = world.server.clone();
    let (seen, ()) = tokio::join!(events.try_collect::<Vec<_>>(), async {
        tokio::task::yield_now().await;
        server.close();
    });
    assert!(seen.unwrap().is_empty());
    assert_eq!(
        world.boats().get("a").await.unwrap().name_any(),
        boat("a").name_any()
    );
}

#[tokio::test]
async fn watches_of_one_kind_are_woken_in_the_order_they_waited() {
    let world = World::new();
    let start = world.boat("a").await.resource_version().unwrap();
    let order = std::sync::Mutex::new(Vec::new());
    let watches = (0..16).map(|number| {
        let (boats, start, order) = (world.boats(), start.clone(), &order);
        async move {
            let events = boats
                .watch(&WatchParams::default(), &start)
                .await
                .unwrap()
                .boxed();
            pin_mut!(events);
            assert_eq!(next(&mut events).await, "added b");
            order.lock().unwrap().push(number);
        }
    });
    let change = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        world.boat("b").await;
    };
    tokio::join!(futures::future::join_all(watches), change);
    assert_eq!(*order.lock().unwrap(), (0..16).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_shorter_log_forgets_sooner() {
    let world = World::new();
    let server = world.server.clone().with_log_limit(2);
    assert_eq!(world.boat("a").await.resource_version().as_deref(), Some("2"));
    for name in ["b", "c", "d", "e"] {
        world.boat(name).await;
    }
    let events = world
        .boats()
        .watch(&WatchParams::default(), "2")
        .await
        .unwrap()
        .boxed();
    let seen: Vec<_> = events.try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(seen.iter().map(told).collect::<Vec<_>>(), ["error 410"]);
    server.close();
}
