//! What is wanted of a scan: everything that comes from the Scan's spec and its Credential.

use serde::{Deserialize, Serialize};

use super::{
    consent::Consent,
    plan::Wishes,
    source::{Browser, Source, Wish},
    window::Rule,
};
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
    /// Which source the user wants.
    pub source: Wish,
    /// How a browser reaches the list; `None` where none may be used.
    pub browser: Option<Access>,
    /// Larger goes first.
    pub priority: i64,
    /// Run, Suspend or Cancel.
    pub mode: Mode,
    /// Plan and price only.
    pub dry_run: bool,
    /// What allows it to spend.
    pub consent: Consent,
    /// The present limits of the credential that a chain keeps although the scan names another one; `None` where no chain
    /// does, or nothing is known of it any more.
    pub kept: Option<Terms>,
}

/// How a browser reaches a platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Names the web session: `namespace/name` of its secret. Its windows are kept by it.
    pub credential: String,
    /// Base URL of the site.
    pub base_url: String,
    /// The limits in force.
    pub rules: Vec<Rule>,
}

/// A credential and its limits, as a lease uses them.
///
/// A range keeps the terms of its lease, and a chain those under which its token was issued, when the scan names
/// another credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// Name of the credential: [`ScanRequest::credential`].
    pub credential: String,
    /// How requests are authorised.
    pub auth: Auth,
    /// Rate limits of the credential.
    pub rules: Vec<Rule>,
    /// Monthly budget of the credential, over all scans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_budget: Option<Usd>,
}

impl ScanRequest {
    /// Returns the credential of this source with its limits.
    pub fn terms_of(&self, source: Source) -> Terms {
        Terms {
            credential: self.credential_of(source).to_owned(),
            auth: self.auth_of(source),
            rules: self.rules_of(source).to_vec(),
            monthly_budget: self.monthly_budget.filter(|_| source.is_api()),
        }
    }

    /// Returns the terms of a lease with the limits that its credential has by now.
    pub fn renewed(&self, terms: &Terms) -> Terms {
        self.known_terms(&terms.credential)
            .unwrap_or_else(|| terms.clone())
    }

    /// Returns what is known of this credential for the API.
    pub fn known_terms(&self, credential: &str) -> Option<Terms> {
        let named = self.terms_of(Source::Api);
        if named.credential == credential {
            return Some(named);
        }
        self.kept.clone().filter(|kept| kept.credential == credential)
    }

    /// Whether a browser may be used.
    pub const fn browser(&self) -> Browser {
        match self.browser {
            Some(_) => Browser::Ready,
            None => Browser::Off,
        }
    }

    /// By which credential requests to this source are authorised and counted.
    pub fn credential_of(&self, source: Source) -> &str {
        match (source, &self.browser) {
            (Source::Browser, Some(access)) => &access.credential,
            _ => &self.credential,
        }
    }

    /// Base URL of this source.
    pub fn base_url_of(&self, source: Source) -> &str {
        match (source, &self.browser) {
            (Source::Browser, Some(access)) => &access.base_url,
            _ => &self.base_url,
        }
    }

    /// How requests to this source are authorised.
    pub const fn auth_of(&self, source: Source) -> Auth {
        match source {
            Source::Browser => Auth::WebSession,
            Source::Api => self.auth,
        }
    }

    /// The limits of this source.
    pub fn rules_of(&self, source: Source) -> &[Rule] {
        match (source, &self.browser) {
            (Source::Browser, Some(access)) => &access.rules,
            _ => &self.rules,
        }
    }

    /// What a scan that runs as `earlier` becomes when this is asked for: what it was planned with stays, and
    /// only what people may change in mid-scan is taken over.
    #[must_use]
    pub fn over(&self, earlier: &Self) -> Self {
        Self {
            account: earlier.account.clone(),
            base_url: earlier.base_url.clone(),
            source: earlier.source,
            wishes: Wishes {
                max_runners: self.wishes.max_runners,
                ..earlier.wishes.clone()
            },
            ..self.clone()
        }
    }
}
