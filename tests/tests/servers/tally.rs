//! Figures over all rounds of a test.

use std::collections::BTreeMap;

use crate::round::{Disturbance, Scanned, Truth};

#[derive(Debug, Default, Clone, Copy)]
struct Figures {
    exact: u32,
    best_effort: u32,
    changes: u32,
    kills: u32,
    stable: usize,
    missed: usize,
}

/// Figures per disturbance.
#[derive(Debug)]
pub struct Tally {
    server: &'static str,
    figures: BTreeMap<Disturbance, Figures>,
}

impl Tally {
    pub fn new(server: &'static str) -> Self {
        Self {
            server,
            figures: BTreeMap::new(),
        }
    }

    /// Adds a scan; `missed` is the number of missing stable followers.
    pub fn add(&mut self, disturbance: Disturbance, scanned: &Scanned, truth: &Truth, missed: usize) {
        println!(
            "{} {disturbance:?}: {}, {} stable, {missed} missed, {} unexplained, {} changes, {} kills, {} ms, requests {}",
            self.server,
            scanned.certificate()["guarantee"],
            truth.stable.len(),
            scanned.unexplained(),
            scanned.changes,
            scanned.kills,
            scanned.report["milliseconds"],
            scanned.report["requests"],
        );
        let figures = self.figures.entry(disturbance).or_default();
        *(if scanned.is_exact() {
            &mut figures.exact
        } else {
            &mut figures.best_effort
        }) += 1;
        figures.changes += scanned.changes;
        figures.kills += scanned.kills;
        figures.stable += truth.stable.len();
        figures.missed += missed;
    }

    /// Fails if nothing changed where followers were to change, or no runner was killed in rounds where one had to be.
    pub fn check_disturbed(&self, has_time: bool) {
        for (disturbance, figures) in &self.figures {
            let is_quiet = *disturbance == Disturbance::Quiet;
            assert_eq!(is_quiet, figures.changes == 0, "{} {disturbance:?}", self.server);
            let kills = *disturbance == Disturbance::ChurnAndKills;
            assert!(
                !kills || !has_time || figures.kills > 0,
                "{}: no runner was killed",
                self.server
            );
        }
    }

    /// Missing stable followers per million.
    pub fn missed_per_million(&self, disturbance: Disturbance) -> usize {
        let figures = self.figures.get(&disturbance).copied().unwrap_or_default();
        figures.missed * 1_000_000 / figures.stable.max(1)
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        for (disturbance, figures) in &self.figures {
            println!("{} {disturbance:?} in all: {figures:?}", self.server);
        }
    }
}
