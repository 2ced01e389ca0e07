//! Progress on standard error: bars on a terminal, plain lines in a pipe, nothing when asked for.

use std::{collections::BTreeMap, io::IsTerminal as _, time::Duration};

use followlytics_crds::{ScanPhase, reasons};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};

use crate::figures::{Figures, grouped, lasting};

/// How often a plain line is written while only figures change.
const LINE_EVERY: SignedDuration = SignedDuration::from_secs(2);
/// Bars of ranges shown at once; a scan may have thousands of ranges.
const MOST_BARS: usize = 8;

/// Shows how far scans are.
pub(crate) enum Progress {
    /// On a terminal.
    Bars(Bars),
    /// In a pipe.
    Lines(Lines),
    /// Nowhere.
    Silent,
}

/// Bars by scan.
pub(crate) struct Bars {
    all: MultiProgress,
    scans: BTreeMap<String, ScanBars>,
}

struct ScanBars {
    total: ProgressBar,
    ranges: BTreeMap<u32, ProgressBar>,
}

/// The last line of each scan.
#[derive(Default)]
pub(crate) struct Lines {
    last: BTreeMap<String, (Timestamp, Figures)>,
}

impl Progress {
    /// As standard error wants it.
    pub(crate) fn start(quiet: bool) -> Self {
        if quiet {
            Self::Silent
        } else if std::io::stderr().is_terminal() {
            Self::Bars(Bars {
                all: MultiProgress::new(),
                scans: BTreeMap::new(),
            })
        } else {
            Self::Lines(Lines::default())
        }
    }

    /// Shows the figures of one scan.
    pub(crate) fn show(&mut self, label: &str, figures: &Figures, now: Timestamp) {
        match self {
            Self::Bars(bars) => bars.show(label, figures, now),
            Self::Lines(lines) => lines.show(label, figures, now),
            Self::Silent => {}
        }
    }

    /// A sentence beside the figures.
    pub(crate) fn say(&self, sentence: &str) {
        match self {
            Self::Bars(bars) => {
                // A terminal that went away is no reason to stop a scan.
                let _ = bars.all.println(sentence);
            }
            Self::Lines(_) => eprintln!("{sentence}"),
            Self::Silent => {}
        }
    }

    /// Takes the bars away, so that a question or a table has the terminal for itself.
    pub(crate) fn clear(&mut self) {
        if let Self::Bars(bars) = self {
            let _ = bars.all.clear();
            bars.scans.clear();
        }
    }
}

impl Bars {
    fn show(&mut self, label: &str, figures: &Figures, now: Timestamp) {
        let all = &self.all;
        let scan = self.scans.entry(label.to_owned()).or_insert_with(|| {
            let total = all.add(ProgressBar::new(0));
            total.set_style(style("{prefix:.bold} {bar:30.cyan/blue} {pos}/{len} {msg}"));
            total.set_prefix(label.to_owned());
            total.enable_steady_tick(Duration::from_millis(250));
            ScanBars {
                total,
                ranges: BTreeMap::new(),
            }
        });
        scan.total
            .set_length(unsigned(figures.expected.max(figures.scanned)));
        scan.total.set_position(unsigned(figures.scanned));
        scan.total.set_message(message(figures, now));
        scan.ranges.retain(|id, bar| {
            let stays = figures.active.iter().any(|range| range.id == *id);
            if !stays {
                bar.finish_and_clear();
                all.remove(bar);
            }
            stays
        });
        let mut after = scan.total.clone();
        for range in figures.active.iter().take(MOST_BARS) {
            let bar = scan.ranges.entry(range.id).or_insert_with(|| {
                let bar = all.insert_after(&after, ProgressBar::new(0));
                bar.set_style(style("  {prefix:>10} {bar:30.green/black} {pos}/{len}"));
                bar.set_prefix(if range.seam {
                    format!("seam {}", range.id)
                } else {
                    format!("range {}", range.id)
                });
                bar
            });
            bar.set_length(unsigned(range.expected));
            bar.set_position(unsigned(range.rows));
            after = bar.clone();
        }
        if figures.phase.is_final() {
            scan.total.finish();
        }
    }
}

impl Lines {
    fn show(&mut self, label: &str, figures: &Figures, now: Timestamp) {
        let due = self.last.get(label).is_none_or(|(at, last)| {
            let changed = last.phase != figures.phase || reason(last) != reason(figures);
            changed || (last != figures && at.duration_until(now) >= LINE_EVERY)
        });
        if due {
            eprintln!(
                "{label}: {}/{} followers, {}",
                grouped(figures.scanned),
                grouped(figures.expected.max(figures.scanned)),
                message(figures, now)
            );
            self.last.insert(label.to_owned(), (now, figures.clone()));
        }
    }
}

fn reason(figures: &Figures) -> Option<&str> {
    figures.hold.as_ref().map(|hold| hold.reason.as_str())
}

/// Phase, ranges, rate, time left, money, and what it waits on.
fn message(figures: &Figures, now: Timestamp) -> String {
    let mut parts = vec![format!("{:?}", figures.phase)];
    if figures.ranges_total > 1 {
        parts.push(format!("{}/{} ranges", figures.ranges_done, figures.ranges_total));
    }
    if figures.phase == ScanPhase::Scanning && figures.rows_per_minute > 0 {
        parts.push(format!("{}/min", grouped(figures.rows_per_minute)));
    }
    // The rate of a while ago says nothing of a scan that waits.
    if let Some(left) = figures.eta_seconds.filter(|_| figures.hold.is_none()) {
        parts.push(format!("{} left", lasting(left)));
    }
    if !figures.spent.is_empty() {
        parts.push(figures.spent.clone());
    }
    if let Some(hold) = &figures.hold {
        let until = hold.until.map(|until| until.duration_since(now).as_secs().max(0));
        // Which part, and its cause: the reason alone does not say it.
        let which = match hold.message.split_once(';') {
            Some((brief, _)) if hold.reason == reasons::STORAGE_UNAVAILABLE => format!(": {brief}"),
            _ => String::new(),
        };
        parts.push(match until {
            Some(seconds) => format!("waits {} ({}{which})", lasting(seconds), hold.reason),
            None => format!("waits ({}{which})", hold.reason),
        });
    }
    parts.join(", ")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
