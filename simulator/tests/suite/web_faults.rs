//! X's web client: what GraphQL says when something is wrong, and what it does to a list.

use std::collections::BTreeSet;

use followlytics_simulator::{Endpoint, FaultKind, FaultSpec, Platform, ResetHeader, Trigger};
use serde_json::{Value, json};

use crate::{
    bench::{Reply, sorted},
    web_visit::{Page, Visit, WHO, position, read},
};

/// The second page with the fault, and the same page again.
async fn pages(kind: FaultKind) -> (Visit, Reply, Reply) {
    let visit = Visit::new(json!({}), 400);
    let cursor = read(&visit.list(None).await).bottom;
    visit.set(kind);
    let page = visit.list(cursor.as_deref()).await;
    let next = visit.list(cursor.as_deref()).await;
    assert_eq!(
        read(&next).ids.len(),
        20,
        "a fault set once fires once: {}",
        next.body
    );
    (visit, page, next)
}

#[tokio::test]
async fn every_refusal_has_the_platforms_status_and_code() {
    for (kind, status, code) in [
        (FaultKind::ClientOutdated, 400, Some(336)),
        (FaultKind::SessionLocked, 200, Some(326)),
        (FaultKind::NotAuthorized, 200, Some(37)),
        (FaultKind::Unauthorized, 401, Some(32)),
        (FaultKind::CsrfMismatch, 403, Some(353)),
        (FaultKind::SoftBan, 429, Some(88)),
        (FaultKind::LoadShed, 200, None),
    ] {
        let (visit, page, _) = pages(kind.clone()).await;
        assert_eq!(page.status, status, "{kind}");
        let error = &page.json()["errors"][0];
        assert_eq!(error["code"].as_i64(), code, "{kind}");
        assert!(error["message"].is_string());
        let record = &visit.bench.world.requests(1, 1)[0];
        assert_eq!(record.fault.as_deref(), Some(kind.to_string().as_str()));
        assert!(record.rows.is_empty());
    }
}

#[tokio::test]
async fn what_has_no_code_is_told_apart_by_its_body() {
    let (_, bare, _) = pages(FaultKind::Forbidden).await;
    assert_eq!((bare.status.as_u16(), bare.json()), (403, json!({})));
    let (_, stale, _) = pages(FaultKind::StaleQueryId).await;
    assert_eq!((stale.status.as_u16(), stale.body.as_str()), (404, ""));
    let (_, blocked, _) = pages(FaultKind::BlockedHtml).await;
    assert_eq!(blocked.status, 403);
    assert!(blocked.header("cf-ray").is_some() && blocked.body.contains("<html"));
    let (_, shed, _) = pages(FaultKind::LoadShed).await;
    assert!(
        shed.json()["errors"][0]["message"]
            .as_str()
            .unwrap()
            .starts_with("LoadShed")
    );
    let (_, locked, _) = pages(FaultKind::SessionLocked).await;
    let bounce = &locked.json()["errors"][0]["bounce"]["bounce_location"];
    assert_eq!(bounce, "https://twitter.com/account/access");
    let (_, closed, _) = pages(FaultKind::NotAuthorized).await;
    assert_eq!(closed.json()["data"]["user"]["result"]["timeline"], json!({}));
}

#[tokio::test]
async fn a_ban_shows_room_where_a_used_up_window_shows_none() {
    let (_, banned, next) = pages(FaultKind::SoftBan).await;
    assert_eq!(banned.number("x-rate-limit-remaining"), 49);
    assert_eq!(next.number("x-rate-limit-remaining"), 48, "it was not counted");
    let reset = ResetHeader::Late(60);
    let (_, limited, next) = pages(FaultKind::RateLimited { reset }).await;
    assert_eq!(
        (limited.status.as_u16(), limited.number("x-rate-limit-remaining")),
        (429, 0)
    );
    assert_eq!(
        limited.number("x-rate-limit-reset"),
        next.number("x-rate-limit-reset") + 60
    );
    assert_eq!(next.number("x-rate-limit-remaining"), 48);
}

#[tokio::test]
async fn a_session_that_ends_in_mid_list_is_over() {
    let visit = Visit::new(json!({}), 400);
    let cursor = read(&visit.list(None).await).bottom;
    visit.set(FaultKind::LoggedOut);
    for _ in 0..2 {
        assert_eq!(visit.list(cursor.as_deref()).await.status, 401);
    }
    assert!(!visit.bench.world.web_sessions()[0].live);
    assert_eq!(visit.open("/nasa/followers").await.status, 302);
}

