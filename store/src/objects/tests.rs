mod answers;
mod full;
mod s3;

use std::io;

use followlytics_core::health::Cause;
use futures::FutureExt as _;

use super::{contract, *};
use crate::health::Symptom as _;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn files_keep_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    contract::holds(&Objects::files(&folder.path().join("objects")).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_the_contract() {
    contract::holds(&Objects::memory()).await;
}

/// What the seeded simulation rests on: no thread, no waker, no chance.
#[test]
fn the_memory_store_answers_at_the_first_poll() {
    let objects = Objects::memory();
    assert_eq!(
        objects.create("a/b", "x").now_or_never().unwrap().unwrap(),
        Created::New
    );
    assert_eq!(
        objects.create("a/b", "x").now_or_never().unwrap().unwrap(),
        Created::Existed
    );
    assert_eq!(objects.get("a/b").now_or_never().unwrap().unwrap(), "x");
    assert_eq!(objects.list("a/").now_or_never().unwrap().unwrap(), ["a/b"]);
    assert_eq!(objects.size("a/b").now_or_never().unwrap().unwrap(), 1);
    let range = objects.read_range("a/b", 0..9).now_or_never();
    assert_eq!(range.unwrap().unwrap(), "x");
    objects.delete("a/b").now_or_never().unwrap().unwrap();
    objects.create("a/c", "x").now_or_never().unwrap().unwrap();
    assert_eq!(objects.delete_all("a/").now_or_never().unwrap().unwrap(), 1);
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_no_object() {
    let folder = tempfile::tempdir().unwrap();
    let objects = Objects::files(folder.path()).unwrap();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    // A writer that died while writing, and one that died between naming the file and dropping the staging name.
    std::fs::write(folder.path().join("a/torn#1"), "tor").unwrap();
    std::fs::write(folder.path().join("a/named"), "whole").unwrap();
    std::fs::write(folder.path().join("a/named#1"), "whole").unwrap();
    assert_eq!(objects.list("a/").await.unwrap(), ["a/named"]);
    assert!(matches!(
        objects.get("a/torn").await,
        Err(ObjectsError::NotFound { .. })
    ));
    assert_eq!(
        objects.create("a/torn", "torn no more").await.unwrap(),
        Created::New
    );
    assert_eq!(objects.get("a/torn").await.unwrap(), "torn no more");
    assert_eq!(
        objects.create("a/named", "whole").await.unwrap(),
        Created::Existed
    );
}

#[tokio::test]
async fn objects_outlive_the_program() {
    let folder = tempfile::tempdir().unwrap();
    Objects::files(folder.path())
        .unwrap()
        .create("a/b", "x")
        .await
        .unwrap();
    assert_eq!(
        Objects::files(folder.path()).unwrap().get("a/b").await.unwrap(),
        "x"
    );
}

#[test]
fn a_full_disk_says_how_much_is_left_and_what_to_do() {
    let full = |kind: io::ErrorKind| object_store::Error::Generic {
        store: "LocalFileSystem",
        source: Box::new(io::Error::from(kind)),
    };
    let folder = tempfile::tempdir().unwrap();
    let files = Place::Files {
        root: folder.path().to_owned(),
        system: LocalFileSystem::new(),
    };
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        let error = ObjectsError::new("pages/a", full(kind), &files);
        let text = error.to_string();
        assert!(
            text.contains("pages/a") && text.contains("B left)") && text.contains("free some space"),
            "{text}"
        );
        assert!(error.is_transient());
        assert_eq!(error.cause(), Some(Cause::NoSpace));
    }
    let denied = ObjectsError::new("pages/a", full(io::ErrorKind::PermissionDenied), &Place::Memory);
    assert!(matches!(denied, ObjectsError::Denied { .. }));
    let other = ObjectsError::new("pages/a", full(io::ErrorKind::ConnectionReset), &Place::Memory);
    assert!(matches!(other, ObjectsError::Unavailable { .. }) && other.is_transient());
}

#[test]
fn a_place_that_is_no_directory_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let Err(error) = Objects::files(&file) else {
        panic!("a file was opened as a directory")
    };
    assert!(
        error
            .to_string()
            .contains("name a directory that you may write to"),
        "{error}"
    );
}
