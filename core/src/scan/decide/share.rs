//! Who gets runners when the installation has fewer than its scans want.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// What one scan wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// Uid of the scan.
    pub uid: String,
    /// Larger goes first.
    pub priority: i64,
    /// When the scan was created.
    pub created: Timestamp,
    /// Runners that would find work.
    pub wanted: u32,
}

/// A step of priority is worth this much waiting, so that no scan waits for ever.
const AGEING: SignedDuration = SignedDuration::from_mins(10);

/// Shares `runners` among the scans.
///
/// First one for each, in the order of priority and age; then the larger priorities, each served in turns.
/// The order depends on nothing that changes while scans run, so shares do not swing to and fro.
pub fn share(runners: u32, wants: &[Want]) -> BTreeMap<String, u32> {
    let mut order: Vec<&Want> = wants.iter().filter(|want| want.wanted > 0).collect();
    order.sort_by_key(|want| {
        let steps = i32::try_from(want.priority).unwrap_or(i32::MAX);
        let head_start = AGEING.checked_mul(steps).unwrap_or(SignedDuration::ZERO);
        (
            want.created.saturating_sub(head_start).unwrap_or(want.created),
            want.uid.clone(),
        )
    });
    let mut given: BTreeMap<String, u32> = BTreeMap::new();
    let mut left = runners;
    serve(&order, &mut given, &mut left, 1);
    let mut priorities: Vec<i64> = order.iter().map(|want| want.priority).collect();
    priorities.sort_unstable_by(|one, two| two.cmp(one));
    priorities.dedup();
    for priority in priorities {
        let equals: Vec<&Want> = order
            .iter()
            .copied()
            .filter(|want| want.priority == priority)
            .collect();
        let most = equals.iter().map(|want| want.wanted).max().unwrap_or(0);
        for turn in 2..=most {
            serve(&equals, &mut given, &mut left, turn);
        }
    }
    given
}

/// Gives each its `turn`-th runner while there are any.
fn serve(order: &[&Want], given: &mut BTreeMap<String, u32>, left: &mut u32, turn: u32) {
    for want in order.iter().filter(|want| want.wanted >= turn) {
        if *left == 0 {
            return;
        }
        *left -= 1;
        *given.entry(want.uid.clone()).or_insert(0) += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn want(uid: &str, priority: i64, created: i64, wanted: u32) -> Want {
        Want {
            uid: uid.to_owned(),
            priority,
            created: Timestamp::from_second(created).unwrap(),
            wanted,
        }
    }

    fn shares(runners: u32, wants: &[Want]) -> Vec<(String, u32)> {
        share(runners, wants).into_iter().collect()
    }

    #[test]
    fn everyone_gets_one_before_anyone_gets_two() {
        let wants = [want("a", 0, 0, 20), want("b", 0, 100, 20), want("c", 0, 200, 1)];
        assert_eq!(
            shares(5, &wants),
            [("a".into(), 2), ("b".into(), 2), ("c".into(), 1)]
        );
        assert_eq!(shares(2, &wants), [("a".into(), 1), ("b".into(), 1)]);
    }

    #[test]
    fn a_larger_priority_gets_what_is_left_over() {
        let wants = [want("a", 0, 0, 20), want("b", 5, 100, 3), want("c", 0, 200, 20)];
        assert_eq!(
            shares(8, &wants),
            [("a".into(), 3), ("b".into(), 3), ("c".into(), 2)]
        );
    }

    #[test]
    fn waiting_long_enough_beats_a_larger_priority() {
        let wants = [want("old", 0, 0, 1), want("new", 1, 601, 1)];
        assert_eq!(shares(1, &wants), [("old".into(), 1)]);
        let wants = [want("old", 0, 0, 1), want("new", 1, 599, 1)];
        assert_eq!(shares(1, &wants), [("new".into(), 1)]);
    }

    proptest! {
        #[test]
        fn never_more_than_there_are_never_more_than_wanted(
            runners in 0..50_u32,
            wants in prop::collection::vec((-3..4_i64, 0..5000_i64, 0..12_u32), 0..10),
        ) {
            let wants: Vec<Want> = wants
                .iter()
                .enumerate()
                .map(|(n, (priority, created, wanted))| want(&n.to_string(), *priority, *created, *wanted))
                .collect();
            let given = share(runners, &wants);
            let total: u32 = given.values().sum();
            prop_assert_eq!(total, runners.min(wants.iter().map(|w| w.wanted).sum()));
            for want in &wants {
                prop_assert!(given.get(&want.uid).copied().unwrap_or(0) <= want.wanted);
            }
        }
    }
}
