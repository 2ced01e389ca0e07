//! GitHub and Mastodon from outside: with and without a token, and what their servers do that others do not.

use followlytics_simulator::{
    AccountSpec, Endpoint, FaultKind, FaultSpec, MastodonIds, MastodonServer, Platform, RequestRecord,
    WorldConfig,
};
use followlytics_tests::toolkit::{Home, Site, eventually};

const ALICE: &str = "mastodon:@alice@social.example";

fn site(config: impl FnOnce(&mut WorldConfig)) -> Site {
    let mut settings = WorldConfig {
        seed: 7,
        ..WorldConfig::default()
    };
    config(&mut settings);
    Site::new(
        settings,
        [
            AccountSpec::new(Platform::Github, "octocat", 750),
            AccountSpec::new(Platform::Mastodon, "alice", 1_900),
        ],
    )
}

fn home(site: &Site) -> Home {
    Home::new(site)
        .with("FOLLOWLYTICS_GITHUB_URL", &site.url)
        .with("FOLLOWLYTICS_MASTODON_URL", &site.url)
}

fn server(settings: impl FnOnce(&mut MastodonServer)) -> impl FnOnce(&mut WorldConfig) {
    let mut server = MastodonServer::default();
    settings(&mut server);
    move |config| config.mastodon.servers = vec![server]
}

/// The principals under which followers were listed.
fn principals(site: &Site) -> Vec<String> {
    let mut principals: Vec<String> = site
        .world
        .requests(0, usize::MAX)
        .into_iter()
        .filter(|request| request.endpoint == Endpoint::Followers)
        .map(|request| request.principal)
        .collect();
    principals.sort();
    principals.dedup();
    principals
}

#[test]
fn both_are_listed_without_a_token() {
    let site = site(|_| ());
    let home = home(&site);
    for (account, followers, guarantee, seek) in [
        ("github:octocat", 750, "BestEffort", "promises no order"),
        (ALICE, 1_900, "Exact", ""),
    ] {
        let ran = home.run(&format!("scan {account} -q -o json --followers-per-range 300"));
        assert_eq!(ran.code, 0, "{ran:?}");
        let report = ran.json();
        assert_eq!(
            (
                &report["account"],
                &report["uniqueFollowers"],
                &report["result"]["guarantee"]
            ),
            (&account.into(), &followers.into(), &guarantee.into()),
            "{report}"
        );
        let evidence = report["result"]["certificate"]["evidence"][0]
            .as_str()
            .unwrap_or_default();
        assert!(evidence.contains(seek), "{report}");
        assert!(
            report["ranges"].as_i64().unwrap() > 1,
            "read in parallel: {report}"
        );
    }
    assert_eq!(principals(&site), ["anonymous"], "nobody had a token");
}

#[test]
fn a_token_is_used_where_there_is_one() {
    let site = site(server(|server| {
        server.require_token = true;
        server.tokens = vec!["mastodon-token".to_owned()];
    }));
    let home = home(&site);
    home.run(&format!("scan {ALICE}"))
        .refused(5, &["to nobody without a token", "give the scan a Credential"]);
    let stored = home.run_with(
        &format!(
            "credential add home --platform mastodon --type user-token --base-url {}",
            site.url
        ),
        "mastodon-token",
    );
    assert_eq!(stored.code, 0, "{stored:?}");
    let ran = home.run(&format!("scan {ALICE} --credential home --name mine -q -o json"));
    assert_eq!(
        (ran.code, &ran.json()["uniqueFollowers"]),
        (0, &1_900.into()),
        "{ran:?}"
    );
    let home = home.with("FOLLOWLYTICS_GITHUB_TOKEN", "github-token");
    let ran = home.run("scan github:octocat -q -o json");
    assert_eq!(
        (ran.code, &ran.json()["uniqueFollowers"]),
        (0, &750.into()),
        "{ran:?}"
    );
    let principals = principals(&site);
    assert!(
        principals.iter().all(|principal| principal != "anonymous"),
        "{principals:?}"
    );
}

#[test]
fn a_server_without_numbers_is_read_all_the_same() {
    for ids in [MastodonIds::Flake, MastodonIds::Ulid] {
        let site = site(server(|server| server.ids = ids));
        let report = home(&site)
            .run(&format!("scan {ALICE} -q -o json --followers-per-range 300"))
            .json();
        assert_eq!(
            (
                &report["uniqueFollowers"],
                &report["ranges"],
                &report["result"]["guarantee"]
            ),
            (&1_900.into(), &1.into(), &"BestEffort".into()),
            "{report}"
        );
    }
}

#[test]
fn a_list_that_is_hidden_is_not_called_complete() {
    let site = site(|_| ());
    site.world
        .set_hide_collections(Platform::Mastodon, "alice", true)
        .unwrap();
    let ran = home(&site).run(&format!("scan {ALICE} -q -o json"));
    let result = ran.json()["result"].clone();
    assert_eq!(
        (&result["rows"], &result["guarantee"]),
        (&0.into(), &"BestEffort".into()),
        "{ran:?}"
    );
    let evidence = result["certificate"]["evidence"].to_string();
    assert!(
        evidence.contains("hidden") && evidence.contains("1900"),
        "{evidence}"
    );
}

#[test]
fn a_secondary_limit_is_waited_for_and_loses_nothing() {
    let site = site(|_| ());
    let limit = FaultKind::SecondaryLimit {
        status: 403,
        retry_after_seconds: Some(5),
    };
    site.world
        .set_fault(FaultSpec {
            endpoint: Some(Endpoint::Followers),
            times: 2,
            ..FaultSpec::once(limit)
        })
        .unwrap();
    let home = home(&site);
    let up = home.up("");
    assert_eq!(home.run("scan github:octocat -q --detach").code, 0);
    eventually("the scan says what it waits on", || {
        let waiting = &home.get("scans", "github-octocat")["status"]["waitingOn"];
        waiting["reason"] == "RateLimitWindow"
            && waiting["message"]
                .as_str()
                .is_some_and(|message| message.ends_with("it goes on by itself"))
    });
    let done = home.wait_for("github-octocat", "Succeeded");
    assert_eq!(done["status"]["result"]["rows"], 750, "{done}");
    assert_eq!(up.stop(), 0);
    let asked: Vec<_> = site
        .world
        .requests(0, usize::MAX)
        .into_iter()
        .filter(|request| request.endpoint == Endpoint::Followers)
        .collect();
    let refused = |pair: &[RequestRecord]| pair[0].fault.is_some();
    let waits: Vec<i64> = asked
        .windows(2)
        .filter(|pair| refused(pair))
        .map(|pair| pair[0].at.duration_until(pair[1].at).as_secs())
        .collect();
    assert_eq!(waits.len(), 2, "{asked:?}");
    assert!(
        waits.iter().all(|seconds| *seconds >= 5),
        "nobody knocks before: {waits:?}"
    );
}

#[test]
fn accounts_that_cannot_be_listed_say_why() {
    let site = site(|_| ());
    let home = home(&site);
    for account in ["github:nobody", "mastodon:@nobody@social.example"] {
        home.run(&format!("scan {account}"))
            .refused(4, &["knows no such account", "check the handle"]);
    }
    home.run("scan mastodon:alice")
        .refused(2, &["mastodon:@USER@HOST"]);
    home.run("scan github:octocat@github.com")
        .refused(2, &["leave the host out"]);
    home.run("scan github:-").refused(2, &["1 to 39 letters"]);
}
