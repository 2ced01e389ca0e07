//! Who set what: managers that apply, and those that create, replace and patch.

use crate::toolkit::{Boat, World, boat, refusal, request};
use jiff::SignedDuration;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

fn by(manager: &str) -> PatchParams {
    PatchParams {
        field_manager: Some(manager.into()),
        ..PatchParams::default()
    }
}

/// `manager operation subresource` and the fields of every entry.
fn managers(boat: &Boat) -> Vec<(String, Value)> {
    boat.managed_fields()
        .iter()
        .map(|entry| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let who = format!(
                "{} {} {}",
                text(&entry.manager),
                text(&entry.operation),
                text(&entry.subresource)
            );
            let fields = entry.fields_v1.as_ref().map(|fields| fields.0.clone());
            (who.trim().to_owned(), fields.unwrap_or_default())
        })
        .collect()
}

fn document(spec: impl Into<Value>) -> Patch<Value> {
    Patch::Apply(
        json!({"apiVersion": "test.io/v1", "kind": "Boat", "metadata": {"name": "a"}, "spec": spec.into()}),
    )
}

#[tokio::test]
async fn who_creates_owns_what_was_sent_and_what_was_filled_in() {
    let world = World::new();
    let params = PostParams {
        field_manager: Some("yard".into()),
        ..PostParams::default()
    };
    let made = world.boats().create(&params, &boat("a")).await.unwrap();
    let spec = json!({".": {}, "f:crew": {}, "f:harbour": {}, "f:seats": {}});
    assert_eq!(
        managers(&made),
        [("yard Update".to_owned(), json!({"f:spec": spec}))]
    );
}

#[tokio::test]
async fn without_a_manager_the_program_that_writes_is_named() {
    let world = World::new();
    let uri = "/apis/test.io/v1/namespaces/default/boats";
    let body = serde_json::to_string(&boat("a")).unwrap();
    let request = http::Request::post(uri)
        .header("user-agent", "kubectl/v1.34 (linux/amd64)")
        .body(kube::client::Body::from(body.into_bytes()))
        .unwrap();
    world.client.send(request).await.unwrap();
    let made = world.boats().get("a").await.unwrap();
    assert_eq!(made.managed_fields()[0].manager.as_deref(), Some("kubectl"));
}

#[tokio::test]
async fn a_patch_takes_over_what_it_changes_and_the_next_apply_hears_of_it() {
    let world = World::new();
    let captain = PatchParams::apply("captain");
    let spec = json!({"harbour": "Whitby", "crew": 1});
    world
        .boats()
        .patch("a", &captain, &document(spec.clone()))
        .await
        .unwrap();
    let crew = Patch::Merge(json!({"spec": {"crew": 3, "harbour": "Whitby"}}));
    let edited = world.boats().patch("a", &by("editor"), &crew).await.unwrap();
    assert_eq!(
        managers(&edited),
        [
            ("captain Apply".to_owned(), json!({"f:spec": {"f:harbour": {}}})),
            ("editor Update".to_owned(), json!({"f:spec": {"f:crew": {}}})),
        ]
    );
    let error = refusal(world.boats().patch("a", &captain, &document(spec.clone())).await);
    assert_eq!(
        error.message,
        "Apply failed with 1 conflict: conflict with \"editor\" using test.io/v1: .spec.crew"
    );
    let forced = world
        .boats()
        .patch("a", &captain.force(), &document(spec))
        .await
        .unwrap();
    assert_eq!((managers(&forced).len(), forced.spec.crew), (1, 1));
}

#[tokio::test]
async fn several_conflicts_are_listed_by_manager() {
    let world = World::new();
    let captain = PatchParams::apply("captain");
    let spec = json!({"harbour": "Whitby", "crew": 1, "seats": 5});
    world.boats().patch("a", &captain, &document(spec)).await.unwrap();
    let other = document(json!({"crew": 2, "seats": 6}));
    let error = refusal(
        world
            .boats()
            .patch("a", &PatchParams::apply("mate"), &other)
            .await,
    );
    assert_eq!(
        error.message,
        "Apply failed with 2 conflicts: conflicts with \"captain\":\n- .spec.crew\n- .spec.seats"
    );
    assert_eq!(error.details.unwrap().causes.len(), 2);
}

