//! Gitea's user object.

use followlytics_core::{row::Row, scan::plan::AccountReport};
use serde::Deserialize;

use crate::rows::{id, instant, text};

#[derive(Debug, Deserialize)]
pub(super) struct User {
    id: i64,
    login: Option<String>,
    full_name: Option<String>,
    description: Option<String>,
    location: Option<String>,
    created: Option<String>,
    visibility: Option<String>,
    followers_count: Option<i64>,
    following_count: Option<i64>,
}

impl User {
    pub(super) fn row(self) -> Result<Row, &'static str> {
        Ok(Row {
            id: id(self.id)?,
            handle: self.login.unwrap_or_default(),
            name: text(self.full_name),
            bio: text(self.description),
            location: text(self.location),
            followers: self.followers_count,
            following: self.following_count,
            posts: None,
            verified: None,
            // `limited` and `private` users are shown to some only.
            protected: text(self.visibility).map(|visibility| visibility != "public"),
            created: instant(self.created),
        })
    }

    pub(super) fn report(self) -> Result<AccountReport, &'static str> {
        Ok(AccountReport {
            id: id(self.id)?,
            handle: self.login.ok_or("the user has no login")?,
            followers: self.followers_count.ok_or("the user has no followers_count")?,
            created: instant(self.created),
        })
    }
}
