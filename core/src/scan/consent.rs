//! Consent to spend: the budget of an applied or detached Scan, or a lease that an attached command holds.
//!
//! A `scan` with a control plane of its own spends only while the command lives. It renews a lease in the ledger; once
//! the lease has ended, by whatever killed or froze the command, the scan is Suspended, reason `Interrupted`. Scans
//! whose requests cost nothing need no consent.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};

use super::{
    permit::Purse,
    request::ScanRequest,
    source::{Source, Wish},
    summary::Hold,
};
use crate::{
    account::{AccountRef, Platform},
    money::Usd,
    mutants::{self, Mutant},
    platform::Family,
    wire::Mode,
};

/// Annotation of a Scan that an attached command pays for; absent = its budget is the consent.
pub const ANNOTATION: &str = "followlytics.io/consent";
/// Value of [`ANNOTATION`].
pub const ATTACHED: &str = "attached";
/// Reason of a hold for lack of consent.
pub const INTERRUPTED: &str = "Interrupted";
/// Duration of a consent lease without renewal, by the ledger's clock.
pub const LEASE: SignedDuration = SignedDuration::from_secs(15);
/// Interval between renewals.
pub const RENEWAL: SignedDuration = SignedDuration::from_secs(4);

/// What allows a scan to spend.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, IntoStaticStr,
)]
pub enum Consent {
    /// Its budget.
    #[default]
    Budget,
    /// A lease that an attached command holds.
    Lease,
}

impl Consent {
    /// Returns the consent that a scan needs: a lease only if a command is `attached` and requests may cost money.
    pub fn needed(attached: bool, platform: Platform, wish: Wish) -> Self {
        if attached && is_paid(platform, wish) {
            Self::Lease
        } else {
            Self::Budget
        }
    }

    /// Whether the scan may spend at `now`; `until` is the end of the lease, `None` without one. A lease that ends later than
    /// any can was given by a clock that was set back since: whoever holds it renews it.
    pub fn is_given(self, until: Option<Timestamp>, now: Timestamp) -> bool {
        match self {
            Self::Budget => true,
            Self::Lease if mutants::on(Mutant::ConsentIgnored) => true,
            Self::Lease => {
                until.is_some_and(|until| until > now && now.duration_until(until) <= LEASE.saturating_mul(2))
            }
        }
    }

    /// Returns the mode that applies at `now` to a scan whose spec says `wanted`.
    pub fn mode(self, wanted: Mode, until: Option<Timestamp>, now: Timestamp) -> Mode {
        match wanted {
            Mode::Run if !self.is_given(until, now) => Mode::Suspend,
            wanted => wanted,
        }
    }
}

/// Whether requests of a scan may cost money.
pub fn is_paid(platform: Platform, wish: Wish) -> bool {
    let costs = |family| Source::Api.price(platform, family, 1) > Usd::ZERO;
    wish != Wish::Browser && (costs(Family::Lookup) || costs(Family::Followers))
}

/// Returns why a scan without consent does not go on, and the command that resumes it.
pub fn interrupted(request: &ScanRequest, purse: &Purse) -> Hold {
    Hold {
        reason: INTERRUPTED.to_owned(),
        message: format!(
            "the command that paid for it ended, ${} of ${} are spent: `{}` resumes it, `followlytics resume {}{}` lets \
             `followlytics up` spend the budget",
            purse.spent,
            purse.budget,
            command(request),
            request.name,
            namespace(&request.namespace),
        ),
        until: None,
    }
}

/// A Scan, as the command that resumes it names it.
#[derive(Debug, Clone, Copy)]
pub struct Resumption<'a> {
    /// Whose followers are listed.
    pub account: &'a AccountRef,
    /// Name of the Scan.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// `spec.maxFollowers`.
    pub max_followers: i64,
    /// `spec.since.version`.
    pub since: Option<&'a str>,
    /// `spec.sweeps`.
    pub sweeps: u32,
}

impl Resumption<'_> {
    /// Returns the command that resumes the scan. Arguments that decide which followers are in the result are part of
    /// it; the others are stored.
    pub fn command(&self) -> String {
        let mut words = format!("followlytics scan {}", self.account);
        if self.name != default_name(self.account) {
            words.push_str(" --name ");
            words.push_str(self.name);
        }
        if self.max_followers > 0 {
            words.push_str(" --max-followers ");
            words.push_str(&self.max_followers.to_string());
        }
        if let Some(since) = self.since {
            words.push_str(" --since ");
            words.push_str(since);
        }
        if self.sweeps > 1 {
            words.push_str(" --sweeps ");
            words.push_str(&self.sweeps.to_string());
        }
        words.push_str(&namespace(self.namespace));
        words
    }
}

/// Returns the command that resumes what was asked for.
pub fn command(request: &ScanRequest) -> String {
    let since = request.wishes.since.map(|since| since.to_string());
    let resumption = Resumption {
        account: &request.account,
        name: &request.name,
        namespace: &request.namespace,
        max_followers: request.wishes.max_rows,
        since: since.as_deref(),
        sweeps: request.wishes.sweeps,
    };
    resumption.command()
}

/// Returns the arguments by which a command finds the Scan of this name.
pub fn named(name: &str, of: &str) -> String {
    format!("{name}{}", namespace(of))
}

fn namespace(name: &str) -> String {
    match name {
        "" | "default" => String::new(),
        name => format!(" -n {name}"),
    }
}

/// Longest name made of an account; numbers come after it.
const LONGEST: usize = 200;

