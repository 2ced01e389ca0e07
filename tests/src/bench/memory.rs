//! What `up` and its children hold while they scan a million followers, and ten.

use anyhow::Result;

use super::{
    listing::{Own, own, unlimited},
    processes::Site,
    report::{Bar, Section},
};

const ONE: u64 = 1_000_000;
const TEN: u64 = 10_000_000;

fn measure(followers: u64) -> Result<Own> {
    own(&Site::start(&unlimited(followers))?, followers)
}

/// The bench.
pub fn section() -> Result<Section> {
    let (one, ten) = (measure(ONE)?, measure(TEN)?);
    let row = |name: &str, held: &Own| {
        vec![
            name.to_owned(),
            format!("{:.1} s", held.scanned.wall),
            format!("{:.0} MB", held.up.peak_mb),
            format!("{:.0} MB", held.runner.peak_mb),
            format!("{:.0} MB", held.worker.peak_mb),
        ]
    };
    Ok(Section {
        name: "memory",
        title: "Memory while scanning a million followers, and ten",
        head: vec!["followers", "took", "`up`", "runner", "worker"],
        rows: vec![row("1 million", &one), row("10 million", &ten)],
        bars: vec![
            Bar::at_most("`up` at 1 million, MB", one.up.peak_mb, 80.0),
            Bar::at_most("`up` at 10 million ÷ at 1 million", ten.up.peak_mb / one.up.peak_mb, 1.2),
            Bar::at_most("runner at 10 million, MB", ten.runner.peak_mb, 30.0),
            Bar::at_most("runner at 10 million ÷ at 1 million", ten.runner.peak_mb / one.runner.peak_mb, 1.2),
        ],
        notes: vec![
            "The most resident memory of each process from the start of the scan to its merged result (VmHWM), on X with its \
             limits off: 1,000 rows a page."
                .to_owned(),
        ],
    })
}
