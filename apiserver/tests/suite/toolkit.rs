//! A server with two small kinds, and clients to it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use followlytics_apiserver::{ApiServer, Registry};
use followlytics_store::db::Db;
use jiff::{SignedDuration, Timestamp};
use kube::{Api, Client, CustomResource, CustomResourceExt, KubeSchema, api::PostParams};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(CustomResource, Debug, Clone, PartialEq, Default, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "test.io",
    version = "v1",
    kind = "Boat",
    namespaced,
    status = "BoatStatus",
    shortname = "bt",
    printcolumn = r#"{"name":"Harbour","type":"string","jsonPath":".spec.harbour"}"#,
    printcolumn = r#"{"name":"Crew","type":"integer","jsonPath":".spec.crew","priority":1}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[kube(derive = "Default", derive = "PartialEq")]
#[x_kube(validation = ("self.crew <= self.seats", "more crew than seats"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct BoatSpec {
    #[x_kube(validation = ("self == oldSelf", "the harbour is for life"))]
    pub(crate) harbour: String,
    #[schemars(range(min = 0, max = 100))]
    #[serde(default)]
    pub(crate) crew: i64,
    #[serde(default = "ten")]
    pub(crate) seats: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sail: Option<Sail>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub(crate) flags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Sail {
    Lug,
    Gaff,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BoatStatus {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) phase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) miles: Option<i64>,
}

fn ten() -> i64 {
    10
}

/// Belongs to a boat.
#[derive(CustomResource, Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "test.io",
    version = "v1",
    kind = "Oar",
    namespaced,
    derive = "Default"
)]
pub(crate) struct OarSpec {
    #[serde(default)]
    pub(crate) length: i64,
}

/// Has a number of replicas.
#[derive(CustomResource, Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "test.io",
    version = "v1",
    kind = "Fleet",
    namespaced,
    status = "FleetStatus",
    derive = "Default",
    scale(
        spec_replicas_path = ".spec.ships",
        status_replicas_path = ".status.ships",
        label_selector_path = ".status.selector"
    )
)]
pub(crate) struct FleetSpec {
    #[serde(default)]
    pub(crate) ships: i64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FleetStatus {
    #[serde(default)]
    pub(crate) ships: i64,
    #[serde(default)]
    pub(crate) selector: String,
}

pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) server: ApiServer,
    pub(crate) client: Client,
    seconds: Arc<AtomicI64>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::on(Db::memory().unwrap(), 1)
    }

    /// Another server on the same database; its ids begin elsewhere.
    pub(crate) fn on(db: Db, first_id: u64) -> Self {
        let seconds = Arc::new(AtomicI64::new(1_800_000_000));
        let now = Arc::clone(&seconds);
        let next_id = AtomicU64::new(first_id);
        let registry = Registry::from_crds(vec![Boat::crd(), Oar::crd(), Fleet::crd()]).unwrap();
        let server = ApiServer::new(
            db.clone(),
            registry,
            Arc::new(move || Timestamp::from_second(now.load(Ordering::SeqCst)).unwrap()),
            Arc::new(move || Uuid::from_u128(u128::from(next_id.fetch_add(1, Ordering::SeqCst)))),
        );
        let client = Client::new(server.router(), "default");
        Self {
            db,
            server,
            client,
            seconds,
        }
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        self.seconds.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    pub(crate) fn boats(&self) -> Api<Boat> {
        Api::default_namespaced(self.client.clone())
    }

    pub(crate) fn oars(&self) -> Api<Oar> {
        Api::default_namespaced(self.client.clone())
    }

    pub(crate) async fn boat(&self, name: &str) -> Boat {
        self.boats()
            .create(&PostParams::default(), &boat(name))
            .await
            .unwrap()
    }
}

pub(crate) fn boat(name: &str) -> Boat {
    let spec = BoatSpec {
        harbour: "Whitby".into(),
        crew: 2,
        seats: 4,
        ..BoatSpec::default()
    };
    Boat::new(name, spec)
}

pub(crate) fn status_of(error: &kube::Error) -> &kube::core::Status {
    match error {
        kube::Error::Api(status) => status,
        other => panic!("not a Status: {other:?}"),
    }
}

/// What the server refused, or a panic with what it allowed.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> kube::core::Status {
    status_of(&result.expect_err("this was to be refused")).clone()
}

/// The raw answer to a GET in the form asked for.
pub(crate) async fn get(world: &World, uri: &str, accept: &str) -> (u16, serde_json::Value) {
    let request = http::Request::get(uri)
        .header("accept", accept)
        .body(kube::client::Body::empty())
        .unwrap();
    let response = world.client.send(request).await.unwrap();
    let code = response.status().as_u16();
    let bytes = response.into_body().collect_bytes().await.unwrap();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Every line of a watch that ends by itself.
pub(crate) async fn watch_lines(world: &World, uri: &str, accept: &str) -> Vec<serde_json::Value> {
    let request = http::Request::get(uri)
        .header("accept", accept)
        .body(kube::client::Body::empty())
        .unwrap();
    let response = world.client.send(request).await.unwrap();
    let bytes = response.into_body().collect_bytes().await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Every name in a list as it was answered.
pub(crate) fn names(list: &serde_json::Value) -> Vec<String> {
    let items = list
        .get("items")
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten();
    let name = |item: &serde_json::Value| Some(item.pointer("/metadata/name")?.as_str()?.to_owned());
    items.filter_map(name).collect()
}

/// The raw answer to a request: status code and JSON.
pub(crate) async fn request(
    world: &World,
    method: &str,
    uri: &str,
    content_type: &str,
    body: &str,
) -> (u16, serde_json::Value) {
    let request = http::Request::builder()
        .method(method)
        .uri(uri)
        .header("content-type", content_type)
        .body(kube::client::Body::from(body.as_bytes().to_vec()))
        .unwrap();
    let response = world.client.send(request).await.unwrap();
    let code = response.status().as_u16();
    let bytes = response.into_body().collect_bytes().await.unwrap();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}
