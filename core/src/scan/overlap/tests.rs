use proptest::prelude::*;

use super::*;

const RUN: usize = 50;

fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|number| number.to_string()).collect()
}

fn overlaps(known: &Known, rows: &[String]) -> bool {
    known.overlap(rows.iter().map(String::as_str))
}

#[test]
fn a_run_of_known_rows_in_their_order_is_an_overlap() {
    let known = Known::new(ids(0..2000), RUN);
    let mut rows = ids(10_000..10_300);
    rows.extend(ids(0..49));
    assert!(!overlaps(&known, &rows));
    rows.extend(ids(49..50));
    assert!(overlaps(&known, &rows));
}

#[test]
fn unfollows_do_not_hide_the_overlap() {
    let known = Known::new(ids(0..2000), RUN);
    assert!(overlaps(&known, &ids((0..200).filter(|n| n % 3 != 0))));
    // The newest forty left: fifty others outweigh them.
    assert!(overlaps(&known, &ids(40..90)));
}

#[test]
fn returners_between_new_rows_are_not_an_overlap() {
    let known = Known::new(ids(0..2000), RUN);
    assert!(!overlaps(&known, &ids((500..560).rev())));
    let mixed: Vec<u32> = (0..100).flat_map(|n| [10_000 + n, n]).collect();
    assert!(!overlaps(&known, &ids(mixed)));
}

#[test]
fn a_returning_block_from_deep_inside_is_never_an_overlap() {
    let known = Known::new(ids(0..2000), RUN);
    for block in [500..550, 500..999, 1000..1999, 1001..2000] {
        assert!(!overlaps(&known, &ids(block.clone())), "{block:?}");
        let mut list = ids(block);
        list.extend(ids(10_000..10_260));
        list.extend(ids(0..50));
        assert!(overlaps(&known, &list));
        assert!(!overlaps(&known, &list[..list.len() - 1]));
    }
}

#[test]
fn a_row_that_appears_among_old_ones_does_not_hide_the_overlap() {
    let known = Known::new(ids(0..2000), RUN);
    let shown_again = (0..200).flat_map(|n| {
        if n % 60 == 30 {
            vec![90_000 + n, n]
        } else {
            vec![n]
        }
    });
    assert!(overlaps(&known, &ids(shown_again)));
}

#[test]
fn a_row_on_two_pages_counts_once() {
    let known = Known::new(ids(0..100), 4);
    assert!(!overlaps(&known, &ids([0, 1, 1, 2, 2, 2])));
    assert!(overlaps(&known, &ids([0, 1, 1, 2, 2, 3])));
}

#[test]
fn fewer_known_rows_than_a_run_never_overlap() {
    for few in [0, 1, 49] {
        let known = Known::new(ids(0..few), RUN);
        assert!(!overlaps(&known, &ids(0..few)), "{few} rows");
    }
    assert!(!overlaps(&Known::default(), &ids(0..100)));
}

proptest! {
    /// A list that stops at the overlap contains every new follower, whatever left and whichever block returned.
    #[test]
    fn no_new_follower_is_behind_the_overlap(
        before in 0u32..300,
        after in 0u32..300,
        lost in prop::collection::btree_set(0u32..1000, 0..400),
        block in 0u32..1000,
        length in 0u32..49,
    ) {
        let known = Known::new(ids(0..1000), RUN);
        let returned = block..(block + length).min(1000);
        let mut list = ids(10_000..10_000 + before);
        list.extend(ids(returned.clone()));
        list.extend(ids(20_000..20_000 + after));
        let newest = list.len();
        list.extend(ids((0..1000).filter(|n| !lost.contains(n) && !returned.contains(n))));
        let stop = (0..=list.len()).find(|read| overlaps(&known, &list[..*read])).unwrap_or(list.len());
        prop_assert!(stop >= newest || after == 0);
    }
}
