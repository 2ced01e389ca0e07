//! Mastodon and the servers that speak its API: two kinds of ids, hidden lists, closed servers.

use std::collections::BTreeSet;

use followlytics_core::{
    account::Platform,
    platform::{Auth, Seek},
    retry::Class,
    scan::{
        observed::Anomaly,
        plan::{AccountReport, Plan, Probe, Wishes, plan, probe_at},
        range::{NEWEST, Place, Walk},
    },
};
use followlytics_platforms::connector::connector;
use followlytics_simulator::{
    FaultKind, MastodonIds, MastodonServer, Platform as There, ResetHeader, SuspendedAnswer, UserState,
    WorldConfig,
};

use crate::sky::{Reader, reader, sky, truth};

fn server(settings: impl FnOnce(&mut MastodonServer)) -> impl FnOnce(&mut WorldConfig) {
    let mut server = MastodonServer::default();
    settings(&mut server);
    move |config| config.mastodon.servers = vec![server]
}

/// Probes and plans as the ledger does.
async fn planned(reader: &Reader<'_>, followers: i64) -> (Plan, usize) {
    let report = AccountReport {
        id: reader.id.clone(),
        handle: "nasa".into(),
        followers,
        created: None,
    };
    let wishes = Wishes {
        max_runners: 4,
        rows_per_range: 500,
        max_rows: 0,
        since: None,
        sweeps: 1,
    };
    let probing = Reader {
        span: None,
        id: reader.id.clone(),
        ..*reader
    };
    let now = reader.sky.now;
    let mut probes = Vec::new();
    while let Some(asked) = probe_at(Platform::Mastodon, &report, &wishes, &probes, now) {
        let page = probing.page(&asked, Walk::Down).await.unwrap();
        probes.push(Probe {
            asked,
            rows: page.returned.into(),
            next: page.next,
            total: page.total,
        });
    }
    (
        plan(Platform::Mastodon, &report, &probes, &wishes, &[], now),
        probes.len(),
    )
}

#[tokio::test]
async fn a_list_of_numbers_is_cut_into_ranges_that_are_the_list() {
    let (sky, account) = sky(Platform::Mastodon, 3000, |_| ());
    let reader = reader(&sky, &account).await;
    let (plan, probes) = planned(&reader, 3000).await;
    assert_eq!((plan.seek, plan.ranges.len(), probes), (Seek::Id, 6, 5));
    let mut together = BTreeSet::new();
    let mut most = 0;
    for range in &plan.ranges {
        let span = range.span.unwrap();
        let ids = reader.ids(Place::at(span.hi), span.lo).await;
        most = most.max(ids.len());
        together.extend(ids);
    }
    assert_eq!(together, truth(&sky, &account));
    assert!(most < 1500, "{most} of 3000 rows in one of 6 ranges");
}

#[tokio::test]
async fn a_server_whose_ids_are_texts_is_read_as_a_chain() {
    for ids in [MastodonIds::Flake, MastodonIds::Ulid] {
        let (sky, account) = sky(Platform::Mastodon, 1234, server(|server| server.ids = ids));
        let reader = reader(&sky, &account).await;
        let (plan, probes) = planned(&reader, 1234).await;
        assert_eq!(
            (plan.seek, plan.ranges.len(), probes),
            (Seek::Chain, 1, 1),
            "{ids:?}"
        );
        let chain = Reader { span: None, ..reader };
        let read = chain.ids(Place::at(0), 0).await;
        assert_eq!(read.len(), 1234, "no row twice");
        assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), truth(&sky, &account));
    }
}

