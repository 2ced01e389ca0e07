//! One running watch: reads the log from where it stands, and sleeps until it is woken.
//!
//! A watch that is too old is told so in the stream (ERROR 410), never by the HTTP status: clients list again
//! only for the former.

use std::{fmt::Write as _, sync::Arc};

use bytes::Bytes;
use followlytics_store::{
    db::Tx,
    resources::{self, EventType, StoredEvent},
};
use serde_json::json;
use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::{Duration, Instant, timeout_at},
};

use crate::{
    page::select, present::View, router::Call, selector::Selector, server::Inner, status_error::StatusError,
};

/// Entries of the log in one read: bounds the memory of a watch that lags.
const BATCH: u32 = 500;

/// How often a quiet watch is told how far it has come; also the floor under the in-process signal.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);

/// A watch that is no longer than this ends without a bookmark.
const SHORT: Duration = Duration::from_secs(2);

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// After this version.
    Since(i64),
    /// From now on.
    Now,
    /// With the present state as ADDED events.
    State,
    /// The same, and a bookmark that says where the state ends.
    StateAndBookmark {
        /// The client has seen this version already.
        at_least: Option<i64>,
    },
}

/// A running watch.
#[expect(
    clippy::struct_excessive_bools,
    reason = "what was asked for and how far it is are four plain facts"
)]
pub(crate) struct Watch {
    server: Arc<Inner>,
    call: Call,
    selector: Selector,
    bookmarks: bool,
    /// A watch of a second or two is over before a bookmark would help anybody.
    bookmarks_at_end: bool,
    /// The first table of a stream describes its columns.
    described: bool,
    signal: Arc<Notify>,
    /// Everything up to this version has been told.
    cursor: i64,
    lines: String,
    deadline: Instant,
    next_bookmark: Instant,
    ended: bool,
}

impl Watch {
    pub(crate) fn new(
        server: Arc<Inner>,
        call: Call,
        selector: Selector,
        timeout: Duration,
        bookmarks: bool,
    ) -> Result<Self, StatusError> {
        let signal = server
            .wakeups
            .of(&call.resource.key)
            .ok_or_else(StatusError::no_such_path)?;
        let now = Instant::now();
        Ok(Self {
            server,
            call,
            selector,
            bookmarks,
            bookmarks_at_end: timeout > SHORT,
            described: false,
            signal,
            cursor: 0,
            lines: String::new(),
            deadline: now + timeout,
            next_bookmark: now + BOOKMARK_EVERY,
            ended: false,
        })
    }

    /// Takes the starting point; the events of the present state are the first chunk.
    pub(crate) async fn start(&mut self, start: Start) -> Result<(), StatusError> {
        let server = Arc::clone(&self.server);
        let mut tx = server.db.read().await?;
        let current = resources::current_version(&mut tx).await?;
        if let Start::Since(since) = start {
            self.cursor = since;
            if since > current {
                // The database is another one than the client knew: only a new list helps.
                self.end_with(&StatusError::expired(since, current));
            }
            return Ok(());
        }
        self.cursor = current;
        if let Start::StateAndBookmark {
            at_least: Some(version),
        } = start
            && version > current
        {
            return Err(StatusError::version_too_large(version, current));
        }
        if start == Start::Now {
            return Ok(());
        }
        for stored in select(&server, &mut tx, &self.call, &self.selector).await? {
            self.push(EventType::Added.as_str(), &stored.object)?;
        }
        if matches!(start, Start::StateAndBookmark { .. }) && self.bookmarks {
            self.push_bookmark(true)?;
        }
        Ok(())
    }

    /// The next events, or `None` when the watch is over.
    pub(crate) async fn next_chunk(&mut self) -> Option<Bytes> {
        loop {
            if !self.lines.is_empty() {
                return Some(Bytes::from(std::mem::take(&mut self.lines)));
            }
            if self.ended || self.server.is_closed() {
                return None;
            }
            // Made before reading: a change during the read ends the wait below at once.
            let woken = Arc::clone(&self.signal).notified_owned();
            if let Err(error) = self.read_log().await {
                self.end_with(&error);
            }
            if self.lines.is_empty() {
                self.wait(woken).await;
            }
        }
    }

