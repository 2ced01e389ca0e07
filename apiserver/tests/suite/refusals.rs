//! What is refused, and in which words: Kubernetes' own.

use crate::toolkit::{World, get, request};
use serde_json::{Value, json};

const BOATS: &str = "/apis/test.io/v1/namespaces/default/boats";
const JSON: &str = "application/json";

fn boat(name: &str, spec: impl Into<Value>) -> String {
    json!({"apiVersion": "test.io/v1", "kind": "Boat", "metadata": {"name": name}, "spec": spec.into()})
        .to_string()
}

async fn refused(world: &World, method: &str, uri: &str, content_type: &str, body: &str) -> (u16, String) {
    let (code, status) = request(world, method, uri, content_type, body).await;
    let message = status.get("message").and_then(Value::as_str);
    (code, message.unwrap_or_default().to_owned())
}

#[tokio::test]
async fn bodies_that_are_not_what_the_path_takes() {
    let world = World::new();
    let unrecognized = "the object provided is unrecognized (must be of type Boat): ";
    for (body, code, message) in [
        (
            "{",
            400,
            format!("{unrecognized}couldn't get version/kind; json parse error: unexpected end of JSON input ({{)"),
        ),
        (
            "{\"spec\":{}}",
            400,
            format!("{unrecognized}Object 'Kind' is missing in '{{\"spec\":{{}}}}' ({{\"spec\":{{}}}})"),
        ),
        (
            r#"{"kind":"Boat","apiVersion":"test.io/v2"}"#,
            400,
            "the API version in the data (test.io/v2) does not match the expected API version (test.io/v1)".into(),
        ),
        (
            r#"{"kind":"Oar","apiVersion":"test.io/v1","metadata":{"name":"c"}}"#,
            422,
            "Oar.test.io \"c\" is invalid: kind: Invalid value: \"Oar\": must be Boat".into(),
        ),
        (
            r#"{"kind":"Boat","apiVersion":"test.io/v1","metadata":{"name":"c","labels":{"a":1}}}"#,
            400,
            "Boat in version \"v1\" cannot be handled as a Boat: json: cannot unmarshal number into Go struct field \
             ObjectMeta.labels of type string"
                .into(),
        ),
    ] {
        assert_eq!(refused(&world, "POST", BOATS, JSON, body).await, (code, message));
    }
}

#[tokio::test]
async fn fields_named_twice_and_fields_nobody_knows() {
    let world = World::new();
    let body = r#"{"apiVersion":"test.io/v1","kind":"Boat","metadata":{"name":"c","odd":1},
        "spec":{"harbour":"Hull","wings":2,"harbour":"Whitby"}}"#;
    let strict = format!("{BOATS}?fieldValidation=Strict");
    let (code, message) = refused(&world, "POST", &strict, JSON, body).await;
    assert_eq!(code, 400);
    assert!(
        message.ends_with(
            "strict decoding error: duplicate field \"spec.harbour\", unknown field \"metadata.odd\", \
             unknown field \"spec.wings\""
        ),
        "{message}"
    );
    let request = http::Request::post(BOATS)
        .body(kube::client::Body::from(body.as_bytes().to_vec()))
        .unwrap();
    let response = world.client.send(request).await.unwrap();
    let warnings: Vec<&str> = response
        .headers()
        .get_all("warning")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert_eq!(
        warnings,
        [
            r#"299 - "duplicate field \"spec.harbour\"""#,
            r#"299 - "unknown field \"metadata.odd\"""#,
            r#"299 - "unknown field \"spec.wings\"""#,
        ]
    );
    assert_eq!(
        world.boats().get("c").await.unwrap().spec.harbour,
        "Whitby",
        "the last one counts"
    );
}

