//! Waiting in real time.

use std::{thread, time::Duration};

/// Sleeps.
#[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
pub fn pause(duration: Duration) {
    thread::sleep(duration);
}

/// Waits until something is so; 45 seconds at most.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..900 {
        if is_so() {
            return;
        }
        pause(Duration::from_millis(50));
    }
    panic!("not within 45 s: {what}");
}
