//! The workers that merge: tasks that die at any await, and go on elsewhere.

use std::time::Duration;

use followlytics_store::{ledger::Ledger, objects::Objects};
use followlytics_worker::{Settings, run_one_with};
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::shared::{Process, Shared};

/// Workers at once.
const WORKERS: usize = 2;

/// The workers of one installation.
pub(crate) struct Workers {
    shared: Shared,
    ledger: Ledger,
    objects: Objects,
    running: [Option<JoinHandle<()>>; WORKERS],
    started: u32,
}

impl Workers {
    pub(crate) fn new(shared: &Shared, ledger: Ledger, objects: Objects) -> Self {
        Self {
            shared: shared.clone(),
            ledger,
            objects,
            running: Default::default(),
            started: 0,
        }
    }

    /// Starts the workers that have ended, and lets each do one job.
    pub(crate) fn step(&mut self) {
        for number in 0..WORKERS {
            let runs = self
                .running
                .get(number)
                .and_then(Option::as_ref)
                .is_some_and(|task| !task.is_finished());
            if runs || self.shared.fault(300) {
                continue;
            }
            let task = self.start(number);
            if let Some(place) = self.running.get_mut(number) {
                *place = Some(task);
            }
        }
    }

    /// Ends them all.
    pub(crate) fn stop(&mut self) {
        for task in self.running.iter_mut().filter_map(Option::take) {
            task.abort();
        }
    }

    fn start(&mut self, number: usize) -> JoinHandle<()> {
        self.started += 1;
        let who = format!("worker-{}", self.started);
        let lives = self.shared.fault(self.shared.scenario.faults.worker);
        let lives = lives.then(|| Duration::from_millis(self.shared.draw(1, 800).unsigned_abs()));
        let (shared, ledger, objects) = (self.shared.clone(), self.ledger.clone(), self.objects.clone());
        let task = tokio::spawn(async move {
            let settings = settings();
            let work = run_one_with(&ledger, &objects, &who, &settings);
            let outcome = match lives {
                None => work.await,
                Some(lives) => {
                    let Ok(outcome) = tokio::time::timeout(lives, work).await else {
                        shared.count("worker died");
                        return shared.trace(&format!("{who} died"));
                    };
                    outcome
                }
            };
            if let Err(error) = outcome {
                shared.trace(&format!("{who} failed: {error}"));
            }
        });
        let process = Process {
            abort: Some(task.abort_handle()),
            frozen_until: Timestamp::UNIX_EPOCH,
        };
        let place = format!("worker place {number}");
        self.shared.lock().processes.insert(place, process);
        task
    }
}

/// So small that a scan of a few pages has many runs, several lanes, and runs of runs.
fn settings() -> Settings {
    Settings {
        run_pages: 3,
        fan_in: 3,
        lane_rows: 400,
        piece_rows: 250,
        run_group_rows: 150,
        group_rows: 200,
        ..Settings::default()
    }
}
