use super::*;
use crate::{db::Scope, testing};

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
    let db = testing::database();
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
    let db = testing::database();
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
    let db = testing::database();
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
    let db = testing::database();
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
    let db = testing::database();
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
    let db = testing::database();
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

#[tokio::test]
async fn pages_follow_each_other_over_namespaces() {
    let db = testing::database();
    let mut tx = db.begin().await.unwrap();
    for (version, (namespace, name)) in (1..).zip([("a", "x"), ("a", "y"), ("b", "a"), ("b", "z")]) {
        let one = StoredObject {
            namespace: namespace.into(),
            uid: format!("{namespace}{name}"),
            ..object(name, version, "{}")
        };
        insert_object(&mut tx, &one).await.unwrap();
    }
    let key = "scans.followlytics.io";
    let names = |page: Vec<StoredObject>| {
        page.into_iter()
            .map(|o| o.namespace + &o.name)
            .collect::<Vec<_>>()
    };
    let all = list_page(&mut tx, key, None, ("a", "x"), 2).await.unwrap();
    assert_eq!(names(all), ["ay", "ba"]);
    let one = list_page(&mut tx, key, Some("b"), ("", ""), 9).await.unwrap();
    assert_eq!(names(one), ["ba", "bz"]);
    assert_eq!(count_after(&mut tx, key, None, ("a", "y")).await.unwrap(), 2);
    assert_eq!(count_after(&mut tx, key, Some("a"), ("a", "x")).await.unwrap(), 1);
}

#[tokio::test]
async fn the_log_knows_what_an_object_was() {
    let db = testing::database();
    let mut tx = db.begin().await.unwrap();
    let key = "scans.followlytics.io";
    for (version, event) in [
        (1, EventType::Added),
        (3, EventType::Modified),
        (5, EventType::Deleted),
    ] {
        append_event(&mut tx, event, &object("a", version, "{}"), None)
            .await
            .unwrap();
    }
    let was = last_change(&mut tx, key, "default", "a", 4)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((was.version, was.object.as_str()), (3, "{\"v\":3}"));
    assert!(
        last_change(&mut tx, key, "default", "a", 0)
            .await
            .unwrap()
            .is_none()
    );
    let since = changes_since(&mut tx, key, Some("default"), 1).await.unwrap();
    let types: Vec<&str> = since.iter().map(|(_, _, what)| what.as_str()).collect();
    assert_eq!(types, ["MODIFIED", "DELETED"]);
    assert_eq!(changes_since(&mut tx, key, None, 3).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_object_is_found_by_name_uid_and_place_until_it_is_deleted() {
    let db = testing::database();
    let mut tx = db.begin_within(Scope::Objects).await.unwrap();
    let (a, b) = (object("a", 1, "{}"), object("b", 2, "{}"));
    let other = StoredObject {
        namespace: "other".into(),
        uid: "uid-other".into(),
        ..object("a", 3, "{}")
    };
    for object in [&b, &other, &a] {
        insert_object(&mut tx, object).await.unwrap();
    }
    let changed = StoredObject {
        version: 4,
        object: "{}".into(),
        ..a.clone()
    };
    update_object(&mut tx, &changed).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.read().await.unwrap();
    let key = "scans.followlytics.io";
    let by_name = find_object(&mut tx, key, "default", "a").await.unwrap();
    assert_eq!(by_name.as_ref(), Some(&changed));
    assert_eq!(find_object_by_uid(&mut tx, "uid-a").await.unwrap(), by_name);
    let all = [changed.clone(), b.clone(), other.clone()];
    assert_eq!(list_objects(&mut tx, key, None).await.unwrap(), all);
    assert_eq!(
        list_objects(&mut tx, key, Some("default")).await.unwrap(),
        all[..2]
    );
    assert_eq!(
        list_namespace(&mut tx, "other").await.unwrap(),
        std::slice::from_ref(&other)
    );
    assert!(!is_namespace_empty(&mut tx, "other").await.unwrap());
    drop(tx);
    let mut tx = db.begin_within(Scope::Objects).await.unwrap();
    delete_object(&mut tx, &other).await.unwrap();
    assert!(is_namespace_empty(&mut tx, "other").await.unwrap());
    assert_eq!(find_object_by_uid(&mut tx, "uid-other").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn versions_of_many_connections_appear_in_the_order_of_their_commits() {
    let url = testing::postgres_url();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let db = crate::db::Db::prepared(&url);
        writers.spawn(async move {
            for number in 0..20 {
                let mut tx = db.begin_within(Scope::Objects).await.unwrap();
                let version = next_version(&mut tx).await.unwrap();
                tokio::task::yield_now().await;
                let object = object(&format!("{writer}-{number}"), version, "{}");
                append_event(&mut tx, EventType::Added, &object, None)
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
            }
        });
    }
    // Whoever reads meanwhile never sees a version behind which a smaller one turns up later.
    let db = crate::db::Db::prepared(&url);
    let mut seen = 0;
    while seen < 160 {
        let mut tx = db.read().await.unwrap();
        let events = events_since(&mut tx, "scans.followlytics.io", None, seen, 500)
            .await
            .unwrap();
        let versions: Vec<i64> = events.iter().map(|event| event.version).collect();
        let expected: Vec<i64> = (seen + 1..).take(versions.len()).collect();
        assert_eq!(versions, expected);
        seen = versions.last().copied().unwrap_or(seen);
    }
    writers.join_all().await;
}
