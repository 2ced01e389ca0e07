//! Whole lists, and every fault the simulator knows.

use std::{collections::BTreeSet, sync::Mutex};

use followlytics_core::{
    account::{AccountRef, Platform},
    platform::Auth,
    retry::Class,
    row::Line,
    scan::{
        observed::Anomaly,
        range::{NEWEST, OLDEST, Place, Walk},
    },
};
use followlytics_platforms::{
    connector::connector,
    x::token::{RefreshError, refresh},
};
use followlytics_simulator::{FaultKind, NameSet, Platform as There, ResetHeader};
use jiff::SignedDuration;
use strum::VariantArray as _;

use crate::sky::{HANDLE, Reader, auth, newest, reader, sky, sky_of, truth};

#[tokio::test]
async fn a_whole_list_is_read_on_every_platform() {
    for &platform in Platform::VARIANTS {
        let (sky, account) = sky(platform, 2345, |config| config.x.names = NameSet::Post);
        let reader = reader(&sky, &account).await;
        let ids = reader.ids(newest(platform, 2345), 0).await;
        assert_eq!(ids.len(), 2345, "{platform}: no row twice");
        assert_eq!(
            ids.into_iter().collect::<BTreeSet<_>>(),
            truth(&sky, &account),
            "{platform}"
        );
    }
}

#[tokio::test]
async fn short_and_filtered_pages_lose_nobody() {
    for platform in [Platform::X, Platform::Bluesky, Platform::Mastodon] {
        let (sky, account) = sky(platform, 500, |config| {
            config.x.hidden_share = 0.3;
            config.bluesky.hidden_share = 0.3;
        });
        let reader = Reader {
            max_rows: 30,
            ..reader(&sky, &account).await
        };
        let whole = reader.ids(newest(platform, 0), 0).await;
        sky.fault(FaultKind::ShortPage);
        sky.fault(FaultKind::EmptyPage);
        assert_eq!(reader.ids(newest(platform, 0), 0).await, whole, "{platform}");
        assert_eq!(
            whole.into_iter().collect::<BTreeSet<_>>(),
            truth(&sky, &account),
            "{platform}"
        );
    }
}

#[tokio::test]
async fn a_list_cut_in_time_is_the_list() {
    let (sky, account) = sky(Platform::Bluesky, 3000, |_| ());
    let reader = reader(&sky, &account).await;
    let newest = sky.now.as_microsecond();
    let step = SignedDuration::from_hours(24 * 90).as_micros();
    let mut cuts = vec![NEWEST];
    cuts.extend(
        (0..18)
            .map(|n| newest - i64::try_from(step).unwrap() * n)
            .map(|at| at - at % 1000),
    );
    cuts.push(0);
    let (mut together, mut requests) = (BTreeSet::new(), 0);
    for (hi, lo) in cuts.iter().zip(cuts.iter().skip(1)) {
        let ids = reader.ids(Place::at(*hi), *lo).await;
        requests += 1;
        together.extend(ids);
    }
    assert!(requests > 15);
    assert_eq!(together, truth(&sky, &account));
}

/// Follows dated before 1970 are read by their cursors, and by computed ones.
#[tokio::test]
async fn a_list_with_follows_from_before_1970_is_read_to_its_end() {
    let (sky, account) = sky_of(Platform::Bluesky, 900, |_| (), |spec| spec.backdated = 350);
    let reader = reader(&sky, &account).await;
    let whole = reader.ids(newest(Platform::Bluesky, 0), OLDEST).await;
    assert_eq!(whole.len(), 900, "no row twice");
    let mut together: BTreeSet<String> = BTreeSet::new();
    // 1950 and 1970.
    for (hi, lo) in [
        (NEWEST, 0),
        (0, -631_152_000_000_000),
        (-631_152_000_000_000, OLDEST),
    ] {
        together.extend(reader.ids(Place::at(hi), lo).await);
    }
    assert_eq!(together, truth(&sky, &account));
}

