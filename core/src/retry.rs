//! What a failed request means: one typed table from class to tries, delay and consequence.
//!
//! Classes come from the platforms' own markers (requirements M-27, M-28; traps B-13, B-14, B-19). A reset
//! time the platform named wins over any computed delay. A class nobody knows is transient with the fewest
//! tries.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::scan::window::Told;

/// Why a request brought no page.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
pub enum Class {
    /// 429: the window is used up.
    RateLimited,
    /// The platform's limit on bursts (GitHub's secondary one): the credential pauses, for every scan.
    SecondaryLimited,
    /// 429: the monthly cap is reached.
    UsageCapped,
    /// 402: no credits.
    CreditsDepleted,
    /// 401: the token is expired or revoked.
    Unauthorized,
    /// 403: the application or the server does not allow this.
    Forbidden,
    /// No such account.
    NotFound,
    /// The account shows its followers to nobody.
    Protected,
    /// The platform suspended the account.
    Suspended,
    /// 400: the request is wrong; ours to mend.
    BadRequest,
    /// The chain's token is refused.
    CursorExpired,
    /// 5xx.
    ServerError,
    /// The request did not reach the platform.
    Network,
    /// It may have reached the platform; no answer came.
    NoAnswer,
    /// An answer came that could not be read.
    Malformed,
    /// No request can be made of the page's cursor, or it is longer than the platform accepts.
    CursorUnusable,
    /// The platform answered with the same place again.
    CursorRepeated,
    /// A browser's session has ended, was never one, or is another account's.
    LoggedOut,
    /// The platform wants a person to prove to be one.
    Challenge,
    /// The platform locked or suspended the account whose session a browser uses.
    SessionLocked,
    /// The platform, or what stands in front of it, refuses the browser.
    Blocked,
    /// The platform's own page is older than its server.
    ClientOutdated,
    /// The platform's pages or answers are not as they are known; nothing was guessed.
    MarkupChanged,
    /// The platform refuses to begin a page at a place it did not lead to.
    SeekRefused,
    /// The platform's page makes no request.
    PageStuck,
    /// The page was not ready before the permit's last instant: nothing was asked. The runner gives the permit back and
    /// asks for another.
    NotStarted,
    /// The browser or one of its tabs ended.
    BrowserCrashed,
    /// There is no browser that can be started here.
    NoBrowser,
    /// A class of a newer runner.
    #[serde(other)]
    Unknown,
}

/// A request that brought no page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Its class.
    pub class: Class,
    /// One sentence for people; never a token, a cookie or a body.
    pub message: String,
    /// What the headers said of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// `Retry-After`, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<i64>,
}

/// How delays grow from try to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Doubling.
    Exponential,
    /// By the same step.
    Linear,
}

/// What follows when the tries are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// The scan waits and tries again later; people see why.
    Hold,
    /// The paid ranges stop until a person changes something.
    Stop,
    /// The scan can never succeed.
    Fail,
    /// The chain starts again from its newest end, if the budget pays for it.
    Restart,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Tries of one page, the first among them.
    pub tries: u32,
    /// First delay.
    pub delay: SignedDuration,
    /// How it grows.
    pub growth: Growth,
    /// What follows the last try.
    pub last: Last,
    /// Whether the platform may have charged for the failed request.
    pub may_be_charged: bool,
}

impl Class {
    /// Whether it is about one page, which cannot be used or requested.
    pub const fn is_unreadable(self) -> bool {
        matches!(
            self,
            Self::Malformed | Self::CursorUnusable | Self::CursorRepeated
        )
    }

    /// Whether it may be about one page although it looks like an outage.
    pub const fn may_be_the_page(self) -> bool {
        matches!(
            self,
            Self::ServerError | Self::Network | Self::NoAnswer | Self::Unknown
        )
    }

    /// The table.
    pub const fn policy(self) -> Policy {
        use Growth::{Exponential, Linear};
        const SECOND: SignedDuration = SignedDuration::from_secs(1);
        let (tries, growth, last, may_be_charged) = match self {
            Self::RateLimited | Self::SecondaryLimited => (5, Exponential, Last::Hold, false),
            Self::Network | Self::PageStuck | Self::NotStarted => (3, Linear, Last::Hold, false),
            // An unusable cursor is refused before the request is read, or never sent.
            Self::ServerError | Self::CursorUnusable => (3, Exponential, Last::Hold, false),
            Self::NoAnswer | Self::Malformed | Self::BrowserCrashed => (3, Exponential, Last::Hold, true),
            // What markup has changed was counted as well: an answer came that could not be read.
            Self::CursorRepeated => (3, Linear, Last::Hold, true),
            Self::Unknown | Self::MarkupChanged => (2, Linear, Last::Hold, true),
            // One try with the token, one with the refreshed one.
            Self::Unauthorized => (2, Linear, Last::Stop, false),
            Self::UsageCapped | Self::CreditsDepleted | Self::Forbidden => (1, Linear, Last::Stop, false),
            Self::NotFound | Self::Protected | Self::Suspended | Self::BadRequest => {
                (1, Linear, Last::Fail, false)
            }
            Self::CursorExpired | Self::SeekRefused => (1, Linear, Last::Restart, false),
            Self::ClientOutdated => (2, Linear, Last::Hold, false),
            // A person has to act, and each further request makes it worse.
            Self::LoggedOut | Self::Challenge | Self::SessionLocked | Self::Blocked | Self::NoBrowser => {
                (1, Linear, Last::Stop, false)
            }
        };
        Policy {
            tries,
            // docs.github.com: at least a minute, and longer each time it happens again.
            delay: match self {
                Self::SecondaryLimited => SignedDuration::from_mins(1),
                _ => SECOND,
            },
            growth,
            last,
            may_be_charged,
        }
    }
}