async fn walked(kind: FaultKind) -> (Visit, Vec<Page>) {
    let visit = Visit::new(json!({}), 300);
    let spec = FaultSpec {
        trigger: Trigger::After(1),
        times: 3,
        endpoint: Some(Endpoint::WebFollowers),
        ..FaultSpec::once(kind)
    };
    visit.bench.world.set_fault(spec).unwrap();
    let pages = visit.walk(None).await;
    assert_eq!(visit.bench.world.faults()[0].fired, 3);
    (visit, pages)
}

#[tokio::test]
async fn odd_pages_lose_nobody() {
    for kind in [
        FaultKind::ShortPage,
        FaultKind::EmptyPage,
        FaultKind::RepeatedCursor,
        FaultKind::DuplicatedRow,
        FaultKind::PartialErrors,
    ] {
        let (visit, pages) = walked(kind.clone()).await;
        let seen: BTreeSet<String> = pages.iter().flat_map(|page| page.ids.clone()).collect();
        let world = &visit.bench.world;
        let truth = world.truth(Platform::X, WHO, world.now(), world.now()).unwrap();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), sorted(truth), "{kind}");
        let moves: Vec<i64> = pages
            .iter()
            .filter_map(|page| page.bottom.as_deref().map(position))
            .collect();
        let stays = moves.windows(2).filter(|two| two[0] == two[1]).count();
        assert_eq!(
            stays,
            if kind == FaultKind::RepeatedCursor { 3 } else { 0 },
            "{kind}"
        );
        let empty = pages.iter().filter(|page| page.ids.is_empty()).count();
        assert_eq!(empty, if kind == FaultKind::EmptyPage { 3 } else { 0 }, "{kind}");
    }
}

#[tokio::test]
async fn rows_that_are_broken_twice_there_or_told_with_errors_say_so() {
    let (visit, broken, next) = pages(FaultKind::MalformedRow).await;
    assert_eq!(read(&broken).unavailable, 1);
    assert_eq!(read(&broken).ids, read(&next).ids);
    assert!(
        !visit.bench.world.requests(1, 1)[0]
            .rows
            .contains(&"1234567890".to_owned())
    );
    let (_, twice, next) = pages(FaultKind::DuplicatedRow).await;
    let (twice, next) = (read(&twice).ids, read(&next).ids);
    assert_eq!((twice.len(), twice.first()), (21, twice.last()));
    assert_eq!(twice[..20], next);
    let (_, partial, next) = pages(FaultKind::PartialErrors).await;
    assert!(partial.json()["errors"].is_array() && next.json().get("errors").is_none());
    let (_, cut, _) = pages(FaultKind::MissingCursor).await;
    assert_eq!(read(&cut).bottom, None);
    let (_, refused, _) = pages(FaultKind::ExpiredCursor).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn an_answer_of_another_build_has_the_same_rows_elsewhere() {
    let (_, odd, next) = pages(FaultKind::UnknownShape).await;
    let body = odd.json();
    assert!(body["data"].get("user").is_none());
    let page = &body["data"]["relationship_timeline"]["page"];
    let keys: Vec<Value> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["account"]["key"].clone())
        .collect();
    assert_eq!(Value::from(keys), json!(read(&next).ids));
    let after = page["after"].as_str().unwrap();
    assert_eq!(position(after), position(&read(&next).bottom.unwrap()));
}

#[tokio::test]
async fn an_answer_can_bring_the_renderer_down() {
    let (_, last, next) = pages(FaultKind::RendererCrash).await;
    assert_eq!(last.header("x-simulator-page"), Some("crashes"));
    assert_eq!(next.header("x-simulator-page"), None);
    assert_eq!(read(&last).ids, read(&next).ids, "it was served all the same");
}

#[tokio::test]
async fn faults_of_the_web_client_happen_nowhere_else() {
    let visit = Visit::new(json!({}), 3);
    let world = &visit.bench.world;
    for (kind, platform, endpoint) in [
        (FaultKind::Challenge, Some(Platform::Bluesky), None),
        (FaultKind::Challenge, None, Some(Endpoint::Followers)),
        (FaultKind::SoftBan, None, Some(Endpoint::WebPage)),
        (FaultKind::CreditsDepleted, None, Some(Endpoint::WebFollowers)),
        (
            FaultKind::ShortPage,
            Some(Platform::Gitea),
            Some(Endpoint::WebFollowers),
        ),
    ] {
        let spec = FaultSpec {
            platform,
            endpoint,
            ..FaultSpec::once(kind.clone())
        };
        assert!(world.set_fault(spec).is_err(), "{kind}");
    }
    visit.set(FaultKind::UnknownShape);
    assert_eq!(visit.bench.x_page(&visit.id, "").await.status, 200);
    assert_eq!(world.faults()[0].fired, 0);
}
