mod damage;
mod model;
mod resume;

use arrow::{array::AsArray as _, datatypes, record_batch::RecordBatch};
use bytes::Bytes;
use followlytics_core::{
    row::{Line, Row},
    scan::{
        certificate::Guarantee,
        range::NEWEST,
        summary::{ResultRecord, Stage},
    },
};
use followlytics_store::objects::Objects;
use jiff::Timestamp;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::{
    Settings,
    bench::{Bench, TestPage, chain, row},
    read_manifest, read_part, result_ids, run_one,
};

async fn batches(objects: &Objects, record: &ResultRecord) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    for part in read_manifest(objects, record).await.unwrap().parts {
        let bytes = read_part(objects, &part).await.unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
            .unwrap()
            .build()
            .unwrap();
        batches.extend(reader.map(Result::unwrap));
    }
    batches
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column.iter().map(|text| text.map(str::to_owned)).collect()
}

fn numbers(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    batch
        .column_by_name(column)
        .unwrap()
        .as_primitive::<datatypes::Int64Type>()
        .iter()
        .collect()
}

fn small_numbers(batch: &RecordBatch, column: &str) -> Vec<Option<u32>> {
    batch
        .column_by_name(column)
        .unwrap()
        .as_primitive::<datatypes::UInt32Type>()
        .iter()
        .collect()
}

