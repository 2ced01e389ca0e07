//! The scale subresource, through raw requests and a typed client.

use crate::toolkit::{Fleet, FleetSpec, World, get, refusal, request};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

const FLEET: &str = "/apis/test.io/v1/namespaces/default/fleets/f";
const JSON: &str = "application/json";

async fn fleet(world: &World) -> Api<Fleet> {
    let fleets: Api<Fleet> = Api::default_namespaced(world.client.clone());
    let fleet = Fleet::new("f", FleetSpec { ships: 3 });
    fleets.create(&PostParams::default(), &fleet).await.unwrap();
    let status = Patch::Merge(json!({"status": {"ships": 1, "selector": "fleet=f"}}));
    fleets
        .patch_status("f", &PatchParams::default(), &status)
        .await
        .unwrap();
    fleets
}

#[tokio::test]
async fn a_scale_shows_what_is_wanted_and_what_is_there() {
    let world = World::new();
    let fleets = fleet(&world).await;
    let scale = fleets.get_scale("f").await.unwrap();
    assert_eq!(scale.spec.unwrap().replicas, Some(3));
    let status = scale.status.unwrap();
    assert_eq!(
        (status.replicas, status.selector.as_deref()),
        (1, Some("fleet=f"))
    );
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let (_, table) = get(&world, &format!("{FLEET}/scale"), table).await;
    assert_eq!(table["rows"][0]["cells"], json!(["f", 3, 1, "0s"]));
}

#[tokio::test]
async fn a_scale_is_patched_and_replaced_and_the_object_follows() {
    let world = World::new();
    let fleets = fleet(&world).await;
    let five = Patch::Merge(json!({"spec": {"replicas": 5}}));
    let scale = fleets
        .patch_scale("f", &PatchParams::default(), &five)
        .await
        .unwrap();
    assert_eq!(scale.spec.unwrap().replicas, Some(5));
    let made = fleets.get("f").await.unwrap();
    assert_eq!((made.spec.ships, made.metadata.generation), (5, Some(2)));
    let mut body = json!({"apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": {"name": "f", "namespace": "default"}, "spec": {"replicas": 7}});
    // kubectl sends no content type here.
    let (code, scale) = request(&world, "PUT", &format!("{FLEET}/scale"), "", &body.to_string()).await;
    assert_eq!((code, &scale["spec"]["replicas"]), (200, &json!(7)));
    body["metadata"]["resourceVersion"] = json!("1");
    let (code, _) = request(&world, "PUT", &format!("{FLEET}/scale"), JSON, &body.to_string()).await;
    assert_eq!(code, 409);
    let made = fleets.get("f").await.unwrap();
    assert_eq!(made.spec.ships, 7);
    let entries = serde_json::to_value(&made.metadata.managed_fields).unwrap();
    let of_scale = |entry: &&Value| entry["subresource"] == "scale";
    assert!(entries.as_array().unwrap().iter().any(|entry| of_scale(&entry)));
}

#[tokio::test]
async fn a_scale_that_cannot_be_is_refused() {
    let world = World::new();
    let fleets = fleet(&world).await;
    let negative = Patch::Merge(json!({"spec": {"replicas": -1}}));
    let error = refusal(fleets.patch_scale("f", &PatchParams::default(), &negative).await);
    assert_eq!(
        error.message,
        "Fleet.test.io \"f\" is invalid: .spec.ships: Invalid value: -1: should be a non-negative integer"
    );
    let body = json!({"apiVersion": "test.io/v1", "kind": "Fleet", "metadata": {"name": "f"}});
    let (code, _) = request(&world, "PUT", &format!("{FLEET}/scale"), JSON, &body.to_string()).await;
    assert_eq!(code, 400);
    assert_eq!(refusal(fleets.get_scale("g").await).code, 404);
    let boats = "/apis/test.io/v1/namespaces/default/boats";
    world.boat("a").await;
    let (code, _) = get(&world, &format!("{boats}/a/scale"), JSON).await;
    assert_eq!(code, 404, "a kind without replicas has none");
}
