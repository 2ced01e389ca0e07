//! The platforms: one connector each behind one trait, and the one type through which every outbound HTTP
//! call of Followlytics goes.
//!
//! Owns the wire formats of X, Bluesky, Gitea, GitHub and Mastodon and the meaning of their errors. It must not
//! know leases, permits or the broker: a call of a connector is one request, for which somebody else has paid.
//! Nothing is durable here. Time comes from a [`clock::Clock`], the network from an [`http::HttpService`].

pub mod answer;
pub mod bluesky;
pub mod clock;
pub mod connector;
pub mod gitea;
pub mod github;
pub mod http;
mod links;
pub mod mastodon;
mod numbered;
mod request;
pub mod rows;
#[cfg(test)]
mod testing;
pub mod x;
