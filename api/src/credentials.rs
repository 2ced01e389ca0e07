//! Credentials' secrets: read for a request, refreshed when they expire.
//!
//! A refresh token works once. So there is one refresher at a time (a lock in the ledger), the new pair is
//! durable before anybody uses it, and a refusal never deletes anything (B-11).

mod files;
mod memory;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use followlytics_core::{
    mutants::{self, Mutant},
    page::sha256,
};
use followlytics_platforms::{
    http::HttpService,
    x::token::{RefreshError, TokenPair, refresh},
};
use followlytics_store::ledger::{Ledger, LedgerError};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use files::FileSecrets;
pub use memory::MemorySecrets;

/// What is kept of a credential.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secret {
    /// Authorises requests.
    pub access_token: String,
    /// Works once; a refresh brings another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Whose client the refresh token belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// For confidential clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Where to refresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// When the access token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last refreshed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<Timestamp>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Where secrets lie; a `put` that returned is durable.
pub trait SecretStore: Send + Sync {
    /// The secret of this credential.
    fn get(&self, credential: &str) -> Result<Option<Secret>, CredentialError>;
    /// Replaces it at once: a reader sees the old one or the new one.
    fn put(&self, credential: &str, secret: &Secret) -> Result<(), CredentialError>;
}

