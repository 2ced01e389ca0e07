use super::*;
use crate::{
    account::Platform,
    platform::{
        evidence::Grade,
        list::{Hides, list_traits},
    },
    scan::{
        observed::Totals,
        range::{NEWEST, Walk},
        source::Source,
    },
};

const LOCAL: &str = "http://127.0.0.1:8080";

fn traits(platform: Platform, seek: Seek, server: Option<&Server>) -> ListTraits {
    list_traits(platform, Source::Api, seek, LOCAL, server)
}

fn app_view() -> ListTraits {
    let server = Server::new(Server::APP_VIEW, "");
    traits(Platform::Bluesky, Seek::Time, Some(&server))
}

fn gitea(version: &str) -> ListTraits {
    traits(Platform::Gitea, Seek::Index, Some(&Server::new("gitea", version)))
}

fn by_follow() -> ListTraits {
    gitea("1.26.0+simulator.follow-order")
}

fn done(id: u32, kind: Kind, lo: i64, hi: i64) -> Range {
    let mut range = Range::new(id, kind, Some(Span { lo, hi }), Walk::Down, 10);
    range.state = State::Done;
    range.rows = hi - lo;
    range
}

static NOTHING: Observed = Observed {
    anomalies: std::collections::BTreeMap::new(),
    totals: None,
    lacking: 0,
    reread: 0,
};

/// Twenty followers in two ranges of a list of keys, read whole.
fn evidence(ranges: &[Range]) -> Evidence<'_> {
    Evidence {
        seek: Seek::Time,
        list: app_view(),
        server: None,
        root: Some(Span { lo: 0, hi: 20 }),
        ranges,
        ended: &[],
        observed: &NOTHING,
        capped: false,
        since: None,
        scanned: 20,
        unread: 0,
        unique: 20,
        platform_count: 20,
    }
}

fn halves() -> [Range; 2] {
    [done(1, Kind::Listing, 0, 10), done(2, Kind::Listing, 10, 20)]
}

const fn end(range: u32, place: i64) -> Ended {
    Ended {
        range,
        place,
        rows: 0,
    }
}

fn totals(first: i64, last: i64) -> Observed {
    let changes = i64::from(first != last);
    Observed {
        totals: Some(Totals { first, last, changes }),
        ..Observed::default()
    }
}

#[test]
fn a_list_of_proven_keys_read_whole_is_exact() {
    let ranges = halves();
    let certificate = issue(&evidence(&ranges));
    assert_eq!(certificate.guarantee, Guarantee::Exact);
    assert!(certificate.complete && certificate.current);
    assert_eq!(certificate.grade, Grade::Source);
    assert!(certificate.basis.contains("follows.ts"), "{}", certificate.basis);
    assert_eq!(
        certificate.seams,
        [Seam {
            position: 10,
            join: Join::Overlap
        }]
    );
}

#[test]
fn an_order_that_nothing_proves_is_never_exact_and_says_why() {
    let ranges = halves();
    let chain = [{
        let mut chain = Range::new(1, Kind::Listing, None, Walk::Down, 20);
        chain.state = State::Done;
        chain
    }];
    for (list, seek, ranges, why) in [
        (gitea("1.26.0"), Seek::Index, &ranges[..], "no defined order"),
        (
            traits(Platform::X, Seek::Chain, None),
            Seek::Chain,
            &chain[..],
            "documents no order",
        ),
        (
            traits(Platform::Mastodon, Seek::Id, None),
            Seek::Id,
            &ranges[..],
            "was not checked",
        ),
    ] {
        let root = (seek != Seek::Chain).then_some(Span { lo: 0, hi: 20 });
        let certificate = issue(&Evidence {
            seek,
            list,
            root,
            ..evidence(ranges)
        });
        assert_eq!(certificate.guarantee, Guarantee::BestEffort);
        assert!(!certificate.complete);
        assert!(
            certificate.evidence[0].contains(why),
            "{:?}",
            certificate.evidence
        );
        assert!(
            certificate
                .support
                .iter()
                .any(|word| word.contains("no follower is missing")),
            "{:?}",
            certificate.support
        );
    }
}

