//! Follower lists of each server implementation: order, key and end, each with the evidence for it.
//!
//! A protocol promises nothing: a fact holds for one implementation and the versions it was read in. What no source
//! and no sentence of a platform supports is an observation, and an observation never carries `Exact`.

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

use super::{Drift, Seek, server::Server};
use crate::{
    account::Platform,
    mutants::{self, Mutant},
    scan::source::Source,
};

/// Strength of the evidence for a fact.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Display, IntoStaticStr,
)]
pub enum Grade {
    /// Seen, and promised nowhere.
    Observed,
    /// A sentence of the platform's own documentation.
    Documented,
    /// A line of the server's source.
    Source,
}

/// A fact and what supports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// How strong the evidence is.
    pub grade: Grade,
    /// File and versions, or URL.
    pub citation: &'static str,
}

/// How accounts that the platform counts and does not list show themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hides {
    /// The list's own total counts exactly its rows.
    Nothing,
    /// Pages lack one row for each of them.
    Rows,
    /// They are left out without a trace.
    Silently,
}

/// What is known of the follower lists of one implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListTraits {
    /// Which way rows move while the list is read.
    pub drift: Drift,
    /// Unique, immutable key in a known order, and entry by it; for an index, the order itself.
    pub order: Fact,
    /// Why the order cannot carry a guarantee; `None` if it can.
    pub lacks: Option<&'static str>,
    /// How the end of the list shows.
    pub end: Fact,
    /// What its counts count.
    pub hides: Hides,
    /// Whether a follow can be dated into the past, and so appear among rows that had been read before.
    pub can_backdate: bool,
}

impl ListTraits {
    /// As a signed-in user sees the lists of this platform: some leave out whom that user blocks or mutes.
    #[must_use]
    pub fn seen_by_a_user(self, platform: Platform) -> Self {
        let lacks = match platform {
            Platform::Mastodon => Some(
                "Mastodon leaves out whom the token's user blocks or mutes (follower_accounts_controller.rb): a list is \
                 whole without a Credential only",
            ),
            Platform::Bluesky => Some(
                "the AppView leaves out whom the token's user blocks or is blocked by (getFollowers.ts, noBlocks): a list \
                 is whole without a Credential only",
            ),
            Platform::X | Platform::Gitea | Platform::GitHub => None,
        };
        Self {
            lacks: self
                .lacks
                .or(lacks.filter(|_| !mutants::on(Mutant::UserViewTrusted))),
            ..self
        }
    }

    /// Whether the facts carry a guarantee: what is missing then is a contradiction, not a property of the list.
    pub fn carries_exact(&self) -> bool {
        self.lacks.is_none() && self.order.grade > Grade::Observed && self.end.grade > Grade::Observed
    }
}

/// Version suffix by which the simulator names the order of its Gitea lists.
const BY_FOLLOW: &str = "+simulator.follow-order";

/// What is known of the lists that this server shows. `seek` is how the list was entered in fact.
pub fn list_traits(
    platform: Platform,
    source: Source,
    seek: Seek,
    base_url: &str,
    server: Option<&Server>,
) -> ListTraits {
    match (platform, source) {
        (_, Source::Browser) => WEB_X,
        (Platform::X, Source::Api) => X,
        (Platform::Bluesky, Source::Api) if is_hosted(base_url) => HOSTED_BLUESKY,
        (Platform::Bluesky, Source::Api) => bluesky(seek, server),
        (Platform::Gitea, Source::Api) => gitea(server),
        (Platform::GitHub, Source::Api) => GITHUB,
        (Platform::Mastodon, Source::Api) => mastodon(seek, server),
    }
}

const X: ListTraits = ListTraits {
    drift: Drift::None,
    order: observed("docs.x.com, pagination: results are newest first; no key is shown"),
    lacks: Some("X documents no order of followers and shows no key that could prove one"),
    end: documented("docs.x.com, pagination: the last page has no next_token"),
    hides: Hides::Rows,
    can_backdate: false,
};

const WEB_X: ListTraits = ListTraits {
    order: observed("x.com: newest first, with cursors that hold a time"),
    lacks: Some("X's own page documents no order of followers"),
    end: observed("x.com: a bottom cursor that begins with 0"),
    ..X
};

const APP_VIEW: ListTraits = ListTraits {
    drift: Drift::None,
    order: from_source(
        "@atproto/bsky 0.0.221 to 0.0.280, data-plane/server/routes/follows.ts and db/pagination.ts: ordered by \
         (sortAt, cid) and entered by it; rows of one key are read twice; a rewritten follow is a new one",
    ),
    lacks: None,
    // From 0.0.274 on the last page has rows, no cursor and so no key: it counts as unproven.
    end: from_source(
        "@atproto/bsky 0.0.221 to 0.0.272, db/pagination.ts: only a page without rows has no cursor",
    ),
    hides: Hides::Rows,
    can_backdate: true,
};

