//! Tables: what `kubectl get` shows, in lists and in watches.

use crate::toolkit::{Oar, OarSpec, World, get, watch_lines};
use jiff::SignedDuration;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const BOATS: &str = "/apis/test.io/v1/namespaces/default/boats";

fn columns(table: &Value) -> Vec<&str> {
    let columns = table["columnDefinitions"].as_array().unwrap();
    columns.iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_is_shown_in_the_columns_of_its_definition() {
    let world = World::new();
    world.boat("a").await;
    world.advance(SignedDuration::from_secs(150));
    let (code, table) = get(&world, BOATS, TABLE).await;
    assert_eq!((code, table["kind"].as_str()), (200, Some("Table")));
    assert_eq!(columns(&table), ["Name", "Harbour", "Crew", "Age"]);
    let crew = &table["columnDefinitions"][2];
    assert_eq!((&crew["priority"], &crew["type"]), (&json!(1), &json!("integer")));
    assert_eq!(table["columnDefinitions"][0]["format"], "name");
    assert_eq!(table["rows"][0]["cells"], json!(["a", "Whitby", 2, "2m30s"]));
    let object = &table["rows"][0]["object"];
    assert_eq!(
        (&object["kind"], &object["apiVersion"]),
        (&json!("PartialObjectMetadata"), &json!("meta.k8s.io/v1"))
    );
    assert_eq!(object["spec"], Value::Null);
}

#[tokio::test]
async fn the_caller_says_what_a_row_carries_and_in_which_version() {
    let world = World::new();
    world.boat("a").await;
    let (_, table) = get(&world, &format!("{BOATS}?includeObject=Object"), TABLE).await;
    assert_eq!(table["rows"][0]["object"]["spec"]["harbour"], "Whitby");
    let (_, table) = get(&world, &format!("{BOATS}?includeObject=None"), TABLE).await;
    assert_eq!(table["rows"][0]["object"], Value::Null);
    let (code, refusal) = get(&world, &format!("{BOATS}?includeObject=All"), TABLE).await;
    assert_eq!(
        (code, refusal["message"].as_str()),
        (
            400,
            Some(
                "Unable to convert to Table as requested: includeObject: Invalid value: \"All\": must be 'Metadata', \
                 'Object', 'None', or empty"
            )
        )
    );
    let older = "application/json;as=Table;v=v1beta1;g=meta.k8s.io";
    let (_, table) = get(&world, &format!("{BOATS}/a"), older).await;
    assert_eq!(table["apiVersion"], "meta.k8s.io/v1beta1");
    assert_eq!(table["rows"][0]["object"]["apiVersion"], "meta.k8s.io/v1beta1");
}

#[tokio::test]
async fn a_kind_without_columns_shows_its_age() {
    let world = World::new();
    let oar = Oar::new("o", OarSpec::default());
    world.oars().create(&PostParams::default(), &oar).await.unwrap();
    let (_, table) = get(&world, "/apis/test.io/v1/namespaces/default/oars", TABLE).await;
    assert_eq!(columns(&table), ["Name", "Age"]);
    assert_eq!(table["rows"][0]["cells"], json!(["o", "0s"]));
}

#[tokio::test(start_paused = true)]
async fn only_the_first_table_of_a_watch_describes_its_columns() {
    let world = World::new();
    world.boat("a").await;
    world.boat("b").await;
    let uri = format!(
        "{BOATS}?watch=true&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true&\
         resourceVersionMatch=NotOlderThan"
    );
    let lines = watch_lines(&world, &uri, TABLE).await;
    let told: Vec<(&str, bool)> = lines
        .iter()
        .map(|line| {
            let table = &line["object"];
            assert_eq!(table["kind"], "Table");
            (
                line["type"].as_str().unwrap(),
                table["columnDefinitions"].is_array(),
            )
        })
        .collect();
    assert_eq!(told, [("ADDED", true), ("ADDED", false), ("BOOKMARK", false)]);
    assert_eq!(lines[1]["object"]["rows"][0]["cells"][0], "b");
    let mark = &lines[2]["object"]["rows"][0];
    assert_eq!(mark["cells"], json!(["", null, null, null]));
    assert_eq!(
        mark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
}

#[tokio::test]
async fn namespaces_and_events_have_the_columns_people_know() {
    let world = World::new();
    world.boats().list(&ListParams::default()).await.unwrap();
    world.advance(SignedDuration::from_hours(3));
    let (_, table) = get(&world, "/api/v1/namespaces", TABLE).await;
    assert_eq!(columns(&table), ["Name", "Status", "Age"]);
    assert_eq!(table["rows"][0]["cells"], json!(["default", "Active", "3h"]));

    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "reason": "Sunk", "type": "Warning",
        "message": " it sank ", "involvedObject": {"kind": "Boat", "name": "a", "namespace": "default"},
        "source": {"component": "sea", "host": "north"}, "count": 3,
        "firstTimestamp": "2027-01-15T08:00:00Z", "lastTimestamp": "2027-01-15T10:59:00Z",
    });
    let events = "/api/v1/namespaces/default/events";
    let (code, made) =
        crate::toolkit::request(&world, "POST", events, "application/json", &event.to_string()).await;
    assert_eq!((code, &made["eventTime"]), (201, &Value::Null));
    let (_, table) = get(&world, events, TABLE).await;
    assert_eq!(
        table["rows"][0]["cells"],
        json!([
            "60s",
            "Warning",
            "Sunk",
            "boat/a",
            "",
            "sea, north",
            "it sank",
            "3h",
            3,
            "e"
        ])
    );
    assert_eq!(table["columnDefinitions"][4]["priority"], 1);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "it measures real time")]
async fn ten_thousand_rows_take_well_under_a_second() {
    let world = World::new();
    for number in 0..10_000 {
        world.boat(&format!("b{number}")).await;
    }
    let start = std::time::Instant::now();
    let (_, table) = get(&world, BOATS, TABLE).await;
    let took = start.elapsed();
    println!("a table of 10,000: {took:?}");
    assert_eq!(table["rows"].as_array().unwrap().len(), 10_000);
    assert!(took < std::time::Duration::from_secs(1), "{took:?}");
}