#[tokio::test]
async fn a_cursor_that_shows_no_position_leads_on() {
    let (sky, account) = sky(Platform::Bluesky, 500, |_| ());
    let reader = reader(&sky, &account).await;
    sky.fault(FaultKind::OddCursor);
    let first = reader.page(&Place::at(NEWEST), Walk::Down).await.unwrap();
    let odd = first.next.unwrap();
    assert_eq!(
        (odd.is_unread(), odd.position, first.anomalies),
        (true, NEWEST, vec![Anomaly::CursorUnreadable])
    );
    let second = reader.page(&odd, Walk::Down).await.unwrap();
    assert!(second.anomalies.is_empty() && !second.next.unwrap().is_unread());
    assert_ne!(first.lines, second.lines);
}

#[tokio::test]
async fn an_index_page_upwards_is_the_same_page() {
    let (sky, account) = sky(Platform::Gitea, 120, |_| ());
    let reader = reader(&sky, &account).await;
    let down = reader.page(&Place::at(100), Walk::Down).await.unwrap();
    let up = reader.page(&Place::at(50), Walk::Up).await.unwrap();
    assert_eq!(down.lines, up.lines);
    assert_eq!(
        (down.total, down.next, up.next),
        (Some(120), Some(Place::at(50)), Some(Place::at(100)))
    );
    assert_eq!(reader.page(&Place::at(150), Walk::Up).await.unwrap().next, None);
}

#[tokio::test]
async fn every_fault_of_x_has_its_class() {
    let limited = |reset| FaultKind::RateLimited { reset };
    for (kind, class) in [
        (FaultKind::InternalErrorHtml, Class::ServerError),
        (FaultKind::BadGateway, Class::ServerError),
        (
            FaultKind::Unavailable {
                retry_after_seconds: Some(7),
            },
            Class::ServerError,
        ),
        (limited(ResetHeader::True), Class::RateLimited),
        (limited(ResetHeader::Absent), Class::RateLimited),
        (FaultKind::CreditsDepleted, Class::CreditsDepleted),
        (FaultKind::UsageCapExceeded, Class::UsageCapped),
        (FaultKind::Unauthorized, Class::Unauthorized),
        (FaultKind::TruncatedBody, Class::Malformed),
        (FaultKind::ExpiredCursor, Class::CursorExpired),
        (FaultKind::ResponseLost, Class::NoAnswer),
    ] {
        let (sky, account) = sky(Platform::X, 3000, |_| ());
        let reader = reader(&sky, &account).await;
        let second = reader
            .page(&Place::at(0), Walk::Down)
            .await
            .unwrap()
            .next
            .unwrap();
        sky.fault(kind.clone());
        let failure = reader.page(&second, Walk::Down).await.unwrap_err();
        assert_eq!(failure.class, class, "{kind}: {failure:?}");
        if kind == limited(ResetHeader::True) {
            assert!(failure.told.unwrap().reset > sky.now, "{failure:?}");
        }
        if matches!(kind, FaultKind::Unavailable { .. }) {
            assert_eq!(failure.retry_after_ms, Some(7000));
        }
        assert!(reader.page(&second, Walk::Down).await.is_ok(), "{kind}: once");
    }
}

#[tokio::test]
async fn a_page_that_names_itself_keeps_its_rows() {
    for platform in [Platform::X, Platform::Bluesky, Platform::Mastodon] {
        let (sky, account) = sky(platform, 3000, |_| ());
        let reader = reader(&sky, &account).await;
        let first = reader.page(&newest(platform, 3000), Walk::Down).await.unwrap();
        let second = first.next.unwrap();
        sky.fault(FaultKind::RepeatedCursor);
        let page = reader.page(&second, Walk::Down).await.unwrap();
        assert!(page.returned > 0, "{platform}");
        assert!(page.next.unwrap().is_page_of(&second), "{platform}");
        let on = reader.page(&second, Walk::Down).await.unwrap();
        assert!(!on.next.unwrap().is_page_of(&second), "{platform}: once");
    }
}

