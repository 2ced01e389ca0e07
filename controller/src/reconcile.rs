//! The driver all kinds share: outcome, log line, one event for an error that stays, and when to try again.

use std::{future::Future, sync::Arc, time::Duration};

use followlytics_core::sandbox::{Announcement, Requeue};
use jiff::{SignedDuration, Timestamp};
use kube::{ResourceExt as _, runtime::controller::Action};
use strum::IntoStaticStr;

use crate::{
    Class, Context, Error,
    objects::{self, Kind},
};

/// How a reconcile ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
enum Outcome {
    /// Done; the next step follows at once.
    Stepped,
    /// Done; it will be looked at again at some time.
    Waiting,
    /// Done; nothing is left until something changes.
    Quiet,
    /// It failed and is tried again.
    Failed,
}

/// An error that came this often in a row is told to people, once a generation.
const TELL_AFTER: u32 = 3;

/// Runs one reconcile: everything that is not a kind's own business.
pub(crate) async fn drive<K: Kind>(
    object: &K,
    ctx: &Context,
    step: impl Future<Output = Result<Requeue, Error>>,
) -> Result<Requeue, Error> {
    let began = ctx.now();
    let result = step.await;
    let outcome = match &result {
        Ok(Requeue::Now) => Outcome::Stepped,
        Ok(Requeue::At(_)) => Outcome::Waiting,
        Ok(Requeue::OnChange) => Outcome::Quiet,
        Err(_) => Outcome::Failed,
    };
    tracing::debug!(
        kind = K::NAME,
        namespace = object.meta().namespace.as_deref().unwrap_or_default(),
        name = object.name_any(),
        outcome = <&str>::from(outcome),
        milliseconds = i64::try_from(ctx.now().duration_since(began).as_millis()).unwrap_or(i64::MAX),
        "reconciled"
    );
    let uid = object.meta().uid.clone().unwrap_or_default();
    match &result {
        Ok(_) => {
            ctx.memory().failures.remove(&uid);
        }
        Err(error) => fail(object, ctx, &uid, error).await,
    }
    result
}

/// Counts the failure; says it once here, where it is handled.
async fn fail<K: Kind>(object: &K, ctx: &Context, uid: &str, error: &Error) {
    let failures = {
        let mut memory = ctx.memory();
        let count = memory.failures.entry(uid.to_owned()).or_insert(0);
        *count = count.saturating_add(1);
        *count
    };
    if error.class() == Class::Conflict {
        return;
    }
    let chain = error.chain();
    tracing::warn!(
        kind = K::NAME,
        name = object.name_any(),
        failures,
        error = chain,
        "failed to reconcile"
    );
    if failures == TELL_AFTER {
        let news = Announcement {
            reason: "ReconcileFailed",
            note: chain,
            warning: true,
            occurrence: None,
        };
        if let Err(error) = objects::announce(ctx, object, &news).await {
            tracing::debug!(error = error.chain(), "failed to tell of a failed reconcile");
        }
    }
}

/// When a failed object is tried again: sooner for a conflict, later and later otherwise.
pub(crate) fn retry_after(class: Class, failures: u32, uid: &str) -> SignedDuration {
    let (first, longest) = match class {
        Class::Conflict => (50, 1_000),
        Class::Transient => (500, 60_000),
        Class::Invalid => (5_000, 300_000),
    };
    let wait = i64::from(first)
        .saturating_mul(1_i64 << failures.saturating_sub(1).min(16))
        .min(longest);
    // Objects that failed together should not come back together; the spread comes from their names, so that
    // the same run can be repeated.
    let spread = i64::try_from(fnv(uid) % 256).unwrap_or(0);
    SignedDuration::from_millis(wait + wait * spread / 1024)
}

/// FNV-1a, 64 bits.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A requeue in the words of kube-runtime.
pub(crate) fn action(requeue: Requeue, now: Timestamp) -> Action {
    match requeue {
        Requeue::Now => Action::requeue(Duration::ZERO),
        Requeue::At(at) => {
            Action::requeue(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
        }
        Requeue::OnChange => Action::await_change(),
    }
}

/// What kube-runtime does after a failure.
#[expect(clippy::needless_pass_by_value, reason = "kube-runtime passes values")]
pub(crate) fn error_policy<K: Kind>(object: Arc<K>, error: &Error, ctx: Arc<Context>) -> Action {
    let uid = object.meta().uid.clone().unwrap_or_default();
    let failures = ctx.memory().failures.get(&uid).copied().unwrap_or(1);
    let wait = retry_after(error.class(), failures, &uid);
    Action::requeue(Duration::try_from(wait).unwrap_or(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_class_and_stay_there() {
        for class in [Class::Conflict, Class::Transient, Class::Invalid] {
            let waits: Vec<SignedDuration> = (1..40).map(|n| retry_after(class, n, "uid")).collect();
            assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{class:?}");
            assert!(waits[39 - 1] <= SignedDuration::from_secs(375), "{class:?}");
        }
        assert!(retry_after(Class::Conflict, 1, "uid") < SignedDuration::from_millis(100));
    }

    #[test]
    fn objects_that_failed_together_come_back_apart_and_always_alike() {
        let wait = |uid: &str| retry_after(Class::Transient, 5, uid);
        let different: std::collections::BTreeSet<SignedDuration> =
            (0..20).map(|n| wait(&format!("uid-{n}"))).collect();
        assert!(different.len() > 10, "{}", different.len());
        assert_eq!(wait("uid-1"), wait("uid-1"));
    }
}
