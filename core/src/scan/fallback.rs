//! Fallback: which source takes over when the other gives out, and when a browser is too slow to wait for.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    source::{Browser, Source, Wish},
    window::Rule,
};
use crate::{
    platform::Family,
    retry::{Class, Last},
};

/// When a browser is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    /// Percent of the rows a minute that the limits allow; below it the API helps.
    pub slow_percent: u32,
    /// Milliseconds from its first request on before its speed is judged.
    pub slow_after_ms: i64,
}

impl Thresholds {
    /// Of a session with these limits: a quarter of what they allow, judged after the first whole window.
    pub fn new(rules: &[Rule]) -> Self {
        let windows = rules.iter().filter(|rule| rule.family == Family::Followers);
        Self {
            slow_percent: 25,
            slow_after_ms: windows.map(|rule| rule.window_ms).max().unwrap_or(60_000),
        }
    }

    /// Whether a speed can be judged after so long a time.
    pub fn is_due(&self, elapsed: SignedDuration) -> bool {
        elapsed.as_millis() > i128::from(self.slow_after_ms)
    }

    /// Whether so many rows in so long a time are too few.
    pub fn is_slow(&self, rows: i64, page_rows: u32, elapsed: SignedDuration, rules: &[Rule]) -> bool {
        if !self.is_due(elapsed) {
            return false;
        }
        let elapsed = elapsed.as_millis();
        let allowed = rules
            .iter()
            .filter(|rule| rule.family == Family::Followers && rule.window_ms > 0)
            .map(|rule| i128::from(rule.requests) * elapsed / i128::from(rule.window_ms))
            .min();
        // Without a limit nobody planned a speed.
        allowed.is_some_and(|pages| {
            i128::from(rows) * 100 < pages * i128::from(page_rows) * i128::from(self.slow_percent)
        })
    }
}

/// Whether a source gives out with this failure after its last try. What only costs time is waited for: a window that
/// is used up, a network that is down, a platform that fails for everybody.
pub const fn gives_out(source: Source, class: Class, last: Last) -> bool {
    match (source, last) {
        (_, Last::Stop) => true,
        (Source::Browser, Last::Hold) => matches!(
            class,
            Class::MarkupChanged
                | Class::ClientOutdated
                | Class::PageStuck
                | Class::BrowserCrashed
                | Class::Malformed
                | Class::CursorRepeated
                | Class::CursorExpired
                | Class::SeekRefused
        ),
        (Source::Api, Last::Hold) | (_, Last::Fail | Last::Restart) => false,
    }
}

/// The source that takes over; `None` where the user, the operator or the money does not allow it.
pub fn takes_over(from: Source, wish: Wish, browser: Browser, money_left: bool) -> Option<Source> {
    match from {
        _ if wish != Wish::Auto => None,
        Source::Api => (browser == Browser::Ready).then_some(Source::Browser),
        Source::Browser => money_left.then_some(Source::Api),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: [Rule; 1] = [Rule::new(Family::Followers, 50, 60_000)];

    #[test]
    fn a_quarter_of_what_the_limits_allow_is_too_slow_after_a_whole_window() {
        let thresholds = Thresholds::new(&RULES);
        let minutes = SignedDuration::from_mins;
        assert!(!thresholds.is_slow(0, 20, minutes(1), &RULES), "not judged yet");
        assert!(thresholds.is_slow(499, 20, minutes(2), &RULES));
        assert!(!thresholds.is_slow(500, 20, minutes(2), &RULES));
        assert!(!thresholds.is_slow(0, 20, minutes(9), &[]));
    }

    #[test]
    fn a_window_that_is_used_up_is_no_reason_to_pay() {
        for class in [
            Class::RateLimited,
            Class::Network,
            Class::ServerError,
            Class::NotStarted,
        ] {
            assert!(!gives_out(Source::Browser, class, Last::Hold), "{class}");
        }
        assert!(gives_out(Source::Browser, Class::BrowserCrashed, Last::Hold));
        assert!(gives_out(Source::Browser, Class::Forbidden, Last::Stop));
        assert!(gives_out(Source::Browser, Class::Malformed, Last::Hold));
        assert!(!gives_out(Source::Browser, Class::NotFound, Last::Fail));
        assert!(gives_out(Source::Api, Class::CreditsDepleted, Last::Stop));
        assert!(!gives_out(Source::Api, Class::ServerError, Last::Hold));
    }

    #[test]
    fn nobody_is_given_a_source_that_was_not_allowed() {
        for wish in [Wish::Api, Wish::Browser] {
            for from in [Source::Api, Source::Browser] {
                assert_eq!(takes_over(from, wish, Browser::Ready, true), None);
            }
        }
        assert_eq!(takes_over(Source::Api, Wish::Auto, Browser::Off, true), None);
        assert_eq!(
            takes_over(Source::Browser, Wish::Auto, Browser::Ready, false),
            None
        );
        assert_eq!(
            takes_over(Source::Browser, Wish::Auto, Browser::Ready, true),
            Some(Source::Api)
        );
    }
}
