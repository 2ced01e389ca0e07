use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A sighting of an id; the row says where it comes from.
#[derive(Debug, Clone)]
struct Seen {
    id: String,
    sighting: Sighting,
    rank: Rank,
}

fn seen(id: &str, second: i64, range: u32, epoch: u64, seq: u32, row: u32) -> Seen {
    let seen_at = Timestamp::from_second(second).unwrap();
    let sighting = Sighting {
        seen_at,
        range,
        epoch,
        seq,
        row,
    };
    let rank = Rank::new(Seek::Chain, i64::from(seq), i64::from(seq) + 1, &sighting);
    Seen {
        id: id.into(),
        sighting,
        rank,
    }
}

fn add(merge: &mut Merge<Sighting>, seen: &Seen) {
    merge.add(Id::new(&seen.id, Ids::Integer), seen.sighting, seen.rank, || {
        seen.sighting
    });
}

fn merged<'a>(all: impl IntoIterator<Item = &'a Seen>) -> Merge<Sighting> {
    let mut merge = Merge::default();
    for seen in all {
        add(&mut merge, seen);
    }
    merge
}

fn ids(merge: Merge<Sighting>) -> Vec<String> {
    merge.finish().map(|row| row.id.to_string()).collect()
}

#[test]
fn the_greatest_sighting_wins_field_by_field() {
    let rising = [
        seen("1", 1, 9, 9, 9, 9),
        seen("1", 2, 0, 9, 9, 9),
        seen("1", 2, 1, 0, 9, 9),
        seen("1", 2, 1, 1, 0, 9),
        seen("1", 2, 1, 1, 1, 0),
        seen("1", 2, 1, 1, 1, 1),
    ];
    for (lesser, greater) in rising.iter().zip(rising.iter().skip(1)) {
        for pair in [[lesser, greater], [greater, lesser]] {
            let merge = merged(pair);
            assert_eq!((merge.unique(), merge.duplicates()), (1, 1));
            assert_eq!(merge.finish().next().unwrap().row, greater.sighting);
        }
    }
}

#[test]
fn numbers_come_first_as_numbers_then_texts() {
    let numbers = [
        seen("10", 0, 0, 0, 0, 0),
        seen("9", 0, 0, 0, 0, 1),
        seen("100", 0, 0, 0, 0, 2),
    ];
    assert_eq!(ids(merged(&numbers)), ["9", "10", "100"]);
    let mixed = [
        numbers.to_vec(),
        vec![seen("1a", 0, 0, 0, 0, 3), seen("did:plc:a", 0, 0, 0, 0, 4)],
    ]
    .concat();
    assert_eq!(ids(merged(&mixed)), ["9", "10", "100", "1a", "did:plc:a"]);
}

#[test]
fn only_usual_numbers_are_numbers_and_no_two_texts_are_one_id() {
    assert_eq!(Id::new("0", Ids::Integer), Id::Number(0));
    assert_eq!(Id::new("9223372036854775807", Ids::Integer), Id::Number(i64::MAX));
    for text in [
        "",
        "00",
        "007",
        "-7",
        "+7",
        "7 ",
        "9223372036854775808",
        "٣",
        "did:plc:x",
    ] {
        assert_eq!(Id::new(text, Ids::Integer), Id::Text(text.into()), "{text:?}");
        assert_eq!(Id::new(text, Ids::Integer).to_string(), text);
    }
    assert_eq!(Id::new("7", Ids::Text), Id::Text("7".into()));
}

#[test]
fn a_cap_keeps_the_first_rows_of_a_chain() {
    let rows: Vec<Seen> = (0..30)
        .map(|n| seen(&(1000 - n).to_string(), 0, 0, 1, n / 10, n % 10))
        .collect();
    let mut merge = merged(rows.iter().rev());
    assert_eq!(merge.trim(13), 17);
    assert_eq!(
        ids(merge),
        (988..=1000).map(|n| n.to_string()).collect::<Vec<_>>()
    );
}

#[test]
fn a_cap_on_an_index_keeps_its_start_whichever_way_it_was_walked() {
    // Two ranges, [0, 4) and [4, 8), both read downwards, two rows a page; ids are positions.
    let mut merge = Merge::default();
    for (range, input, seq) in [(2, 8, 0), (2, 6, 1), (1, 4, 0), (1, 2, 1)] {
        for row in 0..2u32 {
            let sighting = Sighting {
                seen_at: Timestamp::UNIX_EPOCH,
                range,
                epoch: 1,
                seq,
                row,
            };
            let rank = Rank::new(Seek::Index, input, input - 2, &sighting);
            merge.add(Id::Number(input - 2 + i64::from(row)), sighting, rank, || {
                sighting
            });
        }
    }
    assert_eq!(merge.trim(5), 3);
    assert_eq!(ids(merge), ["0", "1", "2", "3", "4"]);
}

