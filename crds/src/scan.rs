//! Scan: one listing of one account's followers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sandbox::OperatingMode;

/// Lists the followers of one account on one platform, in parallel where the platform can seek.
#[derive(CustomResource, KubeSchema, Deserialize, Serialize, Clone, Debug, PartialEq)]
#[kube(
    group = "followlytics.io",
    version = "v1alpha1",
    kind = "Scan",
    namespaced,
    status = "ScanStatus",
    shortname = "sc",
    category = "followlytics",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Platform","type":"string","jsonPath":".spec.account.platform"}"#,
    printcolumn = r#"{"name":"Account","type":"string","jsonPath":".spec.account.handle"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Scanned","type":"integer","jsonPath":".status.progress.scanned"}"#,
    printcolumn = r#"{"name":"Expected","type":"integer","jsonPath":".status.progress.expected"}"#,
    printcolumn = r#"{"name":"Spent","type":"string","jsonPath":".status.cost.spentUsd"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.account == oldSelf.account").message("account is immutable: create another Scan"))]
#[x_kube(validation = Rule::new("(has(self.source) ? self.source : 'Auto') == (has(oldSelf.source) ? oldSelf.source : 'Auto')").message("source is immutable: create another Scan"))]
#[x_kube(validation = Rule::new("(has(self.sweeps) ? self.sweeps : 1) == (has(oldSelf.sweeps) ? oldSelf.sweeps : 1)").message("sweeps is immutable: create another Scan"))]
#[x_kube(validation = Rule::new("!has(self.credentialRef) || self.credentialRef.name.size() > 0").message("credentialRef.name must not be empty"))]
#[x_kube(validation = Rule::new("!has(self.sessionRef) || self.sessionRef.name.size() > 0").message("sessionRef.name must not be empty"))]
pub struct ScanSpec {
    /// Whose followers are listed.
    pub account: AccountSpec,
    /// The credential to use; without it the platform's anonymous access or the environment's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_ref: Option<CredentialRef>,
    /// The web session of a browser; without it no browser is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_ref: Option<CredentialRef>,
    /// How the list may be read.
    #[serde(default)]
    pub source: SourceChoice,
    /// How many runners at once, and how large a range is at first.
    #[serde(default)]
    pub parallelism: Parallelism,
    /// 0 = all; n = the first n in the platform's own order.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub max_followers: i64,
    /// Read only what is new since an earlier result of the account, and add it to that. Who left is not noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// The most this scan may cost; without it one dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Passes over a list that is read by row number (gitea, github): 2 reads it again in the other direction, at twice
    /// the requests, and finds most of the followers that moved past the first pass.
    #[serde(default = "one_sweep")]
    #[schemars(range(min = 1, max = 2))]
    pub sweeps: u32,
    /// Larger goes first when runners or permits are scarce.
    #[serde(default)]
    #[schemars(range(min = -1000, max = 1000))]
    pub priority: i32,
    /// Suspended: nothing is lost, nothing is spent.
    #[serde(default)]
    pub operating_mode: OperatingMode,
    /// True ends the scan: what was read so far is kept, nothing more is requested.
    #[serde(default)]
    pub cancelled: bool,
    /// Plan and price only: the account is looked up, nothing is listed.
    #[serde(default)]
    pub dry_run: bool,
    /// Whether the result outlives the Scan.
    #[serde(default)]
    pub result_policy: ResultPolicy,
    /// Seconds after the end when the object deletes itself; absent = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub ttl_seconds_after_finished: Option<i64>,
}

const fn one_sweep() -> u32 {
    1
}

/// An account on a platform.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountSpec {
    /// x, bluesky, gitea, github, mastodon.
    #[schemars(length(min = 1, max = 32))]
    pub platform: String,
    /// The account's handle, without a leading @.
    #[schemars(length(min = 1, max = 253))]
    pub handle: String,
    /// The server, for platforms that have many (gitea, mastodon): `host[:port]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub host: Option<String>,
}

