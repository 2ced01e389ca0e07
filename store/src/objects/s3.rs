//! Objects in a bucket of S3, or of any server that speaks it and honours `If-None-Match: *`.
//!
//! Credentials, region and endpoint are variables under the names that every S3 program reads. They come in from the
//! caller, and leave this module only in signed requests: no error, log or `Debug` shows a value.

mod http;

use std::{collections::BTreeMap, fmt, net::IpAddr, sync::Arc};

use object_store::{
    BackoffConfig, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    path::Path,
    prefix::PrefixStore,
};

use super::{
    Objects, ObjectsError,
    place::{Bucket, Patience, Place},
};

use self::http::Connector;
pub(super) use self::http::{Refusal, Said};

/// What every variable that counts begins with.
const NAMES: &str = "AWS_";
/// Names of the endpoint; the one for S3 alone counts first.
const ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
/// Any of these can sign requests; without one only the machine's own role is left.
const SIGNERS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// How a bucket is reached.
#[derive(Clone, Default)]
pub struct S3Options {
    variables: BTreeMap<String, String>,
    patience: Patience,
}

impl S3Options {
    /// Those of these variables that are for S3, such as `AWS_ACCESS_KEY_ID`; others are left out.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            variables: variables
                .into_iter()
                .filter(|(name, value)| name.starts_with(NAMES) && !value.is_empty())
                .collect(),
            patience: Patience::default(),
        }
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Every variable, for the environment of a child process.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    fn allows_http(&self) -> bool {
        self.get("AWS_ALLOW_HTTP")
            .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "true" | "1" | "yes"))
    }
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.keys().collect();
        f.debug_struct("S3Options")
            .field("names", &names)
            .field("patience", &self.patience)
            .finish()
    }
}

impl Objects {
    /// Objects under `s3://BUCKET/PREFIX`. Reaches for nothing yet: [`Objects::check`] does.
    pub fn s3(url: &str, options: &S3Options) -> Result<Self, ObjectsError> {
        let (bucket, prefix) = split(url)?;
        let refused = |detail: String| ObjectsError::Bucket {
            url: url.to_owned(),
            detail,
        };
        let endpoint = endpoint(options).map_err(refused)?;
        let mut builder = AmazonS3Builder::new();
        for (name, value) in options.variables() {
            // Variables of other AWS programs are not ours to judge; the endpoint was read already.
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>()
                && !ENDPOINTS.contains(&name)
            {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(endpoint) = &endpoint {
            builder = builder.with_endpoint(&endpoint.url);
        }
        let patience = options.patience;
        let monitor = Arc::default();
        let store = builder
            .with_bucket_name(bucket)
            .with_http_connector(Connector {
                patience,
                near: endpoint.as_ref().is_some_and(|endpoint| endpoint.near),
                monitor: Arc::clone(&monitor),
            })
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: patience.retry / 64,
                    max_backoff: patience.retry / 4,
                    base: 2.,
                },
                max_retries: 8,
                retry_timeout: patience.retry,
            })
            .build()
            .map_err(|source| refused(plain(&source)))?;
        let store: Arc<dyn ObjectStore> = if prefix.as_ref().is_empty() {
            Arc::new(store)
        } else {
            Arc::new(PrefixStore::new(store, prefix))
        };
        Ok(Self {
            store,
            place: Arc::new(Place::Bucket(Bucket {
                url: url.trim_end_matches('/').to_owned(),
                endpoint: endpoint.map(|endpoint| endpoint.url),
                machine_role: !SIGNERS.iter().any(|name| options.get(name).is_some()),
                patience,
            })),
            monitor,
        })
    }
}

/// The bucket and the prefix of a URL.
fn split(url: &str) -> Result<(&str, Path), ObjectsError> {
    let refused = |detail: &str| ObjectsError::Bucket {
        url: url.to_owned(),
        detail: detail.to_owned(),
    };
    let rest = url
        .strip_prefix("s3://")
        .ok_or_else(|| refused("it does not begin with s3://"))?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if let Some((_, bucket)) = bucket.rsplit_once('@') {
        // Whatever stood before the @ is not repeated.
        return Err(ObjectsError::Bucket {
            url: format!("s3://…@{bucket}"),
            detail: "a URL holds no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
        });
    }
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(fits) {
        return Err(refused(
            "a bucket's name is 3 to 63 small letters, digits, dots and hyphens",
        ));
    }
    let prefix =
        Path::parse(prefix.trim_end_matches('/')).map_err(|_| refused("its prefix is no plain path"))?;
    Ok((bucket, prefix))
}

/// Where requests go.
struct Endpoint {
    /// Scheme, host and port.
    url: String,
    /// Whether that is this machine.
    near: bool,
}

fn endpoint(options: &S3Options) -> Result<Option<Endpoint>, String> {
    let Some((name, value)) = ENDPOINTS
        .iter()
        .find_map(|name| Some((*name, options.get(name)?)))
    else {
        return Ok(None);
    };
    let url = reqwest::Url::parse(value)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| format!("{name} is no address; write it like https://HOST:PORT"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "{name} holds credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead"
        ));
    }
    if url.query().is_some() {
        return Err(format!("{name} holds a query; write it like https://HOST:PORT"));
    }
    let host = url.host_str().unwrap_or_default();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    let near = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    if url.scheme() == "http" && !near && !options.allows_http() {
        return Err(format!(
            "{name} is not encrypted; name an https address, or set AWS_ALLOW_HTTP=true if the network is your own"
        ));
    }
    Ok(Some(Endpoint {
        url: url.as_str().trim_end_matches('/').to_owned(),
        near,
    }))
}

/// What is wrong with the variables, in the builder's own words: they name variables, never values.
fn plain(source: &object_store::Error) -> String {
    let text = source.to_string();
    for (said, remedy) in [
        (
            "Missing SecretAccessKey",
            "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY; set both",
        ),
        (
            "Missing AccessKeyId",
            "AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID; set both",
        ),
    ] {
        if text.contains(said) {
            return remedy.to_owned();
        }
    }
    "one of the AWS_… variables has a value that cannot be used".to_owned()
}
