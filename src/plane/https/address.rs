//! Where the API server listens: on loopback and nowhere else, on the same port as last time if it is free.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as StdListener},
    path::Path,
    str::FromStr,
};

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::{exit::Failure, private_file};

/// Where to listen; without a port, on the one of last time or any that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listen {
    ip: IpAddr,
    port: Option<u16>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            ip: Ipv4Addr::LOCALHOST.into(),
            port: None,
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    /// `127.0.0.1:6443`, `[::1]:6443`, `localhost:6443`, or any of them without the port.
    fn from_str(text: &str) -> Result<Self, String> {
        let numeric = text.replacen("localhost", "127.0.0.1", 1);
        let found = match numeric.parse::<SocketAddr>() {
            Ok(address) => (address.ip(), Some(address.port()).filter(|port| *port > 0)),
            Err(_) => match numeric.trim_matches(['[', ']']).parse::<IpAddr>() {
                Ok(ip) => (ip, None),
                Err(_) => return Err("write 127.0.0.1:PORT, [::1]:PORT, or the address alone".to_owned()),
            },
        };
        let (ip, port) = found;
        if !ip.is_loopback() {
            return Err(format!(
                "{ip} is not a loopback address, and whoever reaches this server with its token may do everything; \
                 listen on 127.0.0.1 and come from other machines by `ssh -L`"
            ));
        }
        Ok(Self { ip, port })
    }
}

impl Listen {
    /// Listens, and writes down where in the file `kept`.
    pub(super) fn bind(self, kept: &Path) -> Result<(TcpListener, SocketAddr), Failure> {
        let listener = self.open(last(kept)).map_err(|source| {
            let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
            Failure::usage(format!(
                "failed to listen on {}{port}: {source}; choose another address with --listen",
                self.ip
            ))
        })?;
        listener
            .set_nonblocking(true)
            .context("failed to prepare the API server's socket")?;
        let address = listener
            .local_addr()
            .context("failed to read the API server's address")?;
        private_file::replace(kept, format!("{address}\n").as_bytes()).map_err(|source| {
            Failure::storage(format!(
                "failed to write {}: {source}; make the data directory writable for you",
                kept.display()
            ))
        })?;
        let listener = TcpListener::from_std(listener).context("failed to listen for the API server")?;
        Ok((listener, address))
    }

    fn open(self, last: Option<SocketAddr>) -> io::Result<StdListener> {
        if let Some(port) = self.port {
            return StdListener::bind((self.ip, port));
        }
        // Kubeconfigs that were copied elsewhere stay good.
        let again = last
            .filter(|last| last.ip() == self.ip)
            .and_then(|last| StdListener::bind(last).ok());
        again.map_or_else(|| StdListener::bind((self.ip, 0)), Ok)
    }
}

/// Where it listened last time.
fn last(kept: &Path) -> Option<SocketAddr> {
    std::fs::read_to_string(kept).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_listened_on() {
        for (text, ip, port) in [
            ("127.0.0.1:6443", "127.0.0.1", Some(6443)),
            ("127.0.0.1:0", "127.0.0.1", None),
            ("127.0.0.2", "127.0.0.2", None),
            ("localhost:80", "127.0.0.1", Some(80)),
            ("[::1]:80", "::1", Some(80)),
            ("::1", "::1", None),
        ] {
            let ip = ip.parse().unwrap();
            assert_eq!(text.parse::<Listen>().unwrap(), Listen { ip, port }, "{text}");
        }
        for (text, part) in [
            ("0.0.0.0:6443", "not a loopback address"),
            ("192.168.1.2", "not a loopback address"),
            ("[::]:6443", "not a loopback address"),
            ("example.org:1", "write 127.0.0.1:PORT"),
            ("6443", "write 127.0.0.1:PORT"),
        ] {
            let refused = text.parse::<Listen>().unwrap_err();
            assert!(refused.contains(part), "{text}: {refused}");
        }
    }

    #[tokio::test]
    async fn the_port_of_last_time_is_taken_again_if_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("address");
        let (first, address) = Listen::default().bind(&kept).unwrap();
        let (_second, other) = Listen::default().bind(&kept).unwrap();
        assert_ne!(other, address);
        drop(first);
        private_file::replace(&kept, address.to_string().as_bytes()).unwrap();
        let (_third, again) = Listen::default().bind(&kept).unwrap();
        assert_eq!(again, address);
    }
}
