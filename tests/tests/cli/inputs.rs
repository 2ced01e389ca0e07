//! Every bad input: one sentence with the remedy, and the documented exit code.

use followlytics_core::page::sha256;
use followlytics_simulator::{
    AccountSpec, Endpoint, FaultKind, FaultSpec, Platform, Trigger, UserState, WorldConfig,
};
use followlytics_tests::toolkit::{Home, Site, X_TOKEN, bluesky, eventually, gitea, pause, x};
use serde_json::Value;

fn site() -> Site {
    Site::slow(
        0,
        [bluesky("alice.bsky.social", 350), x("nasa", 40), gitea("bob", 70)],
    )
}

fn with_token(site: &Site) -> Home {
    Home::new(site).with("FOLLOWLYTICS_X_TOKEN", X_TOKEN)
}

#[test]
fn accounts_of_every_platform_are_listed() {
    let site = site();
    let home = with_token(&site);
    for (account, followers) in [
        ("bluesky:alice.bsky.social", 350),
        ("gitea:bob@git.example.org", 70),
        ("x:@nasa", 40),
    ] {
        let ran = home.run(&format!("scan {account} -q -o json"));
        assert_eq!(ran.code, 0, "{ran:?}");
        let report = ran.json();
        assert_eq!(
            (&report["uniqueFollowers"], &report["phase"]),
            (&followers.into(), &"Succeeded".into()),
            "{report}"
        );
        assert_eq!(report["account"], account);
    }
}

#[test]
fn a_base_url_on_the_command_line_wins() {
    let site = site();
    let home = Home::new(&site).with("FOLLOWLYTICS_BLUESKY_URL", "http://127.0.0.1:1");
    let ran = home.run(&format!(
        "scan bluesky:alice.bsky.social -q -o json --base-url {}",
        site.url
    ));
    assert_eq!(ran.json()["uniqueFollowers"], 350);
    home.run("scan bluesky:alice.bsky.social --base-url 127.0.0.1:80")
        .refused(2, &["--base-url", "http://HOST:PORT"]);
}

#[test]
fn what_names_no_account_is_a_usage_error() {
    let site = site();
    let home = Home::new(&site);
    for (account, part) in [
        ("nasa", "PLATFORM:HANDLE"),
        ("myspace:tom", "known are x, bluesky, gitea, github and mastodon"),
        ("x:@far_too_long_for_x_anyway", "1 to 15 letters"),
        ("bluesky:alice", "a domain such as"),
        ("gitea:bob", "gitea:USER@HOST"),
    ] {
        home.run(&format!("scan {account}")).refused(2, &[part]);
    }
    assert_eq!(site.requests(), 0);
    assert_eq!(home.run("scan").code, 2);
    assert_eq!(
        home.run("scan x:@nasa --token abc").code,
        2,
        "a token is never an argument"
    );
    home.run("scan x:@nasa --token-file missing")
        .refused(2, &["token file missing"]);
    assert_eq!(home.run("scan x:@nasa --budget a-lot").code, 2);
}

#[test]
fn an_account_that_cannot_be_listed_says_why() {
    let site = site();
    let world = &site.world;
    world
        .create_account(AccountSpec {
            protected: true,
            ..x("closed", 5)
        })
        .unwrap();
    world
        .create_account(AccountSpec {
            state: UserState::Suspended,
            ..x("gone", 5)
        })
        .unwrap();
    world.create_account(x("oldname", 5)).unwrap();
    world.rename(Platform::X, "oldname", "newname").unwrap();
    world.create_account(bluesky("old.bsky.social", 5)).unwrap();
    world
        .rename(Platform::Bluesky, "old.bsky.social", "new.bsky.social")
        .unwrap();
    let home = with_token(&site);
    for (account, part) in [
        ("x:@closed", "protected"),
        ("x:@gone", "suspended"),
        ("x:@nobody", "no such account"),
        ("x:@oldname", "renamed"),
        ("bluesky:old.bsky.social", "renamed"),
        ("bluesky:nobody.bsky.social", "check the handle"),
        ("gitea:nobody@git.example.org", "check the handle"),
    ] {
        home.run(&format!("scan {account}")).refused(4, &[account, part]);
    }
}