#[tokio::test]
async fn status_and_replicas_have_entries_of_their_own() {
    let world = World::new();
    world.boat("a").await;
    let afloat = Patch::Merge(json!({"status": {"phase": "Afloat"}}));
    let told = world
        .boats()
        .patch_status("a", &by("harbourmaster"), &afloat)
        .await
        .unwrap();
    let entry = (
        "harbourmaster Update status".to_owned(),
        json!({"f:status": {".": {}, "f:phase": {}}}),
    );
    assert!(managers(&told).contains(&entry), "{:?}", managers(&told));
}

#[tokio::test]
async fn the_same_write_again_is_no_write_whenever_it_comes() {
    let world = World::new();
    world.boat("a").await;
    let crew = Patch::Merge(json!({"spec": {"crew": 3}}));
    let once = world.boats().patch("a", &by("editor"), &crew).await.unwrap();
    world.advance(SignedDuration::from_secs(60));
    let twice = world.boats().patch("a", &by("editor"), &crew).await.unwrap();
    assert_eq!(once, twice);
}

#[tokio::test]
async fn one_empty_entry_takes_every_entry_off_until_somebody_applies() {
    let world = World::new();
    world.boat("a").await;
    let keep = Patch::Merge(json!({"metadata": {"managedFields": []}}));
    let kept = world.boats().patch("a", &by("x"), &keep).await.unwrap();
    assert_eq!(managers(&kept).len(), 1, "an empty list asks for nothing");
    let reset = Patch::Merge(json!({"metadata": {"managedFields": [{}]}}));
    let bare = world.boats().patch("a", &by("x"), &reset).await.unwrap();
    assert!(bare.managed_fields().is_empty());
    let crew = Patch::Merge(json!({"spec": {"crew": 3}}));
    let still = world.boats().patch("a", &by("x"), &crew).await.unwrap();
    assert!(still.managed_fields().is_empty());
    let error = refusal(
        world
            .boats()
            .patch("a", &PatchParams::apply("captain"), &document(json!({"crew": 1})))
            .await,
    );
    assert!(
        error.message.contains("conflict with \"before-first-apply\""),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn kubectl_moves_from_client_side_to_server_side_apply_without_a_conflict() {
    let world = World::new();
    let last = json!({"apiVersion": "test.io/v1", "kind": "Boat", "metadata": {"name": "a", "annotations": {}},
        "spec": {"harbour": "Whitby", "crew": 2}});
    let mut object = last.clone();
    object["metadata"]["annotations"] =
        json!({"kubectl.kubernetes.io/last-applied-configuration": last.to_string()});
    let uri = "/apis/test.io/v1/namespaces/default/boats";
    let created = request(
        &world,
        "POST",
        &format!("{uri}?fieldManager=kubectl-client-side-apply"),
        "application/json",
        &object.to_string(),
    )
    .await;
    assert_eq!(created.0, 201);
    let next = json!({"harbour": "Whitby", "crew": 3});
    let moved = world
        .boats()
        .patch("a", &PatchParams::apply("kubectl"), &document(next.clone()))
        .await
        .unwrap();
    assert_eq!(moved.spec.crew, 3);
    let annotation = &moved.annotations()["kubectl.kubernetes.io/last-applied-configuration"];
    let annotation: Value = serde_json::from_str(annotation).unwrap();
    assert_eq!(annotation["spec"], next, "the annotation keeps up");
    let other = document(json!({"harbour": "Whitby", "crew": 4}));
    let error = refusal(
        world
            .boats()
            .patch("a", &PatchParams::apply("mate"), &other)
            .await,
    );
    assert_eq!(error.code, 409, "only kubectl may");
}

#[tokio::test]
async fn many_writers_are_folded_into_one_entry() {
    let world = World::new();
    world.boat("a").await;
    for number in 0..15 {
        world.advance(SignedDuration::from_secs(1));
        let label = format!("l{number}");
        let patch = Patch::Merge(json!({"metadata": {"labels": {label: "x"}}}));
        let params = by(&format!("writer-{number}"));
        world.boats().patch("a", &params, &patch).await.unwrap();
    }
    let found = managers(&world.boats().get("a").await.unwrap());
    assert_eq!(found.len(), 10);
    assert_eq!(found[0].0, "ancient-changes Update");
}
