//! What goes wrong on purpose: which request, how often, and how.
//!
//! At most one fault befalls a request: the oldest that matches and fires.

use std::fmt;

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    answer::Ask,
    error::WorldError,
    world::{Endpoint, Platform, State, World},
};

/// When the platform says its window ends, against when it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ResetHeader {
    /// The true end of the window.
    True,
    /// So many seconds before it: who believes it comes back to another 429 (set `times` to 2 or more).
    Early(u32),
    /// So many seconds after it.
    Late(u32),
    /// No rate-limit headers at all.
    Absent,
}

impl ResetHeader {
    /// The time the header names for a window that ends at `at`, in the same unit of milliseconds.
    pub(crate) fn shift(self, at: u64) -> Option<u64> {
        match self {
            Self::True => Some(at),
            Self::Early(seconds) => Some(at.saturating_sub(u64::from(seconds) * 1_000)),
            Self::Late(seconds) => Some(at.saturating_add(u64::from(seconds) * 1_000)),
            Self::Absent => None,
        }
    }
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FaultKind {
    /// 500 with an HTML page.
    InternalErrorHtml,
    /// 502 with an empty body.
    BadGateway,
    /// 504 with an empty body.
    GatewayTimeout,
    /// 403 with the HTML page of a bot wall in front (`cf-ray`); nothing behind it heard of the request.
    BlockedHtml,
    /// 200 with an HTML page: closed for maintenance.
    MaintenanceHtml,
    /// 403 in the platform's own words: on X the application is not enrolled.
    Forbidden,
    /// 503 with an empty body.
    Unavailable {
        /// Value of a `retry-after` header, if any.
        retry_after_seconds: Option<u32>,
    },
    /// 429 although the window has room; not counted in it.
    RateLimited {
        /// What the headers say.
        reset: ResetHeader,
    },
    /// GitHub: a secondary limit, with room in the first one.
    SecondaryLimit {
        /// 403 or 429.
        status: u16,
        /// Value of `retry-after`; absent = none, wait a minute or more.
        retry_after_seconds: Option<u32>,
    },
    /// GitHub: 451.
    LegallyBlocked,
    /// X: 402.
    CreditsDepleted,
    /// X: 429 `UsageCapExceeded`.
    UsageCapExceeded,
    /// 401 for a token that is good. `times: 20` makes a storm.
    Unauthorized,
    /// The right answer, cut in the middle, with a matching length: valid HTTP, invalid JSON. Charged.
    TruncatedBody,
    /// The right answer with nothing in it: 200 and an empty body. Charged.
    EmptyBody,
    /// The right answer, called `text/html`. Charged.
    WrongContentType,
    /// X: the right rows, and besides them an `errors` member about one that could not be shown. Charged.
    PartialErrors,
    /// One more row, in the middle, whose id and names have the wrong type. Charged, and never in the truth.
    MalformedRow,
    /// The page's first row once more at its end.
    DuplicatedRow,
    /// Half the rows, and a cursor that goes on right behind them. X, Bluesky and Mastodon.
    ShortPage,
    /// No rows, and a cursor that goes on from the same place. X, Bluesky and Mastodon.
    EmptyPage,
    /// The right rows, but the next cursor is the one just used. X, Bluesky and Mastodon, from the second page on.
    RepeatedCursor,
    /// The right rows, and no way on, although there is more. Not on Gitea.
    MissingCursor,
    /// The cursor is refused as if it had expired. X and Bluesky, from the second page on.
    ExpiredCursor,
    /// The right answer, later.
    ExtraLatency {
        /// On top of everything else.
        milliseconds: u64,
    },
    /// The right answer with a `Date` header this far from the truth.
    ClockSkew {
        /// Positive = the platform's clock is ahead.
        seconds: i64,
    },
    /// The right answer, so many bytes a second. Charged.
    SlowBody {
        /// At least 1.
        bytes_per_second: u32,
    },
    /// Half the right answer, whose headers promise all of it; then the connection is closed. Charged.
    BodyLost,
    /// Processed and charged; then nothing comes for so long, and the connection is dropped.
    Hang {
        /// Until the platform gives up.
        milliseconds: u64,
    },
    /// Processed, logged and charged; then the connection is dropped. On the token endpoint the rotation is done.
    ResponseLost,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

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

impl FaultKind {
    /// Whether this fault means anything on that platform and endpoint.
    fn fits(&self, platform: Platform, endpoint: Endpoint) -> bool {
        match self {
            Self::MalformedRow | Self::DuplicatedRow => endpoint == Endpoint::Followers,
            Self::ShortPage | Self::EmptyPage | Self::RepeatedCursor => {
                endpoint == Endpoint::Followers && !matches!(platform, Platform::Gitea | Platform::Github)
            }
            Self::ExpiredCursor => {
                endpoint == Endpoint::Followers && matches!(platform, Platform::X | Platform::Bluesky)
            }
            Self::MissingCursor => endpoint == Endpoint::Followers && platform != Platform::Gitea,
            Self::SecondaryLimit { .. } | Self::LegallyBlocked => platform == Platform::Github,
            Self::PartialErrors => platform == Platform::X && endpoint == Endpoint::Followers,
            Self::CreditsDepleted | Self::UsageCapExceeded => {
                platform == Platform::X && endpoint != Endpoint::Token
            }
            _ => true,
        }
    }

    fn needs_cursor(&self) -> bool {
        matches!(self, Self::RepeatedCursor | Self::ExpiredCursor)
    }
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
        let all = [
            Endpoint::Account,
            Endpoint::Followers,
            Endpoint::Me,
            Endpoint::Token,
            Endpoint::Instance,
        ];
        let endpoints = spec.endpoint.map_or(all.to_vec(), |endpoint| vec![endpoint]);
        let sensible = |platform: &Platform| {
            endpoints
                .iter()
                .any(|endpoint| spec.kind.fits(*platform, *endpoint))
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