#[test]
fn an_index_in_order_of_follows_is_exact_only_with_its_seams_read_again() {
    let mut ranges = halves().to_vec();
    let seen = totals(20, 20);
    let index = |ranges: &[Range]| {
        issue(&Evidence {
            seek: Seek::Index,
            list: by_follow(),
            observed: &seen,
            ..evidence(ranges)
        })
    };
    assert_eq!(index(&ranges).evidence, ["1 seams were not read again"]);
    ranges.push(done(3, Kind::Seam, 0, 10));
    assert_eq!(index(&ranges).guarantee, Guarantee::Exact);
}

#[test]
fn a_quiet_index_that_lacks_rows_of_its_own_total_says_how_many() {
    let ranges = halves();
    let seen = totals(20, 20);
    for (list, guarantee) in [
        (gitea("1.26.0"), Guarantee::BestEffort),
        (by_follow(), Guarantee::BestEffort),
    ] {
        let certificate = issue(&Evidence {
            seek: Seek::Index,
            list,
            observed: &seen,
            unique: 17,
            scanned: 20,
            platform_count: 23,
            ..evidence(&ranges)
        });
        assert_eq!(certificate.guarantee, guarantee);
        assert_eq!(
            (
                certificate.hidden,
                certificate.unexplained,
                certificate.list_total
            ),
            (3, 3, Some(20))
        );
        assert!(
            certificate
                .evidence
                .contains(&"3 of the 20 rows that the list itself counts are missing".to_owned()),
            "{:?}",
            certificate.evidence
        );
        assert!(
            certificate
                .evidence
                .iter()
                .any(|word| word.starts_with("3 rows were read twice"))
        );
    }
}

#[test]
fn a_total_that_the_list_exceeds_explains_nobodys_absence() {
    let ranges = halves();
    let mut seen = totals(10, 10);
    seen.add(Anomaly::RowsPastTotal);
    let certificate = issue(&Evidence {
        seek: Seek::Index,
        list: gitea("1.26.0"),
        observed: &seen,
        unique: 50,
        scanned: 50,
        platform_count: 5_000,
        ..evidence(&ranges)
    });
    assert_eq!(
        (certificate.hidden, certificate.unexplained, certificate.complete),
        (0, 4_950, false)
    );
    let says = |what: &str| certificate.evidence.iter().any(|word| word.contains(what));
    assert!(
        says("past the list's own total") && says("4950 of 5000"),
        "{:?}",
        certificate.evidence
    );
    // Somebody left between the page and its total: the list does not exceed it.
    let left = issue(&Evidence {
        seek: Seek::Index,
        list: gitea("1.26.0"),
        observed: &seen,
        unique: 10,
        scanned: 10,
        platform_count: 40,
        ..evidence(&ranges)
    });
    assert_eq!((left.hidden, left.unexplained, left.complete), (30, 0, false));
}

#[test]
fn a_total_that_changes_is_drift_where_the_order_is_proven_and_evidence_where_it_is_not() {
    let mut ranges = halves().to_vec();
    ranges.push(done(3, Kind::Seam, 0, 10));
    let seen = totals(20, 25);
    let moved = |list| {
        issue(&Evidence {
            seek: Seek::Index,
            list,
            observed: &seen,
            ..evidence(&ranges)
        })
    };
    let proven = moved(by_follow());
    assert_eq!(
        (proven.guarantee, proven.unexplained, proven.drift),
        (Guarantee::Exact, 0, Some(5))
    );
    let unproven = moved(gitea("1.26.0"));
    assert_eq!(unproven.unexplained, 5);
    assert!(
        unproven
            .evidence
            .iter()
            .any(|word| word.contains("from 20 to 25"))
    );
}

