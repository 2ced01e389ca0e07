//! Whether a browser may read the list: the operator's consent, and the user's own session.

use followlytics_crds::{CredentialType, Scan, reasons};

use super::{Observed, Policy, Refusal, rules};
use crate::{
    account::Platform,
    platform::Auth,
    scan::{request::Access, source::Wish},
};

/// How a browser reaches the list; `None` where none may be used and nobody insists.
pub(super) fn admit(
    scan: &Scan,
    seen: &Observed,
    policy: &Policy,
    wish: Wish,
    platform: Platform,
) -> Result<Option<Access>, Refusal> {
    let insists = wish == Wish::Browser;
    if wish == Wish::Api || !insists && scan.spec.session_ref.is_none() {
        return Ok(None);
    }
    let Some(web) = platform.web() else {
        let message = format!(
            "spec.source: no browser lists followers on {platform}; write Auto or Api, and no spec.sessionRef"
        );
        return Err(Refusal::new(reasons::INVALID_SPEC, message));
    };
    if !policy.browsers.contains(&platform) {
        let message = format!(
            "spec.source: browser scanning is off for {platform}, whose rules forbid it: it may suspend the account of \
             the session. An operator who takes that on enables it with `followlytics up --browser {platform}={}`",
            web.consent
        );
        // Without insisting, the API alone is what there is.
        return if insists {
            Err(Refusal::new(reasons::BROWSER_OFF, message))
        } else {
            Ok(None)
        };
    }
    let Some(reference) = &scan.spec.session_ref else {
        let message = format!(
            "spec.sessionRef: a browser needs a signed-in session of yours; store one with `followlytics credential add \
             NAME --platform {platform} --type web-session` and name it here"
        );
        return Err(Refusal::new(reasons::CREDENTIAL_MISSING, message));
    };
    let name = &reference.name;
    let Some(found) = &seen.session else {
        let message = format!(
            "spec.sessionRef.name: there is no Credential {name:?} in this namespace; create it, or name another"
        );
        return Err(Refusal::new(reasons::CREDENTIAL_MISSING, message));
    };
    if found.type_ != CredentialType::WebSession || found.platform != <&str>::from(platform) {
        let message = format!(
            "spec.sessionRef.name: Credential {name:?} is no WebSession for {platform}; name another"
        );
        return Err(Refusal::new(reasons::INVALID_SPEC, message));
    }
    let stated = found.base_url.clone();
    let base_url = stated.or_else(|| policy.base_urls.get(&platform).cloned());
    let base_url = base_url.unwrap_or_else(|| web.base_url.to_owned());
    let namespace = scan.metadata.namespace.clone().unwrap_or_default();
    Ok(Some(Access {
        credential: format!("{namespace}/{}", found.secret_ref.name),
        base_url: base_url.trim_end_matches('/').to_owned(),
        rules: rules(platform, Auth::WebSession, Some(found))?,
    }))
}
