//! A platform that gives prepared answers, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use followlytics_core::platform::Auth;
use http::{Request, Response};
use jiff::Timestamp;
use tower::{service_fn, util::BoxCloneSyncService};

use crate::{answer::Answer, connector::Context, http::HttpService};

/// The requests it was asked.
pub(crate) type Asked = Arc<Mutex<Vec<Request<Bytes>>>>;

pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

pub(crate) fn answer(status: u16, body: &str) -> Answer {
    Answer::read(
        response(status, &[], body),
        &["x-rate-limit"],
        Timestamp::UNIX_EPOCH,
    )
}

pub(crate) fn platform(status: u16, headers: &[(&str, &str)], body: &str) -> (HttpService, Asked) {
    answers([response(status, headers, body)])
}

/// A platform that gives these answers in turn, and the last one again and again.
pub(crate) fn answers<const N: usize>(answers: [Response<Bytes>; N]) -> (HttpService, Asked) {
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    let service = service_fn(move |request| {
        let mut log = log.lock().unwrap();
        let answer = answers[log.len().min(N - 1)].clone();
        log.push(request);
        async move { Ok(answer) }
    });
    (BoxCloneSyncService::new(service), asked)
}

pub(crate) fn context(http: HttpService) -> Context {
    Context {
        http,
        base_url: "http://platform.test/".into(),
        auth: Auth::AppBearer,
        token: Some("secret".into()),
        now: Timestamp::UNIX_EPOCH,
        start_by: Timestamp::MAX,
    }
}

/// Path and query of the only request.
pub(crate) fn only(asked: &Asked) -> String {
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 1, "exactly one request a call");
    asked[0].uri().path_and_query().unwrap().to_string()
}
