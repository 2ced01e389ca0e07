//! Rate-limit windows: fixed periods that begin with their first request.
//!
//! A request needs a free slot in every window of its family at once (application and user, quarter of an
//! hour and day). What the platform's own headers say wins over what was computed.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    mutants::{self, Mutant},
    platform::Family,
};

/// A window that ends so much later than twice its length was counted by a clock that was set back.
const SET_BACK: SignedDuration = SignedDuration::from_mins(5);

/// A limit: so many requests of a family in a window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// What is counted.
    pub family: Family,
    /// Requests a window.
    pub requests: i64,
    /// Length of the window in milliseconds.
    pub window_ms: i64,
    /// Whether a Credential states it. What a platform publishes yields to what its servers report.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_stated: bool,
}

impl Rule {
    /// A published rule of `requests` in `window_ms` milliseconds.
    pub const fn new(family: Family, requests: i64, window_ms: i64) -> Self {
        Self {
            family,
            requests,
            window_ms,
            is_stated: false,
        }
    }

    /// The same, as a Credential states it.
    #[must_use]
    pub const fn stated(self) -> Self {
        Self {
            is_stated: true,
            ..self
        }
    }
}

/// A window of one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its rule.
    pub rule: Rule,
    /// Requests used in the running window.
    pub used: i64,
    /// When the running window ends; `None` before its first request.
    pub reset: Option<Timestamp>,
    /// Whether the platform itself said when. Until then `reset` is the latest instant at which it can end.
    pub told: bool,
    /// Requests per window by the platform's headers; the stricter of this and the rule counts, unless that is only
    /// published.
    pub reported: Option<i64>,
    /// Whether its rule is what the platform publishes, and no Credential states another: its headers know better.
    pub is_published: bool,
    /// Whether only the platform's headers speak of it, and no rule. Its length is then the longest that was seen.
    pub is_unstated: bool,
}

/// Whether a request may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// It may; it must have started before this instant, or it falls into another window.
    Free {
        /// End of the earliest running window.
        start_by: Timestamp,
    },
    /// Not before this instant.
    Full {
        /// When the last of the full windows starts afresh.
        until: Timestamp,
    },
}

/// What the platform's headers said of its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Requests allowed a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// Requests left in the running one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
    /// When it ends.
    pub reset: Timestamp,
}

impl Told {
    /// The same, by a clock that is ahead of the one it was read by.
    #[must_use]
    pub fn moved(self, ahead: SignedDuration) -> Self {
        Self {
            reset: self.reset.saturating_add(ahead).unwrap_or(self.reset),
            ..self
        }
    }
}

impl Window {
    /// A window nobody has used.
    pub const fn new(rule: Rule) -> Self {
        Self {
            rule,
            used: 0,
            reset: None,
            told: false,
            reported: None,
            is_published: false,
            is_unstated: false,
        }
    }

    /// A window that no rule states; nothing is known of it yet.
    pub const fn unstated(family: Family) -> Self {
        Self {
            is_unstated: true,
            ..Self::new(Rule::new(family, i64::MAX, 0))
        }
    }

    /// Requests allowed: the stricter of what is stated and what is reported. A server's own word goes before what its
    /// platform publishes for everybody.
    pub fn limit(&self) -> i64 {
        match self.reported {
            Some(reported) if self.is_published || mutants::on(Mutant::StatedLimitOverridden) => reported,
            Some(reported) => reported.min(self.rule.requests),
            None => self.rule.requests,
        }
    }

    /// Whether the headers may speak of this window: it can end as late as they say, and is the platform's own by its
    /// length or its limit. Clocks differ: half a window more is still the same one.
    fn is_meant(&self, told: Told, published: &[Rule], now: Timestamp) -> bool {
        let length = i128::from(self.rule.window_ms);
        let is_own = |rule: &Rule| rule.family == self.rule.family && rule.window_ms == self.rule.window_ms;
        let fits = now.duration_until(told.reset).as_millis() <= length * 3 / 2;
        fits && (told.limit.is_none_or(|limit| limit == self.rule.requests) || published.iter().any(is_own))
    }

    /// The window as it stands at `now`: one that has ended is empty again. One that ends later than any can was counted by
    /// a clock that was set back since; it is taken to begin now.
    pub fn refresh(&mut self, now: Timestamp) {
        let length = SignedDuration::from_millis(self.rule.window_ms);
        let longest = length.saturating_mul(2).saturating_add(SET_BACK);
        if self
            .reset
            .is_some_and(|reset| now.duration_until(reset) > longest)
        {
            self.reset = now.saturating_add(length).ok();
            self.told = false;
        }
        if self.reset.is_some_and(|reset| reset <= now) {
            self.used = 0;
            self.reset = None;
            self.told = false;
        }
    }

