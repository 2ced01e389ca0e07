//! What the tests stand on: the whole system in one thread with virtual time and what must hold in it, the real program
//! with its processes, and the benches.

pub mod bench;
pub mod sim;
pub mod toolkit;
