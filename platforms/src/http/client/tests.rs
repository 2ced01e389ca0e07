use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, UnixListener},
};

use super::*;
use crate::http::send;

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

/// A server that gives one raw answer to one connection; returns its address and what it was sent.
async fn server(answer: &'static [u8]) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/path", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = vec![0; 4096];
        let length = stream.read(&mut read).await.unwrap();
        stream.write_all(answer).await.unwrap();
        String::from_utf8_lossy(&read[..length]).into_owned()
    });
    (url, served)
}

#[tokio::test]
async fn an_answer_comes_back_as_it_was_sent() {
    let (url, served) = server(b"HTTP/1.1 429 x\r\nx-told: 1\r\ncontent-length: 2\r\n\r\nhi").await;
    let answer = send(&client(Route::Internet).unwrap(), get(&url)).await.unwrap();
    assert_eq!(
        (
            answer.status().as_u16(),
            &answer.headers()["x-told"],
            &answer.body()[..]
        ),
        (429, &http::HeaderValue::from_static("1"), &b"hi"[..])
    );
    assert!(
        served
            .await
            .unwrap()
            .to_lowercase()
            .contains(&format!("user-agent: {USER_AGENT}"))
    );
}

#[tokio::test]
async fn redirects_are_answers() {
    let (url, _served) =
        server(b"HTTP/1.1 302 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
    let answer = send(&client(Route::Internet).unwrap(), get(&url)).await.unwrap();
    assert_eq!(answer.status(), 302);
}

#[tokio::test]
async fn a_request_that_was_not_sent_is_told_from_one_that_may_have_been_processed() {
    let http = client(Route::Internet).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(matches!(
        send(&http, get(&closed)).await,
        Err(HttpError::Connect(_))
    ));
    let (url, _served) = server(b"").await;
    assert!(matches!(send(&http, get(&url)).await, Err(HttpError::Broken(_))));
    let (url, _served) = server(b"HTTP/1.1 200 x\r\ncontent-length: 10\r\n\r\nhalf").await;
    assert!(matches!(send(&http, get(&url)).await, Err(HttpError::Broken(_))));
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let (url, _served) = server(b"HTTP/1.1 200 x\r\ncontent-length: 99999999999\r\n\r\n").await;
    let answer = send(&client(Route::Internet).unwrap(), get(&url)).await;
    assert_eq!(answer.unwrap_err(), HttpError::TooLarge);
}

#[tokio::test]
async fn a_socket_answers_for_any_host() {
    let folder = std::env::temp_dir().join(format!("followlytics-socket-{}", std::process::id()));
    let _ = std::fs::remove_file(&folder);
    let listener = UnixListener::bind(&folder).unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = [0; 1024];
        assert!(stream.read(&mut read).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 204 x\r\n\r\n").await.unwrap();
    });
    let answer = send(
        &client(Route::Socket(folder.clone())).unwrap(),
        get("http://broker/x"),
    )
    .await
    .unwrap();
    assert_eq!(answer.status(), 204);
    served.await.unwrap();
    std::fs::remove_file(folder).unwrap();
}

#[test]
fn this_machines_own_addresses_need_no_proxy() {
    let is_local = |url: &str| is_loopback(&url.parse().unwrap());
    assert!(
        is_local("http://127.0.0.1:8080/x") && is_local("http://localhost/") && is_local("http://[::1]:80/")
    );
    assert!(!is_local("http://10.0.0.1/") && !is_local("http://localhost.example.org/"));
}