#[test]
fn a_list_cut_short_is_not_exact() {
    let ranges = halves();
    let cut = issue(&Evidence {
        platform_count: 20_000,
        ..evidence(&ranges)
    });
    assert_eq!((cut.guarantee, cut.unexplained), (Guarantee::BestEffort, 19_980));
    for (platform_count, guarantee, unexplained) in
        [(60, Guarantee::BestEffort, 40), (26, Guarantee::Exact, 0)]
    {
        let short = issue(&Evidence {
            platform_count,
            ..evidence(&ranges)
        });
        assert_eq!((short.guarantee, short.unexplained), (guarantee, unexplained));
    }
}

#[test]
fn rows_that_full_pages_lack_are_hidden_accounts() {
    let ranges = halves();
    let lacking = Observed {
        lacking: 5_000,
        ..Observed::default()
    };
    let certificate = issue(&Evidence {
        platform_count: 5_020,
        observed: &lacking,
        ..evidence(&ranges)
    });
    assert_eq!(certificate.guarantee, Guarantee::Exact);
    assert_eq!((certificate.hidden, certificate.unexplained), (5_000, 0));
    let fewer = issue(&Evidence {
        platform_count: 3,
        observed: &lacking,
        ..evidence(&ranges)
    });
    assert_eq!((fewer.hidden, fewer.unexplained), (0, 0), "never negative");
}

#[test]
fn every_anomaly_is_counter_evidence() {
    let ranges = halves();
    for anomaly in [
        Anomaly::EndUnproven,
        Anomaly::ShortPage,
        Anomaly::RowsPastTotal,
        Anomaly::SurplusRows,
        Anomaly::CursorUnreadable,
        Anomaly::CursorRepeated,
        Anomaly::KeyRose,
        Anomaly::KeysTied,
    ] {
        let mut observed = Observed::default();
        observed.add(anomaly);
        let certificate = issue(&Evidence {
            observed: &observed,
            ..evidence(&ranges)
        });
        assert_eq!(certificate.evidence, [anomaly.evidence(1)]);
        assert!(!certificate.complete);
    }
}

#[test]
fn a_list_that_may_have_been_hidden_meanwhile_is_not_exact() {
    let mut ranges = halves().to_vec();
    let mut list = evidence(&ranges).list;
    list.hides = Hides::Silently;
    let judged = |ranges: &[Range]| {
        issue(&Evidence {
            seek: Seek::Id,
            list,
            ended: &[end(1, 5)],
            ..evidence(ranges)
        })
    };
    let certificate = judged(&ranges);
    assert_eq!(certificate.guarantee, Guarantee::BestEffort);
    assert!(
        certificate.evidence[0].contains("may have been hidden"),
        "{:?}",
        certificate.evidence
    );
    ranges.push(done(9, Kind::Seam, NEWEST - 1, NEWEST));
    assert_eq!(judged(&ranges).guarantee, Guarantee::BestEffort);
    let mut tail = done(10, Kind::Seam, 0, 5);
    tail.rows = 0;
    ranges.push(tail);
    assert_eq!(judged(&ranges).guarantee, Guarantee::Exact);
}

#[test]
fn a_list_that_ends_empty_before_it_meets_an_earlier_result_is_not_complete() {
    let ranges = [done(1, Kind::Listing, 0, 20)];
    let server = Server::new("mastodon", "4.3.0");
    let list = traits(Platform::Mastodon, Seek::Id, Some(&server));
    let base = Base {
        version: 1,
        rows: 0,
        head: "head".into(),
        complete: true,
    };
    let judged = |ended: &[Ended]| {
        issue(&Evidence {
            seek: Seek::Id,
            list,
            ended,
            since: Some(&base),
            ..evidence(&ranges)
        })
    };
    assert!(judged(&[]).complete);
    assert!(!judged(&[end(1, 5)]).complete);
}

