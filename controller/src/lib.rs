//! The controller: brings the world to what Scans, Sandboxes and Credentials ask for.
//!
//! One kind a file: observe what is, decide in `core`, act, tell people in the status. Owns no durable state:
//! what it must remember is in the objects and in the ledger, so it may die between any two effects. Knows no
//! platform and no page; runners and the broker do their work between themselves.
//!
//! [`scan::reconcile`], [`sandbox::reconcile`] and [`credential::reconcile`] can be called directly, one after
//! another, by whoever wants to replay them in a chosen order; [`run`] calls them as objects change.

pub mod backends;
mod context;
pub mod credential;
mod error;
mod objects;
mod reconcile;
mod run;
pub mod sandbox;
pub mod scan;

pub use context::{Clock, Context, Serves, Settings};
pub use error::{Class, Error};
pub use followlytics_core::sandbox::Requeue;
pub use run::run;
