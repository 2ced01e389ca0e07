use super::*;
use crate::db::Db;

fn object(name: &str, version: i64, labels: &str) -> StoredObject {
    StoredObject {
        resource: "scans.followlytics.io".into(),
        namespace: "default".into(),
        name: name.into(),
        uid: format!("uid-{name}"),
        version,
        labels: labels.into(),
        object: format!("{{\"v\":{version}}}"),
    }
}

#[tokio::test]
async fn versions_rise_by_one_and_survive_a_rollback() {
    let db = Db::memory().unwrap();
    let mut tx = db.begin().await.unwrap();
    assert_eq!(next_version(&mut tx).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    assert_eq!(next_version(&mut tx).await.unwrap(), 2);
    drop(tx);
    let mut tx = db.begin().await.unwrap();
    assert_eq!(current_version(&mut tx).await.unwrap(), 1);
}

#[tokio::test]
async fn a_taken_name_is_refused() {
    let db = Db::memory().unwrap();
    let mut tx = db.begin().await.unwrap();
    insert_object(&mut tx, &object("a", 1, "{}")).await.unwrap();
    let twin = StoredObject {
        uid: "other".into(),
        ..object("a", 2, "{}")
    };
    assert!(matches!(
        insert_object(&mut tx, &twin).await,
        Err(DbError::Exists(_))
    ));
}

#[tokio::test]
async fn dependents_are_found_by_owner_uid_until_they_are_released() {
    let db = Db::memory().unwrap();
    let mut tx = db.begin().await.unwrap();
    let child = object("child", 1, "{}");
    insert_object(&mut tx, &child).await.unwrap();
    replace_owners(&mut tx, &child.uid, &["owner".into(), "owner".into()])
        .await
        .unwrap();
    assert_eq!(dependents(&mut tx, "owner").await.unwrap(), vec![child.clone()]);
    replace_owners(&mut tx, &child.uid, &[]).await.unwrap();
    assert!(dependents(&mut tx, "owner").await.unwrap().is_empty());
}

#[tokio::test]
async fn only_a_change_of_labels_keeps_the_previous_object() {
    let db = Db::memory().unwrap();
    let mut tx = db.begin().await.unwrap();
    let (first, second) = (object("a", 1, "{}"), object("a", 2, "{\"k\":\"v\"}"));
    append_event(&mut tx, EventType::Added, &first, None)
        .await
        .unwrap();
    append_event(&mut tx, EventType::Modified, &second, Some(&first))
        .await
        .unwrap();
    append_event(
        &mut tx,
        EventType::Modified,
        &object("a", 3, "{\"k\":\"v\"}"),
        Some(&second),
    )
    .await
    .unwrap();
    let events = events_since(&mut tx, "scans.followlytics.io", Some("default"), 0, 10)
        .await
        .unwrap();
    let previous: Vec<bool> = events.iter().map(|event| event.previous.is_some()).collect();
    assert_eq!(previous, [false, true, false]);
    assert_eq!(events[1].previous, Some(("{}".into(), "{\"v\":1}".into())));
}

#[tokio::test]
async fn trimming_moves_the_horizon_only_of_what_lost_an_entry() {
    let db = Db::memory().unwrap();
    let mut tx = db.begin().await.unwrap();
    for version in 1..=3 {
        append_event(
            &mut tx,
            EventType::Added,
            &object(&format!("a{version}"), version, "{}"),
            None,
        )
        .await
        .unwrap();
    }
    trim_events(&mut tx, 2).await.unwrap();
    assert_eq!(horizon(&mut tx, "scans.followlytics.io").await.unwrap(), 2);
    assert_eq!(horizon(&mut tx, "agents.followlytics.io").await.unwrap(), 0);
    assert_eq!(
        events_since(&mut tx, "scans.followlytics.io", None, 0, 10)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn the_oldest_beyond_the_bound_are_listed_first() {
    let db = Db::memory().unwrap();
    let mut tx = db.begin().await.unwrap();
    for version in 1..=4 {
        insert_object(&mut tx, &object(&format!("a{version}"), version, "{}"))
            .await
            .unwrap();
    }
    let oldest = list_oldest(&mut tx, "scans.followlytics.io", 2).await.unwrap();
    assert_eq!(oldest.iter().map(|o| o.version).collect::<Vec<_>>(), [1, 2]);
    assert!(
        list_oldest(&mut tx, "scans.followlytics.io", 4)
            .await
            .unwrap()
            .is_empty()
    );
}
