//! The merge against the model: all rows in memory, by core's rules.

use arrow::array::AsArray as _;
use followlytics_core::{
    account::Platform,
    platform::Seek,
    scan::merge::{Id, Merge, Rank, Sighting},
};
use proptest::prelude::*;

use super::*;

/// A follower of the output: id, number, when and where it was seen, handle.
type Seen = (String, Option<i64>, (i64, u32, i64, u32, u32), String);

fn model(pages: &[TestPage], platform: Platform, cap: i64) -> (Vec<Seen>, i64) {
    let facts = platform.facts();
    let mut merge = Merge::default();
    for page in pages {
        for (line, row) in page.lines.iter().zip(0u32..) {
            let Line::Row(follower) = line else { continue };
            let sighting = Sighting {
                seen_at: Timestamp::from_second(page.seen).unwrap(),
                range: page.range,
                epoch: page.epoch,
                seq: page.seq,
                row,
            };
            let rank = Rank::new(facts.seek, page.input, page.output, &sighting);
            merge.add(Id::new(&follower.id, facts.ids), sighting, rank, || {
                follower.handle.clone()
            });
        }
    }
    let duplicates = merge.duplicates();
    merge.trim(cap);
    let rows = merge.finish().map(|row| {
        let at = row.sighting;
        let epoch = i64::try_from(at.epoch).unwrap();
        let seen = (at.seen_at.as_microsecond(), at.range, epoch, at.seq, at.row);
        (row.id.to_string(), row.id.number(), seen, row.row)
    });
    (rows.collect(), duplicates)
}

async fn streamed(bench: &Bench, record: &ResultRecord) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut rows = crate::read::rows(&bench.objects, record).await.unwrap();
    while let Some(batch) = rows.next().await.unwrap() {
        let text = |name: &str| batch.column_by_name(name).unwrap().as_string_view().clone();
        let (ids, handles) = (text("id"), text("handle"));
        let id_nums = numbers(&batch, "id_num");
        let (times, epochs) = (times(&batch, "seen_at"), numbers(&batch, "epoch"));
        let [ranges, seqs, lines] = ["range", "seq", "row"].map(|name| small_numbers(&batch, name));
        for row in 0..batch.num_rows() {
            let at = (
                times[row].unwrap(),
                ranges[row].unwrap(),
                epochs[row].unwrap(),
                seqs[row].unwrap(),
                lines[row].unwrap(),
            );
            seen.push((
                ids.value(row).to_owned(),
                id_nums[row],
                at,
                handles.value(row).to_owned(),
            ));
        }
    }
    seen
}

prop_compose! {
    fn scans()(
        lists in prop::collection::vec(prop::collection::vec((0u32..60, 0u32..12), 0..9), 1..14),
        ranges in 1u32..4,
        seen in prop::collection::vec(0i64..3, 14),
        odd in prop_oneof![Just(0u32), Just(5)],
        platform in prop_oneof![Just(Platform::X), Just(Platform::Bluesky), Just(Platform::Gitea)],
    ) -> (Platform, Vec<TestPage>) {
        let line = |id: u32, kind: u32, place: String| match kind {
            0 => Line::Unread { unread: "?".into(), error: "?".into() },
            _ if odd > 0 && id % odd == 1 => row(format!("did:{id:03}"), &place),
            _ => row(id, &place),
        };
        let pages = lists.iter().zip(0u32..).map(|(lines, n)| {
            let (range, seq) = (1 + n % ranges, n / ranges);
            let input = i64::from(range * 1000 - seq * 10);
            TestPage {
                range,
                epoch: u64::from(n % 2) + 1,
                seq,
                seen: seen[n as usize],
                input,
                output: input - 10,
                lines: lines.iter().zip(0u32..).map(|((id, kind), at)| line(*id, *kind, format!("{n}/{at}"))).collect(),
            }
        });
        (platform, pages.collect())
    }
}

prop_compose! {
    fn settings()(
        run_pages in 1u32..5,
        fan_in in 2usize..5,
        lane_rows in 1u64..40,
        piece_rows in 1u64..30,
        run_group_rows in 1usize..9,
        group_rows in 1usize..20,
        threads in 1usize..3,
    ) -> Settings {
        Settings { threads, run_pages, fan_in, lane_rows, piece_rows, run_group_rows, group_rows, ..Settings::default() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn the_merge_is_what_the_model_says(
        (platform, pages) in scans(),
        settings in settings(),
        cap in prop_oneof![Just(0i64), 0i64..60],
        sorted_before: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let account = match platform {
                Platform::X => "x:nasa",
                Platform::Bluesky => "bluesky:alice.bsky.social",
                _ => "gitea:tea@one.example",
            };
            bench.scan("s", account, cap, &pages).await;
            let plan = bench.ledger.merge_input("s").await.unwrap();
            if sorted_before {
                for range in 1..4 {
                    bench.queue_compact("s", range, range == 1).await;
                    assert!(crate::run_one_with(&bench.ledger, &bench.objects, "w", &settings).await.unwrap());
                }
            }
            let record = bench.merged_with("s", &settings).await;
            let (expected, duplicates) = model(&pages, platform, plan.row_cap);
            assert_eq!(streamed(&bench, &record).await, expected);
            assert_eq!(record.duplicates, duplicates);
            let lines: usize = pages.iter().map(|page| page.lines.len()).sum();
            let manifest = read_manifest(&bench.objects, &record).await.unwrap();
            let accounted = manifest.rows + manifest.duplicates + manifest.trimmed + manifest.unread;
            let lines = i64::try_from(lines).unwrap();
            assert_eq!((manifest.scanned, accounted), (lines, lines));
            assert_eq!(plan.seek == Seek::Chain, platform == Platform::X);
        });
    }
}
