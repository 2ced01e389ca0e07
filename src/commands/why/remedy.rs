//! Which setting, or which command, would change what a scan waits on.

use followlytics_core::{
    account::AccountRef,
    scan::consent::{self, Resumption},
};
use followlytics_crds::{Scan, reasons};

/// The remedy for a published reason; `None` where everything is as it was wished.
pub(super) fn remedy(reason: &str, scan: &Scan) -> Option<String> {
    let name = &named(scan);
    Some(match reason {
        reasons::BUDGET_TOO_SMALL => match (resumption(scan), plan_price(scan)) {
            (Some(command), Some(price)) => format!("{}: `{command} --budget {price}`", budget(scan)),
            _ => budget(scan),
        },
        reasons::BUDGET_EXHAUSTED => budget(scan),
        reasons::CURSOR_EXPIRED => {
            format!("{}; then `followlytics resume {name}`", budget(scan))
        }
        reasons::MONTHLY_BUDGET_REACHED | reasons::OVER_80_PERCENT => {
            "spec.monthlyBudgetUsd of the Credential: a larger one; or the next month (UTC)".to_owned()
        }
        reasons::INTERRUPTED => match resumption(scan) {
            Some(command) => format!("`{command}`, which pays while it runs; or `followlytics resume {name}`: by its budget"),
            None => format!("`followlytics resume {name}`: by its budget"),
        },
        reasons::UNATTENDED => "`followlytics up`, which works on every scan".to_owned(),
        reasons::REQUESTED | reasons::DRAINING => {
            format!("spec.operatingMode: Running (`followlytics resume {name}`)")
        }
        reasons::RATE_LIMIT_WINDOW => {
            "nothing needs to be done; spec.rateLimits of the Credential, if your contract allows more"
                .to_owned()
        }
        reasons::CREDENTIAL_MISSING => {
            format!(
                "spec.credentialRef: a Credential (`followlytics credential add {}{}`)",
                credential(scan),
                of_platform(scan, "app-bearer"),
            )
        }
        reasons::CREDENTIAL_INVALID => {
            format!(
                "another token under the same name (`followlytics credential add {}`), then `followlytics resume {name}`",
                credential(scan)
            )
        }
        reasons::CREDITS_DEPLETED | reasons::USAGE_CAPPED => {
            format!("credits or a higher cap on the platform, then `followlytics resume {name}`")
        }
        reasons::PLATFORM_REFUSED => {
            format!("a right of the application on the platform, then `followlytics resume {name}`")
        }
        reasons::PLATFORM_UNREACHABLE => {
            "the network, or the base URL (spec.baseUrl of the Credential, `up --base-url`); it tries again by itself"
                .to_owned()
        }
        reasons::PAGE_UNREADABLE => {
            "the base URL, if it is not the platform's own; otherwise a newer followlytics, or another scan later: the page \
             is tried again"
                .to_owned()
        }
        reasons::BROWSER_OFF => {
            "`up --browser PLATFORM=RISK`, as the message writes it, by an operator who takes that on; or spec.source: Api"
                .to_owned()
        }
        reasons::BROWSER_MISSING => format!(
            "the package chromium where runners run (`followlytics doctor`), then `followlytics resume {name}`"
        ),
        reasons::BROWSER_FAILING => "nothing needs to be done; it tries again by itself".to_owned(),
        reasons::SESSION_ENDED => format!(
            "a new session under the same name (`followlytics credential add {}{}`), then `followlytics resume {name}`",
            session(scan),
            of_platform(scan, "web-session"),
        ),
        reasons::CHALLENGE_SHOWN => format!(
            "only a person can answer the platform, signed in by hand; then `followlytics resume {name}`"
        ),
        reasons::MARKUP_CHANGED => {
            "a newer followlytics, or spec.source: Api; the trace that the message names says what changed".to_owned()
        }
        reasons::RUNNERS_BUSY => "spec.priority: a larger one; or `up --max-runners`: more".to_owned(),
        reasons::RUNNER_STARTING => "nothing needs to be done; it takes a moment".to_owned(),
        reasons::RUNNERS_FAILING => format!(
            "what the message names; `followlytics get sandboxes`, and runner.log in the data directory, say more; then \
             `followlytics resume {name}`"
        ),
        reasons::UNKNOWN_PLATFORM | reasons::MALFORMED_HANDLE => {
            "spec.account cannot be changed: create another Scan".to_owned()
        }
        reasons::INVALID_SPEC => "the field that the message names".to_owned(),
        reasons::ACCOUNT_NOT_FOUND => {
            "another Scan with the handle as the platform writes it now; accounts can be renamed".to_owned()
        }
        reasons::ACCOUNT_PROTECTED | reasons::ACCOUNT_SUSPENDED => {
            "only the platform or the account's owner can: then create another Scan".to_owned()
        }
        reasons::STORAGE_UNAVAILABLE => {
            "room or reach for the data directory and the object store (`followlytics doctor`); it goes on by itself"
                .to_owned()
        }
        reasons::RANGES_GIVEN_UP | reasons::CURSOR_REPEATED | reasons::LIST_ENDLESS | reasons::CANCELLED => "another Scan reads the list again".to_owned(),
        _ => return None,
    })
}

