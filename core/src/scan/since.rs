//! Since: a list that was read before is read from its newest end until it overlaps the earlier result.
//!
//! Where positions are keys, the scan stops at the key that the earlier result had reached. Without keys it stops at a
//! run of known rows ([`super::overlap`]). Unfollows below that are not noticed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::overlap::Known;
use crate::{
    mutants::{self, Mutant},
    platform::Seek,
};

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

    /// How a list is compared with it: by key where positions are keys, else by its rows. A list of keys is read to its
    /// end if the result has none.
    pub fn into_target(self, is_keyed: bool, page_rows: u32) -> Target {
        if is_keyed {
            return Target::Key(self.reached.unwrap_or(i64::MIN));
        }
        let run = if mutants::on(Mutant::SinceByOneRow) {
            1
        } else {
            run(page_rows)
        };
        Target::Rows(Known::new(self.newest, run))
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

/// Why a result that goes on from another one may lack a follower who followed throughout; `None` if the scan stopped
/// at a key, or read the list to its end.
pub fn evidence(seek: Seek, has_ended: bool) -> Option<String> {
    (!is_keyed(seek) && !has_ended).then(|| {
        "the list has no keys: the scan stopped at a run of followers that the earlier result holds in the same order, \
         and accounts that left and returned in that order would look the same"
            .to_owned()
    })
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
        let ids = Head {
            reached: None,
            ..head
        };
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
        assert_eq!(Head::default().into_target(true, 100), Target::Key(i64::MIN));
    }

    #[test]
    fn a_run_is_half_a_page_of_a_paid_list_and_never_short() {
        assert_eq!([1000, 100, 80].map(run), [500, 200, 200]);
    }

    #[test]
    fn only_a_run_of_rows_is_evidence_against_a_result() {
        for (seek, has_ended) in [(Seek::Id, false), (Seek::Time, false), (Seek::Chain, true)] {
            assert_eq!(evidence(seek, has_ended), None);
        }
        assert!(evidence(Seek::Chain, false).unwrap().contains("has no keys"));
    }
}
