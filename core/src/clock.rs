//! Two clocks: whether they agree, and what people are told where they do not.

use jiff::SignedDuration;

/// A difference below it says nothing: the way of a request and a busy machine take as long.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// Says which clock is how far off; `None` where both agree. `ahead` is the first clock's lead over the second.
///
/// ```
/// use followlytics_core::clock::difference;
/// use jiff::SignedDuration;
///
/// let said = difference("the database's clock", SignedDuration::from_secs(-20), "this machine's");
/// assert_eq!(
///     said.as_deref(),
///     Some("the database's clock is 20 s behind this machine's: let NTP set both")
/// );
/// ```
pub fn difference(first: &str, ahead: SignedDuration, second: &str) -> Option<String> {
    if ahead.abs() < TOLERANCE {
        return None;
    }
    let side = if ahead.is_negative() { "behind" } else { "ahead of" };
    let seconds = ahead.as_secs().unsigned_abs();
    Some(format!(
        "{first} is {seconds} s {side} {second}: let NTP set both"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_said_from_the_tolerance_on_both_ways() {
        let said = |ms| difference("a", SignedDuration::from_millis(ms), "b");
        assert_eq!((said(4_999), said(-4_999)), (None, None));
        assert_eq!(
            said(5_000).as_deref(),
            Some("a is 5 s ahead of b: let NTP set both")
        );
        assert_eq!(
            said(-61_500).as_deref(),
            Some("a is 61 s behind b: let NTP set both")
        );
        assert!(said(i64::MIN).is_some());
    }
}
