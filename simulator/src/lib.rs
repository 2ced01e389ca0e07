//! The third-party platforms as a faithful local server, for the demo and the tests.
//!
//! Owns a [`World`] (users, follower edges, event and request logs, rate-limit windows, a credit ledger,
//! OAuth tokens, faults) and a [`router`] that answers as X, Bluesky, Gitea, GitHub
//! and Mastodon do. It must not know any part of
//! Followlytics: a client that passes here passes because it speaks the platform's wire, not ours.
//!
//! Nothing is durable: a world lives as long as its process. The same seed, clock and sequence of requests give
//! the same bytes, so that a seeded simulation replays.
//!
//! | prefix | platform |
//! |---|---|
//! | `/2/…` | X API v2 |
//! | `/{handle}/followers`, `/i/…` | X's web client: pages, their script, GraphQL |
//! | `/xrpc/…` | Bluesky |
//! | `/api/v1/users/…` | Gitea |
//! | `/users/…`, `/user/…` | GitHub |
//! | `/api/v1/accounts/…`, `/hosts/{host}/api/v1/accounts/…` | Mastodon |
//! | `/admin/…` | the world itself: accounts, faults, logs |

mod accounts;
mod admin;
mod answer;
mod bluesky;
mod bulk;
mod churn;
mod config;
mod credits;
mod edges;
mod error;
mod faults;
mod gateway;
mod gitea;
mod github;
mod growth;
mod ids;
mod json;
mod log;
mod mastodon;
mod mishap;
mod moment;
mod oauth;
mod place;
mod population;
mod roll;
mod router;
mod serve;
mod synth;
mod truth;
mod windows;
mod world;
mod x;

pub use accounts::{AccountSpec, AccountView};
pub use answer::DROP_HEADER;
pub use bulk::{BulkDone, BulkSpec};
pub use churn::ChurnSpec;
pub use config::{
    BlueskyConfig, GiteaConfig, GiteaOrder, GithubConfig, GithubSecondary, LogConfig, MastodonConfig,
    MastodonIds, MastodonServer, NameSet, RateLimit, RenamedAnswer, SecondaryWait, SuspendedAnswer,
    WebConfig, WebLanguage, WebLimits, WebSessionSpec, WebShape, WorldConfig, XAppSpec, XConfig, XLimits,
    XPricing,
};
pub use error::WorldError;
pub use faults::{FaultKind, FaultSpec, FaultView, ResetHeader, Trigger};
pub use growth::Growth;
pub use log::{EventKind, EventRecord, RequestRecord, Totals};
pub use oauth::TokenPair;
pub use population::UserState;
pub use roll::{Judged, Roll, RollDigest, RollOf, RollRow};
pub use router::router;
pub use serve::serve;
pub use world::{Clock, Endpoint, Platform, World};
pub use x::web::{WebCall, WebSessionView};
