//! Loop decide → act in a model until nothing changes, with crashes between any two effects and repeated
//! effects: it becomes quiet, runs what it should, and says each outcome once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Everything that outlives a crash of the controller.
struct World {
    scan: Option<Scan>,
    recorded: Option<ScanRequest>,
    summary: Option<Summary>,
    sandboxes: BTreeMap<String, Sandbox>,
    events: BTreeSet<String>,
    now: Timestamp,
    most_alive: usize,
    forgotten: u32,
}

enum Effect {
    Finalizer,
    Record(Box<ScanRequest>),
    Create(Box<Sandbox>),
    Delete(String),
    Announce(&'static str),
    Status(Box<ScanStatus>),
    Forget,
    LetGo,
}

/// The effects of a decision in the order in which `act` carries them out.
fn effects(decision: Decision) -> Vec<Effect> {
    let Plan {
        finalizer,
        record,
        delete,
        create,
        announce,
        outages: _,
        forget,
        expire: _,
    } = decision.plan;
    let mut all = Vec::new();
    all.extend((finalizer == Finalizer::Add).then_some(Effect::Finalizer));
    all.extend(record.map(|record| Effect::Record(Box::new(record))));
    all.extend(
        create
            .into_iter()
            .map(|sandbox| Effect::Create(Box::new(sandbox))),
    );
    all.extend(delete.into_iter().map(|victim| Effect::Delete(victim.name)));
    all.extend(announce.map(|announcement| Effect::Announce(announcement.reason)));
    if finalizer != Finalizer::Remove {
        all.push(Effect::Status(Box::new(decision.report.status)));
    }
    all.extend(forget.map(|_| Effect::Forget));
    all.extend((finalizer == Finalizer::Remove).then_some(Effect::LetGo));
    all
}

impl World {
    fn new(spec: serde_json::Value) -> Self {
        let mut scan = scan(spec);
        scan.metadata.finalizers = None;
        Self {
            scan: Some(scan),
            recorded: None,
            summary: None,
            sandboxes: BTreeMap::new(),
            events: BTreeSet::new(),
            now: at(0),
            most_alive: 0,
            forgotten: 0,
        }
    }

    fn observe(&self) -> Observed {
        Observed {
            recorded: self.recorded.clone(),
            summary: self.summary.clone(),
            credential: None,
            session: None,
            kept: None,
            served: true,
            runners: self
                .sandboxes
                .values()
                .filter_map(|sandbox| Runner::of(sandbox, false))
                .collect(),
            share: 5,
            progress_written: None,
            health: crate::health::Health::default(),
            announced: BTreeSet::new(),
        }
    }

    /// Applies one effect; whether anything changed.
    fn apply(&mut self, effect: Effect) -> bool {
        let scan = self.scan.as_mut().unwrap();
        match effect {
            Effect::Finalizer => {
                scan.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
            }
            Effect::Record(record) => {
                if self.summary.is_none() {
                    self.summary = Some(Summary {
                        ranges: RangeTally::default(),
                        ..summary(Stage::Resolving)
                    });
                }
                self.recorded = Some(*record);
            }
            Effect::Create(mut sandbox) => {
                sandbox.metadata.uid = sandbox.metadata.name.clone();
                sandbox.metadata.creation_timestamp = Some(Time(self.now));
                let name = sandbox.metadata.name.clone().unwrap();
                assert!(
                    self.sandboxes.insert(name, *sandbox).is_none(),
                    "a name is used twice at a time"
                );
                self.most_alive = self.most_alive.max(self.alive());
            }
            Effect::Delete(name) => {
                let Some(sandbox) = self.sandboxes.get_mut(&name) else {
                    return false;
                };
                sandbox.metadata.deletion_timestamp = Some(Time(self.now));
            }
            Effect::Announce(reason) => {
                let generation = scan.metadata.generation.unwrap();
                return self.events.insert(format!("{reason}-{generation}"));
            }
            Effect::Status(status) => {
                if scan.status.clone().unwrap_or_default() == *status {
                    return false;
                }
                scan.status = Some(*status);
            }
            Effect::Forget => {
                self.forgotten += 1;
                self.recorded = None;
                self.summary = None;
            }
            Effect::LetGo => self.scan = None,
        }
        true
    }

    fn alive(&self) -> usize {
        self.sandboxes
            .values()
            .filter_map(|sandbox| Runner::of(sandbox, false))
            .filter(Runner::is_alive)
            .count()
    }

    /// One pass, cut off after `budget` effects; whether anything changed.
    fn reconcile(&mut self, budget: usize) -> bool {
        let Some(scan) = self.scan.clone() else {
            return false;
        };
        let decision = run(&scan, &self.observe(), self.now);
        let mut changed = false;
        for effect in effects(decision).into_iter().take(budget) {
            changed |= self.apply(effect);
        }
        changed
    }

