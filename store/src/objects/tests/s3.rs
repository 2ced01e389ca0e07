//! A real S3 server: the contract, and everything that goes wrong with one.

use std::time::Duration;

use followlytics_testbed::s3::S3;

use super::super::{Created, Objects, ObjectsError, Patience, S3Options, contract};

/// Short enough for a test, long enough for a busy machine.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(2),
    retry: Duration::from_secs(1),
    answer: Duration::from_secs(4),
    slowest: 4 << 20,
};

fn options(s3: &S3) -> S3Options {
    S3Options::from_variables(s3.variables())
}

/// The same variables, one of them changed.
fn with(s3: &S3, name: &str, value: &str) -> S3Options {
    let changed = s3.variables().into_iter().map(|(key, old)| {
        if key == name {
            (key, value.to_owned())
        } else {
            (key, old)
        }
    });
    S3Options::from_variables(changed)
}

fn under(s3: &S3, prefix: &str) -> Objects {
    Objects::s3(&format!("{}/{prefix}", s3.url()), &options(s3)).unwrap()
}

/// One sentence, with these parts, and no secret in it or in its causes.
fn says(error: &ObjectsError, s3: &S3, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert!(!text.contains('\n'), "{text}");
    let chain = format!("{error:?}");
    assert!(!chain.contains(s3.secret_key()) && !text.contains(s3.secret_key()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s3_keeps_the_contract() {
    let s3 = S3::shared().unwrap();
    contract::holds(&under(s3, "contract/of objects")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s3_keeps_the_contract_without_a_prefix() {
    let s3 = S3::start().unwrap();
    contract::holds(&Objects::s3(&s3.url(), &options(&s3)).unwrap()).await;
}

#[tokio::test]
async fn a_bucket_that_works_passes_the_check_and_is_left_empty() {
    let s3 = S3::shared().unwrap();
    let objects = under(s3, "checked");
    objects.check("one").await.unwrap();
    objects.check("two").await.unwrap();
    assert!(objects.list("").await.unwrap().is_empty());
    let expected = format!("s3://followlytics/checked at {}", s3.endpoint());
    assert_eq!(objects.describe(), expected);
}

#[tokio::test]
async fn prefixes_do_not_see_each_other() {
    let s3 = S3::shared().unwrap();
    let (one, other) = (under(s3, "apart/one/"), under(s3, "apart/other"));
    one.create("pages/a", "x").await.unwrap();
    assert!(other.list("pages/").await.unwrap().is_empty());
    assert!(matches!(
        other.get("pages/a").await,
        Err(ObjectsError::NotFound { .. })
    ));
    assert_eq!(other.create("pages/a", "y").await.unwrap(), Created::New);
    assert_eq!(other.delete_all("pages/").await.unwrap(), 1);
    assert_eq!(one.get("pages/a").await.unwrap(), "x");
}

#[tokio::test]
async fn a_wrong_key_is_denied_and_no_secret_is_told() {
    let s3 = S3::shared().unwrap();
    for (name, value, code) in [
        ("AWS_SECRET_ACCESS_KEY", "wrong-secret", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "nobody", "XAdminUserNotFound"),
    ] {
        let options = with(s3, name, value);
        let shown = format!("{options:?}");
        assert!(shown.contains(name) && !shown.contains(value), "{shown}");
        let error = Objects::s3(&s3.url(), &options)
            .unwrap()
            .check("x")
            .await
            .unwrap_err();
        assert!(matches!(error, ObjectsError::Denied { .. }), "{error:?}");
        assert!(error.is_transient() && !error.to_string().contains(value));
        says(
            &error,
            s3,
            &[
                code,
                "check AWS_ACCESS_KEY_ID",
                "s3://followlytics at http://127.0.0.1:",
            ],
        );
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named() {
    let s3 = S3::shared().unwrap();
    let objects = Objects::s3("s3://nobodys-bucket/a", &options(s3)).unwrap();
    let error = objects.check("x").await.unwrap_err();
    assert!(matches!(error, ObjectsError::NoBucket { .. }), "{error:?}");
    says(
        &error,
        s3,
        &["there is no bucket s3://nobodys-bucket/a", "create it"],
    );
    let error = objects.get("pages/a").await.unwrap_err();
    assert!(
        matches!(error, ObjectsError::NoBucket { .. }),
        "not a lost object: {error:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_down_is_told_in_time_and_met_again() {
    let mut s3 = S3::start().unwrap();
    let objects = Objects::s3(&s3.url(), &options(&s3).with_patience(PATIENCE)).unwrap();
    objects.create("pages/a", "before").await.unwrap();
    s3.kill();
    let ended = tokio::time::timeout(Duration::from_secs(20), objects.create("pages/b", "x"));
    let error = ended.await.unwrap().unwrap_err();
    assert!(matches!(error, ObjectsError::Unavailable { .. }), "{error:?}");
    assert!(error.is_transient());
    says(
        &error,
        &s3,
        &[
            "s3://followlytics at http://",
            "AWS_ENDPOINT_URL",
            "goes on by itself",
        ],
    );
    s3.restart().unwrap();
    assert_eq!(objects.create("pages/b", "x").await.unwrap(), Created::New);
    assert_eq!(objects.get("pages/a").await.unwrap(), "before");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_on_and_what_it_wrote_is_found() {
    let s3 = S3::start().unwrap();
    let objects = Objects::s3(&s3.url(), &options(&s3).with_patience(PATIENCE)).unwrap();
    objects.create("pages/a", "before").await.unwrap();
    s3.pause().unwrap();
    let (create, get, range, size, list, delete) = tokio::join!(
        objects.create("pages/b", "x"),
        objects.get("pages/a"),
        objects.read_range("pages/a", 0..1),
        objects.size("pages/a"),
        objects.list("pages/"),
        objects.delete("pages/c"),
    );
    for error in [
        create.unwrap_err(),
        get.unwrap_err(),
        range.unwrap_err(),
        size.unwrap_err(),
        list.unwrap_err(),
        delete.unwrap_err(),
        objects.delete_all("other/").await.unwrap_err(),
    ] {
        assert!(matches!(error, ObjectsError::Unavailable { .. }), "{error:?}");
    }
    s3.resume().unwrap();
    // The request that nobody waited for may have been carried out.
    objects.create("pages/b", "x").await.unwrap();
    assert_eq!(objects.get("pages/b").await.unwrap(), "x");
}

#[tokio::test]
async fn a_full_bucket_is_told_and_goes_on_once_there_is_room() {
    let s3 = S3::start_small(4).unwrap();
    let objects = Objects::s3(&s3.url(), &options(&s3)).unwrap();
    let page = vec![7_u8; 1 << 20];
    let mut written = 0;
    let error = loop {
        match objects.create(&format!("pages/{written}"), page.clone()).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 10, "4 MiB hold more than 10 MiB");
    };
    assert!(matches!(error, ObjectsError::Full { .. }), "{error:?}");
    assert!(error.is_transient());
    says(
        &error,
        &s3,
        &[
            "s3://followlytics at",
            "is full",
            "free some space",
            "nothing was lost",
        ],
    );
    assert_eq!(objects.list("pages/").await.unwrap().len(), written);
    s3.resize(16).unwrap();
    let key = format!("pages/{written}");
    assert_eq!(objects.create(&key, page.clone()).await.unwrap(), Created::New);
    assert_eq!(objects.get(&key).await.unwrap(), page);
}

#[test]
fn an_address_that_cannot_be_used_says_what_to_write_instead() {
    let refused = |url: &str, variables: &[(&str, &str)]| {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        match Objects::s3(url, &S3Options::from_variables(variables)) {
            Ok(objects) => panic!("{url} was taken: {}", objects.describe()),
            Err(error) => error.to_string(),
        }
    };
    let keys = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "hidden-word"),
    ];
    for (url, part) in [
        ("http://bucket", "s3://"),
        ("s3://", "bucket's name"),
        ("s3://UPPER", "bucket's name"),
        ("s3://buck et", "bucket's name"),
        ("s3://bucket/a/../b", "prefix"),
        ("s3://bucket/a//b", "prefix"),
    ] {
        let text = refused(url, &keys);
        assert!(text.contains(part) && text.contains(url), "{text}");
    }
    let text = refused("s3://id:hidden-word@bucket/a", &keys);
    assert!(
        text.contains("AWS_ACCESS_KEY_ID") && !text.contains("hidden-word"),
        "{text}"
    );
    for (name, value, part) in [
        ("AWS_ENDPOINT_URL", "http://s3.example.com", "AWS_ALLOW_HTTP=true"),
        ("AWS_ENDPOINT_URL", "s3.example.com:9000", "https://HOST:PORT"),
        (
            "AWS_ENDPOINT_URL",
            "https://id:hidden-word@s3.example.com",
            "holds credentials",
        ),
        (
            "AWS_ENDPOINT_URL_S3",
            "https://s3.example.com?key=hidden-word",
            "holds a query",
        ),
    ] {
        let text = refused("s3://bucket", &[keys[0], keys[1], (name, value)]);
        assert!(
            text.contains(part) && text.contains(name) && !text.contains("hidden-word"),
            "{text}"
        );
    }
    for half in [&keys[..1], &keys[1..]] {
        let text = refused("s3://bucket", half);
        assert!(
            text.contains("set both") && !text.contains("hidden-word"),
            "{text}"
        );
    }
    let text = refused(
        "s3://bucket",
        &[
            keys[0],
            keys[1],
            ("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "hidden-word"),
        ],
    );
    assert!(text.contains("AWS_") && !text.contains("hidden-word"), "{text}");
}
