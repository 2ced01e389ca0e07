//! What is wanted of a scan: everything that comes from the Scan's spec and its Credential.

use serde::Serialize;

use super::{plan::Wishes, window::Rule};
use crate::{account::AccountRef, money::Usd, platform::Auth, wire::Mode};

/// What is wanted of a scan; the controller tells the ledger, the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScanRequest {
    /// Uid of the Scan object.
    pub uid: String,
    /// Its namespace; the tenant's.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Generation of the spec.
    pub generation: i64,
    /// Whose followers are listed.
    pub account: AccountRef,
    /// Base URL of the platform.
    pub base_url: String,
    /// Names the credential: `namespace/name` of its secret, or `anonymous@base_url`. Windows and money are kept
    /// by it.
    pub credential: String,
    /// How requests are authorised.
    pub auth: Auth,
    /// The limits in force.
    pub rules: Vec<Rule>,
    /// The most it may cost.
    pub budget: Usd,
    /// The most its credential may spend in a UTC month, over all scans.
    pub monthly_budget: Option<Usd>,
    /// What the user allows.
    pub wishes: Wishes,
    /// Larger goes first.
    pub priority: i64,
    /// Run, Suspend or Cancel.
    pub mode: Mode,
    /// Plan and price only.
    pub dry_run: bool,
}

impl ScanRequest {
    /// What a scan that runs as `earlier` becomes when this is asked for: what it was planned with stays, and
    /// only what people may change in mid-scan is taken over.
    #[must_use]
    pub fn over(&self, earlier: &Self) -> Self {
        Self {
            account: earlier.account.clone(),
            base_url: earlier.base_url.clone(),
            wishes: Wishes {
                max_runners: self.wishes.max_runners,
                ..earlier.wishes.clone()
            },
            ..self.clone()
        }
    }
}