/// The command that goes on with a scan and pays for it.
fn resumption(scan: &Scan) -> Option<String> {
    let named = &scan.spec.account;
    let account = AccountRef::new(&named.platform, &named.handle, named.host.as_deref()).ok()?;
    let resumption = Resumption {
        account: &account,
        name: scan.metadata.name.as_deref()?,
        namespace: scan.metadata.namespace.as_deref().unwrap_or_default(),
        max_followers: scan.spec.max_followers,
        since: scan.spec.since.as_ref().map(|since| since.version.as_str()),
        sweeps: scan.spec.sweeps,
    };
    Some(resumption.command())
}

fn budget(scan: &Scan) -> String {
    let price = plan_price(scan)
        .map(|price| format!(" (the whole list costs about ${price})"))
        .unwrap_or_default();
    format!("spec.budget.maxUsd: a larger one{price}")
}

fn plan_price(scan: &Scan) -> Option<&str> {
    let plan = scan.status.as_ref()?.plan.as_ref()?;
    Some(plan.usd.as_str())
}

/// Name of the scan and what else a command needs to find it.
fn named(scan: &Scan) -> String {
    let name = scan.metadata.name.as_deref().unwrap_or_default();
    consent::named(name, scan.metadata.namespace.as_deref().unwrap_or_default())
}

/// Name of the Credential of its API; `NAME` where it has none.
fn credential(scan: &Scan) -> &str {
    let named = scan.spec.credential_ref.as_ref();
    named.map_or("NAME", |named| named.name.as_str())
}

/// Name of the Credential with its web session; `NAME` where it has none.
fn session(scan: &Scan) -> &str {
    let named = scan.spec.session_ref.as_ref();
    named.map_or("NAME", |named| named.name.as_str())
}

/// The arguments of a Credential that is not there yet.
fn of_platform(scan: &Scan, kind: &str) -> String {
    format!(" --platform {} --type {kind}", scan.spec.account.platform)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What the page says of this reason, in the column of remedies.
    fn documented(reason: &str) -> bool {
        let page = include_str!("../../../docs/operations.md");
        page.lines()
            .any(|line| line.starts_with('|') && line.contains(&format!("`{reason}`")))
    }

    #[test]
    fn every_reason_to_wait_or_to_end_has_a_remedy_and_is_documented() {
        let scan: Scan = serde_json::from_value(json!({
            "apiVersion": "followlytics.io/v1alpha1", "kind": "Scan", "metadata": {"name": "s"},
            "spec": {"account": {"platform": "x", "handle": "nasa"}},
        }))
        .unwrap();
        for reason in [
            reasons::ACCOUNT_NOT_FOUND,
            reasons::ACCOUNT_PROTECTED,
            reasons::ACCOUNT_SUSPENDED,
            reasons::BROWSER_FAILING,
            reasons::BROWSER_MISSING,
            reasons::BROWSER_OFF,
            reasons::BUDGET_EXHAUSTED,
            reasons::BUDGET_TOO_SMALL,
            reasons::CHALLENGE_SHOWN,
            reasons::CREDENTIAL_INVALID,
            reasons::CREDENTIAL_MISSING,
            reasons::CREDITS_DEPLETED,
            reasons::CURSOR_EXPIRED,
            reasons::DRAINING,
            reasons::INTERRUPTED,
            reasons::LIST_ENDLESS,
            reasons::MARKUP_CHANGED,
            reasons::MONTHLY_BUDGET_REACHED,
            reasons::PAGE_UNREADABLE,
            reasons::PLATFORM_REFUSED,
            reasons::PLATFORM_UNREACHABLE,
            reasons::RATE_LIMIT_WINDOW,
            reasons::REQUESTED,
            reasons::RUNNERS_BUSY,
            reasons::RUNNERS_FAILING,
            reasons::RUNNER_STARTING,
            reasons::SESSION_ENDED,
            reasons::STORAGE_UNAVAILABLE,
            reasons::UNATTENDED,
            reasons::USAGE_CAPPED,
        ] {
            assert!(remedy(reason, &scan).is_some(), "{reason}");
            assert!(documented(reason), "{reason} is missing in docs/operations.md");
        }
        assert_eq!(remedy(reasons::COMPLETE, &scan), None);
    }
}
