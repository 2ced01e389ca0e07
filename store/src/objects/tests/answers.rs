//! Servers that answer as no server of the testbed does: by a script, on a port.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::stream::BoxStream;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::super::{Objects, ObjectsError, Patience, S3Options};

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(1),
    retry: Duration::from_secs(1),
    answer: Duration::from_secs(10),
    slowest: 1 << 20,
};

/// A server that gives every PUT this answer, and every other request the second one; counts the PUTs.
async fn server(put: &'static str, other: &'static str) -> (Objects, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let puts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&puts);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, put, other, Arc::clone(&counted)));
        }
    });
    let variables = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", &endpoint),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let options = S3Options::from_variables(variables).with_patience(PATIENCE);
    (Objects::s3("s3://bucket", &options).unwrap(), puts)
}

async fn answer(mut stream: TcpStream, put: &str, other: &str, puts: Arc<AtomicUsize>) {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    // Bodies are short in these tests, and the connection ends with the answer.
    while let Ok(1..) = stream
        .read(&mut buffer)
        .await
        .inspect(|n| read.extend_from_slice(&buffer[..*n]))
    {
        let text = String::from_utf8_lossy(&read).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            let is_put = head.starts_with("put ");
            puts.fetch_add(usize::from(is_put), Ordering::SeqCst);
            let (status, body) = (if is_put { put } else { other }).split_once('|').unwrap();
            let text = format!(
                "HTTP/1.1 {status} said\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(text.as_bytes()).await;
            return;
        }
    }
}

#[tokio::test]
async fn every_refusal_has_its_sentence_and_is_not_tried_again() {
    for (put, part, transient) in [
        ("507|", "is full", true),
        (
            "403|<Error><Code>QuotaExceeded</Code></Error>",
            "over its quota",
            true,
        ),
        (
            "403|<Error><Code>AccessDenied</Code></Error>",
            "access is denied (AccessDenied)",
            true,
        ),
        (
            "400|<Error><Code>ExpiredToken</Code></Error>",
            "AWS_SESSION_TOKEN",
            true,
        ),
        (
            "404|<Error><Code>NoSuchBucket</Code></Error>",
            "there is no bucket s3://bucket",
            true,
        ),
        (
            "301|<Error><Code>PermanentRedirect</Code></Error>",
            "set AWS_REGION",
            true,
        ),
        (
            "501|<Error><Code>NotImplemented</Code></Error>",
            "If-None-Match",
            false,
        ),
    ] {
        let (objects, puts) = server(put, "404|").await;
        let error = objects.create("pages/a", "x").await.unwrap_err();
        assert!(error.to_string().contains(part), "{put}: {error}");
        assert_eq!(error.is_transient(), transient, "{put}");
        assert_eq!(puts.load(Ordering::SeqCst), 1, "{put}");
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_not_for_ever() {
    let (objects, puts) = server("503|<Error><Code>SlowDown</Code></Error>", "404|").await;
    let error = objects.create("pages/a", "x").await.unwrap_err();
    assert!(matches!(error, ObjectsError::Unavailable { .. }), "{error:?}");
    let puts = puts.load(Ordering::SeqCst);
    assert!((2..=10).contains(&puts), "{puts}");
}

/// S3 answers 409 while another writer is at it, and that one may fail: then there is no object, and to say that it
/// exists would let a row name nothing.
#[tokio::test]
async fn a_writer_that_lost_against_nobody_does_not_say_that_the_object_exists() {
    let (objects, puts) = server(
        "409|<Error><Code>ConditionalRequestConflict</Code></Error>",
        "404|",
    )
    .await;
    let error = objects.create("pages/a", "x").await.unwrap_err();
    assert!(matches!(error, ObjectsError::Contended { .. }), "{error:?}");
    assert!(error.is_transient() && puts.load(Ordering::SeqCst) > 1);
}

#[tokio::test]
async fn a_store_that_overwrites_is_refused_before_any_work() {
    let error = Objects::new(Arc::new(Overwriting(InMemory::new())))
        .check("x")
        .await
        .unwrap_err();
    assert!(matches!(error, ObjectsError::Overwrites { .. }), "{error:?}");
    assert!(!error.is_transient());
    assert!(error.to_string().contains("If-None-Match"), "{error}");
    // One that says `exists` to everything holds nothing.
    let (objects, _) = server("412|", "404|").await;
    assert!(objects.check("x").await.is_err());
}

/// A store that takes every write, as servers do that ignore `If-None-Match`.
#[derive(Debug)]
struct Overwriting(InMemory);

impl std::fmt::Display for Overwriting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("overwriting")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Overwriting {
    async fn put_opts(&self, location: &Path, payload: PutPayload, _: PutOptions) -> Result<PutResult> {
        self.0.put_opts(location, payload, PutOptions::default()).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}
