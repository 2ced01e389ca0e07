//! Whether a browser may read a list: the operator's consent first, then the user's session.

use super::*;

fn session(platform: &str, kind: &str) -> CredentialSpec {
    serde_json::from_value(json!({"platform": platform, "type": kind, "secretRef": {"name": "web"}})).unwrap()
}

fn bearer() -> CredentialSpec {
    session("x", "AppBearer")
}

fn of_x(source: &str) -> Scan {
    scan(json!({
        "account": {"platform": "x", "handle": "nasa"}, "source": source,
        "credentialRef": {"name": "app"}, "sessionRef": {"name": "web"},
    }))
}

fn enabled() -> Policy {
    Policy {
        browsers: [Platform::X].into(),
        ..Policy::default()
    }
}

fn observed(session: Option<CredentialSpec>) -> Observed {
    Observed {
        recorded: None,
        summary: None,
        credential: Some(bearer()),
        session,
        kept: None,
        served: true,
        runners: Vec::new(),
        share: 100,
        progress_written: None,
        health: crate::health::Health::default(),
        announced: std::collections::BTreeSet::new(),
    }
}

fn web() -> Observed {
    observed(Some(session("x", "WebSession")))
}

#[test]
fn a_browser_is_off_until_an_operator_writes_the_risk_down() {
    let refusal = admit::admit(&of_x("Browser"), &web(), &Policy::default()).unwrap_err();
    assert_eq!(refusal.reason, "BrowserOff");
    for part in [
        "spec.source",
        "forbid",
        "suspend",
        "--browser x=x-forbids-this-and-may-suspend-the-account",
    ] {
        assert!(refusal.message.contains(part), "{}", refusal.message);
    }
    // Who does not insist is served by the API.
    let request = admit::admit(&of_x("Auto"), &web(), &Policy::default()).unwrap();
    assert_eq!((request.browser, request.auth), (None, Auth::AppBearer));
}

#[test]
fn with_consent_and_a_session_both_sources_have_a_credential_of_their_own() {
    let request = admit::admit(&of_x("Auto"), &web(), &enabled()).unwrap();
    let access = request.browser.clone().unwrap();
    assert_eq!(
        (access.credential.as_str(), access.base_url.as_str()),
        ("default/web", "https://x.com")
    );
    assert!(access.rules.iter().any(|rule| rule.requests == 50));
    assert_eq!(
        (request.credential.as_str(), request.auth),
        ("default/web", Auth::AppBearer)
    );
    let alone = admit::admit(&of_x("Browser"), &web(), &enabled()).unwrap();
    assert_eq!(
        (alone.auth, alone.base_url.as_str()),
        (Auth::WebSession, "https://x.com")
    );
    let api = admit::admit(&of_x("Api"), &web(), &enabled()).unwrap();
    assert_eq!(api.browser, None);
}

#[test]
fn a_session_that_cannot_be_used_is_named_with_its_field() {
    let cases = [
        (
            of_x("Browser"),
            observed(None),
            "CredentialMissing",
            "spec.sessionRef.name: there is no Credential",
        ),
        (
            of_x("Browser"),
            observed(Some(bearer())),
            "InvalidSpec",
            "is no WebSession for x",
        ),
        (
            of_x("Auto"),
            observed(Some(session("github", "WebSession"))),
            "InvalidSpec",
            "is no WebSession for x",
        ),
        (
            scan(json!({"account": {"platform": "x", "handle": "nasa"}, "source": "Browser"})),
            observed(None),
            "CredentialMissing",
            "credential add NAME --platform x --type web-session",
        ),
        (
            scan(json!({"source": "Browser", "sessionRef": {"name": "web"}})),
            observed(None),
            "InvalidSpec",
            "no browser lists followers on bluesky",
        ),
    ];
    for (scan, seen, reason, part) in cases {
        let refusal = admit::admit(&scan, &seen, &enabled()).unwrap_err();
        assert_eq!(refusal.reason, reason);
        assert!(refusal.message.contains(part), "{}", refusal.message);
    }
    // A web session is no token for an API.
    let mut seen = web();
    seen.credential = seen.session.clone();
    let refusal = admit::admit(&of_x("Auto"), &seen, &enabled()).unwrap_err();
    assert!(
        refusal.message.contains("name it in spec.sessionRef"),
        "{}",
        refusal.message
    );
}