#[test]
fn an_end_above_older_rows_is_a_contradiction() {
    let ranges = halves();
    let certificate = issue(&Evidence {
        ended: &[end(2, 15)],
        ..evidence(&ranges)
    });
    assert_eq!(certificate.guarantee, Guarantee::BestEffort);
    assert!(certificate.evidence[0].contains("1 ranges were told that the list ends"));
    let lowest = issue(&Evidence {
        ended: &[end(1, 5)],
        ..evidence(&ranges)
    });
    assert_eq!(lowest.guarantee, Guarantee::Exact);
    let mut empty = halves();
    empty[0].rows = 0;
    let above_nothing = issue(&Evidence {
        ended: &[end(2, 15), end(1, 5)],
        ..evidence(&empty)
    });
    assert_eq!(above_nothing.guarantee, Guarantee::Exact);
}

#[test]
fn what_a_since_scan_keeps_is_complete_only_where_nobody_can_backdate() {
    let ranges = halves();
    let base = |complete| Base {
        version: 4,
        rows: 20,
        head: "head".into(),
        complete,
    };
    let mastodon = traits(
        Platform::Mastodon,
        Seek::Id,
        Some(&Server::new("mastodon", "4.3.0")),
    );
    for (list, seek, base_complete, complete) in [
        (mastodon, Seek::Id, true, true),
        (mastodon, Seek::Id, false, false),
        (app_view(), Seek::Time, true, false),
    ] {
        let base = base(base_complete);
        let certificate = issue(&Evidence {
            list,
            seek,
            since: Some(&base),
            ..evidence(&ranges)
        });
        assert_eq!(certificate.guarantee, Guarantee::BestEffort);
        assert_eq!((certificate.complete, certificate.current), (complete, false));
        let said = certificate.evidence.join("; ");
        assert!(said.contains("who left since is still in it"), "{said}");
        assert_eq!(said.contains("dated into the past"), list.can_backdate, "{said}");
        assert_eq!(said.contains("is not complete"), !base_complete, "{said}");
    }
}

#[test]
fn a_list_that_is_hidden_is_not_complete() {
    let ranges = [done(1, Kind::Listing, 0, 20)];
    let hidden = Evidence {
        unique: 0,
        platform_count: 21,
        ..evidence(&ranges)
    };
    let certificate = issue(&hidden);
    assert_eq!(certificate.guarantee, Guarantee::BestEffort);
    assert!(certificate.evidence[0].contains("counts 21 followers and lists none"));
    let empty = Evidence {
        platform_count: 0,
        ..hidden
    };
    assert_eq!(issue(&empty).guarantee, Guarantee::Exact);
}

#[test]
fn a_gap_an_unread_range_a_cap_and_unread_rows_are_never_exact() {
    let gap = [done(1, Kind::Listing, 0, 9), done(2, Kind::Listing, 10, 20)];
    assert_eq!(
        issue(&evidence(&gap)).evidence,
        ["the ranges do not tile the list"]
    );
    let mut unread = halves();
    unread[0].state = State::Open;
    assert!(!issue(&evidence(&unread)).complete);
    assert!(!issue(&evidence(&[])).complete);
    let ranges = halves();
    let capped = issue(&Evidence {
        capped: true,
        platform_count: 90_000,
        ..evidence(&ranges)
    });
    assert_eq!(
        (capped.complete, capped.hidden, capped.unexplained),
        (false, 0, 0)
    );
    let rows = issue(&Evidence {
        unread: 2,
        ..evidence(&ranges)
    });
    assert!(rows.evidence[0].contains("2 rows could not be read"));
}

#[test]
fn certificates_of_earlier_releases_are_read() {
    let old = r#"{"guarantee":"Exact","seams":[],"scanned":1,"unique":1,"platformCount":1,"hidden":0}"#;
    let certificate: Certificate = serde_json::from_str(old).unwrap();
    assert!(
        !certificate.complete,
        "what was not judged by these rules proves nothing"
    );
    assert!(certificate.current);
}
