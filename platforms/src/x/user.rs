//! X's user object, under the names of 2023 and of 2026.

use followlytics_core::{row::Row, scan::plan::AccountReport};
use serde::Deserialize;

use crate::rows::{instant, text};

#[derive(Debug, Deserialize)]
pub(super) struct User {
    id: String,
    username: Option<String>,
    name: Option<String>,
    description: Option<String>,
    location: Option<String>,
    created_at: Option<String>,
    protected: Option<bool>,
    verified: Option<bool>,
    public_metrics: Option<Metrics>,
}

/// Both names of the posts' count are read: the specification renamed it while the servers had not.
#[derive(Debug, Default, Deserialize)]
struct Metrics {
    #[serde(rename = "followers_count")]
    followers: Option<i64>,
    #[serde(rename = "following_count")]
    following: Option<i64>,
    #[serde(rename = "tweet_count")]
    tweets: Option<i64>,
    #[serde(rename = "post_count")]
    posts: Option<i64>,
}

impl User {
    pub(super) fn row(self) -> Result<Row, &'static str> {
        self.check_id()?;
        let metrics = self.public_metrics.unwrap_or_default();
        Ok(Row {
            id: self.id,
            handle: self.username.unwrap_or_default(),
            name: text(self.name),
            bio: text(self.description),
            location: text(self.location),
            followers: metrics.followers,
            following: metrics.following,
            posts: metrics.tweets.or(metrics.posts),
            verified: self.verified,
            protected: self.protected,
            created: instant(self.created_at),
        })
    }

    pub(super) fn report(self) -> Result<AccountReport, &'static str> {
        self.check_id()?;
        let followers = self.public_metrics.and_then(|metrics| metrics.followers);
        Ok(AccountReport {
            id: self.id,
            handle: self.username.ok_or("the user has no username")?,
            followers: followers.ok_or("the user has no followers_count")?,
            created: instant(self.created_at),
        })
    }

    /// docs.x.com: a user id is 1 to 19 digits.
    fn check_id(&self) -> Result<(), &'static str> {
        let digits = self.id.bytes().all(|byte| byte.is_ascii_digit());
        if digits && (1..=19).contains(&self.id.len()) {
            Ok(())
        } else {
            Err("id is not 1 to 19 digits")
        }
    }
}