    /// What the rest of the system does meanwhile: sandboxes start, runners read, merges end.
    fn live(&mut self) -> bool {
        let mut changed = false;
        self.sandboxes
            .retain(|_, sandbox| sandbox.metadata.deletion_timestamp.is_none());
        for sandbox in self.sandboxes.values_mut() {
            let status = sandbox.status.get_or_insert_default();
            changed |= status.phase == SandboxPhase::Pending;
            if status.phase == SandboxPhase::Pending {
                status.phase = SandboxPhase::Ready;
            }
        }
        let (Some(summary), Some(recorded)) = (&mut self.summary, &self.recorded) else {
            return changed;
        };
        let before = summary.clone();
        let working = self
            .sandboxes
            .values()
            .any(|s| s.status.as_ref().unwrap().phase == SandboxPhase::Ready);
        match (summary.stage, recorded.mode) {
            (Stage::Resolving | Stage::Scanning, Mode::Cancel) => {
                *summary = Summary {
                    stage: Stage::Ended,
                    ended: Some(self.now),
                    ..before.clone()
                };
            }
            (Stage::Resolving, Mode::Run) if working => *summary = super::summary(Stage::Scanning),
            (Stage::Scanning, Mode::Run) if working && summary.scanned >= 4000 => {
                summary.stage = Stage::Merging;
            }
            (Stage::Scanning, Mode::Run) if working => summary.scanned += 250,
            (Stage::Merging, _) => *summary = merged(0),
            _ => {}
        }
        changed || *summary != before
    }

    /// Lets everything run until nothing changes; fails if that takes too long.
    fn settle(&mut self, cuts: &mut impl Iterator<Item = usize>) {
        for _ in 0..200 {
            let one = self.reconcile(cuts.next().unwrap_or(usize::MAX));
            let two = self.live();
            self.now += SignedDuration::from_secs(1);
            // Cut passes prove nothing about quiet: two whole ones do.
            if !one && !two && !self.reconcile(usize::MAX) && !self.live() {
                return;
            }
        }
        panic!("it does not become quiet");
    }

    fn edit(&mut self, change: impl FnOnce(&mut Scan)) {
        let scan = self.scan.as_mut().unwrap();
        change(scan);
        *scan.metadata.generation.as_mut().unwrap() += 1;
    }

    fn phase(&self) -> ScanPhase {
        self.scan.as_ref().unwrap().status.as_ref().unwrap().phase
    }
}

proptest! {
    #[test]
    fn a_scan_succeeds_whatever_is_cut_off(cuts in prop::collection::vec(0..5_usize, 0..40)) {
        let mut world = World::new(json!({}));
        world.settle(&mut cuts.into_iter());
        prop_assert_eq!(world.phase(), ScanPhase::Succeeded);
        prop_assert!(world.sandboxes.is_empty());
        prop_assert!(world.most_alive <= 5);
        prop_assert_eq!(world.events, BTreeSet::from(["Succeeded-1".to_owned()]));
    }

    #[test]
    fn a_pause_becomes_true_and_ends(cuts in prop::collection::vec(0..5_usize, 0..60), when in 0..6_usize) {
        let mut cuts = cuts.into_iter();
        let mut world = World::new(json!({}));
        for _ in 0..when {
            world.reconcile(cuts.next().unwrap_or(usize::MAX));
            world.live();
        }
        world.edit(|scan| scan.spec.operating_mode = OperatingMode::Suspended);
        world.settle(&mut cuts);
        prop_assert_eq!(world.phase(), ScanPhase::Suspended);
        prop_assert_eq!(world.alive(), 0);
        prop_assert_eq!(world.events.clone(), BTreeSet::from(["Suspended-2".to_owned()]));
        world.edit(|scan| scan.spec.operating_mode = OperatingMode::Running);
        world.settle(&mut cuts);
        prop_assert_eq!(world.phase(), ScanPhase::Succeeded);
        prop_assert!(world.events.contains("Resumed-3") && world.events.contains("Succeeded-3"));
    }

    #[test]
    fn cancelling_ends_it_and_every_runner(cuts in prop::collection::vec(0..5_usize, 0..60), when in 0..6_usize) {
        let mut cuts = cuts.into_iter();
        let mut world = World::new(json!({}));
        for _ in 0..when {
            world.reconcile(cuts.next().unwrap_or(usize::MAX));
            world.live();
        }
        world.edit(|scan| scan.spec.cancelled = true);
        world.settle(&mut cuts);
        prop_assert_eq!(world.phase(), ScanPhase::Cancelled);
        prop_assert!(world.sandboxes.is_empty());
    }

    #[test]
    fn deletion_leaves_nothing_behind(cuts in prop::collection::vec(0..5_usize, 0..60), when in 0..12_usize) {
        let mut cuts = cuts.into_iter();
        let mut world = World::new(json!({}));
        for _ in 0..when {
            world.reconcile(cuts.next().unwrap_or(usize::MAX));
            world.live();
        }
        if let Some(scan) = world.scan.as_mut() {
            scan.metadata.deletion_timestamp = Some(Time(at(1)));
            // The server lets an object without finalizers go at once.
            if scan.metadata.finalizers.is_none() {
                prop_assert!(world.recorded.is_none() && world.sandboxes.is_empty());
                return Ok(());
            }
        }
        world.settle(&mut cuts);
        prop_assert!(world.scan.is_none() && world.sandboxes.is_empty() && world.summary.is_none());
        prop_assert!(world.forgotten >= 1);
    }
}