/// Names a Credential of the same namespace.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct CredentialRef {
    /// The Credential's name.
    pub name: String,
}

/// An earlier result of the same account.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct Since {
    /// `latest`, or the number of a version. With `latest` and no earlier result the whole list is read.
    #[schemars(regex(pattern = r"^(latest|[1-9][0-9]{0,8})$"))]
    pub version: String,
}

/// How the list may be read.
#[derive(Deserialize, Serialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum SourceChoice {
    /// The cheapest allowed source.
    #[default]
    Auto,
    /// The platform's API only.
    Api,
    /// A browser only, where the operator enabled it.
    Browser,
}

/// How wide a scan may go.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Parallelism {
    /// Runners at once.
    #[schemars(range(min = 1, max = 1000))]
    pub max_runners: u32,
    /// Rows a range aims at when the plan is made.
    #[schemars(range(min = 1))]
    pub followers_per_range: u32,
}

impl Default for Parallelism {
    fn default() -> Self {
        Self {
            max_runners: 4,
            followers_per_range: 10_000,
        }
    }
}

/// A limit in dollars.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Decimal US dollars, at most nine places: "150.00".
    #[schemars(regex(pattern = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"))]
    pub max_usd: String,
}

/// What happens to the result when the Scan is deleted.
#[derive(Deserialize, Serialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum ResultPolicy {
    /// The result stays.
    #[default]
    Retain,
    /// The result goes with the Scan.
    Delete,
}

/// Where a scan stands, for people.
#[derive(Deserialize, Serialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum ScanPhase {
    /// Accepted, not begun.
    #[default]
    Pending,
    /// The account is being looked up.
    Resolving,
    /// Ranges are being read.
    Scanning,
    /// Every range is read; the result is being written.
    Merging,
    /// The result is complete.
    Succeeded,
    /// What there is was merged; the list is not complete.
    Partial,
    /// The scan cannot go on; the reason says why.
    Failed,
    /// Paused by a person or by its budget.
    Suspended,
    /// Ended by a person.
    Cancelled,
}

impl ScanPhase {
    /// Whether nothing will happen any more.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Partial | Self::Failed | Self::Cancelled
        )
    }
}

/// What the controller observed.
#[derive(Deserialize, Serialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ScanStatus {
    /// Generation of the spec this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One word for people; programs read the conditions.
    pub phase: ScanPhase,
    /// Accepted, Suspended, Complete.
    pub conditions: Vec<Condition>,
    /// When the first request was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the scan reached its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// The plan and its price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanStatus>,
    /// Written at most every 10 seconds; live figures come from the api.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostStatus>,
    /// What the scan waits on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_on: Option<WaitingOn>,
    /// The merged result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultStatus>,
}

/// What a scan will do, decided once from the account's report.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    /// The account's id on its platform.
    pub account_id: String,
    /// Index, Time, Id or Chain: how the list can be entered.
    pub seek: String,
    /// Ranges at first; splits add more.
    pub ranges: i64,
    /// Requests expected, look-ups and probes included.
    pub requests: i64,
    /// Seconds expected, waits for windows included.
    pub seconds: i64,
    /// Price expected at the list price.
    pub usd: String,
    /// Runners wanted.
    pub runners: i64,
}

/// How far a scan is.
#[derive(Deserialize, Serialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Followers the platform counted when the scan began.
    pub expected: i64,
    /// Rows read.
    pub scanned: i64,
    /// Followers in the result; absent until merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<i64>,
    /// Ranges by state.
    pub ranges: RangeCounts,
    /// Rows a minute since the start.
    pub followers_per_minute: i64,
    /// Seconds left at this rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_seconds: Option<i64>,
}

/// Ranges by state.
#[derive(Deserialize, Serialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RangeCounts {
    /// All ranges.
    pub total: i64,
    /// Read to their end.
    pub done: i64,
    /// Leased to a runner.
    pub active: i64,
    /// Waiting for a runner.
    pub waiting: i64,
    /// Given up.
    pub failed: i64,
}

