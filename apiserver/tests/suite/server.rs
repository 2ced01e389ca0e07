//! Discovery, health, the project's own kinds, determinism and speed.

use std::time::Duration;

use crate::toolkit::{Boat, World, request};
use followlytics_apiserver::Registry;
use kube::{
    CustomResourceExt, Discovery,
    api::{Patch, PatchParams},
    discovery::Scope,
};
use serde_json::json;

#[tokio::test]
async fn clients_discover_every_kind() {
    let world = World::new();
    let discovery = Discovery::new(world.client.clone()).run().await.unwrap();
    let group = discovery.get("test.io").unwrap();
    let (boat, capabilities) = group.recommended_kind("Boat").unwrap();
    assert_eq!(
        (boat.plural.as_str(), capabilities.scope),
        ("boats", Scope::Namespaced)
    );
    assert!(discovery.groups().any(|group| group.name() == "events.k8s.io"));
    assert_eq!(world.client.apiserver_version().await.unwrap().minor, "34");
}

#[tokio::test]
async fn the_aggregated_document_says_what_it_is() {
    let world = World::new();
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let request = http::Request::get("/apis")
        .header("accept", accept)
        .body(kube::client::Body::empty())
        .unwrap();
    let response = world.client.send(request).await.unwrap();
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(
        content_type,
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    let body = response.into_body().collect_bytes().await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let boats = body["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|group| group["metadata"]["name"] == "test.io")
        .map(|group| group["versions"][0]["resources"].as_array().unwrap())
        .unwrap();
    assert_eq!(boats[0]["resource"], "boats");
    assert_eq!(boats[0]["subresources"][0]["subresource"], "status");
    assert_eq!(boats[0]["shortNames"], json!(["bt"]));
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let world = World::new();
    for uri in [
        "/metrics",
        "/apis/test.io/v2/boats",
        "/apis/test.io/v1/boats/a",
        "/openapi/v2",
    ] {
        let (code, body) = request(&world, "GET", uri, "", "").await;
        assert_eq!((code, body), (404, json!(null)), "plain text at {uri}");
    }
    let scale = "/apis/test.io/v1/namespaces/default/boats/a/scale";
    let (code, status) = request(&world, "GET", scale, "", "").await;
    assert_eq!(
        (code, status["message"].as_str()),
        (404, Some("boats.test.io \"a\" not found"))
    );
    let (code, _) = request(
        &world,
        "POST",
        "/apis/test.io/v1/namespaces/default/boats/a",
        "application/json",
        "{}",
    )
    .await;
    assert_eq!(code, 405);
    assert_eq!(
        world
            .client
            .request_text(http::Request::get("/readyz").body(vec![]).unwrap())
            .await
            .unwrap(),
        "ok"
    );
}

#[test]
fn the_projects_own_kinds_can_be_served() {
    Registry::from_crds(followlytics_crds::all()).unwrap();
}

#[test]
fn a_definition_that_cannot_be_served_is_refused_by_name() {
    let error = Registry::from_crds(vec![Boat::crd(), Boat::crd()]).err().unwrap();
    assert_eq!(error.to_string(), "failed to register boats.test.io twice");
    let mut broken = Boat::crd();
    let rules = broken.spec.versions[0]
        .schema
        .as_mut()
        .unwrap()
        .open_api_v3_schema
        .as_mut()
        .unwrap();
    let spec = rules.properties.as_mut().unwrap().get_mut("spec").unwrap();
    spec.x_kubernetes_validations.as_mut().unwrap()[0].rule = "self.crew <=".into();
    let error = Registry::from_crds(vec![broken]).err().unwrap();
    assert_eq!(error.to_string(), "failed to register boats.test.io");
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("(root).spec")
    );
}

#[tokio::test]
async fn the_same_requests_are_answered_byte_for_byte_the_same() {
    let mut answers = Vec::new();
    for _ in 0..2 {
        let world = World::new();
        world.boat("a").await;
        let params = PatchParams::apply("captain").force();
        for crew in 0..3 {
            let document =
                json!({"apiVersion": "test.io/v1", "kind": "Boat", "spec": {"crew": crew, "flags": ["x"]}});
            world
                .boats()
                .patch("a", &params, &Patch::Apply(document))
                .await
                .unwrap();
        }
        let list = http::Request::get("/apis/test.io/v1/boats").body(vec![]).unwrap();
        answers.push(world.client.request_text(list).await.unwrap());
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].contains("captain"));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "it measures real time")]
async fn a_thousand_patches_take_well_under_a_second() {
    let world = World::new();
    world.boat("a").await;
    let start = std::time::Instant::now();
    for miles in 0..1_000 {
        let patch = Patch::Merge(json!({"status": {"miles": miles}}));
        world
            .boats()
            .patch_status("a", &PatchParams::default(), &patch)
            .await
            .unwrap();
    }
    let took = start.elapsed();
    println!("1,000 merge patches: {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}
