//! On a real socket: pages arrive, lost responses close the connection.

use std::sync::Arc;

use followlytics_simulator::{AccountSpec, FaultKind, FaultSpec, Platform, serve};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::bench::Bench;

async fn listening() -> (
    Bench,
    std::net::SocketAddr,
    tokio::task::JoinHandle<std::io::Result<()>>,
) {
    let bench = Bench::new("{}");
    bench
        .world
        .create_account(AccountSpec::new(Platform::Gitea, "linus", 5))
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(Arc::clone(&bench.world), listener));
    (bench, address, server)
}

async fn exchange(stream: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_page_arrives_over_a_socket() {
    let (_bench, address, _server) = listening().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = exchange(&mut stream, "/api/v1/users/linus/followers").await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("x-total-count: 5\r\n"));
}

#[tokio::test]
async fn a_lost_response_is_a_closed_connection_without_a_byte() {
    let (bench, address, _server) = listening().await;
    bench
        .world
        .set_fault(FaultSpec::once(FaultKind::ResponseLost))
        .unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert_eq!(exchange(&mut stream, "/api/v1/users/linus/followers").await, "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert!(
        exchange(&mut stream, "/api/v1/users/linus/followers")
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert_eq!(bench.world.totals().lost, 1);
    assert_eq!(bench.world.requests(0, 1)[0].rows.len(), 5);
}

#[tokio::test]
async fn dropping_the_server_closes_what_is_open() {
    let (_bench, address, server) = listening().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /api/v1/users/linus HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut bytes = [0; 64];
    assert!(stream.read(&mut bytes).await.unwrap() > 0);
    server.abort();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
