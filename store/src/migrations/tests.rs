//! Up from every released version, on both databases; and what must not happen on the way.

use followlytics_core::page::sha256;
use followlytics_testbed::postgres::Postgres;
use rusqlite::Connection;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection, Row as _, postgres::PgConnectOptions,
    raw_sql,
};

use super::*;
use crate::db::Db;

/// Rows that a release with so many steps may have left: table, columns, values.
const ROWS: &[(usize, &str, &str, &str)] = &[
    (
        1,
        "scans",
        "uid, namespace, name, generation, platform, handle, base_url, credential, auth, rules, budget, max_rows, \
         max_runners, rows_per_range, priority, mode, dry_run, stage, requests, created_at",
        "'s', 'team', 'n', 3, 'x', 'nasa', 'https://api.x.com', 'team/x', 'AppBearer', '[]', 5000000000, 0, 4, 100, 0, \
         'Run', 0, 'Scanning', '{}', 1790000000000000",
    ),
    (
        1,
        "ranges",
        "scan, id, kind, lo, hi, walk, position, claimed, seq, epoch, state, attempts, lines, lease_lines, expected",
        "'s', 1, 'Listing', 0, 900, 'Backward', 900, 100, 2, 7, 'Open', 0, 100, 100, 900",
    ),
    (
        1,
        "pages",
        "scan, range_id, seq, epoch, key, sha256, lines, bytes, input_position, output_position, exhausted, permit, \
         price, seen_at, committed_at",
        "'s', 1, 0, 7, 'pages/s/1/7/0', 'aa', 50, 9000, 0, 50, 0, 'p', 500000000, 1790000000000001, 1790000000000002",
    ),
    (
        1,
        "permits",
        "id, scan, range_id, epoch, seq, family, credential, position, max_rows, price, state, granted_at, start_by, \
         settle_by",
        "'p', 's', 1, 7, 1, 'Followers', 'team/x', 50, 100, 1000000000, 'Open', 1, 2, 3",
    ),
    (
        1,
        "usage",
        "permit, scan, credential, kind, lines, price, at",
        "'p0', 's', 'team/x', 'Followers', 50, 500000000, 4",
    ),
    (
        1,
        "windows",
        "credential, family, window_ms, requests, used, reset, told",
        "'team/x', 'Followers', 900000, 15, 2, 5, 1",
    ),
    (
        1,
        "sandboxes",
        "uid, name, scan, token_sha256, issued_at",
        "'b', 'box', 's', 'bb', 6",
    ),
    (1, "locks", "name, holder, until", "'merge', 'w', 7"),
    (1, "erasures", "prefix, asked_at", "'pages/old/', 8"),
    (
        2,
        "resources",
        "resource, namespace, name, uid, version, labels, object",
        "'scans.followlytics.io', 'team', 'n', 's', 9, '{}', '{\"a\":1}'",
    ),
    (2, "resource_owners", "owner_uid, uid", "'o', 's'"),
    (
        2,
        "resource_events",
        "version, resource, namespace, name, type, labels, object",
        "9, 'scans.followlytics.io', 'team', 'n', 'ADDED', '{}', '{\"a\":1}'",
    ),
    (
        2,
        "resource_horizons",
        "resource, version",
        "'scans.followlytics.io', 3",
    ),
    (
        3,
        "jobs",
        "id, kind, scan, state, epoch, not_before, attempts, lost, created_at",
        "'merge-s', 'Merge', 's', 'Queued', 2, 10, 1, 0, 11",
    ),
    (
        3,
        "results",
        "tenant, platform, account_id, version, scan, manifest, parts, sha256, lines, duplicates, unread, certificate, \
         created_at",
        "'team', 'x', '11', 1, 's', 'results/m', '[]', 'cc', 49, 1, 0, '{}', 12",
    ),
    (
        4,
        "shares",
        "credential, family, fair_time",
        "'team/x', 'Followers', 13",
    ),
    (
        5,
        "runs",
        "scan, run, level, state, range_id, first_seq, last_seq, lines, unread, line_rows, owner, owner_epoch",
        "'s', 1, 0, 'Live', 1, 0, 0, 50, 1, 49, 'merge-s', 2",
    ),
    (
        5,
        "shards",
        "scan, run, lane, piece, is_last, key, sha256, bytes, tail_sha256, tail_bytes, line_rows, trimmed, min_id, \
         max_id",
        "'s', 1, 0, 0, 1, 'shards/s/1/0/0', 'dd', 700, 'ee', 70, 49, 0, '1', '9'",
    ),
    (5, "strays", "key, seen_at", "'pages/gone/1', 14"),
    (
        6,
        "scans",
        "uid, namespace, name, generation, platform, handle, base_url, credential, auth, rules, budget, max_rows, \
         max_runners, rows_per_range, priority, mode, dry_run, stage, requests, created_at, since",
        "'t', 'team', 'm', 1, 'x', 'nasa', 'https://api.x.com', 'team/x', 'AppBearer', '[]', 5000000000, 0, 4, 100, 0, \
         'Run', 0, 'Merged', '{}', 1790000000000003, 'latest'",
    ),
    (
        6,
        "results",
        "tenant, platform, account_id, version, scan, manifest, parts, sha256, lines, duplicates, unread, certificate, \
         created_at, head, handle, host",
        "'team', 'mastodon', '12', 2, 't', 'results/n', '[]', 'ff', 9, 0, 0, '{}', 15, 'results/n/head', 'alice', 'a.test'",
    ),
    (
        7,
        "ranges",
        "scan, id, kind, lo, hi, walk, position, claimed, seq, epoch, state, attempts, lines, lease_lines, expected, \
         source",
        "'t', 2, 'Listing', 0, 900, 'Down', 900, 100, 2, 7, 'Open', 0, 100, 100, 900, 'Browser'",
    ),
    (
        8,
        "fingerprints",
        "credential, fingerprint, seen_at",
        "'team/x', '0a1b2c3d4e5f', 16",
    ),
];

