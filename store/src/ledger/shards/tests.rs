use followlytics_core::scan::{
    range::{Kind, Range, State, Walk},
    summary::Stage,
};

use super::*;
use crate::ledger::{Retry, jobs::tests::Bench, ranges, scans};

/// Pages of ten lines each in a range.
async fn pages(bench: &Bench, scan: &str, range: u32, numbers: std::ops::Range<u32>) {
    let mut tx = bench.ledger.db.begin().await.unwrap();
    for seq in numbers {
        tx.execute(
            "INSERT INTO pages (scan, range_id, seq, epoch, key, sha256, lines, bytes, input_position, \
               output_position, exhausted, permit, price, seen_at, committed_at) \
             VALUES ($1, $2, $3, 1, $4, 'hash', 10, 100, 0, 0, 0, 'p', 0, 0, 0)",
            params![scan, range, seq, format!("pages/{scan}/{range}/{seq}")],
        )
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
}

fn shard(scan: &str, piece: u32) -> Shard {
    Shard {
        lane: 0,
        piece,
        is_last: piece == 1,
        key: format!("shards/{scan}/{piece}"),
        sha256: "all".into(),
        bytes: 100,
        tail_sha256: "tail".into(),
        tail_bytes: 10,
        rows: 7,
        trimmed: 0,
        min_id: format!("{piece}0"),
        max_id: format!("{piece}9"),
    }
}

fn run(range: u32, first: u32, last: u32, name: &str) -> NewRun {
    NewRun {
        span: Span { range, first, last },
        lines: 10 * i64::from(last - first + 1),
        unread: 1,
        shards: vec![shard(name, 0), shard(name, 1)],
    }
}

fn is_fenced<T: std::fmt::Debug>(answer: &Result<T, LedgerError>) -> bool {
    matches!(answer, Err(LedgerError::Fenced))
}

#[tokio::test]
async fn every_page_is_in_one_run_however_often_it_is_sorted() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let job = bench.claim("w").await;
    pages(&bench, "s", 1, 0..5).await;
    pages(&bench, "s", 2, 0..1).await;
    assert_eq!(
        bench.ledger.add_run(&job, &run(1, 0, 2, "a")).await.unwrap(),
        Some(1)
    );
    for (first, last, what) in [(0, 2, "twice"), (2, 4, "overlap"), (4, 4, "gap")] {
        let added = bench.ledger.add_run(&job, &run(1, first, last, "b")).await;
        assert_eq!(added.unwrap(), None, "{what}");
    }
    let left = |range, from, to| PagesOfRange { range, from, to };
    let all = bench.ledger.unsorted_pages("s", None).await.unwrap();
    assert_eq!(all, [left(1, 3, 5), left(2, 0, 1)]);
    let one = bench.ledger.unsorted_pages("s", Some(1)).await.unwrap();
    assert_eq!(one, [left(1, 3, 5)]);
    assert_eq!(
        bench.ledger.add_run(&job, &run(1, 3, 4, "b")).await.unwrap(),
        Some(2)
    );
    assert!(
        bench
            .ledger
            .unsorted_pages("s", Some(1))
            .await
            .unwrap()
            .is_empty()
    );
    let runs = bench.ledger.list_runs("s").await.unwrap();
    let facts: Vec<_> = runs
        .iter()
        .map(|run| (run.number, run.lines, run.unread, run.rows, run.shards.len()))
        .collect();
    assert_eq!(facts, [(1, 30, 1, 14, 2), (2, 20, 1, 14, 2)]);
    assert_eq!(runs[0].shards, run(1, 0, 2, "a").shards);
}

#[tokio::test]
async fn what_was_sorted_has_to_be_what_was_committed() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let job = bench.claim("w").await;
    pages(&bench, "s", 1, 0..3).await;
    let fewer = NewRun {
        lines: 29,
        ..run(1, 0, 2, "a")
    };
    for wrong in [fewer, run(1, 0, 3, "a")] {
        let error = bench.ledger.add_run(&job, &wrong).await.unwrap_err();
        assert!(
            error.to_string().contains("the ledger has 3 pages of 30 lines"),
            "{error}"
        );
    }
    assert!(bench.ledger.list_runs("s").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_worker_that_lost_its_job_sorts_and_merges_nothing() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    pages(&bench, "s", 1, 0..2).await;
    let frozen = bench.claim("a").await;
    let begun = bench.ledger.begin_run(&frozen, 1, "plan").await.unwrap().unwrap();
    bench.wait(30);
    let job = bench.claim("b").await;
    let ledger = &bench.ledger;
    assert!(is_fenced(&ledger.add_run(&frozen, &run(1, 0, 1, "a")).await));
    assert!(is_fenced(&ledger.begin_run(&frozen, 1, "plan").await));
    assert!(is_fenced(
        &ledger.add_shard(&frozen, begun.number, &shard("s", 0)).await
    ));
    assert!(is_fenced(&ledger.take_run(&frozen, begun.number).await));
    assert!(is_fenced(&ledger.finish_run(&frozen, begun.number, &[]).await));
    assert!(is_fenced(&ledger.drop_run(&frozen, begun.number).await));
    assert!(is_fenced(&ledger.finish_compact(&frozen).await));
    ledger.add_run(&job, &run(1, 0, 1, "a")).await.unwrap();
    let runs = ledger.list_runs("s").await.unwrap();
    assert!(is_fenced(&ledger.replace_shards(&frozen, &runs[0], &[]).await));
}

