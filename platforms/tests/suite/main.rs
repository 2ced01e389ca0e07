//! The connectors against the simulator's own router, and over real connections.

#[cfg(test)]
mod github;
#[cfg(test)]
mod mastodon;
#[cfg(test)]
mod simulator;
#[cfg(test)]
mod sky;
#[cfg(test)]
mod sockets;
