//! What becomes of a finished answer on its way: cut bodies, slow bodies, wrong clocks.

use std::{convert::Infallible, io, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use tokio_stream::StreamExt as _;

/// What becomes of an answer on its way.
#[derive(Debug, Default)]
pub(crate) struct Mishap {
    /// Only half the body arrives.
    pub(crate) cut: bool,
    pub(crate) bytes_per_second: Option<u32>,
    /// How far its `Date` is from the truth.
    pub(crate) date_skew_ms: i64,
}

impl Mishap {
    /// Whether the body comes in pieces, so that its length must be said.
    pub(crate) const fn is_streamed(&self) -> bool {
        self.cut || self.bytes_per_second.is_some()
    }

    /// The body as it travels.
    pub(crate) fn body(&self, body: String) -> Body {
        match self.bytes_per_second {
            _ if self.cut => broken(body),
            Some(rate) => paced(body, rate),
            None => Body::from(body),
        }
    }
}

/// Half a body, then an error where the rest should be.
fn broken(body: String) -> Body {
    let mut whole = Bytes::from(body);
    let half = whole.split_to(whole.len() / 2);
    let cut = io::Error::new(io::ErrorKind::ConnectionReset, "a fault cut the body");
    Body::from_stream(tokio_stream::iter([Ok(half), Err(cut)]))
}

/// A body of ten pieces a second.
fn paced(body: String, bytes_per_second: u32) -> Body {
    let piece = usize::try_from(bytes_per_second.div_ceil(10)).unwrap_or(1).max(1);
    let mut rest = Bytes::from(body);
    let pieces = std::iter::from_fn(move || {
        let next = rest.split_to(piece.min(rest.len()));
        (!next.is_empty()).then_some(next)
    });
    let pieces = tokio_stream::iter(pieces).then(|piece| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>(piece)
    });
    Body::from_stream(pieces)
}
