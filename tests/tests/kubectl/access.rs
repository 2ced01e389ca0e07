//! Who gets in: the kubeconfig's token and nothing else, from this machine and from nowhere else.

use std::{fs, os::unix::fs::PermissionsExt as _};

use followlytics_tests::toolkit::{Home, Site, eventually, finish, signal};

use crate::kubectl::{Cluster, paused};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The value behind `key: ` in a kubeconfig.
fn value(text: &str, key: &str) -> String {
    let line = text.lines().find_map(|line| line.split_once(&format!("{key}: ")));
    line.unwrap().1.trim_matches('"').to_owned()
}

#[test]
fn the_kubeconfig_and_what_it_came_from_are_for_their_owner_only() {
    let cluster = Cluster::start(&Site::slow(0, []));
    let https = cluster.home.data().join("https");
    for path in [
        cluster.kubeconfig(),
        https.join("authority.json"),
        https.join("token"),
        https.join("address"),
    ] {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert_eq!(mode(&https), 0o700);
    let view = cluster.ok("config view");
    assert!(
        view.contains("current-context: followlytics") && view.contains("server: https://127.0.0.1:"),
        "{view}"
    );
    assert!(view.contains("namespace: default"), "{view}");
}

#[test]
fn without_the_token_nothing_is_answered() {
    let cluster = Cluster::start(&Site::slow(0, []));
    cluster.apply(&paused("one"));
    let good = fs::read_to_string(cluster.kubeconfig()).unwrap();
    let token = value(&good, "token");
    for (name, text) in [
        (
            "wrong",
            good.replace(&token, &token.replace(|c: char| c.is_ascii_digit(), "x")),
        ),
        ("short", good.replace(&token, "short")),
        ("anonymous", good.replace("token:", "username: nobody # ")),
    ] {
        let path = cluster.home.write(name, &text);
        for line in [
            "get scans",
            "get --raw /version",
            "get --raw /healthz",
            "delete scan one",
        ] {
            let command = cluster
                .command_with(&path, line.split_whitespace())
                .spawn()
                .unwrap();
            let ran = finish(command, line);
            assert_eq!(ran.code, 1, "{name} {line}: {ran:?}");
            assert!(
                ran.err.contains("Unauthorized")
                    || ran.err.contains("must be logged in")
                    || ran.err.contains("credentials"),
                "{name} {line}: {ran:?}"
            );
        }
    }
    assert_eq!(cluster.ok("get scans -o name"), "scan.followlytics.io/one\n");
}

#[test]
fn a_stranger_with_another_authority_is_not_trusted() {
    let (one, two) = (
        Cluster::start(&Site::slow(0, [])),
        Cluster::start(&Site::slow(0, [])),
    );
    let texts = [&one, &two].map(|cluster| fs::read_to_string(cluster.kubeconfig()).unwrap());
    let mixed = texts[0].replace(&value(&texts[0], "server"), &value(&texts[1], "server"));
    let path = one.home.write("mixed", &mixed);
    let refused = finish(one.command_with(&path, ["get", "scans"]).spawn().unwrap(), "get");
    assert!(
        refused.err.contains("certificate signed by unknown authority"),
        "{refused:?}"
    );
}

#[test]
fn port_authority_and_token_outlive_a_restart_and_a_deleted_token_does_not() {
    let mut cluster = Cluster::start(&Site::slow(0, []));
    cluster.apply(&paused("one"));
    let first = fs::read_to_string(cluster.kubeconfig()).unwrap();
    let copy = cluster.home.write("copy", &first);
    assert_eq!(cluster.up.take().unwrap().stop(), 0);
    let gone = cluster.run("get scans");
    assert!(gone.err.contains("refused"), "{gone:?}");
    cluster.up = Some(cluster.home.up(""));
    assert_eq!(fs::read_to_string(cluster.kubeconfig()).unwrap(), first);
    assert_eq!(cluster.ok("get scans -o name"), "scan.followlytics.io/one\n");

    assert_eq!(cluster.up.take().unwrap().stop(), 0);
    fs::remove_file(cluster.home.data().join("https/token")).unwrap();
    cluster.up = Some(cluster.home.up(""));
    assert_eq!(cluster.ok("get scans -o name"), "scan.followlytics.io/one\n");
    let old = finish(
        cluster.command_with(&copy, ["get", "scans"]).spawn().unwrap(),
        "with the old token",
    );
    assert!(old.err.contains("must be logged in"), "{old:?}");
}

#[test]
fn only_loopback_can_be_listened_on() {
    let home = Home::new(&Site::slow(0, []));
    for address in ["0.0.0.0:6443", "[::]:6443", "192.0.2.1:6443"] {
        let ran = home.run(&format!("up --listen {address}"));
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("is not a loopback address"), "{ran:?}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    home.run(&format!("up --listen {address}"))
        .refused(2, &["choose another address with --listen"]);
    drop(taken);
    let cluster = Cluster::of(home, &format!("--listen {address}"));
    let text = fs::read_to_string(cluster.kubeconfig()).unwrap();
    assert_eq!(value(&text, "server"), format!("https://{address}"));
    assert_eq!(cluster.ok("get scans -o name"), "");
}

#[test]
fn the_token_is_printed_and_logged_nowhere() {
    let site = Site::slow(0, []);
    let home = Home::new(&site).with("FOLLOWLYTICS_LOG", "trace");
    let ready = home.path().join("ready");
    let log = home.path().join("log");
    let file = fs::File::create(&log).unwrap();
    let child = home
        .command(["up", "--ready-file", "ready"])
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    eventually("`up` is ready", || ready.is_file());
    let cluster = Cluster { up: None, home };
    cluster.apply(&paused("one"));
    cluster.ok("get scans");
    let token = value(&fs::read_to_string(cluster.kubeconfig()).unwrap(), "token");
    signal(&child, "TERM");
    let mut child = child;
    child.wait().unwrap();
    let text = fs::read_to_string(&log).unwrap();
    assert!(
        text.contains("kubectl --kubeconfig ") && text.len() > 500,
        "{text}"
    );
    assert!(!text.contains(&token));
    // Beside the kubeconfig, one file holds it.
    let mut found = Vec::new();
    let mut folders = vec![cluster.home.data()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if String::from_utf8_lossy(&fs::read(entry.path()).unwrap_or_default()).contains(&token) {
                found.push(entry.file_name().into_string().unwrap());
            }
        }
    }
    found.sort();
    assert_eq!(found, ["kubeconfig", "token"]);
}
