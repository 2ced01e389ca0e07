use proptest::prelude::*;
use strum::VariantArray as _;

use super::*;
use crate::scan::range::tiles;

fn wishes(max_rows: i64) -> Wishes {
    Wishes {
        max_runners: 4,
        rows_per_range: 10_000,
        max_rows,
        since: None,
        sweeps: 1,
    }
}

fn report(followers: i64) -> AccountReport {
    AccountReport {
        id: "1".into(),
        handle: "h".into(),
        followers,
        created: Some(Timestamp::from_second(1_600_000_000).unwrap()),
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn spans(plan: &Plan) -> Vec<Span> {
    plan.ranges.iter().filter_map(|r| r.span).collect()
}

/// B-01: a million followers are a hundred ranges, whatever the number of runners.
#[test]
fn a_million_followers_are_all_planned() {
    let plan = plan(Platform::Gitea, &report(1_000_000), &[], &wishes(0), &[], now());
    assert_eq!(plan.ranges.len(), 100);
    assert_eq!(plan.runners, 4);
    assert!(tiles(Span { lo: 0, hi: 1_000_000 }, &spans(&plan)));
}

#[test]
fn a_chain_is_one_range_with_its_price_and_its_waits() {
    let rules = Platform::X.limits(crate::platform::Auth::AppBearer).rules;
    let plan = plan(Platform::X, &report(1_000_000), &[], &wishes(0), &rules, now());
    assert_eq!(plan.ranges.len(), 1);
    assert_eq!(plan.requests, 1001);
    assert_eq!(plan.price.to_string(), "10000.01");
    assert_eq!(
        plan.window_ms,
        3 * 15 * 60 * 1000,
        "301st, 601st and 901st page wait for a window"
    );
}

#[test]
fn zero_followers_are_one_request_and_no_error() {
    for platform in Platform::VARIANTS.iter().copied() {
        let plan = plan(platform, &report(0), &[], &wishes(0), &[], now());
        assert_eq!(
            (plan.ranges.len(), plan.rows, plan.requests),
            (1, 0, 2),
            "{platform}"
        );
    }
}

#[test]
fn the_servers_smaller_page_is_seen_by_the_probe() {
    let probe = Probe {
        asked: Place::at(50),
        rows: 30,
        next: Some(Place::at(0)),
        total: Some(1000),
    };
    let plan = plan(Platform::Gitea, &report(990), &[probe], &wishes(0), &[], now());
    assert_eq!((plan.page_rows, plan.rows), (30, 1000));
    assert_eq!(plan.root, Some(Span { lo: 0, hi: 1020 }));
}

#[test]
fn a_total_below_the_rows_of_its_own_page_is_not_believed() {
    let probe = Probe {
        asked: Place::at(50),
        rows: 50,
        next: Some(Place::at(0)),
        total: Some(10),
    };
    let plan = plan(Platform::Gitea, &report(990), &[probe], &wishes(0), &[], now());
    assert_eq!((plan.rows, plan.root), (990, Some(Span { lo: 0, hi: 1000 })));
}

#[test]
fn a_total_of_whole_pages_below_the_accounts_count_is_looked_behind() {
    let probe = |total| Probe {
        asked: Place::at(50),
        rows: 50,
        next: Some(Place::at(0)),
        total: Some(total),
    };
    let end = |total, followers, max_rows| {
        let probes = [probe(total)];
        let plan = plan(
            Platform::Gitea,
            &report(followers),
            &probes,
            &wishes(max_rows),
            &[],
            now(),
        );
        (plan.root.unwrap().hi, plan.requests)
    };
    assert_eq!(end(50, 990, 0), (100, 4), "look-up, probe, page, page behind it");
    assert_eq!(end(50, 50, 0), (50, 3));
    assert_eq!(end(70, 990, 0), (100, 4), "its last page shows what is behind it");
    assert_eq!(end(50, 990, 40), (50, 3));
}

#[test]
fn the_first_n_are_planned_as_such() {
    let chain = plan(Platform::X, &report(50_000), &[], &wishes(1500), &[], now());
    assert_eq!(
        (chain.rows, chain.row_cap, chain.price.to_string().as_str()),
        (1500, 1500, "15.01")
    );
    let newest = plan(Platform::Bluesky, &report(50_000), &[], &wishes(1500), &[], now());
    assert_eq!(
        spans(&newest),
        [Span {
            lo: OLDEST,
            hi: NEWEST
        }]
    );
}

#[test]
fn dense_times_get_narrow_ranges() {
    let newest = now().as_microsecond();
    // Nine in ten of the rows in the newest half.
    let oldest = 1_600_000_000_000_000;
    let half = (newest - oldest) / 2;
    let probe = |from_newest: i64, extent: i64| Probe {
        asked: Place::at(newest - from_newest),
        rows: 100,
        next: Some(Place::at(newest - from_newest - extent)),
        total: None,
    };
    let probes = [probe(half / 2, 1_000_000), probe(half + half / 2, 9_000_000)];
    let plan = plan(
        Platform::Bluesky,
        &report(100_000),
        &probes,
        &wishes(0),
        &[],
        now(),
    );
    let newer = spans(&plan).iter().filter(|s| s.lo >= oldest + half).count();
    assert!((8..=9).contains(&newer), "{newer} of {}", plan.ranges.len());
}

/// What the probes of a server with follows of these ids say, as often as the plan asks.
fn probed(ids: &[i64], followers: i64, per_range: u32) -> Vec<Probe> {
    let wishes = Wishes {
        rows_per_range: per_range,
        ..wishes(0)
    };
    let mut probes = Vec::new();
    while let Some(asked) = probe_at(Platform::Mastodon, &report(followers), &wishes, &probes, now()) {
        let below = ids.partition_point(|id| *id < asked.position);
        let page = &ids[below.saturating_sub(80)..below];
        probes.push(Probe {
            asked,
            rows: i64::try_from(page.len()).unwrap(),
            next: (page.len() == 80).then(|| Place::at(page[0])),
            total: None,
        });
    }
    probes
}

#[test]
fn a_list_of_ids_is_cut_where_its_rows_are() {
    // Follows of one account among those of a whole server: dense in the newest tenth.
    // The server is older than the account.
    let ids: Vec<i64> = (0..1000)
        .map(|n| 1_000_000 + n * 8000)
        .chain((0..9000).map(|n| 9_000_000 + n * 111))
        .collect();
    let probes = probed(&ids, 10_000, 1000);
    assert_eq!(probes.len(), 5);
    assert!(floor(&probes) < ids[0]);
    let wishes = Wishes {
        rows_per_range: 1000,
        ..wishes(0)
    };
    let plan = plan(Platform::Mastodon, &report(10_000), &probes, &wishes, &[], now());
    assert_eq!(plan.seek, Seek::Id);
    assert_eq!(plan.root, Some(Span { lo: 0, hi: NEWEST }));
    let rows = |span: &Span| ids.iter().filter(|id| (span.lo..span.hi).contains(*id)).count();
    let most = spans(&plan).iter().map(rows).max().unwrap();
    assert!(
        most <= 4000,
        "{most} of 10000 rows in one of {} ranges",
        plan.ranges.len()
    );
}

#[test]
fn the_probes_find_a_list_in_a_hundredth_of_a_servers_ids() {
    let ids: Vec<i64> = (0..20_000)
        .map(|n| 110_000_000_000_000_000 + n * 1_000_000_000)
        .collect();
    let probes = probed(&ids, 20_000, 1000);
    let wishes = Wishes {
        rows_per_range: 1000,
        ..wishes(0)
    };
    let plan = plan(Platform::Mastodon, &report(20_000), &probes, &wishes, &[], now());
    let rows = |span: &Span| ids.iter().filter(|id| (span.lo..span.hi).contains(*id)).count();
    let most = spans(&plan).iter().map(rows).max().unwrap();
    assert!(
        most <= 2_000 && probes.len() <= 5,
        "{most} of 20000 rows in one of {} ranges",
        plan.ranges.len()
    );
}

#[test]
fn a_list_that_goes_on_from_a_result_is_not_probed() {
    let since = Wishes {
        since: Some(crate::scan::since::Since::Latest),
        ..wishes(0)
    };
    for (wishes, probes) in [(&wishes(0), true), (&wishes(1_000), false), (&since, false)] {
        let first = probe_at(Platform::Bluesky, &report(50_000), wishes, &[], now());
        assert_eq!(first.is_some(), probes, "{wishes:?}");
    }
}

/// A list whose cursors show no time, or that begins at its newest row wherever it is asked.
#[test]
fn a_list_that_cannot_be_entered_is_planned_as_a_chain() {
    let probe = |asked, next| Probe {
        asked: Place::at(asked),
        rows: 100,
        next: Some(next),
        total: None,
    };
    let seeks = |probes: &[Probe]| {
        let plan = plan(Platform::Bluesky, &report(50_000), probes, &wishes(0), &[], now());
        plan.seek == Seek::Time
    };
    let newest = probe(NEWEST, Place::at(900));
    let odd = |asked| probe(asked, Place::unread(asked, "odd"));
    assert!(seeks(std::slice::from_ref(&newest)) && !seeks(&[odd(NEWEST)]));
    assert!(!seeks(&[newest.clone(), odd(500), odd(300)]));
    assert!(seeks(&[odd(NEWEST), probe(500, Place::at(400))]));
    assert!(seeks(&[newest, odd(500), probe(300, Place::at(200))]));
}

#[test]
fn ids_nobody_can_compute_make_a_chain() {
    let opaque = Probe {
        asked: Place::at(NEWEST),
        rows: 80,
        next: Some(Place {
            position: 1,
            cursor: Some("max_id=9tK2".into()),
        }),
        total: None,
    };
    let many = report(50_000);
    assert_eq!(
        probe_at(
            Platform::Mastodon,
            &many,
            &wishes(0),
            std::slice::from_ref(&opaque),
            now()
        ),
        None
    );
    let plan = plan(Platform::Mastodon, &many, &[opaque], &wishes(0), &[], now());
    assert_eq!((plan.seek, plan.root, plan.ranges.len()), (Seek::Chain, None, 1));
}

#[test]
fn a_list_too_short_for_a_probe_is_one_range_by_id() {
    for (followers, cap) in [(300, 0), (0, 0), (50_000, 200)] {
        let wishes = Wishes {
            rows_per_range: 100,
            ..wishes(cap)
        };
        let plan = plan(Platform::Mastodon, &report(followers), &[], &wishes, &[], now());
        let root = Span { lo: 0, hi: NEWEST };
        assert_eq!(
            (plan.seek, plan.root, plan.ranges.len()),
            (Seek::Id, Some(root), 1)
        );
    }
}

#[test]
fn few_followers_are_not_worth_a_probe() {
    let asks = |followers, cap| probe_at(Platform::Mastodon, &report(followers), &wishes(cap), &[], now());
    assert_eq!(asks(320, 0), None);
    assert_eq!(asks(50_000, 100), None);
    assert_eq!(asks(321, 0), Some(Place::at(NEWEST)));
}

#[test]
fn a_count_of_whole_pages_is_no_finer_than_the_accounts_own() {
    let rows = |followers, total| {
        let probe = Probe {
            asked: Place::at(100),
            rows: 100,
            next: None,
            total: Some(total),
        };
        plan(
            Platform::GitHub,
            &report(followers),
            &[probe],
            &wishes(0),
            &[],
            now(),
        )
        .rows
    };
    assert_eq!((rows(750, 800), rows(650, 800), rows(900, 800)), (750, 800, 800));
}

proptest! {
    #[test]
    fn every_plan_by_ids_tiles_its_root(
        mut ids in prop::collection::vec(1i64..NEWEST, 400..900),
        per_range in 50u32..1000,
    ) {
        ids.sort_unstable();
        ids.dedup();
        let probes = probed(&ids, 5000, per_range);
        let wishes = Wishes { rows_per_range: per_range, ..wishes(0) };
        let plan = plan(Platform::Mastodon, &report(5000), &probes, &wishes, &[], now());
        prop_assert!(tiles(plan.root.unwrap(), &spans(&plan)));
        prop_assert!(plan.ranges.iter().all(|r| !r.span.unwrap().is_empty()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]
    #[test]
    fn every_plan_tiles_its_root(
        followers in 0i64..3_000_000,
        per_range in 1u32..100_000,
        cap in 0i64..5000,
        platform in prop::sample::select(vec![Platform::Bluesky, Platform::Gitea]),
        probes in prop::collection::vec((0i64..1_790_000_000_000_000, 0i64..=100, 0i64..1_000_000_000_000), 0..8),
    ) {
        let probes: Vec<Probe> = probes
            .into_iter()
            .map(|(at, rows, extent)| Probe { asked: Place::at(at), rows, next: Some(Place::at(at - extent)), total: None })
            .collect();
        let wishes = Wishes { max_runners: 8, rows_per_range: per_range.max(200), max_rows: cap, since: None, sweeps: 1 };
        let plan = plan(platform, &report(followers), &probes, &wishes, &[], now());
        let root = plan.root.unwrap();
        prop_assert!(tiles(root, &spans(&plan)));
        prop_assert!(plan.ranges.iter().all(|r| !r.span.unwrap().is_empty()));
        prop_assert!(plan.requests >= 2 && plan.runners >= 1);
    }
}
