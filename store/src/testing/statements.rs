//! The contract on PostgreSQL, and proof that it leaves out no statement of this crate.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    db::{Db, sites},
    testing,
};

/// A place in the source, and the statements that were run from it.
type Sites = BTreeMap<(String, usize), Vec<String>>;

/// One test for both: what the run on PostgreSQL has executed is the list that is checked.
#[tokio::test]
async fn the_whole_contract_holds_on_postgresql_and_leaves_out_no_statement() {
    if std::env::var_os(sites::FILE).is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let seen = run_suite(&folder.path().join("seen"));
    let written = sites_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(
        written.len() > 50,
        "the scan of the source finds too little: {}",
        written.len()
    );
    let unseen: Vec<_> = written.iter().filter(|site| !seen.contains_key(*site)).collect();
    assert!(unseen.is_empty(), "no test runs the statements at {unseen:?}");
    for db in [Db::memory().unwrap(), testing::postgres()] {
        // Tests make tables of their own, which are not in this database.
        for (site, texts) in seen.iter().filter(|(site, _)| written.contains(site)) {
            for sql in texts {
                let mut tx = db.begin().await.unwrap();
                if let Err(error) = tx.prepare(sql).await {
                    panic!("{site:?}: {sql}: {error:?}");
                }
            }
        }
    }
}

/// Runs this program's other tests of the database on PostgreSQL; answers which statements they ran.
fn run_suite(file: &Path) -> Sites {
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["ledger::", "resources::", "db::"])
        .env(testing::DATABASE, "postgresql")
        .env(sites::FILE, file)
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "the suite fails on PostgreSQL:\n{}\n{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    let mut seen = Sites::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        let (path, number, sql): (String, usize, String) = serde_json::from_str(line).unwrap();
        // The path as the compiler was given it: from the workspace's root.
        let path = path
            .split_once("src/")
            .map_or(path.clone(), |(_, rest)| rest.to_owned());
        seen.entry((path, number)).or_default().push(sql);
    }
    seen
}

/// Every place outside of the tests where a transaction, or the database itself, is given a statement.
fn sites_in(src: &Path) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for path in files(src) {
        let name = path.strip_prefix(src).unwrap().to_str().unwrap().to_owned();
        let is_user = name.starts_with("ledger") || name.starts_with("resources");
        if !is_user || name.contains("tests") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            let calls = [".execute(", ".query(", ".find("];
            let Some(at) = calls.iter().find_map(|call| line.find(call)) else {
                continue;
            };
            // `tx` or `db` before the dot, perhaps on the line above.
            let before = match (&line[..at], index) {
                ("", 1..) => lines[index - 1],
                (before, _) => before,
            };
            if before.ends_with("tx") || before.ends_with("db") {
                found.push((name.clone(), index + 1));
            }
        }
    }
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
