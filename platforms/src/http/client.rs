//! The edge: `reqwest` with limits on everything, no redirects, no retries of its own.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Uri};
use tower::{service_fn, util::BoxCloneSyncService};

use super::{HttpError, HttpService, MAX_ANSWER};

/// Longest wait for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest request, from its first byte to the last byte of the answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection without requests is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// What every request calls itself, unless it brings a name of its own.
pub const USER_AGENT: &str = concat!("followlytics/", env!("CARGO_PKG_VERSION"));

/// Which way requests leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To any server, through the proxy that the environment names, except to this machine's own addresses.
    Internet,
    /// Through this Unix socket, whatever the URL's host.
    Socket(PathBuf),
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("failed to set the HTTP client up")]
pub struct ClientError(#[source] reqwest::Error);

/// The clients behind one service.
struct Clients {
    /// For this machine's own addresses and for sockets: no proxy, no certificates needed.
    local: reqwest::Client,
    /// For everything else; made when first needed, for it reads the system's certificates.
    outside: Option<OnceLock<Result<reqwest::Client, String>>>,
}

/// The client for a route. It follows no redirect, repeats nothing, and reads at most [`MAX_ANSWER`] bytes.
pub fn client(route: Route) -> Result<HttpService, ClientError> {
    // An error means that the process has a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let local = builder().no_proxy().tls_certs_only([]);
    let clients = match route {
        Route::Internet => Clients {
            local: local.build().map_err(ClientError)?,
            outside: Some(OnceLock::new()),
        },
        Route::Socket(path) => Clients {
            local: local.unix_socket(path).build().map_err(ClientError)?,
            outside: None,
        },
    };
    let clients = Arc::new(clients);
    Ok(BoxCloneSyncService::new(service_fn(move |request| {
        exchange(Arc::clone(&clients), request)
    })))
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        // Shorter than servers keep theirs: a request into a connection that closes just then is ambiguous.
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        // A token must not follow a referrer anywhere.
        .referer(false)
}

impl Clients {
    fn to(&self, uri: &Uri) -> Result<&reqwest::Client, HttpError> {
        let Some(outside) = &self.outside else {
            return Ok(&self.local);
        };
        if uri.scheme_str() == Some("http") && is_loopback(uri) {
            return Ok(&self.local);
        }
        outside
            .get_or_init(|| builder().build().map_err(|error| words(&error)))
            .as_ref()
            .map_err(|words| HttpError::Connect(words.clone()))
    }
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

async fn exchange(clients: Arc<Clients>, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (parts, body) = request.into_parts();
    let client = clients.to(&parts.uri)?;
    let outbound = client
        .request(parts.method, parts.uri.to_string())
        .headers(parts.headers)
        .body(body);
    let mut answer = outbound.send().await.map_err(|error| outcome(&error))?;
    if answer
        .content_length()
        .is_some_and(|length| length > MAX_ANSWER as u64)
    {
        return Err(HttpError::TooLarge);
    }
    let mut read = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| outcome(&error))? {
        if read.len() + chunk.len() > MAX_ANSWER {
            return Err(HttpError::TooLarge);
        }
        read.extend_from_slice(&chunk);
    }
    let mut response = Response::new(read.freeze());
    *response.status_mut() = answer.status();
    std::mem::swap(response.headers_mut(), answer.headers_mut());
    Ok(response)
}

/// What became of the request. A connection that takes too long is a time-out too, but nothing was sent.
fn outcome(error: &reqwest::Error) -> HttpError {
    if error.is_connect() || error.is_builder() {
        HttpError::Connect(words(error))
    } else if error.is_timeout() {
        HttpError::Timeout
    } else {
        HttpError::Broken(words(error))
    }
}

/// The innermost cause: the outer ones repeat the URL, which may carry cursors.
fn words(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(_) => "the request could not be made".to_owned(),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests;
