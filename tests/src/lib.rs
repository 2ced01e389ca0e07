//! The tests' toolkit: the whole system in one thread with virtual time, and what must hold in it.

pub mod bench;
pub mod sim;