    async fn wait(&mut self, woken: OwnedNotified) {
        let until = self.deadline.min(self.next_bookmark);
        if timeout_at(until, woken).await.is_ok() {
            return;
        }
        self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
        self.ended = Instant::now() >= self.deadline;
        if let Err(error) = self.read_log().await {
            self.end_with(&error);
        } else if self.bookmarks
            && self.bookmarks_at_end
            && let Err(error) = self.push_bookmark(false)
        {
            self.end_with(&error);
        }
    }

    async fn read_log(&mut self) -> Result<(), StatusError> {
        let server = Arc::clone(&self.server);
        let mut tx = server.db.read().await?;
        let key = &self.call.resource.key;
        let horizon = resources::horizon(&mut tx, key).await?;
        if self.cursor < horizon {
            return Err(StatusError::expired(self.cursor, horizon));
        }
        let namespace = self.call.namespace.as_deref();
        let events = resources::events_since(&mut tx, key, namespace, self.cursor, BATCH.into()).await?;
        self.cursor = self.read_up_to(&mut tx, &events).await?;
        drop(tx);
        events.iter().try_for_each(|event| self.tell(event))
    }

    /// A short batch has seen everything there is, of other resources too.
    async fn read_up_to(&self, tx: &mut Tx, events: &[StoredEvent]) -> Result<i64, StatusError> {
        match events.last() {
            Some(last) if events.len() >= BATCH as usize => Ok(last.version),
            _ => Ok(resources::current_version(tx).await?),
        }
    }

    fn tell(&mut self, event: &StoredEvent) -> Result<(), StatusError> {
        let wanted = |labels: &str, object: &str| {
            self.selector
                .matches(labels, &event.namespace, &event.name, object)
        };
        let is_wanted = wanted(&event.labels, &event.object);
        let was_wanted = event
            .previous
            .as_ref()
            .map_or(is_wanted, |(labels, object)| wanted(labels, object));
        match (event.event_type, was_wanted, is_wanted) {
            (EventType::Modified, false, true) => self.push(EventType::Added.as_str(), &event.object),
            (EventType::Modified, true, false) => {
                // The last state the watcher was shown, under the version of the change.
                let shown = event
                    .previous
                    .as_ref()
                    .map_or(&event.object, |(_, object)| object);
                self.push(EventType::Deleted.as_str(), &at_version(shown, event.version)?)
            }
            (event_type, _, true) => self.push(event_type.as_str(), &event.object),
            (_, _, false) => Ok(()),
        }
    }

    fn push(&mut self, event_type: &str, stored: &str) -> Result<(), StatusError> {
        let server = Arc::clone(&self.server);
        let object = View::of(&server, &self.call)?.watched(stored, !self.described)?;
        // Writing to a String cannot fail.
        let _ = writeln!(self.lines, r#"{{"type":"{event_type}","object":{object}}}"#);
        self.described = true;
        Ok(())
    }

    fn push_bookmark(&mut self, end_of_state: bool) -> Result<(), StatusError> {
        let server = Arc::clone(&self.server);
        let view = View::of(&server, &self.call)?;
        let object = view.bookmark(self.cursor, end_of_state, !self.described)?;
        let _ = writeln!(self.lines, r#"{{"type":"BOOKMARK","object":{object}}}"#);
        self.described = true;
        Ok(())
    }

    fn end_with(&mut self, error: &StatusError) {
        let _ = writeln!(
            self.lines,
            "{}",
            json!({"type": "ERROR", "object": error.to_status()})
        );
        self.ended = true;
    }
}

fn at_version(object: &str, version: i64) -> Result<String, StatusError> {
    let mut object = crate::object::Object::from_json(object.as_bytes())?;
    object.set_meta("resourceVersion", version.to_string());
    object.to_json()
}
