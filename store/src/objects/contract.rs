//! What every store of objects promises; each implementation runs all of it.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::{Created, Objects, ObjectsError};

/// Runs the whole suite. The store must be empty.
pub(super) async fn holds(objects: &Objects) {
    an_object_reads_back_as_it_was_written(objects).await;
    a_second_create_keeps_the_first_bytes(objects).await;
    of_concurrent_creates_one_wins_and_all_succeed(objects).await;
    keys_are_listed_in_order_and_by_folder(objects).await;
    what_is_not_there_is_named(objects).await;
    a_deleted_object_is_gone_and_may_come_back(objects).await;
    a_key_that_leaves_its_place_is_refused(objects).await;
}

async fn an_object_reads_back_as_it_was_written(objects: &Objects) {
    for (key, size) in [("read/empty", 0), ("read/small", 1), ("read/large", 3 << 20)] {
        let bytes: Vec<u8> = (0..size).map(|n: u32| (n % 251) as u8).collect();
        assert_eq!(objects.create(key, bytes.clone()).await.unwrap(), Created::New);
        assert_eq!(objects.get(key).await.unwrap(), bytes, "{key}");
    }
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
    assert!(objects.list("list/nothing/").await.unwrap().is_empty());
}

async fn what_is_not_there_is_named(objects: &Objects) {
    let error = objects.get("missing/key").await.unwrap_err();
    assert!(
        matches!(&error, ObjectsError::NotFound { key } if key == "missing/key"),
        "{error:?}"
    );
    assert!(!error.is_transient());
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

async fn a_key_that_leaves_its_place_is_refused(objects: &Objects) {
    for key in ["../outside", "a/../../outside", "a//b"] {
        let error = objects.create(key, "x").await.unwrap_err();
        assert!(matches!(error, ObjectsError::Key { .. }), "{key}: {error:?}");
    }
}
