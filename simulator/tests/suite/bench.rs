//! A world with a clock of its own, and a client that calls its router in process.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::{Router, body::Body};
use followlytics_simulator::{AccountSpec, Platform, World, WorldConfig, router};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tower::ServiceExt as _;

pub(crate) const START_MS: i64 = 1_787_000_000_000;
pub(crate) const APP: &str = "Bearer simulator-bearer";

pub(crate) struct Bench {
    pub(crate) world: Arc<World>,
    pub(crate) router: Router,
    clock: Arc<AtomicI64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn number(&self, name: &str) -> i64 {
        self.header(name)
            .unwrap_or_else(|| panic!("no header {name}: {:?}", self.headers))
            .parse()
            .unwrap()
    }
}

impl Bench {
    /// A world of this configuration, written as JSON.
    pub(crate) fn new(config: &str) -> Self {
        let config: WorldConfig = serde_json::from_str(config).unwrap();
        let clock = Arc::new(AtomicI64::new(START_MS));
        let hand = clock.clone();
        let now = Arc::new(move || Timestamp::from_millisecond(hand.load(Ordering::SeqCst)).unwrap());
        let world = Arc::new(World::new(config, now));
        Self {
            router: router(world.clone()),
            world,
            clock,
        }
    }

    /// A world with one account; returns its id too.
    pub(crate) fn with_account(
        config: &str,
        platform: Platform,
        handle: &str,
        followers: u64,
    ) -> (Self, String) {
        let bench = Self::new(config);
        let view = bench
            .world
            .create_account(AccountSpec::new(platform, handle, followers))
            .unwrap();
        (bench, view.id)
    }

    pub(crate) fn advance_ms(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(bytes.to_vec()).unwrap();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) async fn get_as(&self, authorization: &str, path: &str) -> Reply {
        let request = Request::get(path).header("authorization", authorization);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<String>) -> Reply {
        self.send(Request::post(path).body(Body::from(body.into())).unwrap())
            .await
    }

    /// A follower page of X for the default app.
    pub(crate) async fn x_page(&self, id: &str, query: &str) -> Reply {
        self.get_as(APP, &format!("/2/users/{id}/followers?{query}"))
            .await
    }

    /// All ids of an X list, page by page; `size` rows each.
    pub(crate) async fn x_walk(&self, id: &str, size: usize) -> Vec<String> {
        let mut ids = Vec::new();
        let mut token = None;
        loop {
            let page = match &token {
                None => self.x_page(id, &format!("max_results={size}")).await,
                Some(token) => {
                    self.x_page(id, &format!("max_results={size}&pagination_token={token}"))
                        .await
                }
            };
            assert_eq!(page.status, 200, "{}", page.body);
            ids.extend(x_ids(&page));
            token = next_token(&page);
            if token.is_none() {
                return ids;
            }
        }
    }

    /// A follower page of Bluesky.
    pub(crate) async fn sky_page(&self, actor: &str, query: &str) -> Reply {
        self.get(&format!(
            "/xrpc/app.bsky.graph.getFollowers?actor={actor}&{query}"
        ))
        .await
    }

    /// All DIDs of a Bluesky list. Rows of a cursor's own key come again, or a page that ends among them loses some.
    pub(crate) async fn sky_walk(&self, actor: &str, limit: usize) -> Vec<String> {
        let mut ids = Vec::new();
        let mut query = format!("limit={limit}");
        loop {
            let page = self.sky_page(actor, &query).await;
            assert_eq!(page.status, 200, "{}", page.body);
            let last = ids.len().saturating_sub(limit);
            let known: Vec<String> = ids[last..].to_vec();
            let rows = texts(&page.json()["followers"], "did");
            ids.extend(rows.into_iter().filter(|id| !known.contains(id)));
            let Some(cursor) = page.json()["cursor"].as_str().map(str::to_owned) else {
                return ids;
            };
            let again = format!("limit={limit}&cursor={cursor}~");
            query = if query == again {
                format!("limit={limit}&cursor={cursor}")
            } else {
                again
            };
        }
    }

    /// A follower page of Gitea.
    pub(crate) async fn gitea_page(&self, login: &str, page: usize, limit: usize) -> Reply {
        self.get(&format!(
            "/api/v1/users/{login}/followers?page={page}&limit={limit}"
        ))
        .await
    }
}

/// One text member of each element.
pub(crate) fn texts(list: &Value, member: &str) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .map(|row| row[member].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn x_ids(page: &Reply) -> Vec<String> {
    texts(&page.json()["data"], "id")
}

pub(crate) fn next_token(page: &Reply) -> Option<String> {
    page.json()["meta"]["next_token"].as_str().map(str::to_owned)
}

pub(crate) fn gitea_ids(page: &Reply) -> Vec<String> {
    page.json()
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_u64().unwrap().to_string())
        .collect()
}

/// The same rows, whatever their order.
pub(crate) fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}
