//! What every store of objects promises; each implementation runs all of it.

use std::collections::BTreeSet;

use followlytics_core::{account::Platform, layout};
use futures::{StreamExt as _, TryStreamExt as _, future::join_all, stream};

use super::{Created, Objects, ObjectsError};

/// Runs the whole suite. The store must be empty.
pub(super) async fn holds(objects: &Objects) {
    an_object_reads_back_as_it_was_written(objects).await;
    a_range_is_read_as_far_as_the_object_goes(objects).await;
    a_second_create_keeps_the_first_bytes(objects).await;
    of_concurrent_creates_one_wins_and_all_succeed(objects).await;
    keys_are_listed_in_order_and_by_folder(objects).await;
    what_is_not_there_is_named(objects).await;
    a_deleted_object_is_gone_and_may_come_back(objects).await;
    a_folder_of_many_is_listed_and_deleted_to_its_end(objects).await;
    keys_of_the_layout_are_kept_as_they_are(objects).await;
    a_key_that_leaves_its_place_is_refused(objects).await;
}

async fn an_object_reads_back_as_it_was_written(objects: &Objects) {
    for (key, size) in [("read/empty", 0), ("read/small", 1), ("read/large", 80 << 20)] {
        let bytes: Vec<u8> = (0..size).map(|n: u32| (n % 251) as u8).collect();
        assert_eq!(objects.create(key, bytes.clone()).await.unwrap(), Created::New);
        assert_eq!(objects.get(key).await.unwrap(), bytes, "{key}");
        assert_eq!(objects.size(key).await.unwrap(), bytes.len() as u64, "{key}");
    }
}

async fn a_range_is_read_as_far_as_the_object_goes(objects: &Objects) {
    objects.create("range/key", "0123456789").await.unwrap();
    objects.create("range/empty", "").await.unwrap();
    for (range, expected) in [
        (0..10, "0123456789"),
        (0..1, "0"),
        (3..7, "3456"),
        (9..10, "9"),
        (7..100, "789"),
        (0..u64::from(u32::MAX), "0123456789"),
        // Behind the end, and nothing at all.
        (10..11, ""),
        (1000..2000, ""),
        (4..4, ""),
    ] {
        let read = objects.read_range("range/key", range.clone()).await.unwrap();
        assert_eq!(read, expected, "{range:?}");
    }
    assert_eq!(objects.read_range("range/empty", 0..5).await.unwrap(), "");
    let error = objects.read_range("range/missing", 0..1).await.unwrap_err();
    assert!(matches!(error, ObjectsError::NotFound { .. }), "{error:?}");
}

async fn a_second_create_keeps_the_first_bytes(objects: &Objects) {
    assert_eq!(objects.create("twice/key", "first").await.unwrap(), Created::New);
    assert_eq!(
        objects.create("twice/key", "second").await.unwrap(),
        Created::Existed
    );
    assert_eq!(objects.get("twice/key").await.unwrap(), "first");
}

async fn of_concurrent_creates_one_wins_and_all_succeed(objects: &Objects) {
    for round in 0..8 {
        let key = format!("race/{round}/key");
        let tasks = (0..64).map(|n| {
            let (objects, key) = (objects.clone(), key.clone());
            tokio::spawn(async move {
                let created = objects.create(&key, format!("writer {n}")).await.unwrap();
                // Whoever is answered can read the object, the winner's bytes and no others.
                (created, n, objects.get(&key).await.unwrap())
            })
        });
        let answers: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        let winners: Vec<_> = answers
            .iter()
            .filter(|(created, ..)| *created == Created::New)
            .collect();
        assert_eq!(winners.len(), 1, "{key}");
        let seen: BTreeSet<_> = answers.iter().map(|(.., bytes)| bytes.clone()).collect();
        assert_eq!(seen, BTreeSet::from([format!("writer {}", winners[0].1).into()]));
        assert_eq!(objects.list(&format!("race/{round}/")).await.unwrap(), [key]);
    }
}

