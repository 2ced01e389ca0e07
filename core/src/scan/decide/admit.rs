//! Whether a spec can be used, and what the ledger is told of it. A refusal names the field and the remedy.

mod browser;

use followlytics_crds::{CredentialSpec, CredentialType, OperatingMode, Scan, SourceChoice, reasons};
use serde::Serialize;

use super::{Observed, Policy, limits};
use crate::{
    account::{AccountError, AccountRef, Platform},
    money::Usd,
    platform::{Auth, Seek},
    scan::{
        consent::{self, Consent},
        plan::Wishes,
        request::{Access, ScanRequest, Terms},
        since::{NoVersion, Since},
        source::Wish,
        window::Rule,
    },
    wire::Mode,
};

/// Why a spec cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// One of the published reasons.
    pub reason: &'static str,
    /// Which field, and what to write instead.
    pub message: String,
}

impl Refusal {
    fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

/// What the ledger should know of a scan, or why the spec cannot be used.
pub(super) fn admit(scan: &Scan, seen: &Observed, policy: &Policy) -> Result<ScanRequest, Refusal> {
    let spec = &scan.spec;
    let account = account(scan)?;
    let platform = account.platform;
    let wish = match spec.source {
        SourceChoice::Auto => Wish::Auto,
        SourceChoice::Api => Wish::Api,
        SourceChoice::Browser => Wish::Browser,
    };
    let browser = browser::admit(scan, seen, policy, wish, platform)?;
    let credential = credential(scan, seen, platform)?;
    let meta = &scan.metadata;
    let namespace = meta.namespace.clone().unwrap_or_default();
    let (base_url, auth, name, rules) = if let (Wish::Browser, Some(access)) = (wish, &browser) {
        let Access {
            credential,
            base_url,
            rules,
        } = access.clone();
        (base_url, Auth::WebSession, credential, rules)
    } else {
        let base_url = base_url(&account, credential, policy);
        let auth = authorise(credential, platform, policy)?;
        // Windows and money belong to the secret: two Credentials of one secret share what the platform counts.
        let name = match (credential, auth) {
            (Some(found), _) => format!("{namespace}/{}", found.secret_ref.name),
            (None, Auth::Anonymous) => format!("anonymous@{base_url}"),
            (None, _) => format!("environment@{base_url}"),
        };
        (base_url, auth, name, rules(platform, auth, credential)?)
    };
    Ok(ScanRequest {
        uid: meta.uid.clone().unwrap_or_default(),
        namespace,
        name: meta.name.clone().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        rules,
        source: wish,
        browser,
        account,
        base_url,
        credential: name,
        auth,
        budget: budget(scan, policy)?,
        monthly_budget: monthly_budget(credential)?,
        wishes: Wishes {
            max_runners: spec.parallelism.max_runners,
            rows_per_range: spec.parallelism.followers_per_range,
            max_rows: spec.max_followers,
            since: since(scan)?,
            sweeps: sweeps(scan, platform)?,
        },
        priority: i64::from(spec.priority),
        mode: match spec.operating_mode {
            _ if spec.cancelled => Mode::Cancel,
            OperatingMode::Suspended => Mode::Suspend,
            OperatingMode::Running => Mode::Run,
        },
        dry_run: spec.dry_run,
        consent: Consent::needed(is_attached(scan), platform, wish),
        kept: kept(seen, platform, policy)?,
    })
}

/// The limits that the credential of a chain has by now. One that cannot be used is refused as one that is named: the
/// limits of before may be higher.
fn kept(seen: &Observed, platform: Platform, policy: &Policy) -> Result<Option<Terms>, Refusal> {
    let known = seen
        .summary
        .as_ref()
        .and_then(|summary| summary.kept_credential.clone());
    let (Some(found), Some(credential)) = (seen.kept.as_ref(), known) else {
        return Ok(None);
    };
    let found = Some(found);
    let Ok(auth) = authorise(found, platform, policy) else {
        return Ok(None);
    };
    let named = |refusal: Refusal| Refusal {
        message: format!(
            "{credential}, by whose token the list goes on: {}",
            refusal.message
        ),
        ..refusal
    };
    let rules = rules(platform, auth, found).map_err(named)?;
    let monthly_budget = monthly_budget(found).map_err(named)?;
    Ok(Some(Terms {
        credential,
        auth,
        rules,
        monthly_budget,
    }))
}

/// Whether the command that created the scan pays for it only while it lives.
fn is_attached(scan: &Scan) -> bool {
    let annotations = scan.metadata.annotations.as_ref();
    annotations.is_some_and(|all| {
        all.get(consent::ANNOTATION)
            .is_some_and(|value| value == consent::ATTACHED)
    })
}

fn sweeps(scan: &Scan, platform: Platform) -> Result<u32, Refusal> {
    let sweeps = scan.spec.sweeps;
    let refuse = |message: String| Err(Refusal::new(reasons::INVALID_SPEC, message));
    match sweeps {
        1 => Ok(1),
        2 if platform.facts().seek != Seek::Index => refuse(format!(
            "spec.sweeps: {platform} is not listed by row number, so a second pass sees the same rows; leave it out"
        )),
        2 if scan.spec.max_followers > 0 => refuse(
            "spec.sweeps: the first rows of a list are not the same in both passes; leave spec.maxFollowers or \
             spec.sweeps out"
                .to_owned(),
        ),
        2 => Ok(2),
        other => refuse(format!("spec.sweeps: {other} is not 1 or 2")),
    }
}

fn since(scan: &Scan) -> Result<Option<Since>, Refusal> {
    if scan.spec.since.is_some() && scan.spec.max_followers > 0 {
        let message = "spec.maxFollowers: a scan with spec.since stops where the list is known; leave one of the two out";
        return Err(Refusal::new(reasons::INVALID_SPEC, message));
    }
    let named = scan.spec.since.as_ref().map(|since| since.version.parse());
    named.transpose().map_err(|error: NoVersion| {
        Refusal::new(reasons::INVALID_SPEC, format!("spec.since.version: {error}"))
    })
}

fn account(scan: &Scan) -> Result<AccountRef, Refusal> {
    let named = &scan.spec.account;
    AccountRef::new(&named.platform, &named.handle, named.host.as_deref()).map_err(|error| {
        let reason = match error {
            AccountError::UnknownPlatform { .. } => reasons::UNKNOWN_PLATFORM,
            AccountError::MalformedHandle { .. } => reasons::MALFORMED_HANDLE,
            AccountError::NoPlatform { .. } => reasons::INVALID_SPEC,
        };
        Refusal::new(reason, error.to_string())
    })
}

fn credential<'a>(
    scan: &Scan,
    seen: &'a Observed,
    platform: Platform,
) -> Result<Option<&'a CredentialSpec>, Refusal> {
    let Some(reference) = &scan.spec.credential_ref else {
        return Ok(None);
    };
    let name = &reference.name;
    let Some(found) = &seen.credential else {
        let message = format!(
            "spec.credentialRef.name: there is no Credential {name:?} in this namespace; create it, or name another"
        );
        return Err(Refusal::new(reasons::CREDENTIAL_MISSING, message));
    };
    if found.platform != <&str>::from(platform) {
        let message = format!(
            "spec.credentialRef.name: Credential {name:?} is for {}, the account is on {platform}; name another",
            found.platform
        );
        return Err(Refusal::new(reasons::INVALID_SPEC, message));
    }
    Ok(Some(found))
}