#[tokio::test]
async fn a_row_of_the_wrong_type_costs_no_other() {
    for &platform in Platform::VARIANTS {
        let (sky, account) = sky(platform, 20, |_| ());
        let reader = reader(&sky, &account).await;
        sky.fault(FaultKind::MalformedRow);
        let page = reader.page(&newest(platform, 21), Walk::Down).await.unwrap();
        let unread = page
            .lines
            .iter()
            .filter(|line| matches!(line, Line::Unread { .. }))
            .count();
        assert_eq!(
            (unread, page.lines.len(), page.returned),
            (1, 21, 21),
            "{platform}"
        );
    }
}

#[tokio::test]
async fn a_windows_end_is_read_from_the_headers() {
    let (sky, account) = sky(Platform::X, 20, |config| config.x.limits.lookup_app = 1);
    let ctx = sky.context(Auth::AppBearer);
    let x = connector(Platform::X);
    let (_, told) = x.look_up(&ctx, &account, None).await.unwrap();
    let told = told.unwrap();
    assert_eq!((told.limit, told.remaining), (Some(1), Some(0)));
    let failure = x.look_up(&ctx, &account, None).await.unwrap_err();
    assert_eq!(failure.class, Class::RateLimited);
    // `Date` has whole seconds: an instant of theirs is known to a second.
    let apart = failure.told.unwrap().reset.duration_since(told.reset).abs();
    assert!(apart < SignedDuration::from_secs(1), "{apart:?}");
}

#[tokio::test]
async fn accounts_that_cannot_be_listed_say_why() {
    for &platform in Platform::VARIANTS {
        let (sky, account) = sky(platform, 1, |config| {
            config.gitea.require_token = platform == Platform::Gitea;
        });
        let nobody = AccountRef {
            handle: if account.handle == HANDLE {
                "nobody.test"
            } else {
                "nobody"
            }
            .to_owned(),
            ..account
        };
        let failure = connector(platform)
            .look_up(&sky.context(auth(platform)), &nobody, None)
            .await
            .unwrap_err();
        let expected = if platform == Platform::Gitea {
            Class::Unauthorized
        } else {
            Class::NotFound
        };
        assert_eq!(failure.class, expected, "{platform}: {failure:?}");
    }
    let (sky, account) = sky(Platform::X, 10, |_| ());
    sky.world.set_protected(There::X, "nasa", true).unwrap();
    let reader = reader(&sky, &account).await;
    assert_eq!(
        reader.page(&Place::at(0), Walk::Down).await.unwrap_err().class,
        Class::Protected
    );
}

#[tokio::test]
async fn a_refresh_token_works_once_even_when_its_answer_is_lost() {
    let (sky, _) = sky(Platform::X, 10, |_| ());
    let pair = sky.world.issue_x_user_token("simulator", "nasa").unwrap();
    let old = pair.refresh_token.into();
    let fresh = refresh(&sky.http, "http://simulator", "simulator", None, &old)
        .await
        .unwrap();
    let again = refresh(&sky.http, "http://simulator", "simulator", None, &old).await;
    assert_eq!(again.unwrap_err(), RefreshError::Spent);
    sky.fault(FaultKind::ResponseLost);
    let next = fresh.refresh.unwrap();
    let lost = refresh(&sky.http, "http://simulator", "simulator", None, &next).await;
    assert_eq!(lost.unwrap_err(), RefreshError::Ambiguous);
    let spent = refresh(&sky.http, "http://simulator", "simulator", None, &next).await;
    assert_eq!(spent.unwrap_err(), RefreshError::Spent);
    let stranger = refresh(&sky.http, "http://simulator", "stranger", None, &next).await;
    assert!(matches!(
        stranger.unwrap_err(),
        RefreshError::Client { .. } | RefreshError::Spent
    ));
}

/// The world is shared between the tasks of a scan: a connector's calls must be, too.
#[test]
fn calls_of_a_connector_can_move_between_threads() {
    fn is_send(_: impl Send) {}
    let (sky, account) = sky(Platform::X, 1, |_| ());
    let ctx = sky.context(Auth::AppBearer);
    is_send(connector(Platform::X).look_up(&ctx, &account, None));
    is_send(Mutex::new(ctx.clone()));
}
