//! The embedded API server: custom resources over the store's tables, served the way Kubernetes serves them.
//!
//! Owns the protocol (paths, verbs, watches, errors) and the rules of objects (versions, generations, defaults,
//! schemas, apply, finalizers, owners). Knows no kind by itself: kinds come from their definitions, only
//! Namespaces and Events are built in. Durable: nothing here; every object and the log of changes are rows.
//!
//! `kube::Client::new(server.router(), "default")` is a client in the same process. Given the same database,
//! requests, clock and ids it answers byte for byte the same: no threads, no spawned tasks, no randomness.

mod accept;
mod admission;
mod apply;
mod builtin;
mod decode;
mod definition;
mod discovery;
mod gc;
mod json;
mod names;
mod object;
mod openapi;
mod page;
mod patch;
mod path;
mod present;
mod query;
mod registry;
mod review;
mod router;
mod scale;
mod schema;
mod selector;
mod server;
mod status_error;
mod table;
mod verbs;
mod wakeups;
mod watch;
mod write;

pub use registry::{Registry, RegistryError};
pub use schema::SchemaError;
pub use server::{ApiServer, Clock, Ids};