/// What a scan cost so far, in decimal US dollars.
#[derive(Deserialize, Serialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CostStatus {
    /// Settled.
    pub spent_usd: String,
    /// Held for requests that are under way.
    pub reserved_usd: String,
    /// Perhaps charged by the platform, never billed to the customer.
    pub ambiguous_usd: String,
    /// Charged by the platform above what was reserved, for rows that were not requested; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surplus_usd: Option<String>,
    /// Rows that were requested a second time.
    pub refetched_rows: i64,
}

/// What an object waits on, and until when.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingOn {
    /// One of the published reasons.
    pub reason: String,
    /// One sentence with the remedy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it will go on by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// The merged result.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultStatus {
    /// Where the manifest lies: `results/…/manifest.json` in the object store.
    pub uri: String,
    /// Version of the account's result, from 1.
    pub version: i64,
    /// Followers in it.
    pub rows: i64,
    /// SHA-256 of the manifest, lower-case hexadecimal.
    pub sha256: String,
    /// What is promised of the result.
    pub certificate: CertificateStatus,
}

/// What is promised of a result.
#[derive(Deserialize, Serialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// Exact: every account that followed from the first to the last request is in the result.
    pub guarantee: Guarantee,
    /// Whether no account that followed throughout is missing; then a diff says who left and who is new.
    #[serde(default)]
    pub complete: bool,
    /// Strength of the evidence for the list's order: Source, Documented or Observed.
    #[serde(default)]
    pub grade: String,
    /// Seams between ranges.
    pub seams: i64,
    /// Rows read.
    pub scanned: i64,
    /// Followers in the result.
    pub unique: i64,
    /// Followers the platform counted at the start.
    pub platform_count: i64,
    /// What the platform counts and, as a fact explains, does not list.
    pub hidden: i64,
    /// What the platform counts, is not in the result, and nothing explains.
    #[serde(default)]
    pub unexplained: i64,
    /// Count at the end − count at the start; absent where the end was not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<i64>,
}

/// How much a certificate promises.
#[derive(Deserialize, Serialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum Guarantee {
    /// Every account that followed from the first to the last request is in the result.
    Exact,
    /// Rows could slip both ways; the evidence is in the manifest.
    BestEffort,
}

