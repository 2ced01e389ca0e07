//! Ports for servers that must come back on the one they had.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, Result};
use rustix::rand::{GetRandomFlags, getrandom};

/// Below the ports that systems hand to connections: from among those, some connection of another test may take a
/// server's port while the server is down.
const FIRST: u16 = 10_240;
const END: u16 = 32_768;
/// How many are tried.
const TRIES: u32 = 100;

/// A port of the loopback address that nobody listens on right now.
pub(crate) fn free() -> Result<u16> {
    let mut last = None;
    for _ in 0..TRIES {
        let mut bytes = [0_u8; 2];
        getrandom(&mut bytes, GetRandomFlags::empty()).context("failed to read random bytes")?;
        let port = FIRST + u16::from_ne_bytes(bytes) % (END - FIRST);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("no port was tried")?).context("failed to find a free port")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it can be had a moment later is not asked: another test's fork may hold it until it becomes its program.
    #[test]
    fn no_connection_is_ever_given_such_a_port() {
        let ports: Vec<u16> = (0..50).map(|_| free().unwrap()).collect();
        assert!(ports.iter().all(|port| (FIRST..END).contains(port)), "{ports:?}");
        assert!(ports.iter().any(|port| Some(port) != ports.first()), "{ports:?}");
    }
}
