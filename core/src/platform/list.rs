//! Follower lists of each server implementation: order, key and end, each with the evidence for it.
//!
//! A protocol promises nothing: a fact holds for one implementation and the versions it was read in. What no source
//! and no sentence of a platform supports is an observation, and an observation never carries `Exact`.

use super::{Drift, Seek, evidence::Fact, server::Server};
use crate::{
    account::Platform,
    mutants::{self, Mutant},
    scan::source::Source,
};

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
    /// Evidence for that.
    pub moves: Fact,
    /// Unique, immutable key in a known order, and entry by it; for an index, the order itself.
    pub order: Fact,
    /// Why the order cannot carry a guarantee; `None` if it can.
    pub lacks: Option<&'static str>,
    /// Which rows share a key, and whether a page can end among them.
    pub ties: Fact,
    /// What a page says that has fewer rows than were requested.
    pub short: Fact,
    /// How the end of the list shows.
    pub end: Fact,
    /// What its counts count.
    pub hides: Hides,
    /// Evidence for that.
    pub counts: Fact,
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

    /// Its facts, by what each is about.
    pub const fn facts(&self) -> [(&'static str, Fact); 6] {
        [
            ("order and entry", self.order),
            ("rows move", self.moves),
            ("rows of one key", self.ties),
            ("short pages", self.short),
            ("end", self.end),
            ("counts", self.counts),
        ]
    }

    /// Whether the facts carry a guarantee: what is missing then is a contradiction, not a property of the list.
    pub fn carries_exact(&self) -> bool {
        let needed = [self.moves, self.order, self.ties, self.short, self.end];
        self.lacks.is_none() && needed.into_iter().all(Fact::is_proven)
    }
}

/// Every list that is known, by name. Their facts are the table of docs/evidence.md.
pub const KNOWN: [(&str, ListTraits); 10] = [
    ("X", X),
    ("X, its own page in a browser", WEB_X),
    ("Bluesky, the open AppView", APP_VIEW),
    ("Bluesky, `*.bsky.app`", HOSTED_BLUESKY),
    ("other servers of Bluesky's API", LIKE_APP_VIEW),
    ("Gitea 1.26", GITEA),
    ("other servers of Gitea's API", LIKE_GITEA),
    ("GitHub", GITHUB),
    ("Mastodon 4.0 to 4.5", MASTODON),
    ("other servers of Mastodon's API", LIKE_MASTODON),
];

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
    moves: Fact::observed("a page is named by the token of the one before it"),
    order: Fact::observed(
        "newest first; docs.x.com, pagination, says so of results in general, and no key is shown",
    ),
    lacks: Some("X documents no order of followers and shows no key that could prove one"),
    ties: Fact::observed("no key is shown, so rows of one key cannot be recognized"),
    short: Fact::documented(
        "docs.x.com, pagination: a page may hold fewer rows than max_results although more follow",
    ),
    end: Fact::documented("docs.x.com, pagination: the last page has no next_token"),
    hides: Hides::Rows,
    counts: Fact::observed("public_metrics.followers_count counts accounts that pages lack"),
    can_backdate: false,
};

const WEB_X: ListTraits = ListTraits {
    order: Fact::observed("x.com: newest first, with cursors that hold a time"),
    lacks: Some("X's own page documents no order of followers"),
    short: Fact::observed("x.com: answers have 20 rows, fewer, or none although more follow"),
    end: Fact::observed("x.com: a bottom cursor that begins with 0"),
    ..X
};

const APP_VIEW: ListTraits = ListTraits {
    drift: Drift::None,
    moves: Fact::source(
        "@atproto/bsky 0.0.221 to 0.0.280, data-plane/server/db/pagination.ts, getSql: a page begins below a key, not \
         at a row number; a follow that is rewritten (indexing/processor.ts, updateRecord) is another one",
    ),
    order: Fact::source(
        "@atproto/bsky 0.0.221 to 0.0.280, data-plane/server/routes/follows.ts and db/pagination.ts: ordered by \
         (sortAt, cid) and entered by it",
    ),
    lacks: None,
    ties: Fact::source(
        "@atproto/bsky 0.0.221, lexicon app.bsky.graph.follow and db/pagination.ts, getSql: a record does not hold its author, so equal records \
         of several share (sortAt, cid), and a page begins strictly below a key: keys are read twice, and one that fills \
         a page is reported",
    ),
    short: Fact::source(
        "@atproto/bsky 0.0.221 (seen so in 0.0.280), api/app/bsky/graph/getFollowers.ts, noBlocks and presentation: pages lack \
         accounts that are not shown, and have their cursor all the same",
    ),
    // From 0.0.274 on the last page has rows, no cursor and so no key: it counts as unproven.
    end: Fact::source(
        "@atproto/bsky 0.0.221 to 0.0.272, db/pagination.ts: only a page without rows has no cursor",
    ),
    hides: Hides::Rows,
    counts: Fact::source(
        "@atproto/bsky 0.0.221, data-plane/server/indexing/plugins/follow.ts, updateAggregates: followersCount counts \
         follows, also of accounts that are not shown",
    ),
    can_backdate: true,
};

