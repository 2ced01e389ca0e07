//! Around the commands: completions that the shells themselves can read, `doctor`, exit codes.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use followlytics_tests::toolkit::{Home, Site, finish, program};
use serde_json::Value;

fn home() -> Home {
    Home::new(&Site::slow(0, []))
}

#[test]
fn every_shell_can_read_its_completions() {
    let home = home();
    for shell in ["bash", "zsh", "fish"] {
        let ran = home.run(&format!("completions {shell}"));
        assert_eq!(ran.code, 0, "{ran:?}");
        for word in ["credential", "doctor", "kubeconfig", "max-followers"] {
            assert!(ran.out.contains(word), "{shell}: {word}");
        }
        assert!(!ran.out.contains("sandbox-exec "), "children are not for people");
        let file = home.write(shell, &ran.out);
        // A shell that is not installed cannot be asked; bash is everywhere.
        let asked = Command::new(shell)
            .arg("-n")
            .arg(&file)
            .stderr(Stdio::piped())
            .output();
        match asked {
            Ok(found) => assert!(found.status.success(), "{shell}: {found:?}"),
            Err(_) => assert_ne!(shell, "bash"),
        }
    }
    assert_eq!(home.run("completions powershell").code, 2);
}

fn check<'a>(all: &'a Value, what: &str) -> &'a Value {
    let all = all.as_array().unwrap();
    all.iter()
        .find(|check| check["what"] == what)
        .unwrap_or_else(|| panic!("{what}: {all:?}"))
}

#[test]
fn the_doctor_sees_what_is_wrong_and_says_what_helps() {
    let home = home();
    let well = home.run("doctor -o json");
    assert_eq!(well.code, 0, "{well:?}");
    let all = well.json();
    for what in [
        "privacy",
        "data directory",
        "database",
        "objects",
        "clock",
        "credentials",
        "open files",
    ] {
        assert_eq!(check(&all, what)["standing"], "good", "{what}: {all}");
    }
    assert_eq!(check(&all, "control plane")["standing"], "note");
    let chromium = check(&all, "Chromium");
    assert_eq!(chromium["standing"], "good", "{chromium}");
    assert!(
        chromium["found"]
            .as_str()
            .unwrap()
            .contains("no platform is enabled"),
        "{chromium}"
    );
    let without = self::home().with("FOLLOWLYTICS_CHROMIUM", "/nonexistent/chromium");
    let without = without.run("doctor -o json");
    assert_eq!(without.code, 0, "only browser scans need one: {without:?}");
    let chromium = check(&without.json(), "Chromium").clone();
    assert_eq!(chromium["standing"], "note", "{chromium}");
    assert!(
        chromium["found"].as_str().unwrap().contains("package `chromium`"),
        "{chromium}"
    );

    let up = home.up("");
    let running = home.run("doctor -o json").json();
    assert_eq!(check(&running, "control plane")["standing"], "good", "{running}");
    let credential = "{apiVersion: followlytics.io/v1alpha1, kind: Credential, metadata: {name: app},\n\
                      spec: {platform: x, type: AppBearer, secretRef: {name: app}}}\n";
    home.apply(credential);
    let ran = home.run("doctor");
    assert_eq!(ran.code, 5, "{ran:?}");
    // How wide the first column is depends on what else was found.
    let mut lines = ran.out.lines();
    let bad = lines.find(|line| line.split_whitespace().take(2).eq(["bad", "credentials"]));
    assert!(
        bad.is_some_and(|line| line.contains("`followlytics credential add app`")),
        "{ran:?}"
    );
    assert_eq!(up.stop(), 0);

    fs::set_permissions(home.data(), fs::Permissions::from_mode(0o755)).unwrap();
    let open = home.run("doctor");
    assert_eq!(open.code, 7, "{open:?}");
    assert!(open.out.contains("chmod 700"), "{open:?}");
    fs::set_permissions(home.data(), fs::Permissions::from_mode(0o700)).unwrap();
    for file in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(home.data().join(file));
    }
    fs::write(
        home.data().join("ledger.db"),
        "this is no database, and longer than a header of one",
    )
    .unwrap();
    let torn = home.run("doctor -o json");
    assert_eq!(torn.code, 7, "{torn:?}");
    assert_eq!(check(&torn.json(), "database")["standing"], "bad");
}

#[test]
fn every_documented_code_is_in_the_help_and_the_page() {
    let home = home();
    let help = home.run("--help").out;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/exit-codes.md");
    let page = fs::read_to_string(page).unwrap();
    let codes: Vec<(&str, &str)> = help
        .lines()
        .skip_while(|line| !line.starts_with("Exit codes:"))
        .skip(1)
        .filter_map(|line| line.trim().split_once("  "))
        .collect();
    assert!(codes.len() >= 10, "{help}");
    for (code, meaning) in codes {
        assert!(page.contains(&format!("| {code} | {meaning} |")), "{code}");
        assert!(
            code == "0" || page.contains(&format!("* **{code}** – ")),
            "{code}: what to do is missing"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = home();
    let mut command = home.command_of("bash");
    command
        .args([
            "-c",
            r#""$0" completions zsh | head -c 10 >/dev/null; exit "${PIPESTATUS[0]}""#,
        ])
        .arg(program());
    let ran = finish(command.spawn().unwrap(), "completions | head");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
}
