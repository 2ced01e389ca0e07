//! Where the objects lie, as far as a person has to know: for sentences, and for how long an answer is waited for.

use std::{fmt, future::Future, io, path::PathBuf, time::Duration};

use object_store::{Error, local::LocalFileSystem};

/// Where the objects lie.
pub(super) enum Place {
    /// In this process, or wherever a test says.
    Memory,
    /// In a directory.
    Files { root: PathBuf, system: LocalFileSystem },
    /// In a bucket.
    Bucket(Bucket),
}

/// A bucket, as it is told to people: no secret is in it.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    /// `s3://bucket/prefix`.
    pub(super) url: String,
    /// Scheme, host and port; `None` for Amazon's own.
    pub(super) endpoint: Option<String>,
    /// Whether nothing but the machine's own role could sign requests.
    pub(super) machine_role: bool,
    pub(super) patience: Patience,
}

/// How long an object store in a network is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// How long a refused or broken request is tried again.
    pub retry: Duration,
    /// For the whole call, retries too; a call with bytes gets the time on top that they take.
    pub answer: Duration,
    /// Bytes a second that a slow network still moves.
    pub slowest: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            retry: Duration::from_secs(12),
            answer: Duration::from_secs(20),
            slowest: 256 << 10,
        }
    }
}

impl Place {
    /// The answer of a store, or an error once that took too long. Only a store in a network is given up on.
    pub(super) async fn within<T>(
        &self,
        bytes: u64,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let Self::Bucket(bucket) = self else {
            return work.await;
        };
        let patience = bucket.patience;
        let longest = patience
            .answer
            .saturating_add(Duration::from_secs(bytes / patience.slowest.max(1)));
        tokio::time::timeout(longest, work).await.unwrap_or_else(|_| {
            let message = format!("no answer within {} s", longest.as_secs_f32());
            Err(Error::Generic {
                store: "S3",
                source: Box::new(io::Error::new(io::ErrorKind::TimedOut, message)),
            })
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Files { root, .. } => write!(f, "files in {}", root.display()),
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        match &self.endpoint {
            Some(endpoint) => write!(f, " at {endpoint}"),
            None => Ok(()),
        }
    }
}
