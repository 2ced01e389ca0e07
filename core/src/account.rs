//! Which account on which platform, as people write it: `x:@nasa`, `bluesky:alice.bsky.social`,
//! `gitea:alice@git.example.org`, `github:octocat`, `mastodon:@alice@social.example`.

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
    /// GitHub, REST API.
    GitHub,
    /// A Mastodon server, or one that speaks its client API (Pleroma, Akkoma, `GoToSocial`).
    Mastodon,
}

impl Platform {
    /// Every platform by its name, as a sentence lists them: `x, bluesky and gitea`.
    pub fn known() -> String {
        let names: Vec<&str> = Self::VARIANTS.iter().map(|platform| (*platform).into()).collect();
        match names.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        }
    }

    /// Whether there are many servers of it, so that an account names its own.
    pub const fn has_servers(self) -> bool {
        matches!(self, Self::Gitea | Self::Mastodon)
    }

    /// How an account of this platform is written.
    pub const fn example(self) -> &'static str {
        match self {
            Self::X => "x:@nasa",
            Self::Bluesky => "bluesky:alice.bsky.social",
            Self::Gitea => "gitea:alice@git.example.org",
            Self::GitHub => "github:octocat",
            Self::Mastodon => "mastodon:@alice@social.example",
        }
    }

    fn examples() -> String {
        let examples: Vec<&str> = Self::VARIANTS.iter().map(|platform| platform.example()).collect();
        examples.join(", ")
    }

    /// What is wrong with a handle that cannot exist here; `None` if it may.
    fn rule_against(self, handle: &str) -> Option<&'static str> {
        let (good, rule) = match self {
            // https://docs.x.com: username pattern of the OpenAPI document.
            Self::X => (
                is_word(handle, 15, "_"),
                "it has 1 to 15 letters, digits or underscores",
            ),
            Self::Bluesky => (
                is_domain(handle) || is_did(handle),
                "it is a domain such as alice.bsky.social, or a did:plc:… or did:web:… identifier",
            ),
            Self::Gitea => (
                is_word(handle, 40, "_-."),
                "it has 1 to 40 letters, digits, dots, dashes or underscores",
            ),
            // The sign-up form: 39, letters, digits and single dashes; names of managed users have `_` too.
            Self::GitHub => (
                is_word(handle, 39, "-_") && !handle.starts_with('-'),
                "it has 1 to 39 letters, digits or dashes, and begins with none",
            ),
            // Mastodon's own names have 30 of letters, digits and `_`; other servers allow more.
            Self::Mastodon => (
                is_word(handle, 64, "_-."),
                "it has 1 to 64 letters, digits, dots, dashes or underscores",
            ),
        };
        (!good).then_some(rule)
    }
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
        "failed to read {text:?} as an account: write PLATFORM:HANDLE, such as {}",
        Platform::examples()
    )]
    NoPlatform {
        /// What was given.
        text: String,
    },
    /// A platform that is not known.
    #[error(
        "failed to read the account: platform {platform:?} is not known; known are {}",
        Platform::known()
    )]
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
        if let Some(rule) = known.rule_against(bare) {
            return Err(refused(rule));
        }
        match host {
            None if known.has_servers() => Err(refused(match known {
                Platform::Mastodon => "name its server too: mastodon:@USER@HOST",
                _ => "name its server too: gitea:USER@HOST",
            })),
            Some(_) if !known.has_servers() => {
                Err(refused("this platform has one server: leave the host out"))
            }
            Some(host) if !is_host(host) => Err(refused("the server is HOST or HOST:PORT")),
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
        let at = match self.platform {
            Platform::X | Platform::Mastodon => "@",
            Platform::Bluesky | Platform::Gitea | Platform::GitHub => "",
        };
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
    use proptest::prelude::*;

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
            ("github:octocat", "github:octocat"),
            ("github:@octo-cat", "github:octo-cat"),
            ("mastodon:alice@social.example", "mastodon:@alice@social.example"),
            ("mastodon:@alice@localhost:3000", "mastodon:@alice@localhost:3000"),
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
            ("myspace:tom", "known are x, bluesky, gitea, github and mastodon"),
            ("x:@this_is_far_too_long", "1 to 15 letters"),
            ("x:na sa", "1 to 15 letters"),
            ("x:@nasa@example.org", "leave the host out"),
            ("bluesky:alice", "a domain such as"),
            ("gitea:alice", "gitea:USER@HOST"),
            ("gitea:alice@ho/st", "HOST or HOST:PORT"),
            ("github:alice@github.com", "leave the host out"),
            ("github:-alice", "1 to 39 letters"),
            ("mastodon:@alice", "mastodon:@USER@HOST"),
            ("mastodon:@al ice@h", "1 to 64 letters"),
            ("mastodon:@alice@h@i", "HOST or HOST:PORT"),
        ] {
            let error = text.parse::<AccountRef>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn every_platform_has_an_example_that_reads_as_itself() {
        for platform in Platform::VARIANTS {
            let account: AccountRef = platform.example().parse().unwrap();
            assert_eq!(account.platform, *platform);
            assert_eq!(account.to_string(), platform.example());
            assert!(
                "nasa"
                    .parse::<AccountRef>()
                    .unwrap_err()
                    .to_string()
                    .contains(platform.example())
            );
        }
    }

    proptest! {
        /// A control character, a quote or a letter of another script must end in a sentence, never in a panic.
        #[test]
        fn any_text_is_an_account_or_a_refusal(text in ".{0,80}") {
            let _ = text.parse::<AccountRef>();
        }

        #[test]
        fn any_handle_is_an_account_or_a_refusal_on_every_platform(
            platform in prop::sample::select(Platform::VARIANTS),
            rest in "@?[a-z0-9._:%-]{0,45}(@[a-z0-9.:-]{0,20})?",
        ) {
            if let Ok(account) = format!("{platform}:{rest}").parse::<AccountRef>() {
                prop_assert_eq!(account.to_string().parse(), Ok(account));
            }
        }
    }
}
