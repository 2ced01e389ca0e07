//! A signed-in visitor of X's web client who sends what the page's script would.

use std::collections::BTreeMap;

use axum::body::Body;
use followlytics_simulator::{AccountSpec, FaultKind, FaultSpec, Platform, WebCall, WebSessionSpec};
use http::Request;
use serde_json::{Value, json};

use crate::bench::{Bench, Reply};

pub(crate) const WHO: &str = "nasa";

/// A world with one account, and whoever reads its list.
pub(crate) struct Visit {
    pub(crate) bench: Bench,
    pub(crate) session: WebSessionSpec,
    pub(crate) id: String,
}

pub(crate) fn session(auth_token: &str, handle: &str) -> WebSessionSpec {
    WebSessionSpec {
        auth_token: auth_token.to_owned(),
        ct0: format!("csrf{auth_token}"),
        handle: handle.to_owned(),
    }
}

/// What is read out of one page of the list.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Page {
    pub(crate) ids: Vec<String>,
    /// Entries that name a user and show none.
    pub(crate) unavailable: usize,
    pub(crate) bottom: Option<String>,
    pub(crate) top: Option<String>,
}

impl Visit {
    /// `web` is the configuration's `x.web`, without sessions.
    pub(crate) fn new(web: Value, followers: u64) -> Self {
        let mut config = json!({"x": {}});
        config["x"]["web"] = web;
        Self::of(config, followers)
    }

    pub(crate) fn of(mut config: Value, followers: u64) -> Self {
        let session = session("a1b2c3", "reader");
        config["x"]["web"]["sessions"] = json!([session]);
        let (bench, id) = Bench::with_account(&config.to_string(), Platform::X, WHO, followers);
        bench
            .world
            .create_account(AccountSpec::new(Platform::X, "reader", 3))
            .unwrap();
        Self { bench, session, id }
    }

    pub(crate) fn web(&self) -> &followlytics_simulator::WebConfig {
        &self.bench.world.config().x.web
    }

    pub(crate) fn call(&self, cursor: Option<&str>) -> WebCall {
        WebCall::followers(self.web(), &self.session, &self.id, cursor)
    }

    pub(crate) async fn send(&self, call: &WebCall) -> Reply {
        let mut request = Request::get(&call.path);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        self.bench.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn list(&self, cursor: Option<&str>) -> Reply {
        self.send(&self.call(cursor)).await
    }

    pub(crate) async fn look_up(&self, handle: &str) -> Reply {
        let call = WebCall::user_by_screen_name(self.web(), &self.session, handle);
        self.send(&call).await
    }

    /// A document, with the session's cookies.
    pub(crate) async fn open(&self, path: &str) -> Reply {
        let cookies = format!("auth_token={}; ct0={}", self.session.auth_token, self.session.ct0);
        let request = Request::get(path).header("cookie", cookies);
        self.bench.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) fn set(&self, kind: FaultKind) {
        self.bench.world.set_fault(FaultSpec::once(kind)).unwrap();
    }

    /// Every page from a cursor (or the newest end) to the end.
    pub(crate) async fn walk(&self, mut cursor: Option<String>) -> Vec<Page> {
        let mut pages = Vec::new();
        loop {
            let page = read(&self.list(cursor.as_deref()).await);
            cursor = page.bottom.clone();
            pages.push(page);
            match cursor.as_deref() {
                None => return pages,
                Some(text) if text.starts_with("0|") => return pages,
                Some(_) => assert!(pages.len() < 1_000, "the list has no end"),
            }
        }
    }
}

pub(crate) fn read(reply: &Reply) -> Page {
    assert_eq!(reply.status, 200, "{}", reply.body);
    let body = reply.json();
    let timeline = &body["data"]["user"]["result"]["timeline"]["timeline"];
    let instructions = timeline["instructions"]
        .as_array()
        .unwrap_or_else(|| panic!("no timeline: {}", reply.body));
    let added: BTreeMap<&str, &Value> = instructions
        .iter()
        .map(|one| (one["type"].as_str().unwrap(), one))
        .collect();
    let mut page = Page::default();
    for entry in added["TimelineAddEntries"]["entries"].as_array().unwrap() {
        let content = &entry["content"];
        let value = content["value"].as_str().map(str::to_owned);
        match content["cursorType"].as_str() {
            Some("Bottom") => page.bottom = value,
            Some("Top") => page.top = value,
            _ => match content["itemContent"]["user_results"]["result"]["rest_id"].as_str() {
                Some(id) => page.ids.push(id.to_owned()),
                None => page.unavailable += 1,
            },
        }
    }
    page
}

/// The place a cursor names.
pub(crate) fn position(cursor: &str) -> i64 {
    cursor.split_once('|').unwrap().0.parse().unwrap()
}
