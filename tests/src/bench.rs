//! The measured numbers: what the bars promise, measured against bounds that nothing can beat.
//!
//! One bench a file; each returns a [`report::Section`] with its table, its bars and what to know about them.
//! Ratios come from one run on one machine. Where time is virtual the ratios are exact and repeatable, and the
//! tests assert small versions of them; wall-clock figures are reported and never asserted.

pub mod browser;
mod chain;
pub mod commits;
pub mod demo;
pub mod density;
pub mod fairness;
pub mod listing;
mod loopback;
pub mod machine;
pub mod memory;
pub mod merge;
pub mod pages;
pub mod processes;
pub mod python;
pub mod report;
pub mod requests;
pub mod runners;
pub mod windows;
pub mod wire;
pub mod world;
