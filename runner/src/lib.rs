//! What runs inside a scan sandbox: claims ranges, makes one request for each permit, sends each page on.
//!
//! Owns nothing: every state is the broker's, so a runner may be killed at any moment. It must not know the
//! ledger, prices or windows, and it never writes to a disk. It holds one page at a time, and starts no task of
//! its own: dropping [`run`]'s future ends everything it does.
//!
//! ```text
//!  claim ──► lease ──► step: permit ──► one request ──► page, finding or failure ──► next step …
//!    ▲        │              wait ───► sleep, or give the lease back when it is over a minute
//!    │        └─ heartbeats all the while: "suspend", "cancel", or fenced
//!    └── done, fenced, given back                       suspend, cancel, finished ──► end
//! ```
//!
//! The subcommand of the sandbox takes the broker's address from the environment ([`BROKER_VARIABLE`]:
//! `unix:///path` or `http://host:port`) and its token from the first line of standard input, so that neither
//! shows in a list of processes:
//!
//! ```no_run
//! use std::sync::Arc;
//! use followlytics_platforms::{clock::SteadyClock, http::{self, Route}};
//! use followlytics_runner::{BROKER_VARIABLE, Outcome, config, run};
//!
//! async fn sandbox() -> Result<Outcome, Box<dyn std::error::Error>> {
//!     let (config, route) = config::broker(&std::env::var(BROKER_VARIABLE)?)?;
//!     let token = config::token(std::io::stdin().lock())?;
//!     let (broker, platform) = (http::client(route)?, http::client(Route::Internet)?);
//!     Ok(run(config, broker, platform, token, Arc::new(SteadyClock::start())).await?)
//! }
//! ```

mod beats;
mod broker;
pub mod config;
mod fetch;
mod hold;
mod run;
mod sources;
mod tabs;

pub use self::{
    config::{BROKER_VARIABLE, RunnerConfig},
    run::{Outcome, RunnerError, run, run_until},
    sources::Sources,
};
