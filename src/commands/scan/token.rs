//! The credential behind a `scan`: the one that was asked for, or one made from the token at hand.

use followlytics_api::credentials::Secret;
use followlytics_core::account::Platform;
use followlytics_crds::{Credential, CredentialRef, CredentialType, Scan};
use kube::Api;
use secrecy::ExposeSecret as _;

use super::{Scanning, Source};
use crate::{
    credentials::{self, NewCredential, kind_of},
    exit::{Exit, Failure},
    plane::secrets::auth_of,
    platform_env,
};

impl Scanning<'_> {
    /// The credential to name in the spec: the one that was asked for, or one made from the token at hand.
    /// A scan that goes on keeps what it has, unless another one is named.
    pub(super) async fn credential(&self, going_on: Option<&Scan>) -> Result<Option<CredentialRef>, Failure> {
        let platform = self.account.platform;
        if let Some(name) = &self.args.credential {
            let api: Api<Credential> = Api::namespaced(self.session.client.clone(), &self.global.namespace);
            return match api.get_opt(name).await? {
                Some(_) => Ok(Some(CredentialRef { name: name.clone() })),
                None => Err(Failure::new(
                    Exit::Credential,
                    format!(
                        "there is no credential {name}: store one with `followlytics credential add {name} --platform \
                         {platform} --type {}{}`",
                        type_of(platform),
                        self.global.again()
                    ),
                )),
            };
        }
        let stored = going_on.map(|scan| scan.spec.credential_ref.as_ref().map(|named| named.name.as_str()));
        let from_environment = format!("{platform}-env");
        let has_another = stored.is_some_and(|stored| stored.is_some_and(|name| name != from_environment));
        let has_new = self.args.token_file.is_some() || platform_env::token(platform).is_some();
        if self.args.token_file.is_none() && (has_another || stored.is_some() && !has_new) {
            return Ok(None);
        }
        if self.args.source == Some(Source::Browser) && self.args.token_file.is_none() {
            // A browser has its session, and pays for nothing.
            return Ok(None);
        }
        let token = match &self.args.token_file {
            Some(path) => Some(platform_env::token_in(path)?),
            None => platform_env::token(platform),
        };
        let Some(token) = token else {
            return self.without_token();
        };
        let name = from_environment;
        let new = NewCredential {
            name: name.clone(),
            platform,
            kind: kind_of(auth_of(platform)),
            secret: Secret {
                access_token: token.expose_secret().to_owned(),
                ..Secret::default()
            },
            base_url: self.base_url.clone(),
            rate_limits: Vec::new(),
            monthly_budget: None,
        };
        credentials::store(self.session, self.global, new).await?;
        Ok(Some(CredentialRef { name }))
    }

    fn without_token(&self) -> Result<Option<CredentialRef>, Failure> {
        let platform = self.account.platform;
        let elsewhere = self
            .base_url
            .as_ref()
            .filter(|url| self.session.base_url(platform).as_ref() != Some(*url));
        if let (Some(url), None) = (elsewhere, &self.session.plane) {
            return Err(Failure::usage(format!(
                "a control plane runs already and has base URLs of its own: start `up` with {}={url}, or name a \
                 --credential that has this base URL",
                platform_env::url_variable(platform)
            )));
        }
        // A running control plane may have a token in its own environment.
        if platform.facts().anonymous || self.session.plane.is_none() {
            return Ok(None);
        }
        let alone = match self.args.session {
            Some(_) => "; a browser alone needs none: --source browser",
            None => "",
        };
        Err(Failure::new(
            Exit::Credential,
            format!(
                "{platform} answers no request without a token: set {}, give --token-file FILE, or store one with \
                 `followlytics credential add NAME --platform {platform} --type {}` and name it with --credential{alone}",
                platform_env::token_variable(platform),
                type_of(platform)
            ),
        ))
    }
}

/// The usual type of token of a platform, as `credential add --type` takes it.
fn type_of(platform: Platform) -> &'static str {
    match kind_of(auth_of(platform)) {
        CredentialType::AppBearer => "app-bearer",
        CredentialType::UserToken => "user-token",
        CredentialType::WebSession => "web-session",
    }
}