fn authorise(
    credential: Option<&CredentialSpec>,
    platform: Platform,
    policy: &Policy,
) -> Result<Auth, Refusal> {
    match credential.map(|found| found.type_) {
        Some(CredentialType::AppBearer) => Ok(Auth::AppBearer),
        Some(CredentialType::UserToken) => Ok(Auth::UserToken),
        Some(CredentialType::WebSession) => Err(Refusal::new(
            reasons::INVALID_SPEC,
            format!(
                "spec.credentialRef.name: a WebSession is for browsers: name it in spec.sessionRef, and here a \
                 Credential of type AppBearer or UserToken for {platform}'s API"
            ),
        )),
        None => match policy.environment.get(&platform) {
            Some(auth) => Ok(*auth),
            None if platform.facts().anonymous => Ok(Auth::Anonymous),
            None => Err(Refusal::new(
                reasons::CREDENTIAL_MISSING,
                format!(
                    "spec.credentialRef: {platform} answers no request without a token; create a Credential for it \
                     and name it here"
                ),
            )),
        },
    }
}

/// The limits in force: what a Credential says of a family replaces what the platform publishes for it.
fn rules(platform: Platform, auth: Auth, credential: Option<&CredentialSpec>) -> Result<Vec<Rule>, Refusal> {
    let stated = credential.map_or(&[][..], |found| &found.rate_limits);
    let own = limits::stated(platform, stated)
        .map_err(|error| Refusal::new(reasons::INVALID_SPEC, format!("the Credential's {error}")))?;
    let mut rules = platform.limits(auth).rules;
    rules.retain(|rule| own.iter().all(|stated| stated.family != rule.family));
    rules.extend(own);
    Ok(rules)
}

fn budget(scan: &Scan, policy: &Policy) -> Result<Usd, Refusal> {
    let Some(budget) = &scan.spec.budget else {
        return Ok(policy.default_budget);
    };
    budget
        .max_usd
        .parse()
        .map_err(|error| Refusal::new(reasons::INVALID_SPEC, format!("spec.budget.maxUsd: {error}")))
}

fn monthly_budget(credential: Option<&CredentialSpec>) -> Result<Option<Usd>, Refusal> {
    let Some(stated) = credential.and_then(|found| found.monthly_budget_usd.as_ref()) else {
        return Ok(None);
    };
    let refused = |error| {
        Refusal::new(
            reasons::INVALID_SPEC,
            format!("the Credential's monthlyBudgetUsd: {error}"),
        )
    };
    stated.parse().map(Some).map_err(refused)
}

fn base_url(account: &AccountRef, credential: Option<&CredentialSpec>, policy: &Policy) -> String {
    let stated = credential.and_then(|found| found.base_url.clone());
    let chosen = stated.or_else(|| policy.base_urls.get(&account.platform).cloned());
    let url = chosen.unwrap_or_else(
        || match (account.platform.facts().base_url, account.host.as_deref()) {
            (Some(public), _) => public.to_owned(),
            (None, host) => format!("https://{}", host.unwrap_or_default()),
        },
    );
    url.trim_end_matches('/').to_owned()
}
