//! Conditions as Kubernetes writes them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// A condition whose transition time is `now` unless `earlier` already had this status.
pub fn condition(
    earlier: &[Condition],
    kind: &str,
    good: bool,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: jiff::Timestamp,
) -> Condition {
    let status = if good { "True" } else { "False" };
    let since = earlier
        .iter()
        .find(|c| c.type_ == kind && c.status == status)
        .map_or(Time(now), |c| c.last_transition_time.clone());
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: generation,
        last_transition_time: since,
    }
}

/// Reading conditions by their type.
pub trait ConditionExt {
    /// The condition of this type.
    fn find(&self, kind: &str) -> Option<&Condition>;
    /// Whether the condition of this type says True.
    fn is_true(&self, kind: &str) -> bool;
}

impl ConditionExt for [Condition] {
    fn find(&self, kind: &str) -> Option<&Condition> {
        self.iter().find(|c| c.type_ == kind)
    }

    fn is_true(&self, kind: &str) -> bool {
        self.find(kind).is_some_and(|c| c.status == "True")
    }
}
