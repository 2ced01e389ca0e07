//! X's web client: its documents, their script, the way to the login.

use followlytics_simulator::{FaultKind, FaultSpec, Platform};
use serde_json::{Value, json};

use crate::{
    bench::{Bench, Reply},
    web_visit::{Visit, WHO, session},
};

fn boot(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    let (_, rest) = reply
        .body
        .split_once("<script type=\"application/json\" id=\"boot\">")
        .unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[tokio::test]
async fn a_document_tells_its_script_whose_list_and_how_to_ask() {
    let visit = Visit::new(json!({"count": 50, "language": "de"}), 10);
    let document = visit.open("/nasa/followers").await;
    let boot = boot(&document);
    assert_eq!(
        (&boot["view"], &boot["handle"]),
        (&json!("followers"), &json!(WHO))
    );
    assert_eq!((&boot["viewer"], &boot["count"]), (&json!("reader"), &json!(50)));
    assert_eq!(boot["queries"]["Followers"], visit.web().query_id);
    assert_eq!(boot["mood"], "calm");
    assert!(boot["features"].as_object().unwrap().len() > 30);
    assert!(document.body.contains("<html dir=\"ltr\" lang=\"de\">"));
    assert!(!document.body.contains(&visit.session.auth_token));
    let reader = visit.bench.world.account(Platform::X, "reader").unwrap();
    assert_eq!(
        document.header("set-cookie"),
        Some(format!("twid=u%3D{}; Path=/", reader.id).as_str())
    );
    for (path, view) in [("/home", "home"), ("/nasa", "profile")] {
        assert_eq!(self::boot(&visit.open(path).await)["view"], view);
    }
    let totals = visit.bench.world.totals();
    assert_eq!(totals.by_endpoint["x.webPage"][&200], 3);
}

#[tokio::test]
async fn every_file_of_the_script_is_there_and_leads_nowhere_else() {
    let visit = Visit::new(json!({}), 1);
    let document = visit.open("/nasa/followers").await;
    let policy = document.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("connect-src 'self'"));
    let mut open = vec!["main.js".to_owned()];
    let mut seen = Vec::new();
    while let Some(file) = open.pop() {
        let path = format!("/responsive-web/client-web/{file}");
        let script = visit.bench.get(&path).await;
        assert_eq!(script.status, 200, "{path}");
        assert!(
            script
                .header("content-type")
                .unwrap()
                .starts_with("text/javascript")
        );
        assert!(!script.body.contains("https://"), "{path}");
        seen.push(file);
        for line in script.body.lines().filter(|line| line.starts_with("import ")) {
            let name = line.split("'./").nth(1).unwrap().trim_end_matches("';");
            if !seen.iter().chain(&open).any(|known| known == name) {
                open.push(name.to_owned());
            }
        }
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert_eq!(
        visit
            .bench
            .get("/responsive-web/client-web/other.js")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn without_a_live_session_every_document_leads_to_the_login() {
    let visit = Visit::new(json!({}), 10);
    let to_login = |reply: &Reply| {
        assert_eq!(reply.status, 302);
        reply.header("location").map(str::to_owned)
    };
    let login = "/i/flow/login?redirect_after_login=%2Fnasa%2Ffollowers";
    let expected = Some(login.to_owned());
    assert_eq!(to_login(&visit.bench.get("/nasa/followers").await), expected);
    let half = Visit {
        session: followlytics_simulator::WebSessionSpec {
            ct0: "other".to_owned(),
            ..visit.session.clone()
        },
        ..visit
    };
    assert_eq!(to_login(&half.open("/nasa/followers").await), expected);
    half.bench.world.sign_out_web("reader");
    let over = Visit {
        session: session("a1b2c3", "reader"),
        ..half
    };
    assert_eq!(to_login(&over.open("/nasa/followers").await), expected);
    let login = over.bench.get(login).await;
    assert_eq!(login.status, 200);
    assert!(login.body.contains("autocomplete=\"username\""));
}

#[tokio::test]
async fn other_paths_are_nothing_and_the_whole_client_can_be_off() {
    let visit = Visit::new(json!({}), 1);
    for path in [
        "/favicon.ico",
        "/not-a-handle/followers",
        "/a_handle_much_too_long",
    ] {
        assert_eq!(visit.open(path).await.status, 404, "{path}");
    }
    assert_eq!(visit.bench.world.totals().requests, 0);
    let off = Bench::new(r#"{"x":{"web":{"enabled":false}}}"#);
    for path in ["/nasa/followers", "/home", "/i/flow/login"] {
        assert_eq!(off.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_fault_of_the_page_is_a_mood_of_its_script() {
    let visit = Visit::new(json!({}), 10);
    for (kind, mood) in [
        (FaultKind::SelectorsGone, "bare"),
        (FaultKind::PageStalls, "stalls"),
        (FaultKind::MemoryLeak, "leaks"),
        (FaultKind::RendererCrash, "crashes"),
    ] {
        let endpoint = Some(followlytics_simulator::Endpoint::WebPage);
        let spec = FaultSpec {
            endpoint,
            ..FaultSpec::once(kind)
        };
        visit.bench.world.set_fault(spec).unwrap();
        assert_eq!(boot(&visit.open("/nasa/followers").await)["mood"], mood);
        assert_eq!(boot(&visit.open("/nasa/followers").await)["mood"], "calm");
    }
}

#[tokio::test]
async fn a_challenge_and_a_lost_session_lead_away() {
    let visit = Visit::new(json!({}), 10);
    visit.set(FaultKind::Challenge);
    let challenged = visit.open("/nasa/followers").await;
    assert_eq!(
        (challenged.status.as_u16(), challenged.header("location")),
        (302, Some("/account/access"))
    );
    let access = visit.bench.get("/account/access").await;
    assert!(access.body.contains("verify you are human"));
    assert_eq!(visit.open("/nasa/followers").await.status, 200);
    visit.set(FaultKind::LoggedOut);
    assert_eq!(visit.open("/nasa/followers").await.status, 302);
    assert_eq!(visit.open("/nasa/followers").await.status, 302, "it stays over");
    assert_eq!(visit.list(None).await.status, 401);
}

#[tokio::test]
async fn the_wrong_accounts_page_is_the_viewers_own_or_another_one() {
    let visit = Visit::new(json!({}), 10);
    visit.set(FaultKind::WrongAccount);
    assert_eq!(boot(&visit.open("/nasa/followers").await)["handle"], "reader");
    visit.set(FaultKind::WrongAccount);
    assert_eq!(boot(&visit.open("/reader/followers").await)["handle"], WHO);
    assert_eq!(boot(&visit.open("/nasa/followers").await)["handle"], WHO);
}

#[tokio::test]
async fn walls_and_gateways_stand_before_documents_too() {
    let visit = Visit::new(json!({}), 10);
    visit.set(FaultKind::BlockedHtml);
    let blocked = visit.open("/nasa/followers").await;
    assert_eq!(blocked.status, 403);
    assert!(blocked.header("cf-ray").is_some());
    visit.set(FaultKind::BadGateway);
    assert_eq!(visit.open("/nasa/followers").await.status, 502);
}