    /// The last instant at which a request may start and still be counted in the running window: it travels
    /// up to a second, and one that arrives in the next window would be one too many there. A window nobody
    /// told of may end as much earlier as its first request may have arrived before its latest instant.
    pub(super) fn last_start(&self, longest: SignedDuration) -> Option<Timestamp> {
        let margin = self.travel().saturating_add(self.doubt(longest));
        self.reset.and_then(|reset| reset.saturating_sub(margin).ok())
    }

    /// How much earlier than `reset` says the window may have begun: not at all once the platform has told.
    fn doubt(&self, longest: SignedDuration) -> SignedDuration {
        if self.told {
            SignedDuration::ZERO
        } else {
            longest.saturating_add(self.travel())
        }
    }

    fn travel(&self) -> SignedDuration {
        SignedDuration::from_millis((self.rule.window_ms / 20).min(1000))
    }

    /// Takes what the platform said of it. Never believes in more room than was counted in the same window,
    /// for requests in flight are not in the platform's answer yet.
    pub fn learn(&mut self, told: Told, now: Timestamp) {
        self.refresh(now);
        if told.reset <= now {
            return;
        }
        self.reset = Some(told.reset);
        self.told = true;
        // A day's limit is no quarter of an hour's: what is left of the longer window counts, its size does not.
        let length = SignedDuration::from_millis(self.rule.window_ms.saturating_mul(2));
        let is_own = now.duration_until(told.reset) <= length;
        if let Some(limit) = told.limit.filter(|limit| *limit > 0 && is_own) {
            self.reported = Some(limit);
        }
        if let Some(remaining) = told.remaining {
            // Without any limit no more is known than what is left.
            let limit = match self.limit() {
                i64::MAX => *self.reported.insert(self.used.saturating_add(remaining)),
                limit => limit,
            };
            self.used = self.used.max(limit.saturating_sub(remaining));
        }
    }
}

/// Takes what the platform's headers said: of the shortest window that they can mean, or of one that nothing states.
/// `published` are the platform's own limits; its headers speak of no window shorter than `told_from_ms`.
pub fn learn(windows: &mut Vec<Window>, told: Told, published: &[Rule], told_from_ms: i64, now: Timestamp) {
    if told.reset <= now {
        return;
    }
    let meant = windows
        .iter_mut()
        .filter(|window| !window.is_unstated && window.rule.window_ms >= told_from_ms)
        .filter(|window| mutants::on(Mutant::HeadersForAnyWindow) || window.is_meant(told, published, now))
        .min_by_key(|window| window.rule.window_ms);
    if let Some(window) = meant {
        window.learn(told, now);
        return;
    }
    let Some(family) = windows.first().map(|window| window.rule.family) else {
        return;
    };
    let known = windows.iter().position(|window| window.is_unstated);
    let index = known.unwrap_or_else(|| {
        windows.push(Window::unstated(family));
        windows.len() - 1
    });
    if let Some(window) = windows.get_mut(index) {
        let left = i64::try_from(now.duration_until(told.reset).as_millis()).unwrap_or(i64::MAX);
        window.rule.window_ms = window.rule.window_ms.max(left);
        window.learn(told, now);
    }
}

/// Takes one slot of every window, or none of any.
pub fn take(windows: &mut [Window], now: Timestamp, longest: SignedDuration) -> Slot {
    for window in windows.iter_mut() {
        window.refresh(now);
    }
    let closed =
        |w: &&mut Window| w.used >= w.limit() || w.last_start(longest).is_some_and(|last| last <= now);
    let full = windows.iter_mut().filter(closed).filter_map(|w| w.reset).max();
    if let Some(until) = full {
        return Slot::Full { until };
    }
    let latest = now.saturating_add(longest).unwrap_or(Timestamp::MAX);
    let mut start_by = latest;
    for window in windows {
        window.used += i64::from(!mutants::on(Mutant::SlotUncounted));
        if window.reset.is_none() {
            // The platform's window begins when the request arrives. Until its headers say when that was, it is
            // taken to have been as late as the permit allows: too early a return would be one too many.
            let length = SignedDuration::from_millis(window.rule.window_ms).saturating_add(window.travel());
            window.reset = latest.saturating_add(length).ok();
        }
        start_by = start_by.min(window.last_start(longest).unwrap_or(start_by));
    }
    Slot::Free { start_by }
}

