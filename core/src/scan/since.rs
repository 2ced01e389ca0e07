//! Since: a list that was read before is read from its newest end until it overlaps the earlier result.
//!
//! Where positions are keys, the scan stops at the key that the earlier result had reached. Without keys it stops at a
//! run of known rows ([`super::overlap`]). Unfollows below that are not noticed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::overlap::Known;
use crate::{account::Platform, platform::Seek};

/// The earlier result that a scan goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Since {
    /// The newest there is; without one the whole list is read.
    Latest,
    /// This version.
    Version(i64),
}

/// A text that names no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write `latest`, or the number of a version")]
pub struct NoVersion;

impl FromStr for Since {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let version = text.parse().ok().filter(|version| *version > 0);
        version.map(Self::Version).ok_or(NoVersion)
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Version(version) => version.fmt(f),
        }
    }
}

/// The result that a plan goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// Its version.
    pub version: i64,
    /// Followers in it.
    pub rows: i64,
    /// Key of its newest rows' ids.
    pub head: String,
    /// Whether nobody who followed throughout is missing in it.
    #[serde(default)]
    pub complete: bool,
}

/// Newest rows of a result that are kept to recognise it by.
pub const HEAD: usize = 2_000;
/// Whether positions of such a list are keys that its rows keep.
pub const fn is_keyed(seek: Seek) -> bool {
    matches!(seek, Seek::Time | Seek::Id)
}

/// Whether a list that is entered so is read newest first, and can stop where it is known. An index is read whole:
/// it begins with its oldest rows, or its order is not guaranteed.
pub const fn can_stop(seek: Seek) -> bool {
    matches!(seek, Seek::Chain | Seek::Time | Seek::Id)
}

/// Known rows, read one after another, that end a list without keys: half a page, but at least 200. Half a page costs
/// no further request in most scans, and a page of X's costs ten dollars.
pub const fn run(page_rows: u32) -> usize {
    let half = (page_rows / 2) as usize;
    if half > 200 { half } else { 200 }
}

/// What a later scan recognises a result by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// Ids of its newest rows, newest first.
    pub newest: Vec<String>,
    /// Position that its newest page reached: every row above it, and every row of the result's list below it, was
    /// read. `None` for a list without keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<i64>,
}

impl Head {
    /// Reads a head. Those of releases before keys were kept are a list of ids.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Ids(Vec<String>),
            Head(Head),
        }
        Ok(match serde_json::from_slice(bytes)? {
            Form::Ids(newest) => Self {
                newest,
                reached: None,
            },
            Form::Head(head) => head,
        })
    }

    /// How a list is compared with it: by key where both have keys, else by its rows.
    pub fn into_target(self, is_keyed: bool, page_rows: u32) -> Target {
        match self.reached.filter(|_| is_keyed) {
            Some(reached) => Target::Key(reached),
            None => Target::Rows(Known::new(self.newest, run(page_rows))),
        }
    }
}

/// What a list that goes on from a result is read down to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The position that the result had reached. Keys do not depend on who is listed there: an account that returned
    /// has a new one.
    Key(i64),
    /// The result's newest rows, of a list without keys.
    Rows(Known),
}

/// How a scan since a result ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// At the key that the result had reached.
    Key,
    /// At a run of rows that the result holds.
    Run,
    /// At the list's end: the whole list was read.
    End,
}

/// What the end of a scan since a result contributes to its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contribution {
    /// Whether every account that followed throughout this scan is in the result, if the earlier result was complete.
    pub complete: bool,
    /// What limits it, in words.
    pub evidence: Vec<String>,
}

/// What the end of a scan since a result contributes to its certificate.
pub fn contribution(platform: Platform, stop: Stop, page_rows: u32) -> Contribution {
    let against = match stop {
        Stop::End => None,
        Stop::Key => can_backdate(platform).then(|| {
            format!("{platform} lists follows by a time that their authors set: a follow dated before the earlier result is not read")
        }),
        Stop::Run => Some(format!(
            "the list has no keys: the scan stopped at {} followers that the earlier result holds in the same order; that many \
             who left and returned in that order would look the same",
            run(page_rows)
        )),
    };
    Contribution {
        complete: against.is_none(),
        evidence: against.into_iter().collect(),
    }
}

/// Whether an account can enter a list below its newest rows.
pub const fn can_backdate(platform: Platform) -> bool {
    match platform {
        // bluesky-social/atproto, packages/bsky: sortAt is the smaller of createdAt, which the author sets, and indexedAt.
        Platform::Bluesky => true,
        // Mastodon: `follows.id` is given by the server.
        Platform::Mastodon | Platform::X | Platform::Gitea | Platform::GitHub => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_back_as_they_are_shown() {
        for text in ["latest", "1", "12"] {
            assert_eq!(
                text.parse::<Since>().map(|since| since.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in ["", "0", "-1", "newest", "1.5"] {
            assert_eq!(text.parse::<Since>(), Err(NoVersion), "{text:?}");
        }
    }

    #[test]
    fn heads_of_earlier_releases_are_ids_alone() {
        let head = Head {
            newest: vec!["a".into()],
            reached: Some(7),
        };
        let bytes = serde_json::to_vec(&head).unwrap();
        assert_eq!(Head::decode(&bytes).unwrap(), head);
        let ids = Head { reached: None, ..head };
        assert_eq!(Head::decode(br#"["a"]"#).unwrap(), ids);
    }

    #[test]
    fn a_key_ends_a_list_of_keys_only() {
        let head = Head {
            newest: Vec::new(),
            reached: Some(100),
        };
        assert_eq!(head.clone().into_target(true, 100), Target::Key(100));
        let rows = Target::Rows(Known::new([], 200));
        assert_eq!(head.into_target(false, 100), rows, "a chain counts its pages");
        assert_eq!(Head::default().into_target(true, 100), rows);
    }

    #[test]
    fn a_run_is_half_a_page_of_a_paid_list_and_never_short() {
        assert_eq!([1000, 100, 80].map(run), [500, 200, 200]);
    }

    #[test]
    fn only_a_key_that_the_server_sets_keeps_a_result_complete() {
        let of = |platform, stop| contribution(platform, stop, 1000);
        assert!(of(Platform::Mastodon, Stop::Key).complete);
        assert!(of(Platform::X, Stop::End).evidence.is_empty());
        for (platform, stop, words) in [
            (Platform::Bluesky, Stop::Key, "a follow dated before"),
            (Platform::X, Stop::Run, "at 500 followers"),
            (Platform::Mastodon, Stop::Run, "has no keys"),
        ] {
            let found = of(platform, stop);
            assert!(!found.complete && found.evidence[0].contains(words), "{found:?}");
        }
    }
}
