//! GitHub's user object: whole ones of a look-up, short ones of a list.

use followlytics_core::{row::Row, scan::plan::AccountReport};
use serde::Deserialize;

use crate::rows::{id, instant, text};

#[derive(Debug, Deserialize)]
pub(super) struct User {
    id: i64,
    login: Option<String>,
    name: Option<String>,
    bio: Option<String>,
    location: Option<String>,
    followers: Option<i64>,
    following: Option<i64>,
    created_at: Option<String>,
}

impl User {
    pub(super) fn row(self) -> Result<Row, &'static str> {
        Ok(Row {
            id: id(self.id)?,
            handle: self.login.unwrap_or_default(),
            name: text(self.name),
            bio: text(self.bio),
            location: text(self.location),
            followers: self.followers,
            following: self.following,
            created: instant(self.created_at),
            ..Row::default()
        })
    }

    pub(super) fn report(self) -> Result<AccountReport, &'static str> {
        Ok(AccountReport {
            id: id(self.id)?,
            handle: self.login.ok_or("the user has no login")?,
            followers: self.followers.ok_or("the user has no followers")?,
            created: instant(self.created_at),
        })
    }
}