impl Class {
    /// Whether the same request may well succeed later.
    pub fn is_passing(self) -> bool {
        self == Self::Unauthorized || matches!(self.policy().last, Last::Hold)
    }
}

/// Tries of a page whose answer cannot be read, with holds between them, before its range is given up: about 45
/// minutes. The platform answers, so waiting longer does not help. The same number holds for a page that brings no
/// answer while other pages are read.
pub const MOST_UNREADABLE: u32 = 10;

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try the page again after this long.
    Again(SignedDuration),
    /// The tries are used up.
    Over(Last),
    /// The page's range is given up: no single page holds a scan for ever.
    GiveUp,
}

/// Longest computed delay, but for classes that begin with long ones.
const LONGEST: SignedDuration = SignedDuration::from_secs(60);

/// Decides after the `failed`-th try of a page (from 1) failed with this class.
pub fn next(class: Class, failed: u32) -> Next {
    let policy = class.policy();
    if class.is_unreadable() && failed >= MOST_UNREADABLE {
        return Next::GiveUp;
    }
    if failed >= policy.tries {
        return Next::Over(policy.last);
    }
    let factor = match policy.growth {
        Growth::Linear => failed,
        Growth::Exponential => 1 << (failed.saturating_sub(1)).min(16),
    };
    Next::Again(
        policy
            .delay
            .saturating_mul(i32::try_from(factor).unwrap_or(i32::MAX))
            .min(LONGEST.max(policy.delay.saturating_mul(8))),
    )
}

/// How long a held scan waits before its `rounds`-th next attempt: 30 s doubling to 15 minutes.
pub fn hold(rounds: u32) -> SignedDuration {
    SignedDuration::from_secs(30 * (1 << rounds.min(5))).min(SignedDuration::from_secs(15 * 60))
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn every_class_ends_after_its_tries() {
        for class in Class::VARIANTS {
            let tries = class.policy().tries;
            for failed in 1..tries {
                assert!(matches!(next(*class, failed), Next::Again(delay) if delay > SignedDuration::ZERO));
            }
            assert_eq!(next(*class, tries), Next::Over(class.policy().last));
            let at_last = if class.is_unreadable() {
                Next::GiveUp
            } else {
                Next::Over(class.policy().last)
            };
            assert_eq!(next(*class, u32::MAX), at_last);
        }
    }

    #[test]
    fn what_costs_money_is_tried_once() {
        assert_eq!(next(Class::CreditsDepleted, 1), Next::Over(Last::Stop));
        assert_eq!(next(Class::UsageCapped, 1), Next::Over(Last::Stop));
    }

    #[test]
    fn delays_grow_as_the_table_says() {
        let delays = |class| (1..4).map(|n| next(class, n)).collect::<Vec<_>>();
        let again = |s| Next::Again(SignedDuration::from_secs(s));
        assert_eq!(delays(Class::RateLimited), [again(1), again(2), again(4)]);
        assert_eq!(
            delays(Class::SecondaryLimited),
            [again(60), again(120), again(240)]
        );
        assert_eq!(
            delays(Class::Network),
            [again(1), again(2), Next::Over(Last::Hold)]
        );
    }

    #[test]
    fn what_only_a_person_can_mend_is_tried_once_and_never_held() {
        for class in [
            Class::LoggedOut,
            Class::Challenge,
            Class::SessionLocked,
            Class::Blocked,
            Class::NoBrowser,
        ] {
            assert_eq!(next(class, 1), Next::Over(Last::Stop), "{class}");
        }
    }

    #[test]
    fn a_class_of_a_newer_runner_is_transient_with_few_tries() {
        let class: Class = serde_json::from_str("\"Teapot\"").unwrap();
        assert_eq!(class, Class::Unknown);
        assert_eq!(class.policy().tries, 2);
    }
}
