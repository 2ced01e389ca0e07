//! The platforms: one connector each behind one trait, and the one type through which every outbound HTTP
//! call of Followlytics goes.
//!
//! Owns the wire formats of X, Bluesky and Gitea and the meaning of their errors. It must not know leases,
//! permits or the broker: a call of a connector is exactly one request, for which somebody else has paid.
//! Nothing is durable here. Time comes from a [`clock::Clock`], the network from an [`http::HttpService`].

mod answer;
pub mod bluesky;
pub mod clock;
pub mod connector;
pub mod gitea;
pub mod http;
mod request;
mod rows;
#[cfg(test)]
mod testing;
pub mod x;
