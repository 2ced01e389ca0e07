//! What goes wrong on purpose: which request, how often, and how.
//!
//! At most one fault befalls a request: the oldest that matches and fires.

mod kind;

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    answer::Ask,
    error::WorldError,
    world::{Endpoint, Platform, State, World},
};

pub use self::kind::{FaultKind, ResetHeader};

/// Which of the matching requests suffer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trigger {
    /// Every matching request after the first `n`.
    After(u64),
    /// The matching requests from the first to the last of these numbers (from 1); `times` should be 0 or high enough.
    Requests {
        /// The first that suffers.
        first: u64,
        /// The last that does.
        last: u64,
    },
    /// Each matching request with this probability (0..=1), by the world's own random source.
    Probability(f64),
}

impl Default for Trigger {
    fn default() -> Self {
        Self::After(0)
    }
}

/// A fault to set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultSpec {
    /// Only this platform; absent = any.
    #[serde(default)]
    pub platform: Option<Platform>,
    /// Only this endpoint; absent = every endpoint the kind makes sense on.
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
    /// Only requests about this account (handle or id); absent = any.
    #[serde(default)]
    pub account: Option<String>,
    /// Which of those. Default: at once.
    #[serde(default)]
    pub trigger: Trigger,
    /// How many times in all; 0 = without end. Default 1.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens to them.
    pub kind: FaultKind,
}

fn once() -> u32 {
    1
}

impl FaultSpec {
    /// `kind` befalls the next request it makes sense on, once.
    pub fn once(kind: FaultKind) -> Self {
        Self {
            platform: None,
            endpoint: None,
            account: None,
            trigger: Trigger::default(),
            times: 1,
            kind,
        }
    }
}

/// A fault that was set, with what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultView {
    /// By which it can be cleared.
    pub id: u64,
    /// As it was set.
    pub spec: FaultSpec,
    /// Requests that matched so far.
    pub matched: u64,
    /// Requests that suffered so far.
    pub fired: u32,
}

/// Every fault that was set and not cleared.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    last_id: u64,
    set: Vec<FaultView>,
}

impl State {
    /// The fault that befalls this request, if any.
    pub(crate) fn draw_fault(&mut self, ask: &Ask, subject: Option<u64>) -> Option<FaultKind> {
        let names = subject.map(|user| {
            (
                self.population(ask.realm).handle(user).into_owned(),
                self.population(ask.realm).public_id(user),
            )
        });
        let about = |account: &str| {
            ask.subject
                .text()
                .is_some_and(|asked| asked.eq_ignore_ascii_case(account))
                || names
                    .as_ref()
                    .is_some_and(|(handle, id)| handle.eq_ignore_ascii_case(account) || id == account)
        };
        let mut drawn = None;
        for fault in &mut self.faults.set {
            let spec = &fault.spec;
            let matches = spec
                .platform
                .is_none_or(|platform| platform == ask.realm.platform)
                && spec.endpoint.is_none_or(|endpoint| endpoint == ask.endpoint)
                && spec.account.as_deref().is_none_or(about)
                && spec.kind.fits(ask.realm.platform, ask.endpoint)
                && (!spec.kind.needs_cursor() || ask.cursor().is_some());
            let used_up = spec.times != 0 && fault.fired >= spec.times;
            if !matches || used_up {
                continue;
            }
            fault.matched += 1;
            let fires = match spec.trigger {
                Trigger::After(skipped) => fault.matched > skipped,
                Trigger::Requests { first, last } => (first..=last).contains(&fault.matched),
                Trigger::Probability(chance) => uniform(&mut self.rng) < chance,
            };
            if fires && drawn.is_none() {
                fault.fired += 1;
                drawn = Some(spec.kind.clone());
            }
        }
        drawn
    }
}

/// A number in 0..1 with 32 random bits, so that both ends are exact.
fn uniform(rng: &mut impl Rng) -> f64 {
    f64::from(rng.next_u32()) / 4_294_967_296.0
}

impl FaultSpec {
    /// Whether it can ever happen.
    pub(crate) fn check(&self) -> Result<(), WorldError> {
        let spec = self;
        let platforms = spec
            .platform
            .map_or(Platform::ALL.to_vec(), |platform| vec![platform]);
        // The web client is X's alone.
        let plays = |platform: Platform, endpoint: &Endpoint| !endpoint.is_web() || platform == Platform::X;
        let endpoints = spec
            .endpoint
            .map_or(Endpoint::ALL.to_vec(), |endpoint| vec![endpoint]);
        let sensible = |platform: &Platform| {
            endpoints
                .iter()
                .any(|endpoint| plays(*platform, endpoint) && spec.kind.fits(*platform, *endpoint))
        };
        if !platforms.iter().any(sensible) {
            let reason = format!(
                "{} never happens on this platform and endpoint; widen them",
                spec.kind
            );
            return Err(WorldError::invalid("kind", reason));
        }
        if let Trigger::Probability(chance) = spec.trigger
            && !(0.0..=1.0).contains(&chance)
        {
            return Err(WorldError::invalid(
                "trigger.probability",
                format!("{chance} is not between 0 and 1"),
            ));
        }
        if let Trigger::Requests { first, last } = spec.trigger
            && (first == 0 || last < first)
        {
            let reason = format!("{first} to {last} is no stretch; requests are numbered from 1");
            return Err(WorldError::invalid("trigger.requests", reason));
        }
        if let FaultKind::SlowBody { bytes_per_second: 0 } = spec.kind {
            let reason = "0 would never end; use 1 or more, or hang";
            return Err(WorldError::invalid("kind.bytesPerSecond", reason));
        }
        Ok(())
    }
}

impl Faults {
    /// Sets a fault that was checked and returns its id.
    pub(crate) fn add(&mut self, spec: FaultSpec) -> u64 {
        self.last_id += 1;
        self.set.push(FaultView {
            id: self.last_id,
            spec,
            matched: 0,
            fired: 0,
        });
        self.last_id
    }
}

impl World {
    /// Sets a fault and returns its id.
    pub fn set_fault(&self, spec: FaultSpec) -> Result<u64, WorldError> {
        spec.check()?;
        Ok(self.lock().faults.add(spec))
    }

    /// Every fault that is set, used-up ones included.
    pub fn faults(&self) -> Vec<FaultView> {
        self.lock().faults.set.clone()
    }

    /// Clears one fault; says whether it was there.
    pub fn clear_fault(&self, id: u64) -> bool {
        let mut state = self.lock();
        let before = state.faults.set.len();
        state.faults.set.retain(|fault| fault.id != id);
        state.faults.set.len() < before
    }

    /// Clears all faults.
    pub fn clear_faults(&self) {
        self.lock().faults.set.clear();
    }
}