async fn keys_are_listed_in_order_and_by_folder(objects: &Objects) {
    for key in ["list/10/b", "list/2/c", "list/10/a", "list/1/z", "list/100/a"] {
        objects.create(key, "x").await.unwrap();
    }
    assert_eq!(
        objects.list("list/").await.unwrap(),
        ["list/1/z", "list/10/a", "list/10/b", "list/100/a", "list/2/c"]
    );
    assert_eq!(
        objects.list("list/10/").await.unwrap(),
        ["list/10/a", "list/10/b"]
    );
    assert_eq!(
        objects.list("list/10").await.unwrap(),
        ["list/10/a", "list/10/b", "list/100/a"]
    );
    assert!(objects.list("list/nothing/").await.unwrap().is_empty());
}

async fn what_is_not_there_is_named(objects: &Objects) {
    let error = objects.get("missing/key").await.unwrap_err();
    assert!(
        matches!(&error, ObjectsError::NotFound { key } if key == "missing/key"),
        "{error:?}"
    );
    assert!(!error.is_transient());
    let error = objects.size("missing/key").await.unwrap_err();
    assert!(matches!(error, ObjectsError::NotFound { .. }), "{error:?}");
}

async fn a_deleted_object_is_gone_and_may_come_back(objects: &Objects) {
    objects.create("gone/key", "x").await.unwrap();
    objects.delete("gone/key").await.unwrap();
    objects.delete("gone/key").await.unwrap();
    assert!(matches!(
        objects.get("gone/key").await,
        Err(ObjectsError::NotFound { .. })
    ));
    assert!(objects.list("gone/").await.unwrap().is_empty());
    assert_eq!(objects.create("gone/key", "y").await.unwrap(), Created::New);
}

/// More than the 1,000 keys that S3 lists and deletes at once, in folders of both kinds.
async fn a_folder_of_many_is_listed_and_deleted_to_its_end(objects: &Objects) {
    let keys: BTreeSet<String> = (0..2_100).map(|n| format!("many/{:02}/{n:05}", n % 7)).collect();
    let made = stream::iter(keys.clone())
        .map(|key| async move { objects.create(&key, key.clone()).await })
        .buffer_unordered(32);
    made.try_for_each(async |_| Ok(())).await.unwrap();
    objects.create("many-others/a", "x").await.unwrap();
    assert_eq!(
        objects.list("many/").await.unwrap(),
        keys.iter().cloned().collect::<Vec<_>>()
    );
    let streamed: Vec<String> = objects.keys("many/").try_collect().await.unwrap();
    assert_eq!(streamed.len(), keys.len());
    assert_eq!(streamed.into_iter().collect::<BTreeSet<_>>(), keys);
    assert_eq!(objects.delete_all("many/").await.unwrap(), 2_100);
    assert_eq!(objects.delete_all("many/").await.unwrap(), 0);
    assert!(objects.list("many/").await.unwrap().is_empty());
    assert_eq!(objects.list("many-others/").await.unwrap(), ["many-others/a"]);
}

async fn keys_of_the_layout_are_kept_as_they_are(objects: &Objects) {
    let odd = layout::result_of_scan(
        "Tom & Jörg's \"t%20n\"/..",
        Platform::Gitea,
        "a+b=c?d#e*~^|",
        "uid 1",
    );
    let page = layout::page(
        "5f0c-uid",
        999_999,
        u64::from(u32::MAX),
        u32::MAX,
        &"ab".repeat(32),
    );
    for key in [layout::manifest(&odd, 7), layout::result_part(&odd, 7, 3), page] {
        assert_eq!(
            objects.create(&key, key.clone()).await.unwrap(),
            Created::New,
            "{key}"
        );
        assert_eq!(
            objects.create(&key, "other").await.unwrap(),
            Created::Existed,
            "{key}"
        );
        assert_eq!(objects.get(&key).await.unwrap(), key);
        let folder = &key[..=key.rfind('/').unwrap()];
        assert!(objects.list(folder).await.unwrap().contains(&key), "{key}");
        objects.delete(&key).await.unwrap();
    }
}

async fn a_key_that_leaves_its_place_is_refused(objects: &Objects) {
    for key in ["../outside", "a/../../outside", "a//b"] {
        let error = objects.create(key, "x").await.unwrap_err();
        assert!(matches!(error, ObjectsError::Key { .. }), "{key}: {error:?}");
    }
}
