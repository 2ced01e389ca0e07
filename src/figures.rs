//! How far a scan is, in one value: live from the ledger where it is at hand, from the object otherwise.

use followlytics_core::{
    money::Usd,
    scan::{
        range::{Kind, Range, State},
        summary::{Hold, Stage, Summary},
    },
};
use followlytics_crds::{CostStatus, Scan, ScanPhase};
use jiff::Timestamp;

/// How far a scan is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Figures {
    pub(crate) phase: ScanPhase,
    pub(crate) expected: i64,
    pub(crate) scanned: i64,
    pub(crate) rows_per_minute: i64,
    pub(crate) eta_seconds: Option<i64>,
    pub(crate) ranges_total: i64,
    pub(crate) ranges_done: i64,
    pub(crate) ranges_active: i64,
    pub(crate) spent: String,
    pub(crate) hold: Option<Hold>,
    /// The ranges that are being read; empty where the ledger is not at hand.
    pub(crate) active: Vec<RangeFigures>,
}

/// How far one range is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RangeFigures {
    pub(crate) id: u32,
    pub(crate) rows: i64,
    pub(crate) expected: i64,
    pub(crate) seam: bool,
}

impl Figures {
    /// From the ledger, this instant.
    pub(crate) fn live(summary: &Summary, ranges: &[Range], phase: ScanPhase, now: Timestamp) -> Self {
        let until = summary.ended.unwrap_or(now);
        let millis = summary
            .started
            .map_or(0, |since| until.duration_since(since).as_millis());
        let rate = i64::try_from(i128::from(summary.scanned) * 60_000 / millis.max(1)).unwrap_or(i64::MAX);
        let left = summary.expected - summary.scanned;
        Self {
            phase: match summary.stage {
                Stage::Resolving | Stage::Scanning if phase == ScanPhase::Suspended => phase,
                Stage::Resolving => ScanPhase::Resolving,
                Stage::Scanning => ScanPhase::Scanning,
                Stage::Merging => ScanPhase::Merging,
                Stage::Merged | Stage::Ended => phase,
            },
            expected: summary.expected,
            scanned: summary.scanned,
            rows_per_minute: if summary.started.is_some() { rate } else { 0 },
            eta_seconds: (summary.stage == Stage::Scanning && rate > 0 && left > 0).then(|| left * 60 / rate),
            ranges_total: summary.ranges.total,
            ranges_done: summary.ranges.done,
            ranges_active: summary.ranges.active,
            spent: dollars(summary.spent.plus(summary.surplus)),
            hold: summary.hold.clone(),
            active: active(ranges, now),
        }
    }

    /// From the object, which is written now and then.
    pub(crate) fn reported(scan: &Scan) -> Self {
        let Some(status) = &scan.status else {
            return Self::default();
        };
        let progress = status.progress.clone().unwrap_or_default();
        Self {
            phase: status.phase,
            expected: progress.expected,
            scanned: progress.scanned,
            rows_per_minute: progress.followers_per_minute,
            eta_seconds: progress.eta_seconds,
            ranges_total: progress.ranges.total,
            ranges_done: progress.ranges.done,
            ranges_active: progress.ranges.active,
            spent: status.cost.as_ref().map_or_else(String::new, |cost| {
                charged(cost).map_or_else(String::new, dollars)
            }),
            hold: status.waiting_on.as_ref().map(|waiting| Hold {
                reason: waiting.reason.clone(),
                message: waiting.message.clone().unwrap_or_default(),
                until: waiting.until.as_ref().map(|until| until.0),
            }),
            active: Vec::new(),
        }
    }
}

/// What the platform charged: for rows that were requested, and for others.
pub(crate) fn charged(cost: &CostStatus) -> Option<Usd> {
    let surplus = cost.surplus_usd.as_deref().and_then(|text| text.parse().ok());
    let spent: Usd = cost.spent_usd.parse().ok()?;
    Some(spent.plus(surplus.unwrap_or(Usd::ZERO)))
}

/// Dollars for people; nothing where nothing was paid.
fn dollars(amount: Usd) -> String {
    if amount == Usd::ZERO {
        String::new()
    } else {
        format!("${amount}")
    }
}

fn active(ranges: &[Range], now: Timestamp) -> Vec<RangeFigures> {
    let mut active: Vec<&Range> = ranges
        .iter()
        .filter(|range| range.kind != Kind::Resolve && range.state == State::Open && range.is_held(now))
        .collect();
    active.sort_by_key(|range| range.id);
    active
        .into_iter()
        .map(|range| RangeFigures {
            id: range.id,
            rows: range.rows,
            expected: range.expected.max(range.rows),
            seam: range.kind == Kind::Seam,
        })
        .collect()
}

/// Thousands apart: `250,000`.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A length of time for people: `4 s`, `2 min 5 s`, `3 h 10 min`.
pub(crate) fn lasting(seconds: i64) -> String {
    match seconds {
        ..0 => "now".to_owned(),
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (-1_234_567, "-1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn times_read_as_people_say_them() {
        for (seconds, text) in [
            (5, "5 s"),
            (125, "2 min 5 s"),
            (11_400, "3 h 10 min"),
            (-1, "now"),
        ] {
            assert_eq!(lasting(seconds), text);
        }
    }
}
