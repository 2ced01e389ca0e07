//! What is reached from outside a process: the broker for sandboxes; REST and the console come with later parts.
//!
//! Owns routes, authentication and the translation of refusals to HTTP. Every decision is the ledger's.

pub mod broker;
pub mod credentials;