/// Returns the name of a Scan that `scan` creates for an account, such as `bluesky-alice-bsky-social`.
pub fn default_name(account: &AccountRef) -> String {
    let host = account.host.as_deref().unwrap_or_default();
    let text = format!("{}-{}-{host}", account.platform, account.handle);
    let mut name = String::with_capacity(text.len());
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    name.truncate(LONGEST);
    name.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_lease_is_needed_only_where_an_attached_command_pays() {
        for (attached, platform, wish, needed) in [
            (true, Platform::X, Wish::Auto, Consent::Lease),
            (true, Platform::X, Wish::Api, Consent::Lease),
            (true, Platform::X, Wish::Browser, Consent::Budget),
            (true, Platform::Bluesky, Wish::Auto, Consent::Budget),
            (true, Platform::Gitea, Wish::Api, Consent::Budget),
            (true, Platform::GitHub, Wish::Auto, Consent::Budget),
            (true, Platform::Mastodon, Wish::Auto, Consent::Budget),
            (false, Platform::X, Wish::Auto, Consent::Budget),
        ] {
            assert_eq!(
                Consent::needed(attached, platform, wish),
                needed,
                "{attached} {platform} {wish}"
            );
        }
    }

    #[test]
    fn consent_decides_between_running_and_a_pause_and_nothing_else() {
        use Consent::{Budget, Lease};
        let now = at(100);
        for (consent, until, wanted, mode) in [
            (Budget, None, Mode::Run, Mode::Run),
            (Budget, Some(0), Mode::Run, Mode::Run),
            (Lease, Some(101), Mode::Run, Mode::Run),
            // Its last instant is over: a lease is valid before its end.
            (Lease, Some(100), Mode::Run, Mode::Suspend),
            (Lease, Some(0), Mode::Run, Mode::Suspend),
            (Lease, None, Mode::Run, Mode::Suspend),
            (Lease, Some(101), Mode::Suspend, Mode::Suspend),
            (Lease, None, Mode::Cancel, Mode::Cancel),
            (Lease, None, Mode::Suspend, Mode::Suspend),
        ] {
            assert_eq!(
                consent.mode(wanted, until.map(at), now),
                mode,
                "{consent} {until:?} {wanted:?}"
            );
        }
    }

    #[test]
    fn a_renewal_that_is_late_by_one_interval_does_not_end_the_consent() {
        assert!(RENEWAL * 3 < LEASE);
    }

    #[test]
    fn the_command_that_resumes_names_what_decides_the_result() {
        let account: AccountRef = "x:@nasa".parse().unwrap();
        for (name, space, rows, since, words) in [
            ("x-nasa", "default", 0, None, "followlytics scan x:@nasa"),
            (
                "x-nasa-2",
                "default",
                50,
                None,
                "followlytics scan x:@nasa --name x-nasa-2 --max-followers 50",
            ),
            (
                "x-nasa",
                "team",
                0,
                Some("latest"),
                "followlytics scan x:@nasa --since latest -n team",
            ),
        ] {
            let mut request = request(account.clone());
            request.name = name.to_owned();
            request.namespace = space.to_owned();
            request.wishes.max_rows = rows;
            request.wishes.since = since.map(|since| since.parse().unwrap());
            assert_eq!(command(&request), words);
            assert!(interrupted(&request, &purse()).message.contains(words));
            request.wishes.sweeps = 2;
            assert!(command(&request).contains(" --sweeps 2"));
        }
    }

    #[test]
    fn names_are_valid_whatever_the_account_is_called() {
        for (account, name) in [
            ("bluesky:alice.bsky.social", "bluesky-alice-bsky-social"),
            ("x:@_NASA_", "x-nasa"),
            ("gitea:a.b@git.example.org:3000", "gitea-a-b-git-example-org-3000"),
        ] {
            assert_eq!(default_name(&account.parse().unwrap()), name);
        }
    }

    proptest! {
        #[test]
        fn no_paid_scan_runs_outside_its_lease(until in proptest::option::of(0_i64..100), now in 0_i64..100) {
            // A later end was written by a clock that was set back.
            let is_alive = until.is_some_and(|until| now < until && until <= now + 30);
            prop_assert_eq!(Consent::Lease.is_given(until.map(at), at(now)), is_alive);
            prop_assert!(Consent::Budget.is_given(until.map(at), at(now)));
        }
    }

    fn purse() -> Purse {
        Purse {
            budget: Usd::from_nanos(400_000_000_000),
            spent: Usd::from_nanos(60_010_000_000),
            reserved: Usd::ZERO,
            ambiguous: Usd::ZERO,
            surplus: Usd::ZERO,
        }
    }

    fn request(account: AccountRef) -> ScanRequest {
        ScanRequest {
            uid: "uid".to_owned(),
            namespace: "default".to_owned(),
            name: "x-nasa".to_owned(),
            generation: 1,
            account,
            base_url: "https://api.x.com".to_owned(),
            credential: "default/x".to_owned(),
            auth: crate::platform::Auth::AppBearer,
            rules: Vec::new(),
            budget: purse().budget,
            monthly_budget: None,
            wishes: crate::scan::plan::Wishes {
                max_runners: 4,
                rows_per_range: 10_000,
                max_rows: 0,
                since: None,
                sweeps: 1,
            },
            source: Wish::Auto,
            browser: None,
            priority: 0,
            mode: Mode::Run,
            dry_run: false,
            consent: Consent::Lease,
            kept: None,
        }
    }
}
