//! On a terminal: questions and bars.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    process::Stdio,
    sync::{Arc, Mutex},
    thread,
};

use followlytics_tests::toolkit::{Home, Ran, Site, X_TOKEN, bluesky, eventually, x};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Runs a command whose standard input and error are a terminal, types `answer` once `question` is shown, and returns
/// what was shown.
fn on_a_terminal(home: &Home, line: &str, question: &str, answer: &str) -> (Ran, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap()
    };
    let mut command = home.command(line.split_whitespace());
    command
        .env("TERM", "xterm")
        .stdin(terminal())
        .stderr(terminal())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut master = File::from(master);
    let shown = Arc::new(Mutex::new(String::new()));
    let (mut reader, kept) = (master.try_clone().unwrap(), Arc::clone(&shown));
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        // A terminal that nobody holds any more is an error to its master: the end.
        while let Ok(count @ 1..) = reader.read(&mut bytes) {
            kept.lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    });
    if !question.is_empty() {
        eventually(&format!("it asks {question:?}"), || {
            shown.lock().unwrap().contains(question)
        });
        master.write_all(answer.as_bytes()).unwrap();
    }
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let code = child.wait().unwrap().code().unwrap_or(-1);
    let text = shown.lock().unwrap().clone();
    (
        Ran {
            code,
            out,
            err: String::new(),
        },
        text,
    )
}

#[test]
fn a_scan_over_a_dollar_asks_and_takes_yes_for_an_answer() {
    let site = Site::slow(0, [x("nasa", 1500)]);
    let home = Home::new(&site).with("FOLLOWLYTICS_X_TOKEN", X_TOKEN);
    let (no, shown) = on_a_terminal(&home, "scan x:@nasa -o json", "[y/N]", "n\n");
    assert_eq!(no.code, 3, "{shown}");
    assert!(
        shown.contains("1,500 followers") && shown.contains("$15.32"),
        "{shown}"
    );
    assert_eq!(site.requests(), 1);
    let (yes, shown) = on_a_terminal(&home, "scan x:@nasa -o json", "[y/N]", "y\n");
    assert_eq!(yes.code, 0, "{shown}");
    assert_eq!(yes.json()["uniqueFollowers"], 1500);
}

#[test]
fn a_terminal_sees_bars() {
    let site = Site::slow(20, [bluesky("alice.bsky.social", 3000)]);
    let home = Home::new(&site);
    let (ran, shown) = on_a_terminal(
        &home,
        "scan bluesky:alice.bsky.social --followers-per-range 500 -o json",
        "",
        "",
    );
    assert_eq!(ran.code, 0, "{shown}");
    assert!(
        shown.contains("bluesky-alice-bsky-social") && shown.contains("range ") && shown.contains("/min"),
        "{shown}"
    );
}

#[test]
fn a_token_is_asked_for_and_not_shown() {
    let site = Site::slow(0, [x("nasa", 40)]);
    let home = Home::new(&site);
    let (ran, shown) = on_a_terminal(
        &home,
        "credential add app --platform x --type app-bearer",
        "Token",
        &format!("{X_TOKEN}\n"),
    );
    assert_eq!(ran.code, 0, "{shown}");
    assert!(!shown.contains(X_TOKEN), "{shown}");
    assert_eq!(
        home.run("scan x:@nasa --credential app -q -o json").json()["uniqueFollowers"],
        40
    );
}
