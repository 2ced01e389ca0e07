//! Which statements of this crate its tests have run, by where they are written.

use std::{
    collections::BTreeSet,
    io::Write as _,
    panic::Location,
    sync::{LazyLock, Mutex, PoisonError},
};

/// Names the file that collects what a whole run of the tests has seen.
pub(crate) const FILE: &str = "FOLLOWLYTICS_STATEMENTS_SEEN";

static SEEN: LazyLock<Mutex<BTreeSet<(String, u32, String)>>> = LazyLock::new(Mutex::default);

/// Notes a statement and its place; every pair once.
pub(crate) fn record(place: &Location<'_>, sql: &str) {
    let Some(path) = std::env::var_os(FILE) else {
        return;
    };
    let entry = (place.file().to_owned(), place.line(), sql.to_owned());
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if !seen.insert(entry) {
        return;
    }
    let line = serde_json::json!([place.file(), place.line(), sql]).to_string();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}