#[test]
fn an_account_without_followers_has_an_empty_result() {
    let site = Site::slow(
        0,
        [bluesky("zero.bsky.social", 0), x("zero", 0), gitea("zero", 0)],
    );
    let home = with_token(&site);
    for (account, guarantee) in [
        ("bluesky:zero.bsky.social", "Exact"),
        ("x:@zero", "BestEffort"),
        ("gitea:zero@git.example.org", "BestEffort"),
    ] {
        let ran = home.run(&format!("scan {account} -q -o json"));
        assert_eq!(ran.code, 0, "{ran:?}");
        let report = ran.json();
        assert_eq!(
            (&report["uniqueFollowers"], &report["result"]["guarantee"]),
            (&0.into(), &guarantee.into()),
            "{report}"
        );
    }
}

#[test]
fn a_token_that_is_missing_wrong_or_revoked_is_a_credential_problem() {
    let site = site();
    let home = Home::new(&site);
    home.run("scan x:@nasa")
        .refused(5, &["FOLLOWLYTICS_X_TOKEN", "credential add"]);
    home.run("scan x:@nasa --credential app")
        .refused(5, &["credential add app"]);
    assert_eq!(site.requests(), 0);
    let wrong = home.write("wrong", "not-the-token\n");
    home.run(&format!("scan x:@nasa --token-file {}", wrong.display()))
        .refused(5, &["refuses the token"]);
    let pair = site.world.issue_x_user_token("simulator", "nasa").unwrap();
    assert!(site.world.revoke_x_token(&pair.access_token));
    let stored = home.run_with(
        "credential add mine --platform x --type user-token",
        &pair.access_token,
    );
    assert_eq!(stored.code, 0, "{stored:?}");
    home.run("scan x:@nasa --credential mine --name other")
        .refused(5, &["expired or revoked"]);
    // Another token under the same name, and the same command goes on.
    assert_eq!(
        home.run_with("credential add mine --platform x --type app-bearer", X_TOKEN)
            .code,
        0
    );
    let ran = home.run("scan x:@nasa --credential mine --name other -q -o json");
    assert_eq!(
        (ran.code, &ran.json()["uniqueFollowers"]),
        (0, &40.into()),
        "{ran:?}"
    );
}

#[test]
fn an_expired_user_token_is_refreshed_on_the_way() {
    let mut config = WorldConfig {
        seed: 7,
        ..WorldConfig::default()
    };
    config.x.access_token_seconds = 1;
    let site = Site::new(config, [x("nasa", 40)]);
    let home = Home::new(&site);
    let pair = site.world.issue_x_user_token("simulator", "nasa").unwrap();
    let secret = serde_json::json!({
        "accessToken": pair.access_token, "refreshToken": pair.refresh_token, "clientId": "simulator",
        "expiresAt": "2026-01-01T00:00:00Z",
    });
    let add = format!(
        "credential add mine --platform x --type user-token --base-url {}",
        site.url
    );
    assert_eq!(home.run_with(&add, &secret.to_string()).code, 0);
    pause(std::time::Duration::from_millis(1100));
    let ran = home.run("scan x:@nasa --credential mine -q -o json");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["uniqueFollowers"], 40);
}

#[test]
fn a_platform_that_does_not_answer_has_its_own_code() {
    let site = site();
    let home = Home::new(&site);
    let ran = home.run("scan bluesky:alice.bsky.social --base-url http://127.0.0.1:1");
    ran.refused(6, &["cannot be reached", "run the same command again"]);
    // The address is part of what was planned: under the name of another scan it is another address.
    let again = home.run("scan bluesky:alice.bsky.social --name again -q -o json");
    assert_eq!(
        (again.code, &again.json()["uniqueFollowers"]),
        (0, &350.into()),
        "{again:?}"
    );
}

fn fault(kind: FaultKind, times: u32, after: u64) -> FaultSpec {
    FaultSpec {
        endpoint: Some(Endpoint::Followers),
        trigger: Trigger::After(after),
        times,
        ..FaultSpec::once(kind)
    }
}