const HOSTED_BLUESKY: ListTraits = ListTraits {
    moves: Fact::observed("public.api.bsky.app: a page is named by the cursor of the one before it"),
    order: Fact::observed("public.api.bsky.app: newest first; its data plane is not the published one"),
    lacks: Some("the hosted AppView does not publish the data plane that orders its lists"),
    ties: Fact::observed("public.api.bsky.app: cursors are of one follow each"),
    short: Fact::observed("public.api.bsky.app: pages lack accounts that are not shown"),
    end: Fact::observed("public.api.bsky.app: the last page has no cursor"),
    counts: Fact::observed("followersCount counts accounts that pages lack"),
    ..APP_VIEW
};

const GITEA: ListTraits = ListTraits {
    drift: Drift::Both,
    moves: Fact::source(
        "Gitea 1.26.0, models/db/list.go, SetSessionPagination: a page begins at a row number, and rows before it come \
         and go",
    ),
    order: Fact::source("Gitea 1.26.0, models/user/user.go, GetUserFollowers: a query without ORDER BY"),
    lacks: Some("Gitea lists followers in no defined order, so rows can move between pages unseen"),
    ties: Fact::source(
        "Gitea 1.26.0, models/user/follow.go: an account follows another once; places are row numbers",
    ),
    short: Fact::source(
        "Gitea 1.26.0, models/user/user.go, GetUserFollowers, and models/db/list.go: filtered before it is paged, so only \
         the last page is shorter than the server's own page size",
    ),
    end: Fact::source(
        "Gitea 1.26.0, routers/api/v1/user/follower.go: X-Total-Count has the filter of the list",
    ),
    hides: Hides::Nothing,
    counts: Fact::source(
        "Gitea 1.26.0, models/user/user.go, FindAndCount: total and rows have one condition",
    ),
    can_backdate: false,
};

const LIKE_GITEA: ListTraits = ListTraits {
    moves: Fact::observed("speaks Gitea's API, whose pages have numbers"),
    order: Fact::observed("speaks Gitea's API, which gives no order of followers"),
    lacks: Some("the server runs a program, or a version of Gitea, whose order of followers was not checked"),
    ties: Fact::observed("an account follows another once"),
    short: Fact::observed("a short page is the last one"),
    end: Fact::observed("speaks Gitea's API, with a total in X-Total-Count"),
    counts: Fact::observed("X-Total-Count counts the rows of the list"),
    ..GITEA
};

/// The simulator's own list in the order of follows: the one index list whose order a source proves.
const FOLLOW_ORDER: ListTraits = ListTraits {
    drift: Drift::TowardsStart,
    moves: Fact::source(
        "simulator/src/gitea/followers.rs: follows are added at the end; who leaves closes a gap",
    ),
    order: Fact::source("simulator/src/gitea/followers.rs: ordered by follow, oldest first"),
    lacks: None,
    end: Fact::source("simulator/src/gitea/followers.rs: the first page is the oldest"),
    ..GITEA
};

const GITHUB: ListTraits = ListTraits {
    drift: Drift::Both,
    moves: Fact::observed("an account that is suspended or flagged leaves its place and comes back to it"),
    order: Fact::observed(
        "oldest first (k0shk0sh/FastHub#75, DIYgod/RSSHub#579); docs.github.com gives no order of followers",
    ),
    lacks: Some("GitHub promises no order of followers, and accounts leave their place and return to it"),
    ties: Fact::observed("an account follows another once; places are row numbers"),
    short: Fact::observed("pages before the last one are full"),
    end: Fact::observed("the Link header has no next page"),
    hides: Hides::Silently,
    counts: Fact::observed("followers counts accounts that the list leaves out"),
    can_backdate: false,
};