#[tokio::test]
async fn one_run_is_merged_at_a_time_and_whoever_goes_on_keeps_what_is_done() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    bench.merging("other", "nasa").await;
    pages(&bench, "s", 1, 0..4).await;
    let first = bench.claim("a").await;
    assert_eq!(first.scan, "other");
    let first = Job {
        scan: "s".into(),
        ..first
    };
    let ledger = &bench.ledger;
    ledger.add_run(&first, &run(1, 0, 1, "a")).await.unwrap();
    ledger.add_run(&first, &run(1, 2, 3, "b")).await.unwrap();
    let open = ledger.begin_run(&first, 1, "plan").await.unwrap().unwrap();
    assert_eq!(ledger.begin_run(&first, 1, "another").await.unwrap(), None);
    ledger
        .add_shard(&first, open.number, &shard("c", 0))
        .await
        .unwrap();
    // Again after a lost answer.
    ledger
        .add_shard(&first, open.number, &shard("c", 0))
        .await
        .unwrap();
    let second = bench.claim("b").await;
    let found = ledger.find_open_run(&second).await.unwrap().unwrap();
    assert_eq!(
        (found.plan.as_str(), found.is_busy, found.shards.len()),
        ("plan", true, 1)
    );
    assert!(!ledger.find_open_run(&first).await.unwrap().unwrap().is_busy);
    assert!(ledger.take_run(&second, open.number).await.unwrap());
    assert!(is_fenced(
        &ledger.add_shard(&first, open.number, &shard("c", 1)).await
    ));
    ledger
        .add_shard(&second, open.number, &shard("c", 1))
        .await
        .unwrap();
    ledger.finish_run(&second, open.number, &[1, 2]).await.unwrap();
    assert!(!ledger.take_run(&second, open.number).await.unwrap());
    assert_eq!(ledger.find_open_run(&second).await.unwrap(), None);
    let runs = ledger.list_runs("s").await.unwrap();
    let merged = &runs[0];
    assert_eq!(runs.len(), 1);
    assert_eq!((merged.number, merged.level, merged.span), (3, 1, None));
    assert_eq!((merged.lines, merged.unread, merged.rows), (40, 2, 14));
    let gone = ["shards/a/0", "shards/a/1", "shards/b/0", "shards/b/1"];
    assert_eq!(ledger.list_erasures().await.unwrap(), gone);
    // The pages stay sorted.
    assert!(ledger.unsorted_pages("s", None).await.unwrap().is_empty());
    // A merged run that is damaged is given up: what it was merged of is there again, to be made anew.
    ledger.replace_shards(&second, merged, &[]).await.unwrap();
    let runs = ledger.list_runs("s").await.unwrap();
    let facts: Vec<_> = runs
        .iter()
        .map(|run| (run.number, run.rows, run.shards.len()))
        .collect();
    assert_eq!(facts, [(1, 14, 0), (2, 14, 0)]);
    ledger
        .replace_shards(&second, &runs[0], &[shard("d", 0)])
        .await
        .unwrap();
    assert_eq!(ledger.list_runs("s").await.unwrap()[0].shards, [shard("d", 0)]);
    // Whoever merges what is not live any more is told so.
    let open = ledger.begin_run(&second, 1, "plan").await.unwrap().unwrap();
    assert!(is_fenced(&ledger.finish_run(&second, open.number, &[3]).await));
    ledger.drop_run(&second, open.number).await.unwrap();
    assert_eq!(ledger.find_open_run(&second).await.unwrap(), None);
}