const HOSTED_BLUESKY: ListTraits = ListTraits {
    order: observed("public.api.bsky.app: newest first; its data plane is not the published one"),
    lacks: Some("the hosted AppView does not publish the data plane that orders its lists"),
    end: observed("public.api.bsky.app: the last page has no cursor"),
    ..APP_VIEW
};

const GITEA: ListTraits = ListTraits {
    drift: Drift::Both,
    order: from_source("Gitea 1.26.0, models/user/user.go, GetUserFollowers: a query without ORDER BY"),
    lacks: Some("Gitea lists followers in no defined order, so rows can move between pages unseen"),
    end: from_source(
        "Gitea 1.26.0, routers/api/v1/user/follower.go: X-Total-Count has the filter of the list",
    ),
    hides: Hides::Nothing,
    can_backdate: false,
};

const LIKE_GITEA: ListTraits = ListTraits {
    order: observed("speaks Gitea's API, which gives no order of followers"),
    lacks: Some("the server runs a program, or a version of Gitea, whose order of followers was not checked"),
    end: observed("speaks Gitea's API, with a total in X-Total-Count"),
    ..GITEA
};

/// The simulator's own list in the order of follows: the one index list whose order a source proves.
const FOLLOW_ORDER: ListTraits = ListTraits {
    drift: Drift::TowardsStart,
    order: from_source("simulator/src/gitea/followers.rs: ordered by follow, oldest first"),
    lacks: None,
    end: from_source("simulator/src/gitea/followers.rs: the first page is the oldest"),
    ..GITEA
};

const GITHUB: ListTraits = ListTraits {
    drift: Drift::Both,
    order: observed("docs.github.com, list followers of a user: no order is given"),
    lacks: Some("GitHub promises no order of followers, and accounts leave their place and return to it"),
    end: observed("the Link header has no next page"),
    hides: Hides::Silently,
    can_backdate: false,
};

const MASTODON: ListTraits = ListTraits {
    drift: Drift::None,
    order: from_source(
        "Mastodon 4, api/v1/accounts/follower_accounts_controller.rb and models/concerns/paginable.rb: ordered by the \
         primary key of the follow and entered by it",
    ),
    lacks: None,
    end: from_source("Mastodon 4, follower_accounts_controller.rb: only a full page has a next link"),
    hides: Hides::Silently,
    can_backdate: false,
};

const LIKE_MASTODON: ListTraits = ListTraits {
    order: observed("speaks Mastodon's API, newest follow first"),
    lacks: Some("the server runs a program whose order of followers was not checked"),
    end: observed("the Link header has no next page"),
    ..MASTODON
};

const LIKE_APP_VIEW: ListTraits = ListTraits {
    order: observed("speaks the API of Bluesky's AppView, newest follow first"),
    lacks: Some(
        "the server runs a program whose order of followers was not checked, or was not entered by time",
    ),
    end: observed("a page without rows has no cursor"),
    ..APP_VIEW
};

/// The `AppView`'s keys are times; where its list was not entered by one, nothing shows that they fall.
fn bluesky(seek: Seek, server: Option<&Server>) -> ListTraits {
    if seek == Seek::Time && server.is_some_and(|server| server.software == Server::APP_VIEW) {
        APP_VIEW
    } else {
        LIKE_APP_VIEW
    }
}

fn gitea(server: Option<&Server>) -> ListTraits {
    match server {
        Some(server) if server.version.ends_with(BY_FOLLOW) => FOLLOW_ORDER,
        Some(server) if server.software == "gitea" && server.version.starts_with("1.26.") => GITEA,
        _ => LIKE_GITEA,
    }
}

/// Mastodon's keys are numbers; where they were none the program is another one, whatever it calls itself.
fn mastodon(seek: Seek, server: Option<&Server>) -> ListTraits {
    let is_mastodon = server.is_some_and(|server| {
        let major = server
            .version
            .split('.')
            .next()
            .and_then(|major| major.parse::<u32>().ok());
        server.software == "mastodon" && major == Some(4)
    });
    if is_mastodon && seek == Seek::Id {
        MASTODON
    } else {
        LIKE_MASTODON
    }
}

/// Whether a base URL is that of the hosted service.
fn is_hosted(base_url: &str) -> bool {
    let host = base_url.split("://").nth(1).unwrap_or(base_url);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    host == "bsky.app" || host.ends_with(".bsky.app")
}