#[tokio::test]
async fn names_that_do_not_fit_the_path() {
    let world = World::new();
    world.boat("a").await;
    let one = format!("{BOATS}/a");
    let spec = json!({"harbour": "Whitby"});
    let (_, message) = refused(&world, "PUT", &one, JSON, &boat("b", spec.clone())).await;
    assert_eq!(
        message,
        "the name of the object (b) does not match the name on the URL (a)"
    );
    let (_, message) = refused(&world, "PUT", &one, JSON, &boat("", spec.clone())).await;
    assert_eq!(
        message,
        "the name of the object (a based on URL) was undeterminable: name must be provided"
    );
    let (code, message) = refused(&world, "PUT", &one, JSON, &boat("a", spec)).await;
    assert_eq!(
        (code, message.as_str()),
        (
            422,
            "boats.test.io \"a\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update"
        )
    );
    let (code, message) = refused(
        &world,
        "PATCH",
        &one,
        "application/merge-patch+json",
        r#"{"metadata":{"uid":"x"}}"#,
    )
    .await;
    assert_eq!(
        (code, message.as_str()),
        (
            422,
            "Boat.test.io \"a\" is invalid: metadata.uid: Invalid value: \"x\": field is immutable"
        )
    );
}

#[tokio::test]
async fn verbs_options_and_media_types_that_are_not_there() {
    let world = World::new();
    world.boat("a").await;
    let one = format!("{BOATS}/a");
    let (code, message) = refused(&world, "DELETE", &format!("{one}/status"), "", "").await;
    assert_eq!(
        (code, message.as_str()),
        (
            405,
            "delete is not supported on resources of kind \"boats.test.io\""
        )
    );
    let (code, message) = refused(&world, "PATCH", BOATS, "application/merge-patch+json", "{}").await;
    assert_eq!((code, message.as_str()), (400, "name must be provided"));
    let (code, message) = refused(&world, "DELETE", &one, JSON, r#"{"propagationPolicy":"Sink"}"#).await;
    assert_eq!(
        (code, message.as_str()),
        (
            422,
            "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Sink\": supported \
             values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
        )
    );
    let (code, message) = refused(&world, "PATCH", &one, "text/plain", "{}").await;
    assert_eq!(code, 415);
    assert!(message.ends_with(
        "accepted media types include: application/json-patch+json, application/merge-patch+json, \
         application/apply-patch+yaml"
    ));
    assert_eq!(get(&world, &one, "text/plain").await.0, 406);
    let head = http::Request::head(&one)
        .body(kube::client::Body::empty())
        .unwrap();
    let response = world.client.send(head).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert!(response.into_body().collect_bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn rules_are_not_run_on_what_is_wrong_already() {
    let world = World::new();
    let (_, message) = refused(
        &world,
        "POST",
        BOATS,
        JSON,
        &boat("c", json!({"crew": 9, "seats": 1})),
    )
    .await;
    assert_eq!(
        message,
        "Boat.test.io \"c\" is invalid: [spec.harbour: Required value, <nil>: Invalid value: null: some validation \
         rules were not checked because the object was invalid; correct the existing errors to complete validation]"
    );
    let named = boat("Bad_Name", json!({"harbour": "Whitby"}));
    let (_, message) = refused(&world, "POST", BOATS, JSON, &named).await;
    assert!(
        message.contains("(e.g. 'example.com', regex used for validation is"),
        "{message}"
    );
}

#[tokio::test]
async fn an_apply_may_be_yaml() {
    let world = World::new();
    let yaml =
        "apiVersion: test.io/v1\nkind: Boat\nmetadata: {name: z}\nspec:\n  harbour: Whitby\n  crew: 3\n";
    let uri = format!("{BOATS}/z?fieldManager=m");
    let (code, made) = request(&world, "PATCH", &uri, "application/apply-patch+yaml", yaml).await;
    assert_eq!((code, &made["spec"]["crew"]), (201, &json!(3)));
}

#[tokio::test]
async fn null_is_nothing_where_null_is_no_value() {
    let world = World::new();
    let spec = json!({"harbour": null, "crew": null});
    let (_, message) = refused(&world, "POST", BOATS, JSON, &boat("c", spec)).await;
    assert!(message.contains("spec.harbour: Required value"), "{message}");
}
