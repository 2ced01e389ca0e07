//! Which account on which platform, as people write it: `x:@nasa`, `bluesky:alice.bsky.social`,
//! `gitea:alice@git.example.org`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// A platform whose follower lists can be read.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Platform {
    /// X, API v2.
    X,
    /// Bluesky (AT protocol).
    Bluesky,
    /// A Gitea or Forgejo server.
    Gitea,
}

/// An account; two that are equal name the same one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountRef {
    /// The platform.
    pub platform: Platform,
    /// The handle, without a leading @.
    pub handle: String,
    /// `host[:port]`, for platforms of many servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// Why a text names no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// No `platform:` in front.
    #[error(
        "failed to read {text:?} as an account: write PLATFORM:HANDLE, such as x:@nasa, bluesky:alice.bsky.social or gitea:alice@git.example.org"
    )]
    NoPlatform {
        /// What was given.
        text: String,
    },
    /// A platform that is not known.
    #[error("failed to read the account: platform {platform:?} is not known; known are x, bluesky and gitea")]
    UnknownPlatform {
        /// What was given.
        platform: String,
    },
    /// A handle that cannot exist on its platform.
    #[error("failed to read the account: {handle:?} is no {platform} handle; {rule}")]
    MalformedHandle {
        /// The platform.
        platform: Platform,
        /// What was given.
        handle: String,
        /// What a handle looks like there.
        rule: &'static str,
    },
}

impl AccountRef {
    /// Checks the parts.
    pub fn new(platform: &str, handle: &str, host: Option<&str>) -> Result<Self, AccountError> {
        let known = platform
            .parse::<Platform>()
            .map_err(|_| AccountError::UnknownPlatform {
                platform: platform.to_owned(),
            })?;
        let bare = handle.strip_prefix('@').unwrap_or(handle);
        let refused = |rule| AccountError::MalformedHandle {
            platform: known,
            handle: handle.to_owned(),
            rule,
        };
        let rule = match known {
            // https://docs.x.com: username pattern of the OpenAPI document.
            Platform::X if !is_word(bare, 15, "_") => Some("it has 1 to 15 letters, digits or underscores"),
            Platform::Bluesky if !is_domain(bare) && !is_did(bare) => {
                Some("it is a domain such as alice.bsky.social, or a did:plc:… or did:web:… identifier")
            }
            Platform::Gitea if !is_word(bare, 40, "_-.") => {
                Some("it has 1 to 40 letters, digits, dots, dashes or underscores")
            }
            Platform::X | Platform::Bluesky | Platform::Gitea => None,
        };
        if let Some(rule) = rule {
            return Err(refused(rule));
        }
        match (known, host) {
            (Platform::Gitea, None) => Err(refused("name its server too: gitea:USER@HOST")),
            (Platform::Gitea, Some(host)) if !is_host(host) => {
                Err(refused("the server is HOST or HOST:PORT"))
            }
            (Platform::X | Platform::Bluesky, Some(_)) => {
                Err(refused("this platform has one server: leave the host out"))
            }
            _ => Ok(Self {
                platform: known,
                handle: bare.to_owned(),
                host: host.map(str::to_owned),
            }),
        }
    }
}

impl FromStr for AccountRef {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (platform, rest) = text.split_once(':').ok_or_else(|| AccountError::NoPlatform {
            text: text.to_owned(),
        })?;
        let bare = rest.strip_prefix('@').unwrap_or(rest);
        match bare.split_once('@') {
            Some((handle, host)) => Self::new(platform, handle, Some(host)),
            None => Self::new(platform, bare, None),
        }
    }
}

impl fmt::Display for AccountRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.platform == Platform::X { "@" } else { "" };
        write!(f, "{}:{at}{}", self.platform, self.handle)?;
        self.host.as_ref().map_or(Ok(()), |host| write!(f, "@{host}"))
    }
}

fn is_word(text: &str, longest: usize, also: &str) -> bool {
    (1..=longest).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

fn is_domain(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    labels.len() >= 2 && text.len() <= 253 && labels.iter().all(|label| is_label(label))
}

fn is_label(label: &str) -> bool {
    is_word(label, 63, "-") && !label.starts_with('-') && !label.ends_with('-')
}

fn is_did(text: &str) -> bool {
    text.len() <= 253
        && ["did:plc:", "did:web:"].iter().any(|method| {
            text.strip_prefix(method)
                .is_some_and(|id| is_word(id, 245, ".-:%"))
        })
}

fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "443"));
    name.len() <= 253 && name.split('.').all(is_label) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_read_as_people_write_them() {
        for (text, shown) in [
            ("x:@nasa", "x:@nasa"),
            ("x:nasa", "x:@nasa"),
            ("bluesky:alice.bsky.social", "bluesky:alice.bsky.social"),
            ("bluesky:did:plc:abc123", "bluesky:did:plc:abc123"),
            (
                "gitea:alice@git.example.org:3000",
                "gitea:alice@git.example.org:3000",
            ),
        ] {
            assert_eq!(
                text.parse::<AccountRef>().map(|a| a.to_string()),
                Ok(shown.to_owned())
            );
        }
    }

    #[test]
    fn every_refusal_names_the_remedy() {
        for (text, part) in [
            ("nasa", "PLATFORM:HANDLE"),
            ("myspace:tom", "known are x, bluesky and gitea"),
            ("x:@this_is_far_too_long", "1 to 15 letters"),
            ("x:na sa", "1 to 15 letters"),
            ("x:@nasa@example.org", "leave the host out"),
            ("bluesky:alice", "a domain such as"),
            ("gitea:alice", "gitea:USER@HOST"),
            ("gitea:alice@ho/st", "HOST or HOST:PORT"),
        ] {
            let error = text.parse::<AccountRef>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
