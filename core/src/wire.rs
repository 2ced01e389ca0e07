//! What a sandbox and the broker say to each other, as JSON over HTTP under `/broker/v1`.
//!
//! Every request carries the sandbox's own token. A sandbox names the range and the epoch of its lease in
//! each request; the broker believes neither prices nor counts that a sandbox states.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST claim` | – | [`Claim`] |
//! | `POST heartbeat` | [`Held`] | [`Beat`] |
//! | `POST step` | [`Release`] (an unused permit is given back, the lease is kept) | [`Reply`] |
//! | `POST pages` | a page object ([`crate::page`]), with [`WINDOW_HEADER`]: [`Told`] | [`Reply`] |
//! | `POST found` | [`Found`] | [`Reply`] |
//! | `POST failed` | [`Failed`] | [`Reply`] |
//! | `POST release` | [`Release`] | 204 |
//!
//! No instant of one side's clock is compared with the other's: what a runner is given is counted in milliseconds, on
//! its own monotonic clock, and [`NOW_HEADER`] says what that clock showed when a request was sent.
//!
//! A holder asks for its next step only once the outcome of every request it started under this lease is reported.
//!
//! Every request also says which version of this protocol it speaks, in [`VERSION_HEADER`]; one that the broker does
//! not speak is refused before anything is read or written ([`Refusal::Version`]).
//!
//! `409` means the lease is lost ([`Refusal::Fenced`]): drop everything and claim again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    account::AccountRef,
    platform::{Auth, Family, server::Server},
    retry::Failure,
    scan::{
        plan::{AccountReport, Probe},
        range::{Kind, Place, RangeId, Span, Walk},
        source::Source,
        window::Told,
    },
};

/// Version of this protocol. It grows with every change that an older side would misread.
pub const VERSION: u32 = 3;
/// Header that carries [`VERSION`] in every request.
pub const VERSION_HEADER: &str = "x-followlytics-protocol";
/// Header that carries what the platform's own headers said of the window beside a page: [`Told`], as JSON.
pub const WINDOW_HEADER: &str = "x-followlytics-window";
/// Header that carries the runner's clock when it sent the request, in milliseconds since 1970. Instants in the same
/// request are by that clock.
pub const NOW_HEADER: &str = "x-followlytics-now";
/// Header that says which tab of a sandbox's browser calls, from 1; without it the sandbox itself. Each holds a
/// lease of its own.
pub const TAB_HEADER: &str = "x-followlytics-tab";
/// Most tabs beside the sandbox itself: four ranges at once share a session's few slots.
pub const MOST_TABS: u32 = 3;

/// Answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "answer")]
pub enum Claim {
    /// A right to one range.
    Lease(Box<Lease>),
    /// Nothing to do for now.
    Wait {
        /// Milliseconds from the answer until the next claim.
        wait_ms: i64,
        /// One of the published reasons.
        reason: String,
    },
    /// The scan needs this sandbox no more: end.
    Finished,
}

/// A right to one range, as long as heartbeats extend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// The range.
    pub range: RangeId,
    /// Fences every write under this lease.
    pub epoch: u64,
    /// What the range is for.
    pub kind: Kind,
    /// How often to send heartbeats, in milliseconds.
    pub heartbeat_ms: i64,
    /// Where its rows come from.
    #[serde(default)]
    pub source: Source,
    /// Whose followers are listed.
    pub account: AccountRef,
    /// The account's id, once resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// Base URL of the platform.
    pub base_url: String,
    /// How requests are authorised.
    pub auth: Auth,
    /// The access token; gone with the lease. Never logged, never written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Rows a page holds there.
    pub page_rows: u32,
    /// Direction of reading.
    pub walk: Walk,
    /// The range's interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// Where the next page begins.
    pub place: Place,
    /// How many tabs of a browser beside the sandbox itself would find work.
    #[serde(default)]
    pub tabs: u32,
    /// Scan uid, for the page header.
    pub scan: String,
    /// What to do first.
    pub step: Step,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "step")]
pub enum Step {
    /// One request.
    Permit(Permit),
    /// Ask again later. Over a minute: give the lease back.
    Wait {
        /// Milliseconds from the answer until the next `step`.
        wait_ms: i64,
        /// One of the published reasons.
        reason: String,
        /// Whether everything that its source reads waits: give the lease back at once, for a range of another source
        /// may be offered.
        #[serde(default)]
        held: bool,
    },
    /// The range is read; claim another.
    Done,
    /// The scan is being suspended: give everything back and end.
    Suspend,
    /// The scan is over: drop everything and end.
    Cancel,
}

/// A right to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permit {
    /// Names the permit in every report.
    pub id: String,
    /// Number of the page it is for.
    pub seq: u32,
    /// What is requested.
    pub family: Family,
    /// Where: the next page's beginning, or the place of a probe.
    pub place: Place,
    /// Rows to ask for at most.
    pub max_rows: u32,
    /// The request must have started within this many milliseconds after the runner sent the request whose answer
    /// carries the permit; otherwise return the permit.
    pub start_within_ms: i64,
    /// The outcome is expected within as many, counted alike; until it comes the permit's dollars are ambiguous.
    pub settle_within_ms: i64,
    /// The broker's clock at the permit; the page's `seen_at`.
    pub seen_at: Timestamp,
}

/// Names a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The range.
    pub range: RangeId,
    /// The lease's epoch.
    pub epoch: u64,
}

/// Answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Beat {
    /// The range's interval: its end may have moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// What the scan wants of its runners.
    pub mode: Mode,
}

/// What a scan wants of its runners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Go on.
    Run,
    /// Give everything back.
    Suspend,
    /// Drop everything.
    Cancel,
}

/// Answer to everything that ends a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// What to do next.
    pub step: Step,
    /// The range's interval: its end may have moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// A refreshed access token, where the old one was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What a look-up or a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The lease.
    #[serde(flatten)]
    pub held: Held,
    /// The permit it used.
    pub permit: String,
    /// What was found.
    pub finding: Finding,
    /// What the headers said of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
}

/// What a look-up or a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Finding {
    /// The account.
    Account(AccountReport),
    /// One page's extent.
    Probe(Probe),
    /// Which program the server runs.
    Server(Server),
}

/// A request that brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// The lease.
    #[serde(flatten)]
    pub held: Held,
    /// The permit it used.
    pub permit: String,
    /// What happened.
    pub failure: Failure,
}

/// Gives a lease (`release`) or a moment (`step`) back, and the permit if its request never started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The lease.
    #[serde(flatten)]
    pub held: Held,
    /// The unused permit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unused: Option<String>,
}

/// Why the broker refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "refusal")]
pub enum Refusal {
    /// The lease belongs to somebody else by now.
    #[error("lease lost: the range has a newer epoch")]
    Fenced,
    /// The request does not fit the protocol.
    #[error("refused: {detail}")]
    Invalid {
        /// Which field, and what to send instead.
        detail: String,
    },
    /// The sandbox speaks another version of the protocol.
    #[error("refused: the runner speaks protocol {}, the broker {broker}; give both the same release", said(*.runner))]
    Version {
        /// What the broker speaks.
        broker: u32,
        /// What the runner said it speaks; releases before the first said nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runner: Option<u32>,
    },
    /// The token names no live sandbox.
    #[error("refused: this token belongs to no running sandbox")]
    Unknown,
    /// The broker cannot write just now; the same request may be sent again.
    #[error("unavailable: {detail}")]
    Unavailable {
        /// What is unavailable, without addresses or secrets.
        detail: String,
    },
}

fn said(version: Option<u32>) -> String {
    version.map_or_else(|| "none".to_owned(), |version| version.to_string())
}
