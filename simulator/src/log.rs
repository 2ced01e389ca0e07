//! The two append-only logs: what changed in the world, and what each platform answered.
//!
//! Both share one order number, so that "before this request" and "after that unfollow" have one answer even when
//! the clock stands still. Rows are kept as user numbers and become ids when read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ids::public_id,
    world::{Endpoint, Platform, State, World, timestamp},
};

/// What happened to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EventKind {
    /// `user` began to follow `account`.
    Follow,
    /// `user` stopped following `account`.
    Unfollow,
    /// `user` left every list (suspended, deactivated, taken down); edges stay.
    Hide,
    /// `user` is back in every list.
    Show,
    /// `user` has another handle.
    Rename,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) order: u64,
    pub(crate) ms: u64,
    pub(crate) platform: Platform,
    pub(crate) kind: EventKind,
    /// 0 where the event concerns a user everywhere.
    pub(crate) account: u64,
    pub(crate) user: u64,
    pub(crate) key: u64,
}

/// A change of the world, as it is read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRecord {
    /// Place in the order shared with requests.
    pub order: u64,
    /// When.
    pub at: Timestamp,
    /// Where.
    pub platform: Platform,
    /// What.
    pub kind: EventKind,
    /// Id of the followed account; absent for Hide, Show and Rename.
    pub account: Option<String>,
    /// Id of the user.
    pub user: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) order: u64,
    pub(crate) at: Timestamp,
    pub(crate) platform: Platform,
    pub(crate) endpoint: Endpoint,
    pub(crate) account: Option<u64>,
    pub(crate) asked: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) principal: String,
    pub(crate) token: Option<String>,
    pub(crate) status: u16,
    pub(crate) rows: Vec<u64>,
    pub(crate) charged_nano_usd: i64,
    pub(crate) fault: Option<String>,
    pub(crate) lost: bool,
}

/// One answered request, as it is read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRecord {
    /// 1 for the first request of the world, then without gaps.
    pub number: u64,
    /// Place in the order shared with events.
    pub order: u64,
    /// When it was processed.
    pub at: Timestamp,
    /// Which platform.
    pub platform: Platform,
    /// Which route.
    pub endpoint: Endpoint,
    /// Id of the account it was about, if that resolved.
    pub account: Option<String>,
    /// The handle or id as it was asked for.
    pub asked: Option<String>,
    /// The page position that came with the request: a pagination token, a cursor or a page number.
    pub cursor: Option<String>,
    /// `app:<client id>`, `user:<client id>/<handle>`, `token` or `anonymous`.
    pub principal: String,
    /// First 12 hex digits of the SHA-256 of the token that came with it; never the token.
    pub token: Option<String>,
    /// HTTP status; that of the answer that was lost if `lost`.
    pub status: u16,
    /// Ids of the users served, in page order, duplicates included.
    pub rows: Vec<String>,
    /// What was charged, in nano-dollars.
    pub charged_nano_usd: i64,
    /// The fault that fired, if any.
    pub fault: Option<String>,
    /// Processed and charged, but the connection was dropped instead of answering.
    pub lost: bool,
}

/// Sums over the request log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// All requests.
    pub requests: u64,
    /// Requests by `<platform>.<endpoint>`, then by status.
    pub by_endpoint: BTreeMap<String, BTreeMap<u16, u64>>,
    /// Rows served, duplicates and re-reads included.
    pub rows: u64,
    /// All charges, in nano-dollars.
    pub charged_nano_usd: i64,
    /// Requests whose answer was dropped.
    pub lost: u64,
}

impl State {
    /// The next number of the shared order.
    pub(crate) fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    pub(crate) fn record_event(
        &mut self,
        platform: Platform,
        kind: EventKind,
        account: u64,
        user: u64,
        key: u64,
        ms: u64,
    ) {
        let order = self.next_order();
        self.events.push(Event {
            order,
            ms,
            platform,
            kind,
            account,
            user,
            key,
        });
    }
}

impl Request {
    fn record(&self, number: usize) -> RequestRecord {
        let id = |user: u64| public_id(self.platform, user);
        RequestRecord {
            number: u64::try_from(number).unwrap_or(u64::MAX),
            order: self.order,
            at: self.at,
            platform: self.platform,
            endpoint: self.endpoint,
            account: self.account.map(id),
            asked: self.asked.clone(),
            cursor: self.cursor.clone(),
            principal: self.principal.clone(),
            token: self.token.clone(),
            status: self.status,
            rows: self.rows.iter().copied().map(id).collect(),
            charged_nano_usd: self.charged_nano_usd,
            fault: self.fault.clone(),
            lost: self.lost,
        }
    }
}

impl World {
    /// Requests with a number above `after`, oldest first, at most `limit`.
    pub fn requests(&self, after: u64, limit: usize) -> Vec<RequestRecord> {
        let state = self.lock();
        let skip = usize::try_from(after).unwrap_or(usize::MAX);
        let numbered = state.requests.iter().enumerate().skip(skip).take(limit);
        numbered
            .map(|(index, request)| request.record(index + 1))
            .collect()
    }

    /// Events with an order above `after`, oldest first, at most `limit`. Churn by the clock is brought up to now.
    pub fn events(&self, after: u64, limit: usize) -> Vec<EventRecord> {
        let mut state = self.lock();
        state.tick_all(self.now_ms());
        let start = state.events.partition_point(|event| event.order <= after);
        let record = |event: &Event| EventRecord {
            order: event.order,
            at: timestamp(event.ms),
            platform: event.platform,
            kind: event.kind,
            account: (event.account != 0).then(|| public_id(event.platform, event.account)),
            user: public_id(event.platform, event.user),
        };
        state.events.iter().skip(start).take(limit).map(record).collect()
    }

    /// The order number of the latest event or request; "now" for [`World::truth_between`].
    pub fn order(&self) -> u64 {
        self.lock().order
    }

    /// Sums over all requests so far.
    pub fn totals(&self) -> Totals {
        let state = self.lock();
        let mut totals = Totals::default();
        for request in &state.requests {
            totals.requests += 1;
            let endpoint = format!("{}.{}", request.platform, request.endpoint);
            *totals
                .by_endpoint
                .entry(endpoint)
                .or_default()
                .entry(request.status)
                .or_default() += 1;
            totals.rows += u64::try_from(request.rows.len()).unwrap_or(0);
            totals.charged_nano_usd += request.charged_nano_usd;
            totals.lost += u64::from(request.lost);
        }
        totals
    }
}
