//! Fixed rate-limit windows: each starts at the first request it counts and ends a fixed time later.

use std::collections::BTreeMap;

/// What is counted together: who, on which route, over which length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WindowKey {
    pub(crate) principal: String,
    pub(crate) route: &'static str,
    pub(crate) length_ms: u64,
    /// Whether windows begin at multiples of their length, instead of at their first request.
    pub(crate) aligned: bool,
}

impl WindowKey {
    /// When a window that begins with a request at this time begins.
    fn start_ms(&self, now_ms: u64) -> u64 {
        match self.length_ms {
            length_ms @ 1.. if self.aligned => now_ms - now_ms % length_ms,
            _ => now_ms,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    started_ms: u64,
    used: u32,
}

/// A window as its headers show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) reset_ms: u64,
}

/// Every window that has begun.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    open: BTreeMap<WindowKey, Window>,
}

impl Windows {
    /// How the window stands, without counting anything. One that has not begun would end a length from now.
    pub(crate) fn look(&self, key: &WindowKey, limit: u32, now_ms: u64) -> Slot {
        match self.open.get(key) {
            Some(window) if now_ms < window.started_ms.saturating_add(key.length_ms) => Slot {
                limit,
                remaining: limit.saturating_sub(window.used),
                reset_ms: window.started_ms.saturating_add(key.length_ms),
            },
            _ => Slot {
                limit,
                remaining: limit,
                reset_ms: key.start_ms(now_ms).saturating_add(key.length_ms),
            },
        }
    }

    /// Counts one request; the caller has seen that there is room.
    pub(crate) fn take(&mut self, key: &WindowKey, limit: u32, now_ms: u64) -> Slot {
        let fresh = Window {
            started_ms: key.start_ms(now_ms),
            used: 0,
        };
        let window = self.open.entry(key.clone()).or_insert(fresh);
        if now_ms >= window.started_ms.saturating_add(key.length_ms) {
            *window = fresh;
        }
        window.used = window.used.saturating_add(1);
        self.look(key, limit, now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_starts_at_its_first_request_and_not_before() {
        let key = WindowKey {
            principal: "app".into(),
            route: "r",
            length_ms: 1_000,
            aligned: false,
        };
        let mut windows = Windows::default();
        assert_eq!(
            windows.look(&key, 2, 500),
            Slot {
                limit: 2,
                remaining: 2,
                reset_ms: 1_500
            }
        );
        assert_eq!(
            windows.take(&key, 2, 700),
            Slot {
                limit: 2,
                remaining: 1,
                reset_ms: 1_700
            }
        );
        assert_eq!(windows.take(&key, 2, 1_600).remaining, 0);
        assert_eq!(windows.look(&key, 2, 1_699).remaining, 0);
        assert_eq!(
            windows.take(&key, 2, 1_700),
            Slot {
                limit: 2,
                remaining: 1,
                reset_ms: 2_700
            }
        );
    }

    #[test]
    fn an_aligned_window_begins_with_the_clock() {
        let key = WindowKey {
            principal: "token".into(),
            route: "r",
            length_ms: 1_000,
            aligned: true,
        };
        let mut windows = Windows::default();
        assert_eq!(windows.take(&key, 2, 1_900).reset_ms, 2_000);
        assert_eq!(windows.take(&key, 2, 1_999).remaining, 0);
        assert_eq!(windows.take(&key, 2, 2_000).remaining, 1);
    }
}
