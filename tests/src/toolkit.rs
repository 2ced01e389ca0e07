//! What tests of the real program stand on: it and its processes, a data directory for each test, simulated platforms.
//!
//! Owns how these are started, waited for and ended; knows nothing of what a test wants of them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking"
)]

mod certificate;
mod home;
mod processes;
mod program;
mod ran;
mod site;
mod waiting;

pub use certificate::assert_order_alone_unproven;
pub use home::{Home, Up};
pub use processes::{Process, families, processes};
pub use program::{Ends, program, signal, through};
pub use ran::{Ran, finish, finish_within};
pub use site::{Site, X_TOKEN, bluesky, gitea, simulated, x};
pub use waiting::{eventually, pause};
