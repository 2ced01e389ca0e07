//! Edits: which holds a user's change of the Scan or of its Credential lifts.

use jiff::Timestamp;

use super::{request::ScanRequest, source::Source, summary::Hold};
use crate::{
    mutants::{self, Mutant},
    wire::Mode,
};

/// The plan costs more than the budget: nothing is listed.
pub const BUDGET_TOO_SMALL: &str = "BudgetTooSmall";
/// The budget is used up in mid-scan.
pub const BUDGET_EXHAUSTED: &str = "BudgetExhausted";
/// The credential's month is spent.
pub const MONTHLY_BUDGET: &str = "MonthlyBudgetReached";
/// Every slot of the credential's window is used.
pub const RATE_LIMITED: &str = "RateLimitWindow";

/// Whether a hold of this source ends because the scan is now requested as `wanted` and was as `earlier`.
///
/// A hold without an end waits for a user: any edit retries it. A hold with an end is lifted by what it waits on.
/// A hold that is lifted too early costs at most one request, and is set again by it.
pub fn lifts(
    earlier: &ScanRequest,
    wanted: &ScanRequest,
    source: Source,
    hold: &Hold,
    now: Timestamp,
) -> bool {
    let resumed = earlier.mode == Mode::Suspend && wanted.mode == Mode::Run;
    if resumed || names_another(earlier, wanted, source) || hold.until.is_some_and(|until| until <= now) {
        return true;
    }
    let edited = earlier.generation != wanted.generation;
    match hold.reason.as_str() {
        MONTHLY_BUDGET if !mutants::on(Mutant::MonthHoldKept) => {
            edited || earlier.monthly_budget != wanted.monthly_budget || earlier.kept != wanted.kept
        }
        BUDGET_TOO_SMALL | BUDGET_EXHAUSTED => edited || earlier.budget != wanted.budget,
        RATE_LIMITED => {
            earlier.rules_of(source) != wanted.rules_of(source)
                || source.is_api() && earlier.kept != wanted.kept
        }
        _ => edited && hold.until.is_none(),
    }
}

/// Whether requests to this source are authorized by another credential from now on.
fn names_another(earlier: &ScanRequest, wanted: &ScanRequest, source: Source) -> bool {
    let named = |request: &ScanRequest| {
        let offered = source.is_api() || request.browser.is_some();
        offered.then(|| (request.credential_of(source).to_owned(), request.auth_of(source)))
    };
    named(earlier) != named(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account::AccountRef,
        platform::{Auth, Family},
        scan::{plan::Wishes, request::Access, source::Wish, window::Rule},
    };

    fn request() -> ScanRequest {
        ScanRequest {
            uid: "s".into(),
            namespace: "n".into(),
            name: "s".into(),
            generation: 1,
            account: AccountRef::new("x", "nasa", None).unwrap(),
            base_url: "https://api.x.com".into(),
            credential: "n/x".into(),
            auth: Auth::AppBearer,
            rules: Vec::new(),
            budget: "1.00".parse().unwrap(),
            monthly_budget: Some("1.00".parse().unwrap()),
            wishes: Wishes {
                max_runners: 1,
                rows_per_range: 1,
                max_rows: 0,
                since: None,
                sweeps: 1,
            },
            source: Wish::Auto,
            browser: Some(Access {
                credential: "n/session".into(),
                base_url: "https://x.com".into(),
                rules: Vec::new(),
            }),
            priority: 0,
            mode: Mode::Run,
            dry_run: false,
            consent: crate::scan::consent::Consent::Budget,
            kept: None,
        }
    }

    fn hold(reason: &str, until: Option<i64>) -> Hold {
        Hold {
            reason: reason.into(),
            message: String::new(),
            until: until.map(|second| Timestamp::from_second(second).unwrap()),
        }
    }

    #[test]
    fn each_change_lifts_the_holds_that_wait_on_it() {
        type Change = fn(&mut ScanRequest);
        let now = Timestamp::from_second(100).unwrap();
        let holds = [
            hold(MONTHLY_BUDGET, Some(900)),
            hold(BUDGET_EXHAUSTED, None),
            hold(RATE_LIMITED, Some(900)),
            hold("CreditsDepleted", None),
            hold("PlatformUnreachable", Some(900)),
            hold("PlatformUnreachable", Some(100)),
        ];
        let table: [(&str, Change, &str); 8] = [
            ("nothing", |_| {}, "-----y"),
            (
                "monthly",
                |r| r.monthly_budget = Some("2.00".parse().unwrap()),
                "y----y",
            ),
            ("budget", |r| r.budget = "2.00".parse().unwrap(), "-y---y"),
            (
                "rules",
                |r| r.rules = vec![Rule::new(Family::Followers, 1, 1)],
                "--y--y",
            ),
            ("edited", |r| r.generation = 2, "yy-y-y"),
            ("credential", |r| r.credential = "n/y".into(), "yyyyyy"),
            ("auth", |r| r.auth = Auth::UserToken, "yyyyyy"),
            ("session", |r| r.browser = None, "-----y"),
        ];
        for (what, change, lifted) in table {
            let mut wanted = request();
            change(&mut wanted);
            let found: String = holds
                .iter()
                .map(|hold| {
                    if lifts(&request(), &wanted, Source::Api, hold, now) {
                        'y'
                    } else {
                        '-'
                    }
                })
                .collect();
            assert_eq!(found, lifted, "{what}");
        }
    }

    #[test]
    fn another_session_lifts_holds_of_the_browser_alone() {
        let now = Timestamp::from_second(100).unwrap();
        let mut wanted = request();
        wanted.browser = wanted.browser.map(|access| Access {
            credential: "n/other".into(),
            ..access
        });
        let waits = hold("SessionEnded", None);
        assert!(lifts(&request(), &wanted, Source::Browser, &waits, now));
        assert!(!lifts(&request(), &wanted, Source::Api, &waits, now));
    }

    #[test]
    fn a_resumed_scan_tries_everything_again() {
        let now = Timestamp::from_second(100).unwrap();
        let paused = ScanRequest {
            mode: Mode::Suspend,
            ..request()
        };
        let waits = hold("PlatformUnreachable", Some(900));
        assert!(lifts(&paused, &request(), Source::Api, &waits, now));
        assert!(!lifts(&request(), &paused, Source::Api, &waits, now));
    }
}
