//! Databases for the tests: every test takes its own from [`database`], and the whole suite is run on SQLite
//! and, in a process of its own, on PostgreSQL.
//!
//! `FOLLOWLYTICS_TEST_DATABASE=postgresql cargo test -p followlytics-store ledger::` runs it there by hand.

mod faults;
mod statements;

use std::sync::OnceLock;

use followlytics_testbed::postgres::Postgres;
use tokio::runtime::Builder;

use crate::db::Db;

/// Says which database the tests run on: `postgresql`, else SQLite.
const DATABASE: &str = "FOLLOWLYTICS_TEST_DATABASE";

/// An empty database of the test's own, brought up to date; times are those of the caller's clock.
pub(crate) fn database() -> Db {
    match std::env::var(DATABASE).as_deref() {
        Ok("postgresql") => postgres().with_callers_clock(),
        _ => Db::memory().unwrap(),
    }
}

/// The same, on PostgreSQL in any case, and by its clock.
pub(crate) fn postgres() -> Db {
    Db::prepared(&postgres_url())
}

/// Where an empty database of the test's own is, brought up to date.
pub(crate) fn postgres_url() -> String {
    static MODEL: OnceLock<String> = OnceLock::new();
    let server = Postgres::shared().unwrap();
    let model = MODEL.get_or_init(|| {
        let url = server.create_database().unwrap();
        let made = url.clone();
        // Not on the test's own runtime: a blocking call has no place there.
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(Db::connect(&made)).map(drop).unwrap();
        })
        .join()
        .unwrap();
        url
    });
    server.copy_database(model).unwrap()
}
