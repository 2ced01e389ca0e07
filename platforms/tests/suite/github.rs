//! GitHub: its limits, its renamed and withheld accounts, and lists with holes.

use followlytics_core::{
    account::Platform,
    platform::Auth,
    retry::Class,
    scan::range::{Place, Walk},
};
use followlytics_platforms::connector::connector;
use followlytics_simulator::{FaultKind, Platform as There, ResetHeader};

use crate::sky::{newest, reader, sky, truth};

#[tokio::test]
async fn every_fault_has_its_class() {
    for (kind, class, retry_after_ms) in [
        (FaultKind::InternalErrorHtml, Class::ServerError, None),
        (FaultKind::Unauthorized, Class::Unauthorized, None),
        (
            FaultKind::RateLimited {
                reset: ResetHeader::True,
            },
            Class::RateLimited,
            None,
        ),
        (
            FaultKind::SecondaryLimit {
                status: 403,
                retry_after_seconds: Some(90),
            },
            Class::SecondaryLimited,
            Some(90_000),
        ),
        (
            FaultKind::SecondaryLimit {
                status: 429,
                retry_after_seconds: None,
            },
            Class::SecondaryLimited,
            None,
        ),
        (FaultKind::LegallyBlocked, Class::Suspended, None),
        (FaultKind::TruncatedBody, Class::Malformed, None),
        (FaultKind::ResponseLost, Class::NoAnswer, None),
    ] {
        let (sky, account) = sky(Platform::GitHub, 300, |_| ());
        let reader = reader(&sky, &account).await;
        sky.fault(kind.clone());
        let failure = reader.page(&Place::at(300), Walk::Down).await.unwrap_err();
        assert_eq!(
            (failure.class, failure.retry_after_ms),
            (class, retry_after_ms),
            "{kind}: {failure:?}"
        );
        if class == Class::RateLimited {
            assert!(failure.told.unwrap().reset > sky.now);
        }
        assert!(
            reader.page(&Place::at(300), Walk::Down).await.is_ok(),
            "{kind}: once"
        );
    }
}

#[tokio::test]
async fn the_sixty_first_request_without_a_token_waits_for_the_next_hour() {
    let (sky, account) = sky(Platform::GitHub, 30, |_| ());
    let reader = reader(&sky, &account).await;
    for left in (0..59).rev() {
        let page = reader.page(&Place::at(100), Walk::Down).await.unwrap();
        assert_eq!(page.told.unwrap().remaining, Some(left));
    }
    let failure = reader.page(&Place::at(100), Walk::Down).await.unwrap_err();
    assert_eq!(
        (failure.class, failure.told.unwrap().limit),
        (Class::RateLimited, Some(60))
    );
    // A token has an hour of its own.
    let ctx = sky.context(Auth::UserToken);
    let (_, told) = connector(Platform::GitHub)
        .look_up(&ctx, &account, None)
        .await
        .unwrap();
    assert_eq!(told.unwrap().remaining, Some(4999));
}

#[tokio::test]
async fn a_list_with_flagged_accounts_has_short_pages_and_no_gaps() {
    let (sky, account) = sky(Platform::GitHub, 700, |config| config.github.hidden_share = 0.3);
    let reader = reader(&sky, &account).await;
    let ids = reader.ids(newest(Platform::GitHub, 700), 0).await;
    let truth = truth(&sky, &account);
    assert!(truth.len() < 700);
    assert_eq!(ids.into_iter().collect::<std::collections::BTreeSet<_>>(), truth);
    let page = reader.page(&Place::at(100), Walk::Down).await.unwrap();
    assert_eq!(page.total, None, "whole pages are counted, not rows");
}

#[tokio::test]
async fn an_account_that_is_renamed_meanwhile_is_still_found_by_its_id() {
    let (sky, account) = sky(Platform::GitHub, 30, |_| ());
    let reader = reader(&sky, &account).await;
    sky.world.rename(There::Github, "nasa", "space-agency").unwrap();
    let ctx = sky.context(Auth::Anonymous);
    let (report, _) = connector(Platform::GitHub)
        .look_up(&ctx, &account, Some(&reader.id))
        .await
        .unwrap();
    assert_eq!(report.handle, "space-agency");
}
