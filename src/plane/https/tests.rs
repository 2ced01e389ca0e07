//! Connections of every kind of stranger, against a server of one word.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, extract::Request};
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Shared, gate::Gate, serve};
use crate::{edge, plane::identity::Identity};

const TOKEN: &str = "Bearer secret";

/// A server that answers `hello` to whoever has the token.
struct Hello {
    address: SocketAddr,
    authority: String,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    _folder: TempDir,
}

impl Hello {
    async fn start(introduction: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.json");
        let identity = Identity::open(&path, Ipv4Addr::LOCALHOST.into(), edge::now()).unwrap();
        let authority = identity.authority().to_owned();
        let shared = Shared {
            identity,
            gate: Gate::new(SecretString::from("secret")),
            router: Router::new().fallback(|_: Request| async { "hello" }),
            introduction,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = watch::Sender::new(false);
        let task = tokio::spawn(serve(listener, Arc::new(shared), stop.subscribe()));
        Self {
            address,
            authority,
            stop,
            task,
            _folder: folder,
        }
    }

    async fn connect(&self, protocol: &str) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap()
    }
}

fn request(token: &str) -> http::Request<Body> {
    http::Request::get("https://127.0.0.1/api")
        .header("host", "127.0.0.1")
        .header("authorization", token)
        .body(Body::empty())
        .unwrap()
}

/// Status and body of two requests on one connection, the first without the token.
async fn ask(hello: &Hello, protocol: &str) -> [(StatusCode, String); 2] {
    let stream = TokioIo::new(hello.connect(protocol).await);
    let mut answers = Vec::new();
    if protocol == "h2" {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        for token in ["Bearer wrong", TOKEN] {
            answers.push(sender.send_request(request(token)).await.unwrap());
        }
    } else {
        let (mut sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        for token in ["Bearer wrong", TOKEN] {
            sender.ready().await.unwrap();
            answers.push(sender.send_request(request(token)).await.unwrap());
        }
    }
    let mut read = Vec::new();
    for answer in answers {
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        read.push((status, String::from_utf8(body.to_vec()).unwrap()));
    }
    read.try_into().unwrap()
}

#[tokio::test]
async fn both_protocols_ask_for_the_token_at_every_request() {
    let hello = Hello::start(Duration::from_secs(10)).await;
    for protocol in ["h2", "http/1.1"] {
        let [refused, answered] = ask(&hello, protocol).await;
        assert_eq!(refused.0, StatusCode::UNAUTHORIZED, "{protocol}");
        let status: serde_json::Value = serde_json::from_str(&refused.1).unwrap();
        assert_eq!(
            (&status["kind"], &status["reason"], &status["code"]),
            (&"Status".into(), &"Unauthorized".into(), &401.into())
        );
        assert_eq!(answered, (StatusCode::OK, "hello".to_owned()), "{protocol}");
    }
}

#[tokio::test]
async fn who_says_nothing_or_never_finishes_is_shown_out() {
    let hello = Hello::start(Duration::from_millis(150)).await;
    let mut bare = TcpStream::connect(hello.address).await.unwrap();
    let mut silent = hello.connect("h2").await;
    let mut slow = hello.connect("http/1.1").await;
    slow.write_all(b"GET /api HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ")
        .await
        .unwrap();
    let mut wrong = hello.connect("http/1.1").await;
    wrong
        .write_all(b"GET /api HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer wrong\r\n\r\n")
        .await
        .unwrap();
    let all = async {
        let mut bytes = Vec::new();
        // What ends a connection without a farewell is an error to TLS; that it ends is what counts.
        let _ = bare.read_to_end(&mut bytes).await;
        let _ = silent.read_to_end(&mut bytes).await;
        let _ = slow.read_to_end(&mut bytes).await;
        bytes.clear();
        let _ = wrong.read_to_end(&mut bytes).await;
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let last = tokio::time::timeout(Duration::from_secs(5), all).await.unwrap();
    assert!(last.starts_with("HTTP/1.1 401"), "{last}");
}

#[tokio::test]
async fn whoever_was_let_in_may_stay_until_the_end() {
    let hello = Hello::start(Duration::from_millis(100)).await;
    let stream = TokioIo::new(hello.connect("h2").await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    assert_eq!(
        sender.send_request(request(TOKEN)).await.unwrap().status(),
        StatusCode::OK
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        sender.send_request(request(TOKEN)).await.unwrap().status(),
        StatusCode::OK
    );
    hello.stop.send_replace(true);
    let ended = async {
        connection.await.unwrap().unwrap();
        hello.task.await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap();
}

#[tokio::test]
async fn a_head_without_end_is_not_kept_in_memory() {
    let hello = Hello::start(Duration::from_secs(10)).await;
    let mut stream = hello.connect("http/1.1").await;
    let head = format!("GET /api HTTP/1.1\r\nx-long: {}", "x".repeat(200_000));
    // It may hang up while this is still being written.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut bytes));
    let _ = read.await.unwrap();
    let answer = String::from_utf8_lossy(&bytes).into_owned();
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
}