/// A page of a range that a scan goes on with.
async fn after(bench: &Bench, seq: u32, state: State) {
    let mut tx = bench.ledger.db.begin().await.unwrap();
    let mut row = scans::get(&mut tx, "s").await.unwrap();
    row.stage = Stage::Scanning;
    scans::put(&mut tx, &row).await.unwrap();
    let mut range = Range::new(1, Kind::Listing, None, Walk::Down, 0);
    range.state = state;
    ranges::put(&mut tx, "s", &range).await.unwrap();
    jobs::after_page(&mut tx, &row, &range, seq, bench.ledger.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// A scan whose merge is out of the way.
async fn scanning() -> Bench {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let job = bench.claim("w").await;
    bench.ledger.fail_job(&job, "never", Retry::Never).await.unwrap();
    bench
}

#[tokio::test]
async fn pages_are_sorted_after_256_of_them_and_at_the_end_of_their_range() {
    let bench = scanning().await;
    for seq in [0, 100, 254, 256] {
        after(&bench, seq, State::Open).await;
        assert_eq!(
            bench.ledger.claim_job("w").await.unwrap(),
            None,
            "after page {seq}"
        );
    }
    pages(&bench, "s", 1, 0..512).await;
    after(&bench, 255, State::Open).await;
    let job = bench.claim("w").await;
    assert_eq!(
        (job.kind, job.range, job.scan.as_str()),
        (JobKind::Compact, Some(1), "s")
    );
    // While it is under way further pages do not disturb it; it finds them when it ends.
    after(&bench, 511, State::Open).await;
    assert_eq!(bench.ledger.claim_job("x").await.unwrap(), None);
    bench.ledger.add_run(&job, &run(1, 0, 255, "a")).await.unwrap();
    bench.ledger.finish_compact(&job).await.unwrap();
    let job = bench.claim("w").await;
    assert_eq!(job.epoch, 2);
    bench.ledger.add_run(&job, &run(1, 256, 511, "b")).await.unwrap();
    bench.ledger.finish_compact(&job).await.unwrap();
    assert_eq!(bench.ledger.claim_job("w").await.unwrap(), None);
    after(&bench, 512, State::Done).await;
    assert_eq!(bench.claim("w").await.epoch, 3);
}

#[tokio::test]
async fn a_sorting_that_fails_does_not_end_its_scan() {
    let bench = scanning().await;
    after(&bench, 255, State::Open).await;
    let job = bench.claim("w").await;
    bench
        .ledger
        .fail_job(&job, "page k is damaged", Retry::Never)
        .await
        .unwrap();
    let state = bench.scan("s").await;
    assert_eq!((state.stage, state.hold), (Stage::Scanning, None));
    after(&bench, 511, State::Open).await;
    assert_eq!(
        bench.ledger.claim_job("w").await.unwrap(),
        None,
        "it would fail again"
    );
}

#[tokio::test]
async fn objects_that_no_row_names_are_strays_after_a_day() {
    let bench = Bench::new();
    bench.merging("s", "nasa").await;
    let job = bench.claim("w").await;
    pages(&bench, "s", 1, 0..2).await;
    let ledger = &bench.ledger;
    ledger.add_run(&job, &run(1, 0, 1, "s")).await.unwrap();
    let keys = [
        "pages/s/1/0",
        "pages/s/1/9",
        "pages/gone/1/0",
        "shards/s/0",
        "shards/s/9",
        "results/t/x/1/s/part_1",
        "other/s/1",
    ]
    .map(str::to_owned);
    assert!(ledger.find_strays(&keys).await.unwrap().is_empty());
    bench.wait(24 * 3600 - 1);
    assert!(ledger.find_strays(&keys).await.unwrap().is_empty());
    bench.wait(1);
    // Pages of a scan that goes on are paid for, and may still be adopted.
    let strays = ["pages/gone/1/0", "shards/s/9", "results/t/x/1/s/part_1"];
    assert_eq!(ledger.find_strays(&keys).await.unwrap(), strays);
    ledger.forget_stray("shards/s/9").await.unwrap();
    let strays = ["pages/gone/1/0", "results/t/x/1/s/part_1"];
    assert_eq!(ledger.find_strays(&keys).await.unwrap(), strays);
    // Once a row names it, it is none.
    let mut tx = ledger.db.begin().await.unwrap();
    tx.execute(
        "INSERT INTO results (tenant, platform, account_id, version, scan, manifest, parts, sha256, lines, \
           duplicates, unread, certificate, created_at) \
         VALUES ('t', 'x', '1', 1, 's', 'm', '[\"results/t/x/1/s/part_1\"]', '', 0, 0, 0, '{}', 0)",
        params![],
    )
    .await
    .unwrap();
    tx.execute("UPDATE scans SET stage = 'Ended'", params![])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(ledger.find_strays(&keys).await.unwrap(), ["pages/gone/1/0"]);
    bench.wait(24 * 3600);
    let strays = ["pages/s/1/9", "pages/gone/1/0", "shards/s/9"];
    assert_eq!(ledger.find_strays(&keys).await.unwrap(), strays);
}
