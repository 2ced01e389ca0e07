//! A control plane that is named: by its socket, by https and a kubeconfig, and as kubectl's plugin.

use std::{fs, os::unix::fs::symlink};

use followlytics_tests::toolkit::{Home, Ran, Site, bluesky, finish, program};

const SCAN: &str = "scan.followlytics.io/one\n";

fn applied(home: &Home) {
    let scan = "{apiVersion: followlytics.io/v1alpha1, kind: Scan, metadata: {name: one},\n\
                spec: {account: {platform: bluesky, handle: alice.bsky.social}, operatingMode: Suspended}}\n";
    home.apply(scan);
}

/// The address behind `server: ` in the kubeconfig.
fn server(home: &Home) -> String {
    let text = fs::read_to_string(home.data().join("kubeconfig")).unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("server: "));
    line.unwrap().trim_matches('"').to_owned()
}

#[test]
fn https_needs_the_kubeconfig_that_up_wrote() {
    let site = Site::slow(0, []);
    let (home, stranger) = (Home::new(&site), Home::new(&site));
    let up = home.up("");
    applied(&home);
    let address = server(&home);
    let kubeconfig = home.data().join("kubeconfig");
    let kubeconfig = kubeconfig.to_str().unwrap();
    // On its own data directory the address is enough; elsewhere the kubeconfig is.
    assert_eq!(
        home.run(&format!("--server {address} get scans -o name")).out,
        SCAN
    );
    for line in [
        format!("--kubeconfig {kubeconfig} get scans -o name"),
        format!("--kubeconfig {kubeconfig} --server {address} get scans -o name"),
        format!("--kubeconfig {kubeconfig} --context followlytics -n default get scans -o name"),
    ] {
        let ran = stranger.run(&line);
        assert_eq!((ran.code, ran.out.as_str()), (0, SCAN), "{line}: {ran:?}");
    }
    stranger
        .run(&format!("--server {address} get scans"))
        .refused(2, &["--kubeconfig FILE"]);
    stranger
        .run("--kubeconfig missing get scans")
        .refused(2, &["missing: No such file", "followlytics up"]);
    let torn = stranger.write("torn", "{apiVersion: v1, token: hidden");
    let ran = stranger.run(&format!("-v --kubeconfig {} get scans", torn.display()));
    ran.refused(2, &["it is no kubeconfig"]);
    assert!(!ran.err.contains("hidden"), "{ran:?}");
    stranger
        .run(&format!("--kubeconfig {kubeconfig} --context nobody get scans"))
        .refused(2, &["check its context"]);
    stranger
        .run(&format!("--kubeconfig {kubeconfig} --server unix:///x get scans"))
        .refused(2, &["needs no kubeconfig"]);
    stranger
        .run("--server http://127.0.0.1:1 get scans")
        .refused(2, &["https://HOST:PORT"]);
    let text = fs::read_to_string(home.data().join("kubeconfig")).unwrap();
    let (before, _) = text.split_once("token: ").unwrap();
    let wrong = stranger.write("wrong", &format!("{before}token: wrong\n"));
    stranger
        .run(&format!("--kubeconfig {} get scans", wrong.display()))
        .refused(2, &["refuses the token", "followlytics up"]);
    assert_eq!(up.stop(), 0);
    stranger
        .run(&format!("--kubeconfig {kubeconfig} get scans"))
        .refused(2, &["failed to reach", "followlytics up"]);
}

#[test]
fn a_scan_through_https_is_followed_to_its_end() {
    let site = Site::slow(10, [bluesky("alice.bsky.social", 3000)]);
    let (home, stranger) = (Home::new(&site), Home::new(&site));
    let _up = home.up("");
    let kubeconfig = home.data().join("kubeconfig");
    let ran = stranger.run(&format!(
        "--kubeconfig {} scan bluesky:alice.bsky.social -o json",
        kubeconfig.display()
    ));
    ran.refused(2, &["base URLs of its own"]);
    // The base URL is the control plane's business.
    let bare = finish(
        stranger
            .command(["--kubeconfig"])
            .arg(&kubeconfig)
            .args(["scan", "bluesky:alice.bsky.social", "-o", "json"])
            .env_remove("FOLLOWLYTICS_BLUESKY_URL")
            .spawn()
            .unwrap(),
        "scan",
    );
    assert_eq!(bare.code, 0, "{bare:?}");
    let report = bare.json();
    assert_eq!(report["uniqueFollowers"], 3000);
    assert_eq!(report["result"]["guarantee"], "Exact");
    assert!(bare.err.contains("/3,000 followers"), "lines in a pipe: {bare:?}");
}

#[test]
fn kubectl_finds_its_plugin() {
    let site = Site::slow(0, []);
    let (home, stranger) = (Home::new(&site), Home::new(&site));
    let _up = home.up("");
    applied(&home);
    let plugin = stranger.path().join("kubectl-followlytics");
    symlink(program(), &plugin).unwrap();
    let run = |words: &[&str], kubeconfig: Option<&str>| -> Ran {
        let mut command = stranger.command_of(&plugin);
        command.args(words);
        if let Some(path) = kubeconfig {
            command.env("KUBECONFIG", path);
        }
        finish(command.spawn().unwrap(), "plugin")
    };
    let kubeconfig = home.data().join("kubeconfig");
    let kubeconfig = kubeconfig.to_str().unwrap();
    assert_eq!(run(&["get", "scans", "-o", "name"], Some(kubeconfig)).out, SCAN);
    assert!(run(&["why", "one"], Some(kubeconfig)).out.contains("Requested"));
    run(&["get", "scans"], Some("/nowhere")).refused(2, &["--kubeconfig FILE"]);
    // As kubectl: without the variable, the file in the home directory.
    fs::create_dir(stranger.path().join(".kube")).unwrap();
    fs::copy(kubeconfig, stranger.path().join(".kube/config")).unwrap();
    assert_eq!(run(&["get", "scans", "-o", "name"], None).out, SCAN);
}