/// One empty database of either kind, without a schema.
enum Empty {
    Sqlite(Connection),
    Postgres(PgConnection),
}

impl Empty {
    async fn both() -> [Self; 2] {
        let url = Postgres::shared().unwrap().create_database().unwrap();
        let options: PgConnectOptions = url.parse().unwrap();
        [
            Self::Sqlite(Connection::open_in_memory().unwrap()),
            Self::Postgres(options.connect().await.unwrap()),
        ]
    }

    async fn apply(&mut self, steps: &'static [&'static str]) -> Result<(), DbError> {
        match self {
            Self::Sqlite(connection) => sqlite::apply_steps(connection, steps),
            Self::Postgres(connection) => postgres::apply_steps(connection, steps).await.map(drop),
        }
    }

    async fn run(&mut self, sql: String) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(&sql).unwrap(),
            Self::Postgres(connection) => {
                connection
                    .execute(raw_sql(AssertSqlSafe(sql)))
                    .await
                    .map(drop)
                    .unwrap();
            }
        }
    }

    /// Becomes what a release with so many steps left, with its rows, and then takes all later steps.
    async fn outlive(&mut self, released: usize) {
        self.apply(&STEPS[..released]).await.unwrap();
        for (_, table, columns, values) in ROWS.iter().filter(|(since, ..)| *since <= released) {
            self.run(format!("INSERT INTO {table} ({columns}) VALUES ({values})"))
                .await;
        }
        self.apply(STEPS).await.unwrap();
    }

    /// How many rows a query counts.
    async fn count(&mut self, sql: String) -> i64 {
        match self {
            Self::Sqlite(connection) => connection.query_row(&sql, [], |row| row.get(0)).unwrap(),
            Self::Postgres(connection) => {
                let row = connection.fetch_one(raw_sql(AssertSqlSafe(sql))).await.unwrap();
                row.get(0)
            }
        }
    }
}

#[tokio::test]
async fn rows_of_every_released_version_are_there_after_the_last_step() {
    for released in 1..=STEPS.len() {
        for mut db in Empty::both().await {
            db.outlive(released).await;
            for (_, table, columns, values) in ROWS.iter().filter(|(since, ..)| *since <= released) {
                let same: Vec<String> = columns
                    .split(", ")
                    .zip(split(values))
                    .map(|(column, value)| format!("{column} = {value}"))
                    .collect();
                let sql = format!("SELECT COUNT(*) FROM {table} WHERE {}", same.join(" AND "));
                assert_eq!(db.count(sql).await, 1, "{table} from version {released}");
            }
        }
    }
}

#[tokio::test]
async fn what_an_account_was_called_is_kept_with_the_results_of_before() {
    for mut db in Empty::both().await {
        db.outlive(5).await;
        let named = "SELECT COUNT(*) FROM results WHERE scan = 's' AND handle = 'nasa' AND host IS NULL";
        assert_eq!(db.count(named.to_owned()).await, 1);
    }
}