/// Why a credential cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The secret cannot be read or written.
    #[error("failed to {verb} the secret of credential {credential}")]
    Store {
        /// read, write or understand.
        verb: &'static str,
        /// Which one.
        credential: String,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// The ledger's lock could not be taken.
    #[error("failed to take the refresher's lock")]
    Ledger(#[from] LedgerError),
}

impl CredentialError {
    /// Whether the secret stays unreadable until somebody changes it.
    fn needs_a_person(&self) -> bool {
        matches!(self, Self::Store { verb, source, .. }
            if *verb == "understand" || source.kind() == std::io::ErrorKind::PermissionDenied)
    }
}

/// Refreshed this long before the access token ends.
const SKEW: SignedDuration = SignedDuration::from_secs(30);
/// Hexadecimal digits of a fingerprint: enough to tell tokens apart, nothing to get one from.
const FINGERPRINT: usize = 12;
/// Longest refresh; afterwards another may try.
const LOCK: SignedDuration = SignedDuration::from_secs(60);

/// The secrets of all credentials.
pub struct Credentials {
    store: Arc<dyn SecretStore>,
    http: HttpService,
    ledger: Ledger,
    /// Fingerprints that the ledger has, by credential.
    noted: Mutex<BTreeMap<String, String>>,
}

impl Credentials {
    /// Over this store, refreshing through this client.
    pub fn new(store: Arc<dyn SecretStore>, http: HttpService, ledger: Ledger) -> Self {
        Self {
            store,
            http,
            ledger,
            noted: Mutex::default(),
        }
    }

    /// The access token; refreshed first when it is about to end. `None` for anonymous access.
    pub async fn access(&self, credential: &str) -> Result<Option<SecretString>, CredentialError> {
        let Some(secret) = self.readable(credential)? else {
            return Ok(None);
        };
        let ends = secret.expires_at.and_then(|at| at.saturating_sub(SKEW).ok());
        let secret = match ends {
            Some(ends) if ends <= self.ledger.now() => {
                self.refresh(credential, ends).await?;
                self.readable(credential)?.unwrap_or(secret)
            }
            _ => secret,
        };
        self.note(credential, &secret.access_token).await?;
        Ok(Some(secret.access_token.into()))
    }

    /// The secret; `None` also for one that stays unreadable until somebody changes it. Waiting mends that as little as it
    /// mends a secret that is not there: a request that needs it fails, and the hold names the credential.
    fn readable(&self, credential: &str) -> Result<Option<Secret>, CredentialError> {
        match self.store.get(credential) {
            Err(error) if error.needs_a_person() => {
                // Without its source: that may quote the secret.
                tracing::warn!(%error, "it counts as missing");
                Ok(None)
            }
            found => found,
        }
    }

    /// Has the ledger say which token this is, where it is another than before.
    async fn note(&self, credential: &str, token: &str) -> Result<(), CredentialError> {
        let fingerprint: String = sha256(token.as_bytes()).chars().take(FINGERPRINT).collect();
        if self.noted().get(credential) == Some(&fingerprint) {
            return Ok(());
        }
        self.ledger.note_fingerprint(credential, &fingerprint).await?;
        self.noted().insert(credential.to_owned(), fingerprint);
        Ok(())
    }

    fn noted(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces an access token that was in use at `since` and was refused or has ended. Does nothing when
    /// somebody refreshed it after that instant, when there is no refresh token, or when another refresher
    /// is at work: the next request simply takes what is stored then. Returns whether another token is stored, or soon will
    /// be.
    pub async fn refresh(&self, credential: &str, since: Timestamp) -> Result<bool, CredentialError> {
        let lock = format!("refresh/{credential}");
        let Some(holder) = self.ledger.try_lock(&lock, LOCK).await? else {
            return Ok(true);
        };
        let outcome = self.refresh_locked(credential, since).await;
        self.ledger.unlock(&lock, &holder).await?;
        outcome
    }

    async fn refresh_locked(&self, credential: &str, since: Timestamp) -> Result<bool, CredentialError> {
        // Read under the lock: an earlier refresher's pair is here by now.
        let Some(secret) = self.readable(credential)? else {
            return Ok(false);
        };
        let (Some(token), Some(client)) = (&secret.refresh_token, &secret.client_id) else {
            return Ok(false);
        };
        if secret.refreshed_at.is_some_and(|at| at >= since) && !mutants::on(Mutant::RefreshedTwice) {
            return Ok(true);
        }
        let base_url = secret.base_url.as_deref().unwrap_or("https://api.x.com");
        let client_secret = secret.client_secret.clone().map(SecretString::from);
        let token = SecretString::from(token.clone());
        match refresh(&self.http, base_url, client, client_secret.as_ref(), &token).await {
            Ok(_) if mutants::on(Mutant::PairNotStored) => Ok(true),
            Ok(pair) => {
                self.store
                    .put(credential, &renewed(&secret, &pair, self.ledger.now()))?;
                Ok(true)
            }
            Err(error @ RefreshError::Ambiguous) => {
                tracing::error!(credential, %error, "a refresh got no answer: if the next one is refused, sign in again");
                Ok(false)
            }
            Err(error) => {
                tracing::warn!(credential, %error, "refresh failed; the stored pair is kept");
                Ok(false)
            }
        }
    }
}

fn renewed(old: &Secret, pair: &TokenPair, now: Timestamp) -> Secret {
    use secrecy::ExposeSecret as _;
    Secret {
        access_token: pair.access.expose_secret().to_owned(),
        refresh_token: pair
            .refresh
            .as_ref()
            .map(|token| token.expose_secret().to_owned())
            .or_else(|| old.refresh_token.clone()),
        expires_at: now.saturating_add(pair.expires_in).ok(),
        refreshed_at: Some(now),
        ..old.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use bytes::Bytes;
    use followlytics_platforms::http::{HttpError, Route, client};
    use followlytics_store::db::Db;
    use http::{Request, Response};
    use tower::{service_fn, util::BoxCloneSyncService};

    use super::*;

    /// Secrets that nobody can read for now, or at all.
    struct Unreadable {
        verb: &'static str,
    }

    impl SecretStore for Unreadable {
        fn get(&self, credential: &str) -> Result<Option<Secret>, CredentialError> {
            Err(CredentialError::Store {
                verb: self.verb,
                credential: credential.to_owned(),
                source: std::io::ErrorKind::Interrupted.into(),
            })
        }

        fn put(&self, _: &str, _: &Secret) -> Result<(), CredentialError> {
            Ok(())
        }
    }

    fn ledger(now: Timestamp) -> Ledger {
        Ledger::new(
            Db::memory().unwrap(),
            Arc::new(move || now),
            Arc::new(|| "id".to_owned()),
        )
    }

    /// Two requests were refused with one token: the second refresher finds the pair of the first.
    #[tokio::test]
    async fn a_pair_that_another_refresher_has_replaced_is_not_refreshed() {
        let now = Timestamp::UNIX_EPOCH;
        let secrets = Arc::new(MemorySecrets::default());
        let old = Secret {
            access_token: "old".into(),
            refresh_token: Some("once".into()),
            client_id: Some("client".into()),
            ..Secret::default()
        };
        secrets.put("x", &old).unwrap();
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let platform = BoxCloneSyncService::new(service_fn(move |_: Request<Bytes>| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            let pair = format!(
                r#"{{"access_token":"access-{number}","refresh_token":"refresh-{number}","expires_in":7200}}"#
            );
            async move { Ok::<_, HttpError>(Response::new(Bytes::from(pair))) }
        }));
        let credentials = Credentials::new(Arc::clone(&secrets) as _, platform, ledger(now));
        for _ in 0..2 {
            assert!(credentials.refresh("x", now).await.unwrap());
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(secrets.get("x").unwrap().unwrap().access_token, "access-0");
    }

    #[tokio::test]
    async fn a_secret_that_somebody_has_to_mend_is_missing_and_another_is_waited_for() {
        let now = Timestamp::UNIX_EPOCH;
        for (verb, is_missing) in [("understand", true), ("read", false)] {
            let credentials = Credentials::new(
                Arc::new(Unreadable { verb }),
                client(Route::Internet).unwrap(),
                ledger(now),
            );
            let token = credentials.access("x").await;
            assert_eq!(matches!(token, Ok(None)), is_missing, "{verb}");
            let refreshed = credentials.refresh("x", now).await;
            assert_eq!(
                matches!(refreshed, Ok(false)),
                is_missing,
                "{verb}: {refreshed:?}"
            );
        }
    }
}
