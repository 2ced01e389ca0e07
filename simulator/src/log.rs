//! The two logs: what changed in the world, and what each platform answered.
//!
//! Both share one order number, so that "before this request" and "after that unfollow" have one answer even when
//! the clock stands still. Each keeps its newest entries only; sums are kept for ever, and so is what the truth is made
//! of. Rows are kept as runs of user numbers and become ids when read.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    moment::Moment,
    world::{Endpoint, Platform, Realm, State, World, timestamp},
};

/// What happened to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EventKind {
    /// `user` began to follow `account`; of many at once `user` is the first.
    Follow,
    /// `user` stopped following `account`; of many at once no `user` is named.
    Unfollow,
    /// `user` left every list (suspended, deactivated, taken down); edges stay.
    Hide,
    /// `user` is back in every list.
    Show,
    /// `user` has another handle; of many at once no `user` is named.
    Rename,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) at: Moment,
    pub(crate) realm: Realm,
    pub(crate) kind: EventKind,
    /// 0 where the event concerns a user everywhere.
    pub(crate) account: u64,
    /// 0 where the event concerns many.
    pub(crate) user: u64,
    pub(crate) count: u64,
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
    /// Mastodon: on which server.
    pub server: Option<String>,
    /// What.
    pub kind: EventKind,
    /// Id of the followed account; absent for Hide, Show and Rename.
    pub account: Option<String>,
    /// Id of the user; empty where it happened to many at once.
    pub user: String,
    /// To how many it happened at once.
    pub count: u64,
}

/// Users of one page, as runs of numbers: a page of a hundred million costs what a short one does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows(Vec<(u64, i64)>);

impl Rows {
    pub(crate) fn pack(users: &[u64]) -> Self {
        let mut runs: Vec<(u64, i64)> = Vec::new();
        for user in users {
            if let Some((first, length)) = runs.last_mut() {
                // A run of one may still go either way.
                if first.checked_add_signed(*length) == Some(*user) && *length > 0 {
                    *length += 1;
                    continue;
                }
                let down = if *length == 1 { -1 } else { *length };
                if down < 0 && first.checked_add_signed(down) == Some(*user) {
                    *length = down - 1;
                    continue;
                }
            }
            runs.push((*user, 1));
        }
        runs.shrink_to_fit();
        Self(runs)
    }

    fn users(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(|(first, length)| {
            let step = length.signum();
            (0..length.abs()).filter_map(move |nth| first.checked_add_signed(nth * step))
        })
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) order: u64,
    pub(crate) at: Timestamp,
    pub(crate) realm: Realm,
    pub(crate) endpoint: Endpoint,
    pub(crate) account: Option<u64>,
    pub(crate) asked: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) principal: String,
    pub(crate) token: Option<String>,
    pub(crate) status: u16,
    pub(crate) rows: Rows,
    pub(crate) row_count: u64,
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
    /// Mastodon: which server.
    pub server: Option<String>,
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

/// Sums over all requests, those that have left the log too.
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
    /// Faults that fired, by kind.
    pub faults: BTreeMap<String, u64>,
}

/// The newest entries of a log, and how many went before them.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    entries: VecDeque<T>,
    dropped: u64,
    most: usize,
}

impl<T> Kept<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            dropped: 0,
            most: most.max(1),
        }
    }

    fn push(&mut self, entry: T) {
        if self.entries.len() >= self.most {
            self.entries.pop_front();
            self.dropped += 1;
        }
        self.entries.push_back(entry);
    }
}

impl State {
    /// The server's name, where a platform is many servers.
    pub(crate) fn server_name(&self, realm: Realm) -> Option<String> {
        let many = realm.platform == Platform::Mastodon;
        many.then(|| self.servers.get(realm.server).cloned()).flatten()
    }

    /// The next number of the shared order.
    pub(crate) fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    pub(crate) fn record_event(
        &mut self,
        realm: Realm,
        kind: EventKind,
        account: u64,
        user: u64,
        at: Moment,
    ) {
        self.events.push(Event {
            at,
            realm,
            kind,
            account,
            user,
            count: 1,
        });
    }

    pub(crate) fn record_events(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(crate) fn record_request(&mut self, request: Request) {
        let totals = &mut self.totals;
        totals.requests += 1;
        let endpoint = format!("{}.{}", request.realm.platform, request.endpoint);
        let by_status = totals.by_endpoint.entry(endpoint).or_default();
        *by_status.entry(request.status).or_default() += 1;
        totals.rows += request.row_count;
        totals.charged_nano_usd += request.charged_nano_usd;
        totals.lost += u64::from(request.lost);
        if let Some(fault) = &request.fault {
            *totals.faults.entry(fault.clone()).or_default() += 1;
        }
        self.requests.push(request);
    }

    fn request_record(&self, request: &Request, number: u64) -> RequestRecord {
        let people = self.population(request.realm);
        let id = |user: u64| people.public_id(user);
        RequestRecord {
            number,
            order: request.order,
            at: request.at,
            platform: request.realm.platform,
            server: self.server_name(request.realm),
            endpoint: request.endpoint,
            account: request.account.map(id),
            asked: request.asked.clone(),
            cursor: request.cursor.clone(),
            principal: request.principal.clone(),
            token: request.token.clone(),
            status: request.status,
            rows: request.rows.users().map(id).collect(),
            charged_nano_usd: request.charged_nano_usd,
            fault: request.fault.clone(),
            lost: request.lost,
        }
    }

    fn event_record(&self, event: &Event) -> EventRecord {
        let people = self.population(event.realm);
        EventRecord {
            order: event.at.order,
            at: timestamp(event.at.ms),
            platform: event.realm.platform,
            server: self.server_name(event.realm),
            kind: event.kind,
            account: (event.account != 0).then(|| people.public_id(event.account)),
            user: match event.user {
                0 => String::new(),
                user => people.public_id(user),
            },
            count: event.count,
        }
    }
}

impl World {
    /// Requests with a number above `after`, oldest first, at most `limit`; those that have left the log are missing.
    pub fn requests(&self, after: u64, limit: usize) -> Vec<RequestRecord> {
        let state = self.lock();
        let dropped = state.requests.dropped;
        let skip = usize::try_from(after.saturating_sub(dropped)).unwrap_or(usize::MAX);
        let numbered = (dropped + 1..)
            .zip(&state.requests.entries)
            .skip(skip)
            .take(limit);
        numbered
            .map(|(number, request)| state.request_record(request, number))
            .collect()
    }

    /// Events with an order above `after`, oldest first, at most `limit`; those that have left the log are missing.
    /// Churn by the clock is brought up to now.
    pub fn events(&self, after: u64, limit: usize) -> Vec<EventRecord> {
        let state = self.settled();
        let entries = &state.events.entries;
        let start = entries.partition_point(|event| event.at.order <= after);
        let later = entries.iter().skip(start).take(limit);
        later.map(|event| state.event_record(event)).collect()
    }

    /// The order number of the latest event or request; "now" for [`World::truth_between`].
    pub fn order(&self) -> u64 {
        self.lock().order
    }

    /// Sums over all requests so far.
    pub fn totals(&self) -> Totals {
        self.lock().totals.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_packing_in_any_order() {
        for rows in [
            vec![],
            vec![7],
            vec![1, 2, 3, 3, 3, 2, 1, 9, 8, 12, 13, 12],
            (1..1_000).rev().collect(),
        ] {
            let packed = Rows::pack(&rows);
            assert_eq!(packed.users().collect::<Vec<_>>(), rows);
            assert!(rows.len() < 100 || packed.0.len() == 1);
        }
    }
}