const fn observed(citation: &'static str) -> Fact {
    Fact {
        grade: Grade::Observed,
        citation,
    }
}

const fn documented(citation: &'static str) -> Fact {
    Fact {
        grade: Grade::Documented,
        citation,
    }
}

const fn from_source(citation: &'static str) -> Fact {
    Fact {
        grade: Grade::Source,
        citation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(platform: Platform, seek: Seek, base_url: &str, server: Option<&Server>) -> ListTraits {
        list_traits(platform, Source::Api, seek, base_url, server)
    }

    #[test]
    fn a_signed_in_users_view_that_leaves_out_whom_they_block_carries_nothing() {
        for (list, platform) in [(MASTODON, Platform::Mastodon), (APP_VIEW, Platform::Bluesky)] {
            assert!(list.carries_exact() && !list.seen_by_a_user(platform).carries_exact());
        }
        assert!(FOLLOW_ORDER.seen_by_a_user(Platform::Gitea).carries_exact());
    }

    #[test]
    fn only_implementations_whose_source_was_read_carry_exact() {
        let server = |software, version| Some(Server::new(software, version));
        let local = "http://127.0.0.1:8080";
        for (platform, seek, base_url, server, carries) in [
            (Platform::X, Seek::Chain, "https://api.x.com", None, false),
            (Platform::Bluesky, Seek::Time, local, server("bsky", ""), true),
            (Platform::Bluesky, Seek::Chain, local, server("bsky", ""), false),
            (Platform::Bluesky, Seek::Time, local, server("", ""), false),
            (Platform::Bluesky, Seek::Time, local, None, false),
            (
                Platform::Bluesky,
                Seek::Time,
                "https://public.api.bsky.app",
                None,
                false,
            ),
            (
                Platform::Gitea,
                Seek::Index,
                local,
                server("gitea", "1.26.0"),
                false,
            ),
            (
                Platform::Gitea,
                Seek::Index,
                local,
                server("gitea", "1.26.0+simulator.follow-order"),
                true,
            ),
            (Platform::Gitea, Seek::Index, local, None, false),
            (
                Platform::Gitea,
                Seek::Index,
                local,
                server("forgejo", "11.0.1+gitea-1.26.0"),
                false,
            ),
            (
                Platform::GitHub,
                Seek::Index,
                "https://api.github.com",
                None,
                false,
            ),
            (
                Platform::Mastodon,
                Seek::Id,
                local,
                server("mastodon", "4.3.1"),
                true,
            ),
            (
                Platform::Mastodon,
                Seek::Id,
                local,
                server("mastodon", "3.5.19"),
                false,
            ),
            (
                Platform::Mastodon,
                Seek::Id,
                local,
                server("pleroma", "4.1"),
                false,
            ),
            (
                Platform::Mastodon,
                Seek::Chain,
                local,
                server("mastodon", "4.3.1"),
                false,
            ),
            (Platform::Mastodon, Seek::Id, local, None, false),
        ] {
            let traits = traits(platform, seek, base_url, server.as_ref());
            assert_eq!(
                traits.carries_exact(),
                carries,
                "{platform} {base_url} {server:?}"
            );
            assert_eq!(
                traits.lacks.is_none(),
                carries,
                "what cannot be exact says why: {platform}"
            );
        }
    }

    #[test]
    fn a_source_speaks_for_the_versions_that_were_read() {
        let grade = |software, version| {
            let server = Server::new(software, version);
            traits(
                Platform::Gitea,
                Seek::Index,
                "https://git.example.org",
                Some(&server),
            )
            .order
            .grade
        };
        assert_eq!(grade("gitea", "1.26.1"), Grade::Source);
        for (software, version) in [
            ("gitea", "1.27.0"),
            ("gitea", ""),
            ("forgejo", "11.0.1+gitea-1.26.0"),
        ] {
            assert_eq!(grade(software, version), Grade::Observed, "{software} {version}");
        }
    }

    #[test]
    fn a_page_for_people_is_never_exact() {
        let web = list_traits(Platform::X, Source::Browser, Seek::Id, "https://x.com", None);
        assert!(!web.carries_exact());
    }

    #[test]
    fn the_hosted_service_is_known_by_its_host() {
        for (base_url, hosted) in [
            ("https://public.api.bsky.app/", true),
            ("https://bsky.app:443", true),
            ("https://notbsky.app", false),
            ("http://127.0.0.1:2584", false),
        ] {
            assert_eq!(is_hosted(base_url), hosted, "{base_url}");
        }
    }
}