#[tokio::test]
async fn every_fault_has_its_class() {
    for (kind, class) in [
        (FaultKind::InternalErrorHtml, Class::ServerError),
        (FaultKind::BadGateway, Class::ServerError),
        (
            FaultKind::RateLimited {
                reset: ResetHeader::True,
            },
            Class::RateLimited,
        ),
        (FaultKind::Unauthorized, Class::Unauthorized),
        (FaultKind::TruncatedBody, Class::Malformed),
        (FaultKind::ResponseLost, Class::NoAnswer),
    ] {
        for ids in [MastodonIds::Snowflake, MastodonIds::Ulid] {
            let (sky, account) = sky(Platform::Mastodon, 500, server(|server| server.ids = ids));
            let reader = reader(&sky, &account).await;
            let (reader, first) = match ids {
                MastodonIds::Snowflake => (reader, Place::at(NEWEST)),
                _ => (Reader { span: None, ..reader }, Place::at(0)),
            };
            let second = reader.page(&first, Walk::Down).await.unwrap().next.unwrap();
            sky.fault(kind.clone());
            let failure = reader.page(&second, Walk::Down).await.unwrap_err();
            assert_eq!(failure.class, class, "{kind} {ids:?}: {failure:?}");
            if class == Class::RateLimited {
                assert!(failure.told.unwrap().reset > sky.now, "a date in RFC 3339");
            }
            assert!(reader.page(&second, Walk::Down).await.is_ok(), "{kind}: once");
        }
    }
}

#[tokio::test]
async fn a_page_without_links_keeps_its_rows_and_proves_no_end() {
    for ids in [MastodonIds::Snowflake, MastodonIds::Ulid] {
        let (sky, account) = sky(Platform::Mastodon, 500, server(|server| server.ids = ids));
        let reader = reader(&sky, &account).await;
        let (reader, first) = match ids {
            MastodonIds::Snowflake => (reader, Place::at(NEWEST)),
            _ => (Reader { span: None, ..reader }, Place::at(0)),
        };
        sky.fault(FaultKind::MissingCursor);
        let page = reader.page(&first, Walk::Down).await.unwrap();
        assert_eq!((page.lines.len(), page.next), (80, None), "{ids:?}");
        assert_eq!(page.anomalies, [Anomaly::EndUnproven], "{ids:?}");
    }
}

#[tokio::test]
async fn a_hidden_list_is_empty_although_followers_are_counted() {
    let (sky, account) = sky(Platform::Mastodon, 500, |_| ());
    sky.world
        .set_hide_collections(There::Mastodon, "nasa", true)
        .unwrap();
    let ctx = sky.context(Auth::Anonymous);
    let (report, _) = connector(Platform::Mastodon)
        .look_up(&ctx, &account, None)
        .await
        .unwrap();
    assert_eq!(report.followers, 500);
    let reader = reader(&sky, &account).await;
    let page = reader.page(&Place::at(NEWEST), Walk::Down).await.unwrap();
    assert_eq!((page.returned, page.next), (0, None));
    // The certificate says so: `a_list_that_is_hidden_is_not_complete` in `core`.
    let (plan, probes) = planned(&reader, 500).await;
    assert_eq!((plan.seek, probes), (Seek::Chain, 1));
}

#[tokio::test]
async fn a_server_that_answers_nobody_without_a_token_names_the_remedy() {
    let (sky, account) = sky(
        Platform::Mastodon,
        5,
        server(|server| server.require_token = true),
    );
    let mastodon = connector(Platform::Mastodon);
    let refused = mastodon
        .look_up(&sky.context(Auth::Anonymous), &account, None)
        .await
        .unwrap_err();
    assert_eq!(refused.class, Class::Unauthorized);
    assert!(
        refused.message.contains("give the scan a Credential"),
        "{}",
        refused.message
    );
    assert!(
        mastodon
            .look_up(&sky.context(Auth::UserToken), &account, None)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_suspended_account_says_so_in_every_version() {
    for (suspended, class) in [
        (SuspendedAnswer::Entity, Class::Suspended),
        (SuspendedAnswer::Gone, Class::Suspended),
        (SuspendedAnswer::NotFound, Class::NotFound),
    ] {
        let (sky, account) = sky(
            Platform::Mastodon,
            5,
            server(|server| server.suspended = suspended),
        );
        sky.world
            .set_state(There::Mastodon, "nasa", UserState::Suspended)
            .unwrap();
        let ctx = sky.context(Auth::Anonymous);
        let failure = connector(Platform::Mastodon)
            .look_up(&ctx, &account, None)
            .await
            .unwrap_err();
        assert_eq!(failure.class, class, "{suspended:?}: {failure:?}");
    }
}