#[test]
fn no_step_takes_anything_away_that_the_release_before_reads() {
    for step in STEPS {
        let words: Vec<String> = step
            .lines()
            .map(|line| line.split("--").next().unwrap_or_default())
            .flat_map(str::split_whitespace)
            .map(str::to_ascii_uppercase)
            .collect();
        for pair in words.windows(2) {
            let takes = pair[0] == "RENAME" || pair[0] == "DROP" && pair[1] != "INDEX";
            assert!(!takes, "{pair:?} in: {}", step.lines().next().unwrap());
        }
    }
}

/// The values of a row: commas within quotes part nothing.
fn split(values: &str) -> Vec<String> {
    let mut quoted = false;
    let parts = values.split(|c: char| {
        quoted ^= c == '\'';
        c == ',' && !quoted
    });
    parts.map(|part| part.trim().to_owned()).collect()
}

#[test]
fn a_released_step_is_never_edited() {
    let released = [
        "3f3b8985d68a17c9cf40936e6c6a4b5086f4ae51410ddf5069f3b4e95d694b41",
        "6f4155bed17e4cb21da81c306c3648e8097956075356ab8d0696663018aa0e2c",
        "86230a8fa4ed03c1614af313000f02e37821090845c6da2aaabd77255197dd19",
        "51cea901a9f793e92cab1ad2a469235b0b47a0d0a9b0b9e4536f0419a3da9afb",
        "3b40659b3b05eb613e25d02e27dbcad341a9c5ab840439d201946db534f1e1ea",
        "c0f0e0a79adf7069d5d95c30d4b2bd5deab328bbf8a95b046f9885a03d226bb0",
        "23ddbf37d3edd61cabd6e8107f74da73dc4b0f417dbb1a43d8282241a9eaa385",
        "5a26523212b2245f057c86100377c370dc48f0fdfc3dbe530a30218c7dca332c",
        "bbb3f3dd285f322726daabe32205c6dc82b1c1e4a021e6256300dcb5559d4abe",
        "85fc004d6986389788e3e2363d4addbcccc3bd07ac002777272ffba5db105fe0",
        "667cf933de2e0d69dc493052d70aaab2b559aae6ee675207b9ed3f8fc2719e78",
        "3fdef7d18c0d76d16067c8b5c712b886db47bdfed6f86090a928de1dc96bcd9e",
        "73abd4b3f419776a4d35e532569761eb36cce7781507e732ce8b4ecb8f69f834",
        "1e64ecbb88c18a221d2fff8968ff28ac46c379b41e67e4a91b453feedaede006",
        "8b4ba78dccb1325c57a1c4393aeb07964d1b5f29238428c75ddcd3cef9523de4",
    ];
    assert_eq!(
        STEPS.len(),
        released.len(),
        "a new step is pinned when it is written"
    );
    for (step, hash) in STEPS.iter().zip(released) {
        assert_eq!(sha256(step.as_bytes()), hash, "{}", step.lines().next().unwrap());
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_the_remedy() {
    for mut db in Empty::both().await {
        db.apply(STEPS).await.unwrap();
        let error = db.apply(&STEPS[..2]).await.unwrap_err();
        assert!(matches!(error, DbError::Newer { known: 2, .. }), "{error:?}");
        assert!(
            error.to_string().ends_with("use the newer `followlytics`"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_version_before_it() {
    const BROKEN: &[&str] = &[
        "CREATE TABLE first (id BIGINT)",
        "CREATE TABLE second (id BIGINT); INSERT INTO nowhere VALUES (1)",
    ];
    const MENDED: &[&str] = &[
        "CREATE TABLE first (id BIGINT)",
        "CREATE TABLE second (id BIGINT)",
    ];
    for mut db in Empty::both().await {
        db.apply(BROKEN).await.unwrap_err();
        db.run("ROLLBACK".into()).await;
        db.apply(MENDED).await.unwrap();
        assert_eq!(db.count("SELECT COUNT(*) FROM second".into()).await, 0);
    }
}

#[tokio::test]
async fn processes_that_start_at_once_bring_a_database_up_together() {
    let url = Postgres::shared().unwrap().create_database().unwrap();
    let starting = (0..6).map(|_| Db::connect(&url));
    let started = futures::future::join_all(starting).await;
    assert!(
        started.iter().all(Result::is_ok),
        "{:?}",
        started.iter().find_map(|db| db.as_ref().err())
    );
}

#[test]
fn only_whole_words_are_translated() {
    let step = "CREATE TABLE texts (a TEXT NOT NULL, b BLOB, context TEXT);";
    assert_eq!(
        postgres::translate(step),
        "CREATE TABLE texts (a TEXT COLLATE \"C\" NOT NULL, b BYTEA, context TEXT COLLATE \"C\");"
    );
}