/// Gives a slot back, for a permit that was returned unused in the same window.
pub fn give_back(windows: &mut [Window], granted: Timestamp, now: Timestamp, longest: SignedDuration) {
    for window in windows {
        window.refresh(now);
        let length = SignedDuration::from_millis(window.rule.window_ms);
        let longest_ago = length.saturating_add(window.doubt(longest));
        let began = window
            .reset
            .and_then(|reset| reset.saturating_sub(longest_ago).ok());
        if began.is_some_and(|began| began <= granted) {
            window.used = (window.used - 1).max(0);
            if window.used == 0 && !window.told {
                // It never began.
                window.reset = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    const LONG: SignedDuration = SignedDuration::from_millis(100);

    #[test]
    fn a_window_begins_with_its_first_request_and_holds_its_limit() {
        let mut windows = [Window::new(Rule::new(Family::Followers, 2, 1000))];
        assert_eq!(
            take(&mut windows, at(500), LONG),
            Slot::Free { start_by: at(600) }
        );
        windows[0].learn(
            Told {
                limit: None,
                remaining: None,
                reset: at(1550),
            },
            at(560),
        );
        assert_eq!(
            take(&mut windows, at(1499), LONG),
            Slot::Free { start_by: at(1500) }
        );
        assert_eq!(take(&mut windows, at(1499), LONG), Slot::Full { until: at(1550) });
        assert_eq!(
            take(&mut windows, at(1550), LONG),
            Slot::Free { start_by: at(1650) }
        );
    }

    #[test]
    fn a_window_nobody_told_of_is_taken_to_have_begun_as_late_as_it_could() {
        let mut windows = [Window::new(Rule::new(Family::Followers, 1, 1000))];
        assert_eq!(
            take(&mut windows, at(500), LONG),
            Slot::Free { start_by: at(600) }
        );
        assert_eq!(take(&mut windows, at(1499), LONG), Slot::Full { until: at(1650) });
        let mut roomy = [Window::new(Rule::new(Family::Followers, 9, 1000))];
        assert_eq!(take(&mut roomy, at(500), LONG), Slot::Free { start_by: at(600) });
        assert_eq!(
            take(&mut roomy, at(1449), LONG),
            Slot::Free { start_by: at(1450) }
        );
        assert_eq!(
            take(&mut roomy, at(1450), LONG),
            Slot::Full { until: at(1650) },
            "it may have ended at 1500 already"
        );
    }

    #[test]
    fn a_slot_that_was_never_used_is_free_again() {
        let mut windows = [Window::new(Rule::new(Family::Followers, 2, 1000))];
        take(&mut windows, at(500), LONG);
        take(&mut windows, at(550), LONG);
        give_back(&mut windows, at(499), at(600), LONG);
        assert_eq!(windows[0].used, 2, "it was another window's");
        give_back(&mut windows, at(500), at(600), LONG);
        assert_eq!(windows[0].used, 1, "nobody has told of this one yet");
        windows[0].learn(
            Told {
                limit: None,
                remaining: None,
                reset: at(1580),
            },
            at(590),
        );
        give_back(&mut windows, at(579), at(600), LONG);
        assert_eq!(windows[0].used, 1, "it was the window's before");
        give_back(&mut windows, at(580), at(600), LONG);
        assert_eq!(windows[0].used, 0);
        let mut never = [Window::new(Rule::new(Family::Followers, 2, 1000))];
        take(&mut never, at(500), LONG);
        give_back(&mut never, at(500), at(520), LONG);
        assert_eq!(never[0], Window::new(Rule::new(Family::Followers, 2, 1000)));
    }

    #[test]
    fn nothing_starts_so_late_that_it_may_arrive_in_the_next_window() {
        let mut windows = [Window::new(Rule::new(Family::Followers, 300, 900_000))];
        windows[0].learn(
            Told {
                limit: None,
                remaining: Some(299),
                reset: at(900_000),
            },
            at(0),
        );
        assert_eq!(
            take(&mut windows, at(898_950), LONG),
            Slot::Free {
                start_by: at(899_000)
            }
        );
        assert_eq!(
            take(&mut windows, at(899_000), LONG),
            Slot::Full { until: at(900_000) }
        );
    }

    #[test]
    fn a_full_day_window_leaves_the_quarter_untouched() {
        let quarter = Window::new(Rule::new(Family::Followers, 2, 1000));
        let mut day = Window::new(Rule::new(Family::Followers, 1, 10_000));
        day.used = 1;
        day.reset = Some(at(9000));
        let mut windows = [quarter.clone(), day];
        assert_eq!(take(&mut windows, at(0), LONG), Slot::Full { until: at(9000) });
        assert_eq!(windows[0], quarter);
    }

    #[test]
    fn the_platforms_reset_wins_but_never_makes_room_for_what_is_in_flight() {
        let mut window = Window::new(Rule::new(Family::Followers, 300, 1000));
        window.used = 5;
        window.reset = Some(at(1000));
        window.learn(
            Told {
                limit: Some(20),
                remaining: Some(18),
                reset: at(2000),
            },
            at(10),
        );
        assert_eq!(
            (window.used, window.limit(), window.reset),
            (5, 20, Some(at(2000)))
        );
    }

    #[test]
    fn a_window_that_was_counted_by_a_clock_since_set_back_ends_all_the_same() {
        let hour = 3_600_000;
        let mut windows = [Window::new(Rule::new(Family::Followers, 1, 1000))];
        take(&mut windows, at(hour), LONG);
        // What was used stays used; it ends by its own length.
        assert_eq!(take(&mut windows, at(0), LONG), Slot::Full { until: at(1000) });
        assert_eq!(take(&mut windows, at(500), LONG), Slot::Full { until: at(1000) });
        assert!(matches!(take(&mut windows, at(1000), LONG), Slot::Free { .. }));
    }

    #[test]
    fn what_is_left_of_a_day_counts_and_its_size_does_not() {
        let mut window = Window::new(Rule::new(Family::Followers, 300, 1000));
        let day = |remaining| Told {
            limit: Some(10_000),
            remaining: Some(remaining),
            reset: at(90_000),
        };
        window.learn(day(2), at(10));
        assert_eq!((window.used, window.limit()), (298, 300));
        window.learn(day(0), at(20));
        assert_eq!(
            take(&mut [window], at(30), LONG),
            Slot::Full { until: at(90_000) }
        );
    }

    fn told(limit: i64, remaining: i64, reset: i64) -> Told {
        Told {
            limit: Some(limit),
            remaining: Some(remaining),
            reset: at(reset),
        }
    }

    #[test]
    fn stated_limit_and_reported_one_count_in_windows_of_their_own() {
        let stated = Rule::new(Family::Followers, 3, 10_000);
        let published = [Rule::new(Family::Followers, 300, 900_000)];
        let mut windows = vec![Window::new(stated)];
        take(&mut windows, at(0), LONG);
        learn(&mut windows, told(300, 299, 900_000), &published, 0, at(50));
        assert_eq!((windows[0].limit(), windows[0].rule), (3, stated));
        assert_eq!((windows[1].limit(), windows[1].used), (300, 1));
        // Three in ten seconds, not in a quarter of an hour.
        let mut starts = 1;
        for ms in (100..60_000).step_by(100) {
            starts += i32::from(matches!(take(&mut windows, at(ms), LONG), Slot::Free { .. }));
        }
        assert!((15..=18).contains(&starts), "{starts}");
        // Near its end the reported window could be the stated one's; its limit tells them apart.
        learn(&mut windows, told(300, 200, 900_000), &published, 0, at(895_000));
        assert_eq!((windows[0].reported, windows[1].used), (None, 100));
        // What the platform has left is no more than that.
        learn(&mut windows, told(300, 0, 900_000), &published, 0, at(895_100));
        assert_eq!(
            take(&mut windows, at(895_200), LONG),
            Slot::Full { until: at(900_000) }
        );
    }

    #[test]
    fn the_stricter_of_two_limits_of_one_window_counts() {
        let published = [Rule::new(Family::Followers, 300, 900_000)];
        for (reported, limit) in [(75, 75), (1500, 300)] {
            let mut windows = vec![Window::new(published[0])];
            learn(
                &mut windows,
                told(reported, reported - 1, 900_000),
                &published,
                0,
                at(0),
            );
            assert_eq!((windows.len(), windows[0].limit()), (1, limit));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50_000))]
        /// Whenever the first request arrived, no window of the platform's ever sees more than its limit.
        #[test]
        fn requests_never_exceed_the_limit_in_any_window(
            gaps in prop::collection::vec((0i64..400, 0i64..100, any::<bool>()), 1..200),
            limit in 1i64..10,
        ) {
            let mut windows = [Window::new(Rule::new(Family::Followers, limit, 1000))];
            let (mut now, mut ends, mut count) = (0, 0, 0);
            for (gap, travel, told) in gaps {
                now += gap;
                let Slot::Free { start_by } = take(&mut windows, at(now), LONG) else { continue };
                let arrival = (now + travel).min(start_by.as_millisecond() + 49);
                if arrival >= ends {
                    (ends, count) = (arrival + 1000, 0);
                }
                count += 1;
                prop_assert!(count <= limit, "{count} of {limit} at {arrival}");
                now = arrival;
                if told {
                    windows[0].learn(Told { limit: None, remaining: None, reset: at(ends) }, at(now));
                }
            }
        }
    }
}