fn times(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    batch
        .column_by_name(column)
        .unwrap()
        .as_primitive::<datatypes::TimestampMicrosecondType>()
        .iter()
        .collect()
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

#[tokio::test]
async fn one_row_per_follower_the_latest_sighting_in_order_of_ids() {
    let bench = Bench::new();
    let pages = [
        chain(0, vec![row(10, "first"), row(9, "only")]),
        chain(1, vec![row(100, "only"), row(10, "second")]),
        chain(2, vec![row(10, "third")]),
    ];
    bench.scan("s", "x:nasa", 0, &pages).await;
    let record = bench.merged("s").await;
    assert_eq!(
        result_ids(&bench.objects, &record).await.unwrap(),
        ["9", "10", "100"]
    );
    let batch = &batches(&bench.objects, &record).await[0];
    assert_eq!(texts(batch, "handle"), some(&["only", "third", "only"]));
    assert_eq!(numbers(batch, "id_num"), [Some(9), Some(10), Some(100)]);
    assert_eq!(small_numbers(batch, "seq"), [Some(0), Some(2), Some(1)]);
    assert_eq!(numbers(batch, "after_us"), [None; 3]);
    assert_eq!(
        (record.version, record.rows, record.duplicates, record.unread),
        (1, 3, 2, 0)
    );
    let certificate = &record.certificate;
    assert_eq!(
        (certificate.guarantee, certificate.scanned, certificate.unique),
        (Guarantee::BestEffort, 5, 3)
    );
    assert_eq!((certificate.platform_count, certificate.unexplained), (6, 3));
    let summary = bench.ledger.summary("s").await.unwrap().unwrap();
    assert_eq!((summary.stage, summary.result), (Stage::Merged, Some(record)));
}

#[tokio::test]
async fn the_latest_sighting_wins_whichever_run_it_is_in() {
    let bench = Bench::new();
    let page = |range, seen, handle| TestPage {
        range,
        seen,
        ..chain(0, vec![row(10, handle)])
    };
    // Pages of two ranges are sorted apart.
    let pages = [page(1, 200, "late"), page(2, 100, "early")];
    bench.scan("s", "x:nasa", 0, &pages).await;
    let record = bench.merged("s").await;
    let batch = &batches(&bench.objects, &record).await[0];
    assert_eq!(texts(batch, "handle"), some(&["late"]));
}

#[tokio::test]
async fn every_field_reaches_its_column() {
    let bench = Bench::new();
    let at = |second| Timestamp::from_second(second).unwrap();
    let full = Row {
        id: "did:plc:b".into(),
        handle: "b.example".into(),
        name: Some("Bö".into()),
        bio: Some("said \"hi\"\n".into()),
        location: Some(String::new()),
        followers: Some(1),
        following: Some(2),
        posts: Some(3),
        verified: Some(true),
        protected: Some(false),
        created: Some(at(-5)),
    };
    let lines = vec![Line::Row(full), row("did:plc:a", "a.example")];
    let newest = TestPage {
        range: 7,
        epoch: 3,
        seq: 0,
        seen: 50,
        input: NEWEST,
        output: 40_000_000,
        lines,
    };
    let older = TestPage {
        range: 7,
        epoch: 4,
        seq: 1,
        seen: 60,
        input: 40_000_000,
        output: 9,
        lines: vec![row("7", "c")],
    };
    bench
        .scan("s", "bluesky:alice.bsky.social", 0, &[newest, older])
        .await;
    let record = bench.merged("s").await;
    let batch = &batches(&bench.objects, &record).await[0];
    assert_eq!(texts(batch, "account"), some(&["42"; 3]));
    assert_eq!(texts(batch, "id"), some(&["7", "did:plc:a", "did:plc:b"]));
    assert_eq!(numbers(batch, "id_num"), [None; 3]);
    assert_eq!(texts(batch, "handle"), some(&["c", "a.example", "b.example"]));
    assert_eq!(texts(batch, "name"), [None, None, Some("Bö".into())]);
    assert_eq!(texts(batch, "bio"), [None, None, Some("said \"hi\"\n".into())]);
    assert_eq!(texts(batch, "location"), [None, None, Some(String::new())]);
    assert_eq!(numbers(batch, "followers"), [None, None, Some(1)]);
    assert_eq!(numbers(batch, "following"), [None, None, Some(2)]);
    assert_eq!(numbers(batch, "posts"), [None, None, Some(3)]);
    let flags = |name| {
        batch
            .column_by_name(name)
            .unwrap()
            .as_boolean()
            .iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(flags("verified"), [None, None, Some(true)]);
    assert_eq!(flags("protected"), [None, None, Some(false)]);
    assert_eq!(times(batch, "created"), [None, None, Some(-5_000_000)]);
    assert_eq!(
        times(batch, "seen_at"),
        [Some(60_000_000), Some(50_000_000), Some(50_000_000)]
    );
    assert_eq!(texts(batch, "source"), some(&["api"; 3]));
    assert_eq!(small_numbers(batch, "range"), [Some(7); 3]);
    assert_eq!(numbers(batch, "epoch"), [Some(4), Some(3), Some(3)]);
    assert_eq!(small_numbers(batch, "seq"), [Some(1), Some(0), Some(0)]);
    assert_eq!(small_numbers(batch, "row"), [Some(0), Some(1), Some(0)]);
    // The newest end is open: nobody on that page followed after it was read.
    assert_eq!(
        numbers(batch, "after_us"),
        [Some(9), Some(40_000_000), Some(40_000_000)]
    );
    assert_eq!(
        numbers(batch, "before_us"),
        [Some(40_000_000), Some(50_000_000), Some(50_000_000)]
    );
}

#[tokio::test]
async fn an_empty_scan_has_columns_and_a_certificate() {
    let bench = Bench::new();
    bench.scan("s", "x:nasa", 0, &[]).await;
    let record = bench.merged("s").await;
    assert_eq!((record.rows, record.parts.len()), (0, 1));
    assert!(result_ids(&bench.objects, &record).await.unwrap().is_empty());
    assert_eq!(
        (record.certificate.unique, record.certificate.unexplained),
        (0, 1)
    );
    let manifest = read_manifest(&bench.objects, &record).await.unwrap();
    let bytes = read_part(&bench.objects, &manifest.parts[0]).await.unwrap();
    let schema = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .unwrap()
        .schema()
        .clone();
    assert_eq!(schema.fields().len(), 21);
}

#[tokio::test]
async fn a_cap_keeps_the_first_rows_and_is_never_exact() {
    let bench = Bench::new();
    let pages: Vec<_> = (0..4)
        .map(|seq| {
            chain(
                seq,
                (0..5).map(|n| row(100 - i64::from(seq * 5) - n, "h")).collect(),
            )
        })
        .collect();
    bench.scan("s", "x:nasa", 12, &pages).await;
    let record = bench.merged("s").await;
    let expected: Vec<String> = (89..=100).map(|id| id.to_string()).collect();
    assert_eq!(result_ids(&bench.objects, &record).await.unwrap(), expected);
    assert_eq!(record.certificate.guarantee, Guarantee::BestEffort);
    let manifest = read_manifest(&bench.objects, &record).await.unwrap();
    assert_eq!((manifest.rows, manifest.trimmed, manifest.scanned), (12, 8, 20));
}

#[tokio::test]
async fn rows_that_could_not_be_read_are_counted_and_never_exact() {
    let bench = Bench::new();
    let unread = || Line::Unread {
        unread: "{\"id\":7}".into(),
        error: "id is a number".into(),
    };
    bench
        .scan(
            "s",
            "x:nasa",
            0,
            &[chain(0, vec![unread(), row(1, "a"), unread()])],
        )
        .await;
    let record = bench.merged("s").await;
    assert_eq!(
        (record.rows, record.unread, record.certificate.scanned),
        (1, 2, 3)
    );
    assert_eq!(record.certificate.guarantee, Guarantee::BestEffort);
    let evidence = record.certificate.evidence.join("; ");
    assert!(evidence.contains("2 rows could not be read"), "{evidence}");
}

#[tokio::test]
async fn servers_of_one_platform_do_not_share_versions() {
    let bench = Bench::new();
    for (uid, account) in [
        ("a", "gitea:tea@one.example"),
        ("b", "gitea:tea@two.example"),
        ("c", "gitea:tea@one.example"),
    ] {
        bench.scan(uid, account, 0, &[]).await;
    }
    let mut versions = Vec::new();
    for uid in ["a", "b", "c"] {
        versions.push(bench.merged(uid).await.version);
    }
    assert_eq!(versions, [1, 1, 2]);
}

/// Pages of three ranges with followers seen several times.
fn many() -> Vec<TestPage> {
    (0..30u32)
        .map(|n| {
            let (range, seq) = (1 + n % 3, n / 3);
            let lines = (0..40)
                .map(|index| row((n * 37 + index * 11) % 500, &format!("{n}/{index}")))
                .collect();
            let (input, output) = (i64::from(1000 - seq), i64::from(999 - seq));
            TestPage {
                range,
                epoch: u64::from(n % 2) + 1,
                seq,
                seen: i64::from(n % 5),
                input,
                output,
                lines,
            }
        })
        .collect()
}

/// What a merge of these pages gives with these settings: the bytes of its parts.
async fn parts_of(bench: &Bench, pages: &[TestPage], settings: &Settings) -> Vec<Bytes> {
    bench.scan("s", "bluesky:alice.bsky.social", 0, pages).await;
    let record = bench.merged_with("s", settings).await;
    let mut bytes = Vec::new();
    for part in read_manifest(&bench.objects, &record).await.unwrap().parts {
        bytes.push(read_part(&bench.objects, &part).await.unwrap());
    }
    bytes
}

#[tokio::test]
async fn the_same_pages_give_the_same_bytes_in_any_order_from_any_store_and_in_any_number_of_runs() {
    let mut outputs = Vec::new();
    for (stride, run_pages, fan_in) in [(1, 256, 64), (7, 1, 2), (11, 2, 3), (13, 3, 64), (29, 5, 2)] {
        let pages = many();
        let shuffled: Vec<_> = (0..pages.len())
            .map(|n| pages[n * stride % pages.len()].clone())
            .collect();
        let settings = Settings {
            run_pages,
            fan_in,
            run_group_rows: 7 + stride,
            ..Settings::default()
        };
        outputs.push(parts_of(&Bench::new(), &shuffled, &settings).await);
    }
    let folder = tempfile::tempdir().unwrap();
    outputs.push(parts_of(&Bench::files(folder.path()), &many(), &Settings::default()).await);
    assert_eq!(outputs[0].len(), 1);
    assert!(outputs.iter().all(|output| *output == outputs[0]));
}

#[tokio::test]
async fn a_second_run_of_the_whole_job_gives_the_same_manifest() {
    let mut hashes = Vec::new();
    for _ in 0..2 {
        let bench = Bench::new();
        bench.scan("s", "bluesky:alice.bsky.social", 0, &many()).await;
        hashes.push(bench.merged("s").await.sha256);
    }
    assert_eq!(hashes[0], hashes[1]);
}

#[tokio::test]
async fn parts_are_cut_at_their_size_and_hold_every_row_once() {
    for piece_rows in [1, 99, 100, 101, 499, 500, 501] {
        for (lane_rows, threads) in [(u64::MAX, 1), (300, 1), (300, 3)] {
            let settings = Settings {
                piece_rows,
                lane_rows,
                threads,
                run_pages: 3,
                run_group_rows: 10,
                ..Settings::default()
            };
            let parts = parts_of(&Bench::new(), &many(), &settings).await;
            let mut ids = Vec::new();
            for part in &parts {
                let reader = ParquetRecordBatchReaderBuilder::try_new(part.clone())
                    .unwrap()
                    .build()
                    .unwrap();
                ids.extend(reader.flat_map(|batch| texts(&batch.unwrap(), "id")).flatten());
            }
            let mut expected: Vec<String> = (0..500).map(|id: u32| id.to_string()).collect();
            expected.sort_unstable();
            assert_eq!(ids, expected);
            if lane_rows == u64::MAX {
                assert_eq!(parts.len() as u64, 500u64.div_ceil(piece_rows));
            }
        }
    }
}
