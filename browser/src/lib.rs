//! Follower lists read from X's own page in a real Chromium, behind the trait of the platforms' connectors.
//!
//! | what happens in the page | what this crate decides |
//! |---|---|
//! | its script asks for the next rows | the request is held until a call has a permit for it |
//! | the request goes out as the page wrote it | only `variables.cursor` is another one where a range begins elsewhere |
//! | the answer reaches the page | it is read on its way; what no answer shows, the cells of the list show |
//!
//! Owns one Chromium a [`WebX`]: its program, its profile on tmpfs, its processes and its tabs. It must not know
//! leases, permits or the broker: a call is one request, for which somebody else has paid. Nothing is durable, and
//! the profile with the session's cookies goes with the process. No request is made outside the page, and nothing
//! hides from it that a program drives it.

mod chromium;
mod cursor;
mod error;
mod graphql;
mod held;
mod options;
mod pool;
mod session;
mod tab;
mod trace;
mod webx;

pub use chromium::{Chromium, LEAST_VERSION, sweep};
pub use error::BrowserError;
pub use options::{Options, Reading};
pub use session::{SessionError, WebSession};
pub use webx::WebX;