/// Reasons of conditions, events and `waitingOn`; part of the API.
pub mod reasons {
    /// The spec is understood.
    pub const ACCEPTED: &str = "Accepted";
    /// The spec names a platform that is not known.
    pub const UNKNOWN_PLATFORM: &str = "UnknownPlatform";
    /// The handle is not one of its platform.
    pub const MALFORMED_HANDLE: &str = "MalformedHandle";
    /// A field of the spec cannot be used.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// The platform knows no such account (or it was renamed).
    pub const ACCOUNT_NOT_FOUND: &str = "AccountNotFound";
    /// The account shows its followers to nobody.
    pub const ACCOUNT_PROTECTED: &str = "AccountProtected";
    /// The platform suspended the account.
    pub const ACCOUNT_SUSPENDED: &str = "AccountSuspended";
    /// The credential was refused.
    pub const CREDENTIAL_INVALID: &str = "CredentialInvalid";
    /// No operator enabled browser scanning for the platform.
    pub const BROWSER_OFF: &str = "BrowserOff";
    /// Chromium is missing, too old, or does not start.
    pub const BROWSER_MISSING: &str = "BrowserMissing";
    /// The browser or its page ended again and again.
    pub const BROWSER_FAILING: &str = "BrowserFailing";
    /// The web session has ended, or is another account's.
    pub const SESSION_ENDED: &str = "SessionEnded";
    /// The platform wants a person to prove to be one, or locked the account of the session.
    pub const CHALLENGE_SHOWN: &str = "ChallengeShown";
    /// The platform's pages are not as they are known.
    pub const MARKUP_CHANGED: &str = "MarkupChanged";
    /// There is no credential.
    pub const CREDENTIAL_MISSING: &str = "CredentialMissing";
    /// The platform's application is not allowed to list followers.
    pub const PLATFORM_REFUSED: &str = "PlatformRefused";
    /// The platform does not answer.
    pub const PLATFORM_UNREACHABLE: &str = "PlatformUnreachable";
    /// The platform answers with a page that cannot be read, or refuses its place.
    pub const PAGE_UNREADABLE: &str = "PageUnreadable";
    /// The plan costs more than the budget.
    pub const BUDGET_TOO_SMALL: &str = "BudgetTooSmall";
    /// The budget is used up.
    pub const BUDGET_EXHAUSTED: &str = "BudgetExhausted";
    /// The monthly budget of the credential is used up.
    pub const MONTHLY_BUDGET_REACHED: &str = "MonthlyBudgetReached";
    /// Over 80 % of the monthly budget of the credential are used.
    pub const OVER_80_PERCENT: &str = "Over80Percent";
    /// The platform's credits are used up.
    pub const CREDITS_DEPLETED: &str = "CreditsDepleted";
    /// The platform's monthly cap is reached.
    pub const USAGE_CAPPED: &str = "UsageCapped";
    /// The rate-limit window is used up.
    pub const RATE_LIMIT_WINDOW: &str = "RateLimitWindow";
    /// The chain's token expired and starting again costs more than the budget has left.
    pub const CURSOR_EXPIRED: &str = "CursorExpired";
    /// The platform's list leads back to a page that was read.
    pub const CURSOR_REPEATED: &str = "CursorRepeated";
    /// The platform's list has far more rows than the account has followers.
    pub const LIST_ENDLESS: &str = "ListEndless";
    /// The Scan names another credential; runners change over.
    pub const CREDENTIAL_CHANGED: &str = "CredentialChanged";
    /// The command that consented to the cost is gone.
    pub const INTERRUPTED: &str = "Interrupted";
    /// The control plane that runs belongs to a `scan` command and works on another scan.
    pub const UNATTENDED: &str = "Unattended";
    /// A person asked.
    pub const REQUESTED: &str = "Requested";
    /// Open requests are being settled before the pause is true.
    pub const DRAINING: &str = "Draining";
    /// A runner is being started.
    pub const RUNNER_STARTING: &str = "RunnerStarting";
    /// Everything is read and merged.
    pub const COMPLETE: &str = "Complete";
    /// The database, the objects and the disk are available again.
    pub const STORAGE_AVAILABLE: &str = "StorageAvailable";
    /// The database, the objects or the disk is unavailable.
    pub const STORAGE_UNAVAILABLE: &str = "StorageUnavailable";
    /// The clocks of the database and the control plane agree again.
    pub const CLOCKS_AGREE: &str = "ClocksAgree";
    /// The clocks of the database and the control plane differ, as the message says.
    pub const CLOCK_SKEWED: &str = "ClockSkewed";
    /// The scan runs, or ran until it ended.
    pub const RUNNING: &str = "Running";
    /// Every runner of the installation is busy with other scans.
    pub const RUNNERS_BUSY: &str = "RunnersBusy";
    /// Runners end one after another with an error.
    pub const RUNNERS_FAILING: &str = "RunnersFailing";
    /// Ranges were given up; the result holds what the others brought.
    pub const RANGES_GIVEN_UP: &str = "RangesGivenUp";
    /// Event: the result is complete.
    pub const SUCCEEDED: &str = "Succeeded";
    /// Event: the result holds what could be read.
    pub const PARTIAL: &str = "Partial";
    /// Event: the scan cannot go on.
    pub const FAILED: &str = "Failed";
    /// Event: the scan is paused, and nothing of it runs any more.
    pub const SUSPENDED: &str = "Suspended";
    /// Event: the scan goes on after a pause.
    pub const RESUMED: &str = "Resumed";
    /// Event and condition: a person ended the scan.
    pub const CANCELLED: &str = "Cancelled";
}
