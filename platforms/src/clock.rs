//! Where time comes from: the system's clock at the edge, tokio's own in simulation.

use std::time::Duration;

use futures::{FutureExt as _, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock that can be waited on.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Ends after `duration`; at once when it is not positive.
    fn sleep(&self, duration: SignedDuration) -> BoxFuture<'static, ()>;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else takes from its context"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, duration: SignedDuration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(unsigned(duration)).boxed()
    }
}

/// The system's time when it was made, and from then on the time that passed: setting the system's clock moves it as
/// little as its own drift does. Time in which the machine was suspended has passed.
#[derive(Debug, Clone, Copy)]
pub struct SteadyClock {
    at_boot: Timestamp,
}

impl SteadyClock {
    /// A clock that shows the system's time now.
    pub fn start() -> Self {
        let now = SystemClock.now();
        Self::since(now.saturating_sub(since_boot()).unwrap_or(now))
    }

    /// A clock that showed this when the machine was started: another process's clock.
    pub const fn since(at_boot: Timestamp) -> Self {
        Self { at_boot }
    }

    /// What it showed when the machine was started.
    pub const fn at_boot(&self) -> Timestamp {
        self.at_boot
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        self.at_boot
            .saturating_add(since_boot())
            .unwrap_or(Timestamp::MAX)
    }

    fn sleep(&self, duration: SignedDuration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(unsigned(duration)).boxed()
    }
}

/// Time since the machine was started, with its suspensions.
fn since_boot() -> SignedDuration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let nanos = i32::try_from(time.tv_nsec).unwrap_or(0);
    SignedDuration::new(time.tv_sec, nanos)
}

/// A time of one's choosing that passes as tokio's time does: under paused time it jumps with the timers.
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    origin: Timestamp,
    started: Instant,
}

impl TokioClock {
    /// A clock that shows `origin` now. Must be called inside a tokio runtime when its time is paused.
    pub fn starting_at(origin: Timestamp) -> Self {
        Self {
            origin,
            started: Instant::now(),
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        self.origin.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    fn sleep(&self, duration: SignedDuration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(unsigned(duration)).boxed()
    }
}

fn unsigned(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_steady_clock_starts_at_the_systems_time_and_passes_with_time() {
        let clock = SteadyClock::start();
        let first = clock.now();
        let apart = SystemClock.now().duration_since(first).as_secs();
        assert!((-5..=5).contains(&apart), "{apart}");
        clock.sleep(SignedDuration::from_millis(20)).await;
        assert!(clock.now().duration_since(first) >= SignedDuration::from_millis(20));
    }

    #[tokio::test(start_paused = true)]
    async fn paused_time_passes_by_sleeping_alone() {
        let clock = TokioClock::starting_at(Timestamp::UNIX_EPOCH);
        clock.sleep(SignedDuration::from_hours(9)).await;
        assert_eq!(clock.now().as_second(), 9 * 3600);
        clock.sleep(SignedDuration::from_secs(-5)).await;
        assert_eq!(clock.now().as_second(), 9 * 3600);
    }
}