#[test]
fn a_cap_on_times_keeps_the_newest() {
    let mut merge = Merge::default();
    for (range, input, output) in [(0, 10, 5), (1, i64::MAX, 20), (1, 20, 10)] {
        let sighting = Sighting {
            seen_at: Timestamp::UNIX_EPOCH,
            range,
            epoch: 1,
            seq: 0,
            row: 0,
        };
        merge.add(
            Id::Number(output),
            sighting,
            Rank::new(Seek::Time, input, output, &sighting),
            || sighting,
        );
    }
    assert_eq!(merge.trim(2), 1);
    assert_eq!(ids(merge), ["10", "20"]);
}

#[test]
fn a_follower_counts_where_it_was_first_listed() {
    // Row 0 was seen again, later, behind all others: its newer sighting wins, its place stays.
    let rows = [
        seen("1", 0, 0, 1, 0, 0),
        seen("2", 0, 0, 1, 0, 1),
        seen("3", 0, 0, 1, 0, 2),
        seen("1", 9, 0, 1, 7, 0),
    ];
    let mut merge = merged(&rows);
    assert_eq!(merge.trim(1), 2);
    let only: Vec<_> = merge.finish().collect();
    assert_eq!((only.len(), only[0].sighting.seq), (1, 7));
}

#[test]
fn a_cap_that_is_not_reached_takes_nothing() {
    for cap in [-1, 0, 2, 3, i64::MAX] {
        let mut merge = merged(&[seen("1", 0, 0, 0, 0, 0), seen("2", 0, 0, 0, 0, 1)]);
        assert_eq!((merge.trim(cap), merge.unique()), (0, 2));
    }
}

prop_compose! {
    /// Sightings with many repeated ids; no two share range, number and row.
    fn sightings()(
        rows in prop::collection::vec((0u32..40, 0i64..3, 0u32..3, 1u64..3), 0..120),
        texts: bool,
    ) -> Vec<Seen> {
        rows.iter()
            .zip(0u32..)
            .map(|((id, second, range, epoch), n)| {
                let id = if texts && id % 3 == 0 { format!("did:{id}") } else { id.to_string() };
                seen(&id, *second, *range, *epoch, n / 10, n % 10)
            })
            .collect()
    }
}

fn output(mut merge: Merge<Sighting>, cap: i64) -> Vec<Merged<Sighting>> {
    merge.trim(cap);
    merge.finish().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]
    #[test]
    fn any_order_gives_the_same_output(
        (rows, shuffled) in sightings().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        cap in 0i64..50,
    ) {
        prop_assert_eq!(output(merged(&rows), cap), output(merged(&shuffled), cap));
    }

    #[test]
    fn any_partition_gives_the_same_output(rows in sightings(), parts in prop::collection::vec(0usize..5, 120), cap in 0i64..50) {
        let whole = merged(&rows);
        let mut together = Merge::default();
        for part in 0..5 {
            together.absorb(merged(rows.iter().zip(&parts).filter(|(_, in_part)| **in_part == part).map(|(row, _)| row)));
        }
        prop_assert_eq!(whole.duplicates(), together.duplicates());
        prop_assert_eq!(output(whole, cap), output(together, cap));
    }

    #[test]
    fn seeing_everything_twice_changes_nothing(rows in sightings(), cap in 0i64..50) {
        prop_assert_eq!(output(merged(&rows), cap), output(merged(rows.iter().chain(&rows)), cap));
    }

    #[test]
    fn every_follower_is_there_once_and_every_row_is_accounted_for(rows in sightings(), cap in 0i64..50) {
        let mut merge = merged(&rows);
        let expected: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        prop_assert_eq!(merge.unique(), expected.len());
        prop_assert_eq!(merge.unique() + usize::try_from(merge.duplicates()).unwrap(), rows.len());
        let trimmed = merge.trim(cap);
        let kept = ids(merge);
        prop_assert_eq!(kept.len() + trimmed, expected.len());
        prop_assert!(cap == 0 || kept.len() == expected.len().min(usize::try_from(cap).unwrap()));
        prop_assert!(kept.iter().all(|id| expected.contains(id.as_str())));
        prop_assert_eq!(kept.iter().collect::<BTreeSet<_>>().len(), kept.len());
    }
}