#[test]
fn a_page_cut_in_the_middle_is_read_again() {
    let site = site();
    site.world
        .set_fault(fault(FaultKind::TruncatedBody, 1, 1))
        .unwrap();
    let home = Home::new(&site);
    let report = home.run("scan bluesky:alice.bsky.social -q -o json").json();
    assert_eq!(
        (&report["uniqueFollowers"], &report["requests"]["failed"]),
        (&350.into(), &1.into()),
        "{report}"
    );
}

#[test]
fn a_row_that_cannot_be_read_costs_no_page() {
    let site = site();
    site.world
        .set_fault(fault(FaultKind::MalformedRow, 1, 0))
        .unwrap();
    let home = Home::new(&site);
    let report = home.run("scan bluesky:alice.bsky.social -q -o json").json();
    assert_eq!(
        (&report["uniqueFollowers"], &report["requests"]["failed"]),
        (&350.into(), &0.into()),
        "{report}"
    );
    let manifest = std::fs::read_to_string(report["result"]["manifest"].as_str().unwrap()).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["unread"], 1);
}

#[test]
fn a_gitea_account_that_was_renamed_is_an_account_problem() {
    let site = site();
    site.world.rename(Platform::Gitea, "bob", "robert").unwrap();
    let home = Home::new(&site);
    home.run("scan gitea:bob@git.example.org")
        .refused(4, &["renamed"]);
    assert_eq!(
        home.run("scan gitea:robert@git.example.org -q -o json").json()["uniqueFollowers"],
        70
    );
}

#[test]
fn tokens_lie_in_private_files_and_nowhere_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = site();
    let home = with_token(&site);
    assert_eq!(home.run("scan x:@nasa -q").code, 0);
    let mut found = Vec::new();
    let mut folders = vec![home.data()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).contains(X_TOKEN) {
                found.push(entry.path());
            }
        }
    }
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(home.data().join("credentials")), "{found:?}");
    assert_eq!(
        std::fs::metadata(&found[0]).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        std::fs::metadata(home.data()).unwrap().permissions().mode() & 0o777,
        0o700
    );
    // Of the token itself the ledger has a fingerprint, by which people tell it from another.
    let up = home.up("");
    let digits = &sha256(X_TOKEN.as_bytes())[..12];
    eventually("the token's fingerprint is shown", || {
        home.get("credentials", "x-env")["status"]["fingerprint"] == *digits
    });
    assert_eq!(up.stop(), 0);
    let removed = home.run("credential remove x-env");
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(!found[0].exists());
}

#[test]
fn files_that_hold_no_object_are_refused_before_anything_is_stored() {
    let site = site();
    let home = Home::new(&site);
    let good = "apiVersion: followlytics.io/v1alpha1\nkind: Scan\nmetadata: {name: good}\n\
                spec: {account: {platform: bluesky, handle: alice.bsky.social}}\n---\n";
    for (text, part) in [
        ("kind: [", "YAML"),
        ("", "no object"),
        ("metadata: {name: a}", "no kind"),
        (
            "{kind: Pod, apiVersion: v1, metadata: {name: a}}",
            "known are scans",
        ),
    ] {
        home.run_with(
            "apply -f -",
            &format!("{}{text}", if text.is_empty() { "" } else { good }),
        )
        .refused(2, &[part]);
    }
    assert_eq!(home.run("get scans -o name").out, "");
    let typo = good.replace("handle:", "hanlde:").replace("---\n", "");
    home.run_with("apply -f -", &typo).refused(2, &["hanlde"]);
    home.run("apply -f missing.yaml").refused(2, &["missing.yaml"]);
    home.run("get pods").refused(2, &["known are scans"]);
    home.run("get scans nobody").refused(2, &["not found"]);
}

#[test]
fn a_scan_that_was_applied_with_a_bad_account_fails_with_the_field() {
    let site = site();
    let home = Home::new(&site);
    let _up = home.up("");
    let scan = "apiVersion: followlytics.io/v1alpha1\nkind: Scan\nmetadata: {name: bad}\n\
                spec: {account: {platform: myspace, handle: tom}}\n";
    home.apply(scan);
    home.wait_for("bad", "Failed");
    let why = home.run("why bad");
    assert!(
        why.out.contains("UnknownPlatform")
            && why
                .out
                .contains("known are x, bluesky, gitea, github and mastodon"),
        "{why:?}"
    );
}
