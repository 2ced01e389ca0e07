//! A real controller: finalizer, owned children, status by apply, events.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::toolkit::{Boat, Oar, World};
use futures::StreamExt;
use k8s_openapi::api::{core::v1::Event as CoreEvent, events::v1::Event as GroupEvent};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    runtime::{
        Controller,
        controller::Action,
        events::{Event, EventType, Recorder, Reporter},
        finalizer, watcher,
    },
};
use serde_json::json;

struct Context {
    client: Client,
    passes: AtomicUsize,
}

type Error = finalizer::Error<kube::Error>;

async fn reconcile(boat: Arc<Boat>, context: Arc<Context>) -> Result<Action, Error> {
    context.passes.fetch_add(1, Ordering::SeqCst);
    let boats: Api<Boat> = Api::default_namespaced(context.client.clone());
    let client = context.client.clone();
    finalizer(&boats, "test.io/crane", boat, |event| async move {
        let boats: Api<Boat> = Api::default_namespaced(client.clone());
        let oars: Api<Oar> = Api::default_namespaced(client);
        let finalizer::Event::Apply(boat) = event else { return Ok(Action::await_change()) };
        let params = PatchParams::apply("shipwright").force();
        let oar = json!({"apiVersion": "test.io/v1", "kind": "Oar", "spec": {"length": 3},
            "metadata": {"name": boat.name_any(), "ownerReferences": [boat.controller_owner_ref(&()).unwrap()]}});
        oars.patch(&boat.name_any(), &params, &Patch::Apply(oar)).await?;
        let status = json!({"apiVersion": "test.io/v1", "kind": "Boat", "status": {"phase": "Built"}});
        boats.patch_status(&boat.name_any(), &params, &Patch::Apply(status)).await?;
        Ok(Action::await_change())
    })
    .await
}

async fn until<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    for _ in 0..2_000 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

#[tokio::test(start_paused = true)]
async fn a_controller_builds_what_it_owns_goes_quiet_repairs_and_cleans_up() {
    let world = World::new();
    let context = Arc::new(Context {
        client: world.client.clone(),
        passes: AtomicUsize::new(0),
    });
    let controller = Controller::new(world.boats(), watcher::Config::default())
        .owns(world.oars(), watcher::Config::default())
        .run(reconcile, |_, error, _| panic!("{error:?}"), Arc::clone(&context))
        .for_each(|_| async {});
    let running = tokio::spawn(controller);
    world.boat("a").await;
    until("built", || async {
        world
            .boats()
            .get("a")
            .await
            .unwrap()
            .status
            .is_some_and(|status| status.phase.as_deref() == Some("Built"))
    })
    .await;
    assert_eq!(world.boats().get("a").await.unwrap().metadata.generation, Some(1));

    // Quiet: what the controller writes again changes nothing, so nothing wakes it.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let passes = context.passes.load(Ordering::SeqCst);
    assert!(passes <= 6, "{passes} passes");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(context.passes.load(Ordering::SeqCst), passes);

    let first = world.oars().get("a").await.unwrap().uid();
    world.oars().delete("a", &DeleteParams::default()).await.unwrap();
    until("repaired", || async {
        world
            .oars()
            .get_opt("a")
            .await
            .unwrap()
            .is_some_and(|oar| oar.uid() != first)
    })
    .await;

    world.boats().delete("a", &DeleteParams::default()).await.unwrap();
    until("cleaned up", || async {
        world.boats().get_opt("a").await.unwrap().is_none()
            && world.oars().get_opt("a").await.unwrap().is_none()
    })
    .await;
    running.abort();
}

#[tokio::test]
async fn an_event_is_read_in_the_words_of_the_group_that_is_asked() {
    let world = World::new();
    let boat = world.boat("a").await;
    let recorder = Recorder::new(world.client.clone(), Reporter::from("shipwright"));
    let event = Event {
        type_: EventType::Normal,
        reason: "Built".into(),
        note: Some("ready for sea".into()),
        action: "Build".into(),
        secondary: None,
    };
    recorder.publish(&event, &boat.object_ref(&())).await.unwrap();
    let core: Api<CoreEvent> = Api::default_namespaced(world.client.clone());
    let selector = ListParams::default().fields("involvedObject.name=a,involvedObject.kind=Boat");
    let listed = core.list(&selector).await.unwrap();
    assert_eq!(listed.items.len(), 1);
    assert_eq!(listed.items[0].message.as_deref(), Some("ready for sea"));
    assert_eq!(listed.items[0].involved_object.uid, boat.uid());
    assert!(
        core.list(&ListParams::default().fields("involvedObject.name=b"))
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let group: Api<GroupEvent> = Api::default_namespaced(world.client.clone());
    let listed = group.list(&ListParams::default()).await.unwrap();
    assert_eq!(listed.items[0].note.as_deref(), Some("ready for sea"));
    assert_eq!(
        listed.items[0].regarding.as_ref().unwrap().name.as_deref(),
        Some("a")
    );
    // The same event again is a patch of the first one, in the recorder's words.
    recorder.publish(&event, &boat.object_ref(&())).await.unwrap();
    let listed = group.list(&ListParams::default()).await.unwrap();
    assert_eq!(
        listed.items[0].series.as_ref().map(|series| series.count),
        Some(2)
    );
}
