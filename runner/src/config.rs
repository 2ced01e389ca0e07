//! Where the broker is, and the token that names this sandbox to it.

use std::{io::BufRead, path::PathBuf};

use followlytics_platforms::http::Route;
use secrecy::SecretString;

/// The environment variable that holds the broker's address.
pub const BROKER_VARIABLE: &str = "FOLLOWLYTICS_BROKER";
/// Longest token read.
const MAX_TOKEN: u64 = 16 << 10;

/// What a runner needs to know before its first request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerConfig {
    /// The broker's base URL, without a path: `http://HOST[:PORT]`. Through a socket the host is any name.
    pub broker_url: String,
}

/// Why a runner cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The broker's address is none.
    #[error(
        "failed to read {BROKER_VARIABLE}: {address:?} is no broker address; write unix:///PATH or http://HOST:PORT"
    )]
    Address {
        /// What was given.
        address: String,
    },
    /// Standard input cannot be read.
    #[error("failed to read the sandbox's token from standard input")]
    Input(#[source] std::io::Error),
    /// Standard input holds no token.
    #[error(
        "failed to read the sandbox's token: standard input has no first line, or one with other than printable characters"
    )]
    Token,
}

/// Reads the broker's address: `unix:///path`, `http://host:port` or `https://host:port`.
pub fn broker(address: &str) -> Result<(RunnerConfig, Route), ConfigError> {
    let refused = || ConfigError::Address {
        address: address.to_owned(),
    };
    if let Some(path) = address.strip_prefix("unix://") {
        let path = PathBuf::from(path);
        let config = RunnerConfig {
            broker_url: "http://broker".to_owned(),
        };
        return if path.is_absolute() {
            Ok((config, Route::Socket(path)))
        } else {
            Err(refused())
        };
    }
    let uri: http::Uri = address.parse().map_err(|_| refused())?;
    let plain = matches!(uri.scheme_str(), Some("http" | "https")) && matches!(uri.path(), "" | "/");
    if !plain || uri.query().is_some() || uri.host().is_none_or(str::is_empty) {
        return Err(refused());
    }
    let config = RunnerConfig {
        broker_url: address.trim_end_matches('/').to_owned(),
    };
    Ok((config, Route::Internet))
}

/// Reads the token: the first line.
pub fn token(input: impl BufRead) -> Result<SecretString, ConfigError> {
    let mut line = String::new();
    std::io::Read::take(input, MAX_TOKEN)
        .read_line(&mut line)
        .map_err(ConfigError::Input)?;
    let token = line.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConfigError::Token);
    }
    Ok(SecretString::from(token))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_broker_is_a_socket_or_a_host() {
        let (config, route) = broker("unix:///run/f.sock").unwrap();
        assert_eq!(
            (config.broker_url.as_str(), route),
            ("http://broker", Route::Socket("/run/f.sock".into()))
        );
        let (config, route) = broker("http://127.0.0.1:8080/").unwrap();
        assert_eq!(
            (config.broker_url.as_str(), route),
            ("http://127.0.0.1:8080", Route::Internet)
        );
        for wrong in [
            "",
            "unix://run/f.sock",
            "127.0.0.1:8080",
            "http://h/broker",
            "http://h?x=1",
            "ftp://h",
        ] {
            assert!(
                broker(wrong).unwrap_err().to_string().contains("unix:///PATH"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_token_is_the_first_line_and_nothing_else() {
        assert_eq!(token(&b"abc\nrest"[..]).unwrap().expose_secret(), "abc");
        assert!(matches!(token(&b""[..]), Err(ConfigError::Token)));
        assert!(matches!(token(&b"a b\n"[..]), Err(ConfigError::Token)));
    }
}
