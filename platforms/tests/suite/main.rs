//! The connectors against the simulator's own router.

#[cfg(test)]
mod simulator;
