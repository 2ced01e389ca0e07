//! How long ago something was, in as few characters as Kubernetes needs.

use jiff::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The age of a time given as RFC 3339; `<invalid>` where it is none.
pub(super) fn since_text(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => since(time, now),
        Err(_) => "<invalid>".to_owned(),
    }
}

/// The age of a time; a time in the future is `<invalid>`, with two seconds' grace for clocks that differ.
pub(super) fn since(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(time).as_secs();
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{big}{big_unit}")
        } else {
            format!("{big}{big_unit}{small}{small_unit}")
        }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(seconds / YEAR, "y", seconds % YEAR / DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_as_coarse_as_kubernetes_makes_it() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let shown = [
            (-2, "<invalid>"),
            (-1, "0s"),
            (119, "119s"),
            (120, "2m"),
            (135, "2m15s"),
            (600, "10m"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR, "3h"),
            (4 * HOUR + 5 * MINUTE, "4h5m"),
            (8 * HOUR + 59 * MINUTE, "8h"),
            (2 * DAY, "2d"),
            (2 * DAY + 5 * HOUR, "2d5h"),
            (8 * DAY + 5 * HOUR, "8d"),
            (2 * YEAR, "2y"),
            (3 * YEAR + 4 * DAY, "3y4d"),
            (8 * YEAR + 4 * DAY, "8y"),
        ];
        for (seconds, wanted) in shown {
            let time = Timestamp::from_second(1_800_000_000 - seconds).unwrap();
            assert_eq!(since(time, now), wanted);
        }
        assert_eq!(since_text("yesterday", now), "<invalid>");
    }
}
