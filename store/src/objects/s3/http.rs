//! The HTTP client of a bucket: never redirected, past any proxy on this machine, and refusals sorted where the whole
//! answer is at hand: S3 says 404 of a bucket and of a key, 403 of a quota and of a right.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use followlytics_core::health::{Access, Part};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
        HttpService,
    },
};

use super::super::{error::cause_of_http, place::Patience};
use crate::health::{Monitor, cause_of_io, io_in};

/// Longest kept connection without a request; shorter than servers keep theirs, so that few requests meet one that is
/// just closed.
const IDLE: Duration = Duration::from_secs(20);

/// A refusal that S3 gave a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Said {
    pub(in super::super) refusal: Refusal,
    /// S3's code, such as `NoSuchBucket`.
    pub(in super::super) code: Option<String>,
    status: u16,
}

/// What is wrong, as far as a person can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Refusal {
    Full,
    Denied,
    NoBucket,
    /// The bucket is another region's.
    Elsewhere,
    /// Conditions on a write are not known there.
    NoConditions,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the object store answered {}", self.status)?;
        match &self.code {
            Some(code) => write!(f, " {code}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Said {}

/// Makes the client.
pub(super) struct Connector {
    /// Notified of a refused connection at once: the call tries again for a while before it fails.
    pub(super) monitor: Arc<OnceLock<Monitor>>,
    pub(super) patience: Patience,
    /// Whether the endpoint is this machine's own.
    pub(super) near: bool,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("near", &self.near)
            .finish_non_exhaustive()
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        // An error means that the process has a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("followlytics/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.patience.connect)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false);
        if self.near {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|source| object_store::Error::Generic {
            store: "S3",
            source: Box::new(source),
        })?;
        Ok(HttpClient::new(Sorting {
            client,
            monitor: Arc::clone(&self.monitor),
        }))
    }
}

/// A client whose refusals carry [`Said`].
struct Sorting {
    client: reqwest::Client,
    monitor: Arc<OnceLock<Monitor>>,
}

impl fmt::Debug for Sorting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sorting").finish_non_exhaustive()
    }
}

impl Sorting {
    /// Reports a connection that did not come about.
    fn note(&self, access: Access, error: &HttpError) {
        let cause = io_in(error).and_then(|error| cause_of_io(error.kind()));
        if let (HttpErrorKind::Connect, Some(monitor), Some(cause)) = (
            error.kind(),
            self.monitor.get(),
            cause.or(cause_of_http(error.kind())),
        ) {
            monitor.note(Part::Objects, access, cause);
        }
    }
}

#[async_trait::async_trait]
impl HttpService for Sorting {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let access = if matches!(request.method().as_str(), "PUT" | "POST") {
            Access::Write
        } else {
            Access::Read
        };
        let answer = self.client.call(request).await;
        let answer = answer.inspect_err(|error| self.note(access, error))?;
        let status = answer.status().as_u16();
        if status < 300 || matches!(status, 304 | 412 | 416) {
            return Ok(answer);
        }
        let (parts, body) = answer.into_parts();
        let body: Bytes = body.bytes().await?;
        let code = code(&String::from_utf8_lossy(&body)).map(str::to_owned);
        match refusal(status, code.as_deref()) {
            // Neither is tried again: a person has to do something first.
            Some(refusal) => Err(HttpError::new(
                HttpErrorKind::Unknown,
                Said {
                    refusal,
                    code,
                    status,
                },
            )),
            None => Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(body))),
        }
    }
}

fn refusal(status: u16, code: Option<&str>) -> Option<Refusal> {
    // Servers other than Amazon's have several names for it.
    let full = ["Quota", "StorageFull", "InsufficientStorage", "DiskFull"];
    let by_code = match code {
        Some("NoSuchBucket") => Some(Refusal::NoBucket),
        Some("PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed") => {
            Some(Refusal::Elsewhere)
        }
        Some(
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "InvalidAccessKeyId" | "AccessDenied"
            | "SignatureDoesNotMatch" | "RequestTimeTooSkewed" | "AccountProblem" | "AllAccessDisabled"
            // versitygw's word for an access key that it does not know, under 404 like a missing object.
            | "XAdminUserNotFound",
        ) => Some(Refusal::Denied),
        Some(code) if full.iter().any(|part| code.contains(part)) => Some(Refusal::Full),
        _ => None,
    };
    by_code.or(match status {
        301 | 302 | 307 | 308 => Some(Refusal::Elsewhere),
        401 | 403 => Some(Refusal::Denied),
        501 => Some(Refusal::NoConditions),
        507 => Some(Refusal::Full),
        _ => None,
    })
}

/// The `<Code>` of S3's error document.
fn code(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = !code.is_empty() && code.len() < 80 && code.chars().all(|c| c.is_ascii_alphanumeric());
    plain.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_read_and_nothing_else_of_the_document() {
        let body = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>x</Message></Error>";
        assert_eq!(code(body), Some("NoSuchBucket"));
        for other in [
            "",
            "<Code>",
            "<Code></Code>",
            "<Code>a b</Code>",
            "<html>507</html>",
        ] {
            assert_eq!(code(other), None, "{other}");
        }
    }

    #[test]
    fn a_refusal_is_known_by_its_code_before_its_status() {
        for (status, code, expected) in [
            (403, Some("QuotaExceeded"), Some(Refusal::Full)),
            (403, Some("XMinioAdminBucketQuotaExceeded"), Some(Refusal::Full)),
            (507, None, Some(Refusal::Full)),
            (403, None, Some(Refusal::Denied)),
            (400, Some("ExpiredToken"), Some(Refusal::Denied)),
            (404, Some("NoSuchBucket"), Some(Refusal::NoBucket)),
            (404, Some("NoSuchKey"), None),
            (404, None, None),
            (301, None, Some(Refusal::Elsewhere)),
            (
                400,
                Some("AuthorizationHeaderMalformed"),
                Some(Refusal::Elsewhere),
            ),
            (501, Some("NotImplemented"), Some(Refusal::NoConditions)),
            (503, Some("SlowDown"), None),
            (409, Some("ConditionalRequestConflict"), None),
        ] {
            assert_eq!(refusal(status, code), expected, "{status} {code:?}");
        }
    }
}
