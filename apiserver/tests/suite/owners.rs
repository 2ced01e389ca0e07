//! Finalizers, owners, namespaces: what stays and what goes.

use crate::toolkit::{Boat, Oar, OarSpec, World, boat, refusal};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams, PropagationPolicy},
};
use serde_json::json;

fn oar(name: &str, owners: &[&Boat]) -> Oar {
    let mut oar = Oar::new(name, OarSpec::default());
    oar.metadata.owner_references = Some(owners.iter().map(|owner| owner.owner_ref(&()).unwrap()).collect());
    oar
}

async fn set_finalizers(
    world: &World,
    name: &str,
    finalizers: serde_json::Value,
) -> Result<Boat, kube::Error> {
    let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    world.boats().patch(name, &PatchParams::default(), &patch).await
}

#[tokio::test]
async fn a_finalizer_holds_an_object_until_it_is_taken_off() {
    let world = World::new();
    world.boat("a").await;
    set_finalizers(&world, "a", json!(["test.io/f"])).await.unwrap();
    let marked = world
        .boats()
        .delete("a", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(marked.metadata.deletion_timestamp.is_some());
    assert_eq!(marked.metadata.generation, Some(2));
    let again = world
        .boats()
        .delete("a", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(again, marked, "asked twice is asked once");
    let error = refusal(set_finalizers(&world, "a", json!(["test.io/f", "test.io/g"])).await);
    assert_eq!((error.code, error.reason.as_str()), (422, "Invalid"));
    set_finalizers(&world, "a", json!(null)).await.unwrap();
    assert!(world.boats().get_opt("a").await.unwrap().is_none());
}

#[tokio::test]
async fn dependents_go_with_their_last_owner() {
    let world = World::new();
    let (a, b) = (world.boat("a").await, world.boat("b").await);
    let oars = world.oars();
    oars.create(&PostParams::default(), &oar("of-a", &[&a]))
        .await
        .unwrap();
    oars.create(&PostParams::default(), &oar("of-both", &[&a, &b]))
        .await
        .unwrap();
    world.boats().delete("a", &DeleteParams::default()).await.unwrap();
    assert!(oars.get_opt("of-a").await.unwrap().is_none());
    let shared = oars.get("of-both").await.unwrap();
    assert_eq!(shared.owner_references().len(), 1);
    world.boats().delete("b", &DeleteParams::default()).await.unwrap();
    assert!(oars.get_opt("of-both").await.unwrap().is_none());
}

#[tokio::test]
async fn orphans_stay_and_forget_their_owner() {
    let world = World::new();
    let a = world.boat("a").await;
    world
        .oars()
        .create(&PostParams::default(), &oar("o", &[&a]))
        .await
        .unwrap();
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    world.boats().delete("a", &orphan).await.unwrap();
    assert!(world.oars().get("o").await.unwrap().owner_references().is_empty());
}

#[tokio::test]
async fn a_dependent_of_an_owner_that_is_gone_does_not_outlive_its_creation() {
    let world = World::new();
    let a = world.boat("a").await;
    world.boats().delete("a", &DeleteParams::default()).await.unwrap();
    let made = world
        .oars()
        .create(&PostParams::default(), &oar("late", &[&a]))
        .await
        .unwrap();
    assert_eq!(made.name_any(), "late");
    assert!(world.oars().get_opt("late").await.unwrap().is_none());
}

#[tokio::test]
async fn a_chain_of_owners_goes_in_one_delete_but_stops_at_a_finalizer() {
    let world = World::new();
    let a = world.boat("a").await;
    let mut middle = boat("middle");
    middle.metadata.owner_references = Some(vec![a.owner_ref(&()).unwrap()]);
    let middle = world
        .boats()
        .create(&PostParams::default(), &middle)
        .await
        .unwrap();
    let mut held = oar("held", &[&middle]);
    held.metadata.finalizers = Some(vec!["test.io/f".into()]);
    world.oars().create(&PostParams::default(), &held).await.unwrap();
    world
        .boats()
        .delete("a", &DeleteParams::foreground())
        .await
        .unwrap();
    assert!(world.boats().get_opt("middle").await.unwrap().is_none());
    assert!(
        world
            .oars()
            .get("held")
            .await
            .unwrap()
            .metadata
            .deletion_timestamp
            .is_some()
    );
}

#[tokio::test]
async fn a_namespace_takes_its_objects_along_and_waits_for_the_last() {
    let world = World::new();
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let mut dock = Namespace::default();
    dock.metadata.name = Some("dock".into());
    let made = namespaces.create(&PostParams::default(), &dock).await.unwrap();
    assert_eq!(made.labels()["kubernetes.io/metadata.name"], "dock");
    assert_eq!(made.status.unwrap().phase.as_deref(), Some("Active"));
    let boats: Api<Boat> = Api::namespaced(world.client.clone(), "dock");
    boats.create(&PostParams::default(), &boat("free")).await.unwrap();
    let mut held = boat("held");
    held.metadata.finalizers = Some(vec!["test.io/f".into()]);
    boats.create(&PostParams::default(), &held).await.unwrap();

    let ending = namespaces
        .delete("dock", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(ending.status.unwrap().phase.as_deref(), Some("Terminating"));
    assert!(boats.get_opt("free").await.unwrap().is_none());
    assert_eq!(
        refusal(boats.create(&PostParams::default(), &boat("new")).await).code,
        403
    );
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    boats
        .patch("held", &PatchParams::default(), &release)
        .await
        .unwrap();
    assert!(namespaces.get_opt("dock").await.unwrap().is_none());
    assert_eq!(
        refusal(namespaces.delete("default", &DeleteParams::default()).await).code,
        403
    );
}
