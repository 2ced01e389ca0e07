//! The custom resources of `followlytics.io/v1alpha1`: what a user may write and what a user sees.
//!
//! One kind a file, its conditions and reasons beside it. Knows no client, database or clock.

#![expect(
    unreachable_pub,
    reason = "the derive of a kind repeats its spec inside a private module"
)]

pub mod condition;
pub mod credential;
pub mod sandbox;
pub mod scan;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

pub use condition::{ConditionExt, condition};
pub use credential::{
    Credential, CredentialSpec, CredentialStatus, CredentialType, RateLimit, SecretRef, WindowStatus,
};
pub use sandbox::{OperatingMode, Sandbox, SandboxClass, SandboxPhase, SandboxSpec, SandboxStatus, ScanRef};
pub use scan::{
    AccountSpec, Budget, CertificateStatus, CostStatus, CredentialRef, Guarantee, Parallelism, PlanStatus,
    Progress, RangeCounts, ResultPolicy, ResultStatus, Scan, ScanPhase, ScanSpec, ScanStatus, Since,
    SourceChoice, WaitingOn, reasons,
};

/// API group of every kind.
pub const GROUP: &str = "followlytics.io";
/// Served and stored version of every kind.
pub const VERSION: &str = "v1alpha1";

/// Every kind's definition, in the order the kinds are documented.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![Scan::crd(), Sandbox::crd(), Credential::crd()]
}
