//! `OpenAPI` documents, discovery of everything, definitions as objects, and "may I?".

use crate::toolkit::{World, get, names, request};
use http::HeaderMap;
use serde_json::{Value, json};

const JSON: &str = "application/json";

async fn answer(world: &World, uri: &str, tag: &str) -> (u16, HeaderMap, Value) {
    let request = http::Request::get(uri)
        .header("if-none-match", tag)
        .body(kube::client::Body::empty())
        .unwrap();
    let response = world.client.send(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect_bytes().await.unwrap();
    (
        parts.status.as_u16(),
        parts.headers,
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

#[tokio::test]
async fn the_index_leads_to_documents_that_may_be_kept() {
    let world = World::new();
    let (_, index) = get(&world, "/openapi/v3", JSON).await;
    let uri = index["paths"]["apis/test.io/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap();
    let (code, headers, document) = answer(&world, uri, "").await;
    assert_eq!((code, document["openapi"].as_str()), (200, Some("3.0.0")));
    assert_eq!(headers["cache-control"], "public, immutable");
    assert_eq!(headers["expires"], "Sat, 15 Jan 2028 08:00:00 GMT");
    let tag = headers["etag"].to_str().unwrap();
    assert!(uri.ends_with(tag.trim_matches('"')));
    assert_eq!(answer(&world, uri, tag).await.0, 304);
    let (code, headers, _) = answer(&world, "/openapi/v3/apis/test.io/v1?hash=OLD", "").await;
    assert_eq!((code, headers["location"].to_str().unwrap()), (301, uri));
    assert_eq!(answer(&world, "/openapi/v3/apis/none/v1", "").await.0, 404);
}

#[tokio::test]
async fn a_document_has_what_kubectl_applies_and_explains_by() {
    let world = World::new();
    let (_, document) = get(&world, "/openapi/v3/apis/test.io/v1", JSON).await;
    let path = &document["paths"]["/apis/test.io/v1/namespaces/{namespace}/boats/{name}"];
    for method in ["put", "patch"] {
        let operation = &path[method];
        let kind = &operation["x-kubernetes-group-version-kind"];
        assert_eq!(
            kind,
            &json!({"group": "test.io", "version": "v1", "kind": "Boat"})
        );
        let parameters = operation["parameters"].as_array().unwrap();
        assert!(parameters.iter().any(|one| one["name"] == "fieldValidation"));
    }
    let accepted = path["patch"]["requestBody"]["content"].as_object().unwrap();
    assert!(!accepted.contains_key("application/strategic-merge-patch+json"));
    let boat = &document["components"]["schemas"]["io.test.v1.Boat"];
    assert_eq!(
        boat["properties"]["spec"]["properties"]["crew"]["maximum"],
        json!(100.0)
    );
    let meta = boat["properties"]["metadata"]["allOf"][0]["$ref"]
        .as_str()
        .unwrap();
    assert!(
        document.pointer(meta.trim_start_matches('#')).is_some(),
        "{meta} leads nowhere"
    );
    assert!(document["paths"]["/apis/test.io/v1/namespaces/{namespace}/fleets/{name}/scale"].is_object());
}

#[tokio::test]
async fn every_reference_of_every_document_leads_somewhere() {
    let world = World::new();
    let (_, index) = get(&world, "/openapi/v3", JSON).await;
    for entry in index["paths"].as_object().unwrap().values() {
        let (_, document) = get(&world, entry["serverRelativeURL"].as_str().unwrap(), JSON).await;
        let text = document.to_string();
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}

#[tokio::test]
async fn older_clients_get_the_older_aggregated_document() {
    let world = World::new();
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
    let (_, document) = get(&world, "/apis", accept).await;
    assert_eq!(document["apiVersion"], "apidiscovery.k8s.io/v2beta1");
    let (_, legacy) = get(&world, "/apis/test.io/v1", JSON).await;
    let listed: Vec<&str> = legacy["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        listed,
        [
            "boats",
            "boats/status",
            "fleets",
            "fleets/status",
            "fleets/scale",
            "oars"
        ]
    );
    assert_eq!(legacy["resources"][0]["storageVersionHash"], "3tST1Rv6XL8=");
}

#[tokio::test]
async fn definitions_are_objects_that_are_only_read() {
    let world = World::new();
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let (_, list) = get(&world, definitions, JSON).await;
    assert_eq!(names(&list), ["boats.test.io", "fleets.test.io", "oars.test.io"]);
    let (_, one) = get(&world, &format!("{definitions}/boats.test.io"), JSON).await;
    assert_eq!(one["metadata"]["creationTimestamp"], "2027-01-15T08:00:00Z");
    assert_eq!(one["status"]["conditions"][1]["type"], "Established");
    let (code, _) = request(&world, "DELETE", &format!("{definitions}/boats.test.io"), "", "").await;
    assert_eq!(code, 405);
    let (code, _) = get(&world, &format!("{definitions}/cars.test.io"), JSON).await;
    assert_eq!(code, 404);
}

#[tokio::test]
async fn everybody_here_may() {
    let world = World::new();
    let uri = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let asked = json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "boats"}}});
    let (code, review) = request(&world, "POST", uri, JSON, &asked.to_string()).await;
    assert_eq!((code, &review["status"]["allowed"]), (201, &json!(true)));
    let (code, _) = request(&world, "POST", uri, "application/vnd.kubernetes.protobuf", "k8s").await;
    assert_eq!(code, 415);
}
