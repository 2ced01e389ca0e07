//! When an initial population began to follow: made up, in order, and always in the past.

use serde::{Deserialize, Serialize};

use crate::{
    edges::{SEQUENCE_STEP, key_ms},
    ids::mix,
};

/// How an initial population came about over the account's life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Growth {
    /// Equal numbers in equal times.
    #[default]
    Steady,
    /// Each day brings more than the one before: half of all in the last 29 % of the time.
    Accelerating,
    /// Half of all followed within one hundredth of the time, in the middle.
    Viral,
    /// Nine in ten followed within these seconds, the others evenly before and after.
    Burst {
        /// How long it lasted.
        seconds: u64,
        /// Seconds from its end to now.
        ago: u64,
    },
}

/// Follow times of an initial population: in order, in the past, some sharing a millisecond.
#[derive(Debug)]
pub(crate) struct FollowTimes {
    growth: Growth,
    start_ms: u64,
    span_ms: u64,
    count: u64,
}

impl FollowTimes {
    pub(crate) fn new(growth: Growth, start_ms: u64, now_ms: u64, count: u64) -> Self {
        // A second of distance, so that the first live follow is newer than every initial one.
        // Keys lie a step apart besides: a hundred million of them add six seconds.
        let steps_ms = key_ms(count.saturating_mul(SEQUENCE_STEP));
        let span_ms = now_ms.saturating_sub(start_ms).saturating_sub(1_000 + steps_ms);
        Self {
            growth,
            start_ms,
            span_ms,
            count,
        }
    }

    /// When the `nth` follower came, in milliseconds.
    pub(crate) fn nth(&self, seed: u64, nth: u64) -> u64 {
        // Every sixteenth shares the millisecond of its elder; the rest are jittered inside their own gap.
        let place = nth - u64::from(nth > 0 && mix(seed, nth).is_multiple_of(16));
        let at = self.share(place);
        let gap = self.share(place + 1).saturating_sub(at).max(1);
        self.start_ms + at + mix(seed ^ 0x71AE, place) % gap
    }

    fn share(&self, place: u64) -> u64 {
        let (span, count, place) = (
            u128::from(self.span_ms),
            u128::from(self.count.max(1)),
            u128::from(place),
        );
        let at = match self.growth {
            Growth::Steady => span * place / count,
            Growth::Accelerating => (span * span * place / count).isqrt(),
            Growth::Burst { seconds, ago } => {
                let burst = u128::from(seconds).saturating_mul(1_000).min(span);
                let after = u128::from(ago).saturating_mul(1_000).min(span - burst);
                let before = span - burst - after;
                let calm = (before + after).max(1);
                // Places before, in and after the burst.
                let early = count / 10 * before / calm;
                let late = early + count - count / 10;
                if place <= early {
                    before * place / early.max(1)
                } else if place <= late {
                    before + burst * (place - early) / (late - early).max(1)
                } else {
                    before + burst + after * (place - late) / (count - late).max(1)
                }
            }
            Growth::Viral => {
                let (quarter, half) = (count.div_ceil(4), count.div_ceil(2));
                let before = span * 99 / 200;
                let burst = span / 100;
                if place <= quarter {
                    before * place / quarter
                } else if place <= quarter + half {
                    before + burst * (place - quarter) / half
                } else {
                    before + burst + before * (place - quarter - half) / quarter.max(1)
                }
            }
        };
        u64::try_from(at.min(span)).unwrap_or(self.span_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_follow_times_are_in_the_past_in_order_and_sometimes_equal() {
        let burst = Growth::Burst {
            seconds: 3_600,
            ago: 86_400,
        };
        for growth in [Growth::Steady, Growth::Accelerating, Growth::Viral, burst] {
            let times = FollowTimes::new(growth, 1_000_000, 900_000_000, 5_000);
            let all: Vec<u64> = (0..5_000).map(|nth| times.nth(3, nth)).collect();
            assert!(
                all.iter().all(|ms| (1_000_000..900_000_000).contains(ms)),
                "{growth:?}"
            );
            let falls = all.windows(2).filter(|pair| pair[1] < pair[0]).count();
            let shared = all.windows(2).filter(|pair| pair[1] == pair[0]).count();
            assert_eq!(falls, 0, "{growth:?}");
            assert!(shared > 200, "{growth:?}: {shared}");
        }
    }

    #[test]
    fn a_viral_account_got_half_its_followers_in_the_middle_hundredth() {
        let times = FollowTimes::new(Growth::Viral, 0, 100_001_000, 1_000);
        let middle = (0..1_000)
            .map(|nth| times.nth(1, nth))
            .filter(|ms| (49_400_000..=50_600_000).contains(ms));
        assert!(middle.count() >= 500);
    }
}
