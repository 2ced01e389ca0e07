//! The credential behind a `scan`: the one that was asked for, or one made from the token at hand.

use followlytics_api::credentials::Secret;
use followlytics_crds::{Credential, CredentialRef};
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
    pub(super) async fn credential(&self) -> Result<Option<CredentialRef>, Failure> {
        let platform = self.account.platform;
        if let Some(name) = &self.args.credential {
            let api: Api<Credential> = Api::namespaced(self.session.client.clone(), &self.global.namespace);
            return match api.get_opt(name).await? {
                Some(_) => Ok(Some(CredentialRef { name: name.clone() })),
                None => Err(Failure::new(
                    Exit::Credential,
                    format!(
                        "there is no credential {name}: store one with `followlytics credential add {name}`"
                    ),
                )),
            };
        }
        if self.args.source == Source::Browser && self.args.token_file.is_none() {
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
        let name = format!("{platform}-env");
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
                 `followlytics credential add` and name it with --credential{alone}",
                platform_env::token_variable(platform)
            ),
        ))
    }
}