const MASTODON: ListTraits = ListTraits {
    drift: Drift::None,
    moves: Fact::source(
        "Mastodon 4.0 to 4.5, models/concerns/paginable.rb, paginate_by_max_id: a page begins below a key",
    ),
    order: Fact::source(
        "Mastodon 4.0 to 4.5, api/v1/accounts/follower_accounts_controller.rb and models/concerns/paginable.rb: ordered by the \
         primary key of the follow and entered by it",
    ),
    lacks: None,
    ties: Fact::source("Mastodon 4.0 to 4.5, models/follow.rb: the key is the primary key of the follow"),
    short: Fact::source(
        "Mastodon 4.0 to 4.5, follower_accounts_controller.rb, records_continue?: a page of fewer rows than requested has no \
         next link",
    ),
    end: Fact::source(
        "Mastodon 4.0 to 4.5, follower_accounts_controller.rb: only a full page has a next link",
    ),
    hides: Hides::Silently,
    counts: Fact::source(
        "Mastodon 4.0 to 4.5, follower_accounts_controller.rb, hide_results?: the count is the account's, and the list may \
         be hidden or lack accounts without a trace",
    ),
    can_backdate: false,
};

const LIKE_MASTODON: ListTraits = ListTraits {
    moves: Fact::observed("speaks Mastodon's API: a page is named by the link of the one before it"),
    order: Fact::observed("speaks Mastodon's API, newest follow first"),
    lacks: Some("the server runs a program whose order of followers was not checked"),
    ties: Fact::observed("an account follows another once"),
    short: Fact::observed("a page of fewer rows than requested may have a next link"),
    end: Fact::observed("the Link header has no next page"),
    counts: Fact::observed("followers_count counts accounts that the list leaves out"),
    ..MASTODON
};

const LIKE_APP_VIEW: ListTraits = ListTraits {
    moves: Fact::observed(
        "speaks the API of Bluesky's AppView: a page is named by the cursor of the one before it",
    ),
    order: Fact::observed("speaks the API of Bluesky's AppView, newest follow first"),
    lacks: Some(
        "the server runs a program whose order of followers was not checked, or was not entered by time",
    ),
    ties: Fact::observed("rows of one key are read twice where keys show"),
    short: Fact::observed("pages may lack rows"),
    end: Fact::observed("a page without rows has no cursor"),
    counts: Fact::observed("followersCount counts accounts that pages lack"),
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
        Some(server) if server.software == "gitea" && server.version.starts_with("1.26.") => {
            if mutants::on(Mutant::GiteaOrderTrusted) {
                FOLLOW_ORDER
            } else {
                GITEA
            }
        }
        _ => LIKE_GITEA,
    }
}

/// Mastodon's keys are numbers; where they were none the program is another one, whatever it calls itself.
fn mastodon(seek: Seek, server: Option<&Server>) -> ListTraits {
    let is_mastodon = server.is_some_and(|server| {
        let mut numbers = server.version.split('.').map(str::parse::<u32>);
        let (major, minor) = (numbers.next(), numbers.next());
        let is_read = major == Some(Ok(4)) && matches!(minor, Some(Ok(0..=5)));
        server.software == "mastodon" && is_read
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

#[cfg(test)]
mod tests {
    use super::{super::evidence::Grade, *};

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
            (
                Platform::Mastodon,
                Seek::Id,
                local,
                server("mastodon", "4.6.0"),
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
    fn one_fact_that_is_only_observed_takes_the_guarantee() {
        let weaken: [fn(&mut ListTraits, Fact); 5] = [
            |list, fact| list.order = fact,
            |list, fact| list.moves = fact,
            |list, fact| list.ties = fact,
            |list, fact| list.short = fact,
            |list, fact| list.end = fact,
        ];
        for weaken in weaken {
            let mut list = MASTODON;
            weaken(&mut list, Fact::documented("a sentence"));
            assert!(list.carries_exact());
            weaken(&mut list, Fact::observed("seen"));
            assert!(!list.carries_exact());
        }
        assert!(
            KNOWN
                .iter()
                .all(|(_, list)| list.facts().iter().all(|(_, fact)| !fact.citation.is_empty()))
        );
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
