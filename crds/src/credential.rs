//! Credential: the right to use a platform, and the windows that come with it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The right to use a platform. The secret itself lies in a file, the environment or a Secret, never here.
#[derive(CustomResource, KubeSchema, Deserialize, Serialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "followlytics.io",
    version = "v1alpha1",
    kind = "Credential",
    namespaced,
    status = "CredentialStatus",
    shortname = "cred",
    category = "followlytics",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Platform","type":"string","jsonPath":".spec.platform"}"#,
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".spec.type"}"#,
    printcolumn = r#"{"name":"Valid","type":"string","jsonPath":".status.conditions[?(@.type==\"Valid\")].status"}"#,
    printcolumn = r#"{"name":"Spent","type":"string","jsonPath":".status.spentUsd"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.platform == oldSelf.platform").message("platform is immutable: create another Credential"))]
pub struct CredentialSpec {
    /// x, bluesky, gitea, github, mastodon.
    #[schemars(length(min = 1, max = 32))]
    pub platform: String,
    /// What kind of secret it is.
    #[serde(rename = "type")]
    pub type_: CredentialType,
    /// Where the secret lies.
    pub secret_ref: SecretRef,
    /// Base URL of the platform, where it is not the public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub base_url: Option<String>,
    /// Limits of this contract, where they differ from the platform's published ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimit>,
    /// The most this credential may spend in a UTC month; 80 % of it is used before free sources are preferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"))]
    pub monthly_budget_usd: Option<String>,
}

/// What kind of secret a credential holds.
#[derive(Deserialize, Serialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum CredentialType {
    /// A token of the application.
    AppBearer,
    /// A user's OAuth 2 token, with a refresh token beside it.
    UserToken,
    /// A signed-in web session (browser source).
    WebSession,
}

/// Where a secret lies.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Name of the secret in the data directory's `credentials/`, or of a Kubernetes Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A limit of requests in a window.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Endpoint family: `followers`, or `lookup` where the platform counts look-ups by themselves (X, Gitea).
    #[schemars(length(min = 1, max = 64))]
    pub family: String,
    /// Requests a window.
    #[schemars(range(min = 1))]
    pub requests: i64,
    /// Length of the window in milliseconds.
    #[schemars(range(min = 1))]
    pub window_milliseconds: i64,
}

/// What the controller observed.
#[derive(Deserialize, Serialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CredentialStatus {
    /// Generation of the spec this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Valid.
    pub conditions: Vec<Condition>,
    /// Windows in use.
    pub windows: Vec<WindowStatus>,
    /// Spent with it, in decimal US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent_usd: Option<String>,
    /// First twelve hexadecimal digits of the SHA-256 of the token that was used last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// A rate-limit window in use.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowStatus {
    /// Endpoint family.
    pub family: String,
    /// Requests used.
    pub used: i64,
    /// Requests allowed.
    pub limit: i64,
    /// When the window starts afresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<Time>,
}
