//! Secrets as files, and the tokens that the environment of `up` brings along for scans without a Credential.

use std::collections::BTreeMap;

use followlytics_api::credentials::{CredentialError, FileSecrets, Secret, SecretStore};
use followlytics_core::{account::Platform, platform::Auth};
use secrecy::{ExposeSecret as _, SecretString};
use strum::VariantArray as _;

use crate::platform_env;

/// Secrets of files and of the environment.
pub(crate) struct Secrets {
    files: FileSecrets,
    /// By the name under which the ledger knows them: `environment@BASE_URL`.
    environment: BTreeMap<String, SecretString>,
}

impl Secrets {
    pub(crate) fn new(files: FileSecrets, environment: &Environment) -> Self {
        let environment = environment
            .tokens
            .values()
            .map(|(url, token)| (format!("environment@{url}"), token.clone()));
        Self {
            files,
            environment: environment.collect(),
        }
    }
}

impl SecretStore for Secrets {
    fn get(&self, credential: &str) -> Result<Option<Secret>, CredentialError> {
        match self.environment.get(credential) {
            Some(token) => Ok(Some(Secret {
                access_token: token.expose_secret().to_owned(),
                ..Secret::default()
            })),
            None => self.files.get(credential),
        }
    }

    fn put(&self, credential: &str, secret: &Secret) -> Result<(), CredentialError> {
        self.files.put(credential, secret)
    }
}

/// Tokens of the environment, by platform, with the server they are for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    tokens: BTreeMap<Platform, (String, SecretString)>,
}

impl Environment {
    /// What the environment holds now. Where every account names its own server a token is sent to none of them,
    /// unless a base URL says which one it is for.
    pub(crate) fn read(base_urls: &BTreeMap<Platform, String>) -> Self {
        let mut tokens = BTreeMap::new();
        for &platform in Platform::VARIANTS {
            let public = platform.facts().base_url.map(str::to_owned);
            let Some(url) = base_urls.get(&platform).cloned().or(public) else {
                continue;
            };
            if let Some(token) = platform_env::token(platform) {
                tokens.insert(platform, (url, token));
            }
        }
        Self { tokens }
    }

    /// How each of them authorises.
    pub(crate) fn auths(&self) -> BTreeMap<Platform, Auth> {
        self.tokens
            .keys()
            .map(|platform| (*platform, auth_of(*platform)))
            .collect()
    }
}

/// How a token that is given without a type authorises.
pub(crate) const fn auth_of(platform: Platform) -> Auth {
    match platform {
        Platform::X => Auth::AppBearer,
        Platform::Bluesky | Platform::Gitea | Platform::GitHub | Platform::Mastodon => Auth::UserToken,
    }
}
