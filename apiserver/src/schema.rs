//! A structural schema, compiled once when its kind is registered.
//!
//! Owns what a definition's schema means: which fields exist ([`prune`]), which values they get by themselves
//! ([`default`]), which are refused ([`validate`], [`Rules`]), and how lists and maps merge. No I/O.

pub(crate) mod default;
mod node;
pub(crate) mod prune;
mod rules;
pub(crate) mod validate;

pub use node::SchemaError;
pub(crate) use node::{ListType, Schema, Type};
pub(crate) use rules::Rules;

#[cfg(test)]
mod tests;
