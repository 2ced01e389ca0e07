//! Create, read, update, patch and delete through a typed client.

use crate::toolkit::{Boat, BoatSpec, BoatStatus, Sail, World, boat, refusal, request};
use jiff::SignedDuration;
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, ValidationDirective},
};
use serde_json::json;

#[tokio::test]
async fn a_new_object_gets_what_only_the_server_gives() {
    let world = World::new();
    let made = world.boat("a").await;
    assert_eq!(made.metadata.generation, Some(1));
    assert_eq!(
        made.uid().unwrap(),
        "00000000-0000-0000-0000-000000000002",
        "the second id: the namespace had the first"
    );
    assert_eq!(
        made.creation_timestamp().unwrap().0.to_string(),
        "2027-01-15T08:00:00Z"
    );
    assert_eq!(made.resource_version().as_deref(), Some("2"));
    assert_eq!(world.boats().get("a").await.unwrap(), made);
    let listed = world.boats().list(&ListParams::default()).await.unwrap();
    assert_eq!(listed.metadata.resource_version.as_deref(), Some("2"));
    assert_eq!(listed.items, [made]);
}

#[tokio::test]
async fn a_taken_name_and_a_missing_one_are_told_apart() {
    let world = World::new();
    world.boat("a").await;
    let error = refusal(world.boats().create(&PostParams::default(), &boat("a")).await);
    assert_eq!((error.code, error.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(error.message, "boats.test.io \"a\" already exists");
    let error = refusal(world.boats().get("b").await);
    assert_eq!((error.code, error.reason.as_str()), (404, "NotFound"));
    assert!(world.boats().get_opt("b").await.unwrap().is_none());
}

#[tokio::test]
async fn generated_names_differ_and_keep_their_prefix() {
    let world = World::new();
    let mut nameless = boat("");
    nameless.metadata.name = None;
    nameless.metadata.generate_name = Some("crew-".into());
    let one = world
        .boats()
        .create(&PostParams::default(), &nameless)
        .await
        .unwrap()
        .name_any();
    let two = world
        .boats()
        .create(&PostParams::default(), &nameless)
        .await
        .unwrap()
        .name_any();
    assert_ne!(one, two);
    assert!(one.starts_with("crew-") && one.len() == 10, "{one}");
}

#[tokio::test]
async fn an_object_needs_its_namespace_to_exist() {
    let world = World::new();
    let elsewhere: kube::Api<Boat> = kube::Api::namespaced(world.client.clone(), "nowhere");
    let error = refusal(elsewhere.create(&PostParams::default(), &boat("a")).await);
    assert_eq!(
        (error.code, error.message.as_str()),
        (404, "namespaces \"nowhere\" not found")
    );
}

#[tokio::test]
async fn a_stale_replace_is_a_conflict_and_a_blind_one_is_invalid() {
    let world = World::new();
    let old = world.boat("a").await;
    let mut changed = old.clone();
    changed.spec.crew = 3;
    let new = world
        .boats()
        .replace("a", &PostParams::default(), &changed)
        .await
        .unwrap();
    assert_eq!(new.metadata.generation, Some(2));
    let error = refusal(world.boats().replace("a", &PostParams::default(), &changed).await);
    assert_eq!((error.code, error.reason.as_str()), (409, "Conflict"));
    changed.metadata.resource_version = None;
    assert_eq!(
        refusal(world.boats().replace("a", &PostParams::default(), &changed).await).code,
        422
    );
}

#[tokio::test]
async fn only_a_change_of_the_spec_raises_the_generation() {
    let world = World::new();
    let made = world.boat("a").await;
    let label = Patch::Merge(json!({"metadata": {"labels": {"k": "v"}}}));
    let labelled = world
        .boats()
        .patch("a", &PatchParams::default(), &label)
        .await
        .unwrap();
    assert_eq!(labelled.metadata.generation, Some(1));
    assert_ne!(labelled.resource_version(), made.resource_version());
    let crew = Patch::Merge(json!({"spec": {"crew": 1}}));
    let crewed = world
        .boats()
        .patch("a", &PatchParams::default(), &crew)
        .await
        .unwrap();
    assert_eq!(crewed.metadata.generation, Some(2));
}

#[tokio::test]
async fn a_write_that_changes_nothing_keeps_the_version() {
    let world = World::new();
    let made = world.boat("a").await;
    world.advance(SignedDuration::from_secs(60));
    let same = world
        .boats()
        .replace("a", &PostParams::default(), &made)
        .await
        .unwrap();
    assert_eq!(same, made);
    let patch = Patch::Merge(json!({"spec": {"crew": 2}}));
    assert_eq!(
        world
            .boats()
            .patch("a", &PatchParams::default(), &patch)
            .await
            .unwrap(),
        made
    );
}

#[tokio::test]
async fn status_and_spec_are_written_on_their_own_paths_only() {
    let world = World::new();
    let mut both = boat("a");
    both.status = Some(BoatStatus {
        phase: Some("Sunk".into()),
        miles: None,
    });
    let made = world.boats().create(&PostParams::default(), &both).await.unwrap();
    assert_eq!(made.status, None, "a new object has no status");
    let patch = Patch::Merge(json!({"spec": {"crew": 4}, "status": {"phase": "Afloat"}}));
    let main = world
        .boats()
        .patch("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!((main.spec.crew, &main.status), (4, &None));
    let patch = Patch::Merge(json!({"spec": {"crew": 1}, "status": {"phase": "Afloat"}}));
    let status = world
        .boats()
        .patch_status("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(status.spec.crew, 4);
    assert_eq!(status.status.as_ref().unwrap().phase.as_deref(), Some("Afloat"));
    assert_eq!(status.metadata.generation, main.metadata.generation);
    let mut replaced = status.clone();
    replaced.status = Some(BoatStatus {
        phase: None,
        miles: Some(7),
    });
    replaced.spec.crew = 0;
    let replaced = world
        .boats()
        .replace_status("a", &PostParams::default(), &replaced)
        .await
        .unwrap();
    assert_eq!((replaced.spec.crew, replaced.status.unwrap().miles), (4, Some(7)));
}

#[tokio::test]
async fn defaults_are_filled_in_and_unknown_fields_dropped() {
    let world = World::new();
    let body = json!({"apiVersion": "test.io/v1", "kind": "Boat", "metadata": {"name": "a", "odd": 1},
        "spec": {"harbour": "Whitby", "wings": 2}});
    let uri = "/apis/test.io/v1/namespaces/default/boats";
    let strict = request(
        &world,
        "POST",
        &format!("{uri}?fieldValidation=Strict"),
        "application/json",
        &body.to_string(),
    )
    .await;
    assert_eq!(strict.0, 400);
    assert_eq!(
        strict.1["message"],
        "Boat in version \"v1\" cannot be handled as a Boat: strict decoding error: \
         unknown field \"metadata.odd\", unknown field \"spec.wings\""
    );
    let (code, made) = request(&world, "POST", uri, "application/json", &body.to_string()).await;
    assert_eq!(code, 201);
    assert_eq!(made["spec"], json!({"harbour": "Whitby", "crew": 0, "seats": 10}));
    let strict = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"spec": {"keel": true}}));
    let error = refusal(world.boats().patch("a", &strict, &patch).await);
    assert_eq!(error.code, 422);
    assert!(
        error
            .message
            .ends_with("strict decoding error: unknown field \"spec.keel\""),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn what_breaks_the_schema_is_refused_field_by_field() {
    let world = World::new();
    let body = json!({"apiVersion": "test.io/v1", "kind": "Boat", "metadata": {"name": "Bad_Name"},
        "spec": {"crew": 101, "seats": "four", "sail": "Square"}});
    let (code, status) = request(
        &world,
        "POST",
        "/apis/test.io/v1/namespaces/default/boats",
        "application/json",
        &body.to_string(),
    )
    .await;
    assert_eq!((code, status["reason"].as_str()), (422, Some("Invalid")));
    assert_eq!(status["details"]["kind"], "Boat");
    let causes: Vec<(&str, &str)> = status["details"]["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| {
            (
                cause["field"].as_str().unwrap(),
                cause["reason"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        causes,
        [
            ("metadata.name", "FieldValueInvalid"),
            ("spec.harbour", "FieldValueRequired"),
            ("spec.crew", "FieldValueInvalid"),
            ("spec.sail", "FieldValueNotSupported"),
            ("spec.seats", "FieldValueTypeInvalid"),
            ("<nil>", "FieldValueInvalid"),
        ]
    );
}

#[tokio::test]
async fn the_kinds_own_rules_and_transition_rules_are_kept() {
    let world = World::new();
    let spec = BoatSpec {
        harbour: "Whitby".into(),
        crew: 5,
        seats: 4,
        ..BoatSpec::default()
    };
    let error = refusal(
        world
            .boats()
            .create(&PostParams::default(), &Boat::new("a", spec))
            .await,
    );
    assert_eq!(error.code, 422);
    assert_eq!(
        error.message,
        "Boat.test.io \"a\" is invalid: spec: Invalid value: \"object\": more crew than seats"
    );
    world.boat("a").await;
    let moved = Patch::Merge(json!({"spec": {"harbour": "Hull"}}));
    let error = refusal(world.boats().patch("a", &PatchParams::default(), &moved).await);
    assert!(
        error.message.contains("the harbour is for life"),
        "{}",
        error.message
    );
    assert_eq!(error.details.unwrap().causes[0].field, "spec.harbour");
}

#[tokio::test]
async fn a_merge_patch_removes_with_null_and_checks_a_stated_version() {
    let world = World::new();
    let sail = Patch::Merge(json!({"spec": {"sail": "Lug"}}));
    world.boat("a").await;
    let sailing = world
        .boats()
        .patch("a", &PatchParams::default(), &sail)
        .await
        .unwrap();
    assert_eq!(sailing.spec.sail, Some(Sail::Lug));
    let stale = Patch::Merge(json!({"metadata": {"resourceVersion": "1"}, "spec": {"sail": null}}));
    assert_eq!(
        refusal(world.boats().patch("a", &PatchParams::default(), &stale).await).code,
        409
    );
    let bare = Patch::Merge(json!({"spec": {"sail": null}}));
    assert_eq!(
        world
            .boats()
            .patch("a", &PatchParams::default(), &bare)
            .await
            .unwrap()
            .spec
            .sail,
        None
    );
}

#[tokio::test]
async fn a_json_patch_whose_test_fails_changes_nothing() {
    let world = World::new();
    let made = world.boat("a").await;
    let uri = "/apis/test.io/v1/namespaces/default/boats/a";
    let patch = json!([{"op": "replace", "path": "/spec/crew", "value": 3}, {"op": "test", "path": "/spec/seats", "value": 9}]);
    let (code, status) = request(
        &world,
        "PATCH",
        uri,
        "application/json-patch+json",
        &patch.to_string(),
    )
    .await;
    assert_eq!((code, status["reason"].as_str()), (422, Some("Invalid")));
    assert_eq!(world.boats().get("a").await.unwrap(), made);
    let (code, status) = request(
        &world,
        "PATCH",
        uri,
        "application/strategic-merge-patch+json",
        "{}",
    )
    .await;
    assert_eq!(
        (code, status["reason"].as_str()),
        (415, Some("UnsupportedMediaType"))
    );
}

#[tokio::test]
async fn a_dry_run_answers_as_the_real_thing_and_changes_nothing() {
    let world = World::new();
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let made = world.boats().create(&params, &boat("a")).await.unwrap();
    assert_eq!(
        (made.metadata.generation, made.resource_version()),
        (Some(1), None)
    );
    assert!(world.boats().get_opt("a").await.unwrap().is_none());
    let real = world.boat("a").await;
    let patch = Patch::Merge(json!({"spec": {"crew": 3}}));
    let dry = world
        .boats()
        .patch("a", &PatchParams::default().dry_run(), &patch)
        .await
        .unwrap();
    assert_eq!(
        (dry.spec.crew, dry.resource_version()),
        (3, real.resource_version())
    );
    world
        .boats()
        .delete("a", &DeleteParams::default().dry_run())
        .await
        .unwrap();
    assert_eq!(world.boats().get("a").await.unwrap(), real);
}

#[tokio::test]
async fn a_delete_keeps_to_its_preconditions() {
    let world = World::new();
    let made = world.boat("a").await;
    let other = Preconditions {
        uid: Some("other".into()),
        resource_version: None,
    };
    let error = refusal(
        world
            .boats()
            .delete("a", &DeleteParams::default().preconditions(other))
            .await,
    );
    assert_eq!((error.code, error.reason.as_str()), (409, "Conflict"));
    let same = Preconditions {
        uid: made.uid(),
        resource_version: made.resource_version(),
    };
    let gone = world
        .boats()
        .delete("a", &DeleteParams::default().preconditions(same))
        .await
        .unwrap();
    assert!(gone.right().unwrap().is_success());
    assert!(world.boats().get_opt("a").await.unwrap().is_none());
}

#[tokio::test]
async fn lists_are_narrowed_by_labels_and_by_name() {
    let world = World::new();
    for (name, colour) in [("a", "red"), ("b", "blue"), ("c", "red")] {
        let mut one = boat(name);
        one.labels_mut().insert("colour".into(), colour.into());
        world.boats().create(&PostParams::default(), &one).await.unwrap();
    }
    let names = async |params: ListParams| -> Vec<String> {
        world
            .boats()
            .list(&params)
            .await
            .unwrap()
            .iter()
            .map(ResourceExt::name_any)
            .collect()
    };
    assert_eq!(
        names(ListParams::default().labels("colour=red")).await,
        ["a", "c"]
    );
    assert_eq!(
        names(ListParams::default().labels("colour notin (red)").limit(1)).await,
        ["b"]
    );
    assert_eq!(
        names(ListParams::default().fields("metadata.name=c")).await,
        ["c"]
    );
    assert_eq!(
        names(ListParams::default().fields("metadata.name!=c")).await,
        ["a", "b"]
    );
    let error = refusal(
        world
            .boats()
            .list(&ListParams::default().fields("spec.crew=1"))
            .await,
    );
    assert_eq!(error.code, 400);
    world
        .boats()
        .delete_collection(
            &DeleteParams::default(),
            &ListParams::default().labels("colour=red"),
        )
        .await
        .unwrap();
    assert_eq!(names(ListParams::default()).await, ["b"]);
}

#[tokio::test]
async fn metadata_can_be_read_without_the_rest() {
    let world = World::new();
    let made = world.boat("a").await;
    let alone = world.boats().get_metadata("a").await.unwrap();
    assert_eq!(alone.metadata, made.metadata);
    assert_eq!(alone.types.unwrap().kind, "PartialObjectMetadata");
    let listed = world.boats().list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(listed.items[0].metadata, made.metadata);
}
