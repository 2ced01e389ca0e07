//! GitHub's user object: whole ones of a look-up, short ones of a list.

use followlytics_core::{row::Row, scan::plan::AccountReport};
use serde::Deserialize;

use crate::rows::{instant, text};

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
        self.check_id()?;
        Ok(Row {
            id: self.id.to_string(),
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
        self.check_id()?;
        Ok(AccountReport {
            id: self.id.to_string(),
            handle: self.login.ok_or("the user has no login")?,
            followers: self.followers.ok_or("the user has no followers")?,
            created: instant(self.created_at),
        })
    }

    fn check_id(&self) -> Result<(), &'static str> {
        if self.id > 0 {
            Ok(())
        } else {
            Err("id is not above 0")
        }
    }
}
