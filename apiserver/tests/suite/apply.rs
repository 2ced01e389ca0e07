//! Server-side apply through a typed client.

use crate::toolkit::{World, refusal};
use jiff::SignedDuration;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

fn document(spec: impl Into<Value>) -> Patch<Value> {
    Patch::Apply(
        json!({"apiVersion": "test.io/v1", "kind": "Boat", "metadata": {"name": "a"}, "spec": spec.into()}),
    )
}

#[tokio::test]
async fn the_first_apply_creates_and_the_same_again_is_no_write() {
    let world = World::new();
    let params = PatchParams::apply("captain");
    let spec = json!({"harbour": "Whitby", "crew": 1, "flags": ["red"]});
    let made = world
        .boats()
        .patch("a", &params, &document(spec.clone()))
        .await
        .unwrap();
    assert_eq!((made.spec.crew, made.spec.seats), (1, 10));
    let entry = &made.managed_fields()[0];
    assert_eq!(
        (entry.manager.as_deref(), entry.operation.as_deref()),
        (Some("captain"), Some("Apply"))
    );
    world.advance(SignedDuration::from_secs(60));
    assert_eq!(
        world.boats().patch("a", &params, &document(spec)).await.unwrap(),
        made
    );
}

#[tokio::test]
async fn two_managers_conflict_only_where_they_disagree() {
    let world = World::new();
    let captain = PatchParams::apply("captain");
    let mate = PatchParams::apply("mate");
    world
        .boats()
        .patch("a", &captain, &document(json!({"harbour": "Whitby", "crew": 1})))
        .await
        .unwrap();
    let error = refusal(
        world
            .boats()
            .patch("a", &mate, &document(json!({"crew": 2, "seats": 3})))
            .await,
    );
    assert_eq!((error.code, error.reason.as_str()), (409, "Conflict"));
    assert_eq!(
        error.message,
        "Apply failed with 1 conflict: conflict with \"captain\": .spec.crew"
    );
    let cause = &error.details.unwrap().causes[0];
    assert_eq!(
        (cause.reason.as_str(), cause.field.as_str()),
        ("FieldManagerConflict", ".spec.crew")
    );

    let agreed = world
        .boats()
        .patch("a", &mate, &document(json!({"crew": 1, "seats": 3})))
        .await
        .unwrap();
    assert_eq!((agreed.spec.crew, agreed.spec.seats), (1, 3));
    let forced = world
        .boats()
        .patch("a", &mate.force(), &document(json!({"crew": 2, "seats": 3})))
        .await
        .unwrap();
    assert_eq!(forced.spec.crew, 2);
    let error = refusal(
        world
            .boats()
            .patch("a", &captain, &document(json!({"harbour": "Whitby", "crew": 1})))
            .await,
    );
    assert!(
        error.message.contains("conflict with \"mate\""),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn what_an_apply_no_longer_names_goes_or_falls_back_to_its_default() {
    let world = World::new();
    let captain = PatchParams::apply("captain");
    let full = json!({"harbour": "Whitby", "seats": 3, "sail": "Gaff", "flags": ["red", "blue"]});
    world.boats().patch("a", &captain, &document(full)).await.unwrap();
    let flags = document(json!({"flags": ["blue", "green"]}));
    world
        .boats()
        .patch("a", &PatchParams::apply("mate"), &flags)
        .await
        .unwrap();
    let less = world
        .boats()
        .patch("a", &captain, &document(json!({"harbour": "Whitby"})))
        .await
        .unwrap();
    assert_eq!((less.spec.sail, less.spec.seats), (None, 10));
    assert_eq!(less.spec.flags, ["blue", "green"]);
}

#[tokio::test]
async fn status_is_applied_beside_the_spec_by_the_same_manager() {
    let world = World::new();
    let params = PatchParams::apply("captain").force();
    world
        .boats()
        .patch("a", &params, &document(json!({"harbour": "Whitby"})))
        .await
        .unwrap();
    let status =
        |status: Value| Patch::Apply(json!({"apiVersion": "test.io/v1", "kind": "Boat", "status": status}));
    let afloat = status(json!({"phase": "Afloat", "miles": 3}));
    let made = world.boats().patch_status("a", &params, &afloat).await.unwrap();
    assert_eq!(made.spec.harbour, "Whitby");
    assert_eq!(made.metadata.generation, Some(1));
    let again = world.boats().patch_status("a", &params, &afloat).await.unwrap();
    assert_eq!(again.resource_version(), made.resource_version());
    let less = world
        .boats()
        .patch_status("a", &params, &status(json!({"phase": "Afloat"})))
        .await
        .unwrap();
    assert_eq!(less.status.unwrap().miles, None);
    let main = world
        .boats()
        .patch("a", &params, &document(json!({"harbour": "Whitby"})))
        .await
        .unwrap();
    assert_eq!(main.status.unwrap().phase.as_deref(), Some("Afloat"));
    let error = refusal(world.boats().patch_status("b", &params, &afloat).await);
    assert_eq!(error.code, 404);
}

#[tokio::test]
async fn an_apply_that_cannot_be_right_says_why() {
    let world = World::new();
    let captain = PatchParams::apply("captain");
    let strict = PatchParams {
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..captain.clone()
    };
    let error = refusal(
        world
            .boats()
            .patch("a", &strict, &document(json!({"harbour": "Whitby", "wings": 1})))
            .await,
    );
    assert!(
        error
            .message
            .contains(".spec.wings: field not declared in schema"),
        "{}",
        error.message
    );
    let managed = Patch::Apply(json!({"apiVersion": "test.io/v1", "kind": "Boat",
        "metadata": {"managedFields": [{}]}, "spec": {"harbour": "Whitby"}}));
    assert_eq!(
        refusal(world.boats().patch("a", &captain, &managed).await).code,
        400
    );
    let other = Patch::Apply(json!({"apiVersion": "test.io/v1", "kind": "Oar", "spec": {}}));
    assert_eq!(
        refusal(world.boats().patch("a", &captain, &other).await).code,
        400
    );
    let (code, _) = crate::toolkit::request(
        &world,
        "PATCH",
        "/apis/test.io/v1/namespaces/default/boats/a",
        "application/apply-patch+yaml",
        r#"{"apiVersion": "test.io/v1", "kind": "Boat", "spec": {"harbour": "Whitby"}}"#,
    )
    .await;
    assert_eq!(code, 422, "an apply without a manager");
}
