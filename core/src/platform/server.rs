//! Which program a server runs, as it says itself: facts hold for one implementation, not for a protocol.

use serde::{Deserialize, Serialize};

/// A server's own word; empty where it names nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// Lower-case name of the software, such as `mastodon`.
    pub software: String,
    /// Its version.
    pub version: String,
}

impl Server {
    /// Bluesky's own `AppView`.
    pub const APP_VIEW: &str = "bsky";
    /// Longest name or version kept, in bytes.
    pub const LONGEST: usize = 100;

    /// The server's word, cut to what is kept: printable ASCII, at most [`Self::LONGEST`] bytes each.
    pub fn new(software: &str, version: &str) -> Self {
        let kept = |text: &str| {
            text.chars()
                .filter(|c| c.is_ascii_graphic() || *c == ' ')
                .take(Self::LONGEST)
                .collect::<String>()
        };
        Self {
            software: kept(software).to_ascii_lowercase(),
            version: kept(version),
        }
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.software.as_str(), self.version.as_str()) {
            ("", _) => f.write_str("an unnamed server"),
            (software, "") => f.write_str(software),
            (software, version) => write!(f, "{software} {version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_word_is_kept_short_and_printable() {
        let server = Server::new("Mastodon\n\u{1f600}", &"4".repeat(1_000));
        assert_eq!(server.software, "mastodon");
        assert_eq!(server.version.len(), Server::LONGEST);
        assert_eq!(Server::new("Gitea", "1.26.0").to_string(), "gitea 1.26.0");
        assert_eq!(Server::default().to_string(), "an unnamed server");
    }
}
