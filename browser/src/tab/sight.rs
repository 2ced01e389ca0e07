//! What the page shows, and why it shows no list.

use std::collections::BTreeMap;

use followlytics_core::retry::{Class, Failure};
use followlytics_platforms::answer::Answer;
use serde::Deserialize;
use serde_json::Value;

use super::{Tab, Trouble, Visit};
use crate::{
    error::{BrowserError, failure},
    graphql::Broken,
    trace::{Trace, shape},
};

/// Counts of what the page holds.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Sight {
    path: String,
    /// Address of the profile of whoever is signed in.
    owner: Option<String>,
    column: i64,
    cells: i64,
    users: i64,
    follows: i64,
    waits: i64,
    empty: i64,
    logins: i64,
    challenges: i64,
}

impl Sight {
    /// A page for whoever is not signed in, or has to prove something first.
    pub(super) fn obstacle(&self) -> Option<Failure> {
        if is_challenge(&self.path) || self.challenges > 0 {
            return Some(challenge());
        }
        (is_login(&self.path) || self.logins > 0).then(logged_out)
    }

    /// Whether somebody else is signed in than was said.
    pub(super) fn stranger(&self, owner: Option<&str>) -> Option<Failure> {
        let shown = self.owner.as_deref()?.trim_start_matches('/');
        let owner = owner?;
        (!shown.is_empty() && !shown.eq_ignore_ascii_case(owner)).then(|| {
            failure(
                Class::LoggedOut,
                format!(
                    "the session is another account's than @{owner}'s: copy the cookies of the right one"
                ),
            )
        })
    }

    /// Why its script makes no request.
    fn silence(&self) -> Silence {
        if self.column == 0 {
            Silence::Changed("the page has an element with data-testid=\"primaryColumn\"")
        } else if self.waits > 0 || self.empty == 0 {
            Silence::Stuck
        } else {
            Silence::Changed("the page of an account's followers asks for them")
        }
    }

    fn counts(&self) -> BTreeMap<&'static str, i64> {
        BTreeMap::from([
            ("primaryColumn", self.column),
            ("cellInnerDiv", self.cells),
            ("UserCell", self.users),
            ("follow", self.follows),
            ("progressbar", self.waits),
            ("emptyState", self.empty),
            ("login", self.logins),
            ("challenge", self.challenges),
        ])
    }
}

enum Silence {
    Stuck,
    Changed(&'static str),
}

/// Where X sends whoever is not signed in.
pub(super) fn is_login(path: &str) -> bool {
    path.starts_with("/i/flow/login") || path == "/login"
}

/// Where X sends an account that has to prove something.
pub(super) fn is_challenge(path: &str) -> bool {
    path.starts_with("/account/access")
}

pub(super) fn logged_out() -> Failure {
    failure(
        Class::LoggedOut,
        "X asks to sign in: the session has ended; sign in again and copy its cookies anew",
    )
}

pub(super) fn challenge() -> Failure {
    failure(
        Class::Challenge,
        "X wants a person to prove to be one: sign in by hand with this account and answer it",
    )
}

fn protected() -> Failure {
    failure(
        Class::Protected,
        "the account is protected: it shows its followers to whom it approved",
    )
}

impl Tab {
    /// What its page shows now.
    pub(super) async fn see(&mut self) -> Result<Sight, BrowserError> {
        let text = self.evaluate(include_str!("../js/sight.js").to_owned()).await?;
        Ok(text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default())
    }

    /// Why its page made no request for so long.
    pub(super) async fn explain_silence(&mut self, visit: &Visit<'_>) -> Trouble {
        let sight = match self.see().await {
            Ok(sight) => sight,
            Err(error) => return Trouble::Lost(error),
        };
        if let Some(failure) = sight.obstacle() {
            return failure.into();
        }
        if visit.users.is_protected(visit.handle) {
            return protected().into();
        }
        match sight.silence() {
            Silence::Stuck => failure(
                Class::PageStuck,
                format!("X's page asked for nothing within {} s", visit.patience.as_secs()),
            )
            .into(),
            Silence::Changed(expected) => changed(visit, &Broken::new(expected), &sight, None).into(),
        }
    }

    /// The failure of an expectation, with a trace of what was there instead.
    pub(super) async fn changed(
        &mut self,
        visit: &Visit<'_>,
        broken: &Broken,
        answer: Option<(&Answer, &str)>,
    ) -> Trouble {
        match self.see().await {
            Ok(sight) => changed(visit, broken, &sight, answer).into(),
            Err(error) => Trouble::Lost(error),
        }
    }
}

fn changed(visit: &Visit<'_>, broken: &Broken, sight: &Sight, answer: Option<(&Answer, &str)>) -> Failure {
    let body = |answer: &Answer| serde_json::from_slice::<Value>(&answer.body).ok();
    let trace = Trace {
        expected: &broken.0,
        page: &sight.path,
        seen: sight.counts(),
        request: answer.map(|(_, path)| path),
        status: answer.map(|(answer, _)| answer.status.as_u16()),
        shape: answer.and_then(|(answer, _)| body(answer)).as_ref().map(shape),
    };
    let place = match trace.save(visit.traces, visit.now()) {
        Some(path) => format!("; a trace without anybody's data is in {}", path.display()),
        None => String::new(),
    };
    let message = format!(
        "X's site has changed; this was expected and is not so: {}{place}",
        broken.0
    );
    match answer {
        Some((answer, _)) => answer.failure(Class::MarkupChanged, message),
        None => failure(Class::MarkupChanged, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_the_way_is_told_apart_from_one_that_changed() {
        let at = |path: &str| Sight {
            path: path.into(),
            column: 1,
            ..Sight::default()
        };
        let class = |sight: &Sight| sight.obstacle().map(|failure| failure.class);
        assert_eq!(class(&at("/i/flow/login")), Some(Class::LoggedOut));
        assert_eq!(class(&at("/account/access")), Some(Class::Challenge));
        assert_eq!(
            class(&Sight {
                challenges: 1,
                logins: 1,
                ..at("/nasa")
            }),
            Some(Class::Challenge)
        );
        assert_eq!(class(&at("/nasa/followers")), None);
        assert!(matches!(at("/nasa/followers").silence(), Silence::Stuck));
        assert!(matches!(Sight::default().silence(), Silence::Changed(_)));
    }

    #[test]
    fn a_stranger_is_known_by_the_link_to_the_own_profile() {
        let sight = Sight {
            owner: Some("/Nasa".into()),
            ..Sight::default()
        };
        assert!(sight.stranger(Some("nasa")).is_none() && sight.stranger(None).is_none());
        assert_eq!(sight.stranger(Some("esa")).unwrap().class, Class::LoggedOut);
        assert!(
            Sight::default().stranger(Some("esa")).is_none(),
            "nobody is shown"
        );
    }
}
