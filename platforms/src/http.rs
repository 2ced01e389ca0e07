//! The one type of every outbound HTTP call: `reqwest` at the edge, a router in simulation.
//!
//! Its error says what became of the request, for that decides whether money may have been spent.

mod client;

use std::fmt::Display;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use tower::{Service, ServiceExt as _, service_fn, util::BoxCloneSyncService};

pub use self::client::{CONNECT_TIMEOUT, ClientError, REQUEST_TIMEOUT, Route, USER_AGENT, client};

/// Every outbound HTTP call of Followlytics goes through one of these.
pub type HttpService = BoxCloneSyncService<Request<Bytes>, Response<Bytes>, HttpError>;

/// Largest answer read, in bytes.
pub const MAX_ANSWER: usize = 32 << 20;

/// A request without an answer, by what became of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No connection: the request was surely not sent.
    #[error("failed to connect: {0}")]
    Connect(String),
    /// No answer in time: the request may have been processed.
    #[error("failed to get an answer in time")]
    Timeout,
    /// The connection broke: the request may have been processed.
    #[error("failed to read an answer: {0}")]
    Broken(String),
    /// The answer is over [`MAX_ANSWER`]: the request was processed.
    #[error("failed to read the answer: it is over the limit of {} MiB", MAX_ANSWER >> 20)]
    TooLarge,
}

/// Sends one request. The future may be dropped at any time.
pub async fn send(service: &HttpService, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    service.clone().oneshot(request).await
}

/// Makes an [`HttpService`] of any server that lives in the same process, such as an `axum` router.
pub fn from_service<S, A, B>(service: S) -> HttpService
where
    S: Service<Request<A>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Display,
    S::Future: Send,
    A: From<Bytes> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| {
        let service = service.clone();
        async move {
            let answer = service.oneshot(request.map(A::from)).await;
            let (parts, body) = answer
                .map_err(|error| HttpError::Broken(error.to_string()))?
                .into_parts();
            let read = Limited::new(body, MAX_ANSWER).collect().await;
            let body = read.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
                Some(_) => HttpError::TooLarge,
                None => HttpError::Broken(error.to_string()),
            })?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        }
    }))
}
