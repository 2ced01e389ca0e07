//! Whatever is sent to the API server, it answers as one: never with an error of its own, always with an object or a
//! Status, and an object that it took can be read.
//!
//! The first byte chooses the verb, the second the path; the rest is the body.
#![no_main]

use std::{cell::RefCell, sync::Arc};

use bytes::Bytes;
use followlytics_apiserver::{ApiServer, Registry};
use followlytics_store::db::Db;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;
use uuid::Uuid;

/// Requests after which another server takes over: objects pile up.
const LIFE: u32 = 2_000;

const BASE: &str = "/apis/followlytics.io/v1alpha1/namespaces/default";
const PATHS: [&str; 6] = [
    "/scans",
    "/scans/a",
    "/scans/a/status",
    "/credentials/a",
    "/sandboxes?fieldSelector=metadata.name%3Da",
    "/scans?labelSelector=",
];
const VERBS: [(&str, &str); 8] = [
    ("POST", "application/json"),
    ("POST", "application/yaml"),
    ("PUT", "application/json"),
    ("PATCH", "application/merge-patch+json"),
    ("PATCH", "application/json-patch+json"),
    ("PATCH", "application/apply-patch+yaml"),
    ("DELETE", "application/json"),
    ("GET", "application/json"),
];

struct World {
    runtime: Runtime,
    server: ApiServer,
    requests: u32,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

impl World {
    fn new() -> Self {
        let registry = Registry::from_crds(followlytics_crds::all()).expect("our own kinds");
        let db = Db::memory().expect("a database");
        let ids = Arc::new(std::sync::atomic::AtomicU64::new(1));
        let next = move || Uuid::from_u64_pair(0, ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        Self {
            runtime: Builder::new_current_thread().build().expect("a runtime"),
            server: ApiServer::new(db, registry, Arc::new(|| Timestamp::UNIX_EPOCH), Arc::new(next)),
            requests: 0,
        }
    }

    fn ask(&self, verb: (&str, &str), path: &str, body: &[u8]) -> (u16, Bytes) {
        let (method, content) = verb;
        let joint = if path.contains('?') { '&' } else { '?' };
        let manager = if content.contains("apply") {
            "fieldManager=fuzz&force=true"
        } else {
            ""
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{BASE}{path}{joint}{manager}"))
            .header("content-type", content)
            .body(Full::new(Bytes::copy_from_slice(body)))
            .expect("a request");
        self.runtime.block_on(async {
            let response = self.server.router().oneshot(request).await.expect("an answer");
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.expect("a body");
            (status, body.to_bytes())
        })
    }
}

fuzz_target!(|data: &[u8]| {
    let [verb, path, body @ ..] = data else { return };
    WORLD.with_borrow_mut(|world| {
        world.requests += 1;
        if world.requests > LIFE {
            *world = World::new();
        }
        let path = PATHS[usize::from(*path) % PATHS.len()];
        let verb = VERBS[usize::from(*verb) % VERBS.len()];
        let (status, answer) = world.ask(verb, path, body);
        let answer: Value = serde_json::from_slice(&answer).expect("an answer in JSON");
        // kube-apiserver answers with 500 and no reason where a patch or the options of a deletion are of no known type.
        assert!(
            status < 500 || answer.get("reason").is_none(),
            "{status}: {answer}"
        );
        assert!(answer.get("kind").is_some(), "{answer}");
        if status >= 400 {
            assert!(
                answer["message"]
                    .as_str()
                    .is_some_and(|message| !message.is_empty()),
                "{answer}"
            );
        }
        let (status, _) = world.ask(("GET", "application/json"), "/scans", b"");
        assert_eq!(status, 200, "what was taken can be listed");
    });
});
