//! Sandbox: one isolated place where a runner (later an agent) works.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One isolated place where a runner works; created by controllers, seldom by people.
#[derive(CustomResource, KubeSchema, Deserialize, Serialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "followlytics.io",
    version = "v1alpha1",
    kind = "Sandbox",
    namespaced,
    status = "SandboxStatus",
    shortname = "sbx",
    category = "followlytics",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Class","type":"string","jsonPath":".spec.class"}"#,
    printcolumn = r#"{"name":"Scan","type":"string","jsonPath":".spec.scanRef.name"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct SandboxSpec {
    /// What runs inside.
    pub class: SandboxClass,
    /// The Scan a scan sandbox works for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_ref: Option<ScanRef>,
    /// Copied from the owner.
    #[serde(default)]
    pub operating_mode: OperatingMode,
}

/// What runs inside a sandbox.
#[derive(Deserialize, Serialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum SandboxClass {
    /// A scan runner.
    Scan,
}

/// Names the Scan a sandbox works for; the uid tells a re-created Scan of the same name apart.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct ScanRef {
    /// Namespace of the Scan.
    pub namespace: String,
    /// Name of the Scan.
    pub name: String,
    /// Uid of the Scan.
    pub uid: String,
}

/// Whether something should run; belongs to people, copied by controllers onto their own children.
#[derive(Deserialize, Serialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum OperatingMode {
    /// It runs.
    #[default]
    Running,
    /// It is paused; nothing is lost, nothing is spent.
    Suspended,
}

/// Where a sandbox stands.
#[derive(Deserialize, Serialize, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub enum SandboxPhase {
    /// Accepted, not begun.
    #[default]
    Pending,
    /// Its process or pod is starting.
    Starting,
    /// It reached the broker.
    Ready,
    /// Its work ended well.
    Finished,
    /// It ended with an error, or could not start.
    Failed,
    /// It is being torn down.
    Terminating,
}

/// What the controller observed.
#[derive(Deserialize, Serialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SandboxStatus {
    /// Generation of the spec this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One word for people; programs read the conditions.
    pub phase: SandboxPhase,
    /// Ready; `ClockInSync`: False where its clock and the control plane's differ; Honoured: False names the fields the
    /// backend can't honour.
    pub conditions: Vec<Condition>,
    /// The backend's own name of what runs: a process id, a pod's uid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Exit code, once ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// Reasons of a Sandbox's conditions and events; part of the API.
pub mod reasons {
    /// It was started and has not reached the broker yet.
    pub const STARTING: &str = "Starting";
    /// It reached the broker.
    pub const BROKER_REACHED: &str = "BrokerReached";
    /// It did not reach the broker in time and was ended.
    pub const BROKER_NOT_REACHED: &str = "BrokerNotReached";
    /// Its work ended well.
    pub const FINISHED: &str = "Finished";
    /// It ended with an error.
    pub const CRASHED: &str = "Crashed";
    /// It vanished together with what ran it, such as an `up` that was killed.
    pub const LOST: &str = "Lost";
    /// The backend refused to start it.
    pub const COULD_NOT_START: &str = "CouldNotStart";
    /// It is being torn down.
    pub const TERMINATING: &str = "Terminating";
    /// Its clock agrees with the control plane's.
    pub const CLOCKS_AGREE: &str = "ClocksAgree";
    /// Its clock differs from the control plane's, as the message says.
    pub const CLOCK_SKEWED: &str = "ClockSkewed";
    /// The backend honours every field.
    pub const ALL_FIELDS: &str = "AllFields";
    /// The backend can't honour the fields that the message names.
    pub const FIELDS_IGNORED: &str = "FieldsIgnored";
}
