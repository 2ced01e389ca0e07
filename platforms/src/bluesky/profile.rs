//! Bluesky's profiles: whole ones of a look-up, short ones of a list.

use followlytics_core::{row::Row, scan::plan::AccountReport};
use serde::Deserialize;

use crate::rows::{instant, text};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Profile {
    did: String,
    handle: Option<String>,
    display_name: Option<String>,
    description: Option<String>,
    followers_count: Option<i64>,
    follows_count: Option<i64>,
    posts_count: Option<i64>,
    created_at: Option<String>,
    verification: Option<Verification>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    verified_status: Option<String>,
}

impl Profile {
    pub(super) fn row(self) -> Result<Row, &'static str> {
        self.check_did()?;
        let status = self
            .verification
            .and_then(|verification| verification.verified_status);
        Ok(Row {
            id: self.did,
            handle: self.handle.unwrap_or_default(),
            name: text(self.display_name),
            bio: text(self.description),
            location: None,
            followers: self.followers_count,
            following: self.follows_count,
            posts: self.posts_count,
            verified: status.map(|status| status == "valid"),
            protected: None,
            created: instant(self.created_at),
        })
    }

    pub(super) fn report(self) -> Result<AccountReport, &'static str> {
        self.check_did()?;
        Ok(AccountReport {
            id: self.did,
            handle: self.handle.ok_or("the profile has no handle")?,
            followers: self.followers_count.ok_or("the profile has no followersCount")?,
            created: instant(self.created_at),
        })
    }

    fn check_did(&self) -> Result<(), &'static str> {
        if self.did.starts_with("did:") && self.did.len() > 4 {
            Ok(())
        } else {
            Err("did is no DID")
        }
    }
}
