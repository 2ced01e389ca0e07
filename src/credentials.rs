//! Credentials as a command writes them: the object through the API server, the secret as a private file beside it.

use std::path::PathBuf;

use followlytics_api::credentials::{FileSecrets, Secret, SecretStore as _};
use followlytics_core::{account::Platform, platform::Auth};
use followlytics_crds::{Credential, CredentialSpec, CredentialType, RateLimit, SecretRef};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{
    args::Global,
    connect::Session,
    exit::{Exit, Failure},
};

/// What a command knows of a Credential.
#[derive(Debug)]
pub(crate) struct NewCredential {
    pub(crate) name: String,
    pub(crate) platform: Platform,
    pub(crate) kind: CredentialType,
    pub(crate) secret: Secret,
    pub(crate) base_url: Option<String>,
    pub(crate) rate_limits: Vec<RateLimit>,
    pub(crate) monthly_budget: Option<String>,
}

/// How a way of authorising is called in the object.
pub(crate) const fn kind_of(auth: Auth) -> CredentialType {
    match auth {
        Auth::UserToken => CredentialType::UserToken,
        Auth::WebSession => CredentialType::WebSession,
        Auth::AppBearer | Auth::Anonymous => CredentialType::AppBearer,
    }
}

/// The name under which the broker looks a secret up.
pub(crate) fn secret_name(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// Where the secrets of the session's control plane lie.
pub(crate) fn secrets(session: &Session) -> Result<FileSecrets, Failure> {
    let Some(server) = &session.named else {
        return session.data.secrets();
    };
    let folder = server
        .strip_prefix("unix://")
        .map(PathBuf::from)
        .and_then(|path| Some(path.parent()?.to_owned()));
    let data = folder.filter(|folder| folder.join("ledger.db").is_file()).ok_or_else(|| {
        Failure::usage(format!(
            "failed to store the token: the data directory behind {server} is not known here; run this with --data \
             DIR on its machine"
        ))
    })?;
    FileSecrets::open(&data.join("credentials")).map_err(|source| {
        Failure::storage(format!(
            "failed to open the secrets in {}: {source}",
            data.display()
        ))
    })
}

/// Stores the secret, then creates or changes the object: whoever sees the object finds its secret.
pub(crate) async fn store(
    session: &Session,
    global: &Global,
    new: NewCredential,
) -> Result<Credential, Failure> {
    let api: Api<Credential> = Api::namespaced(session.client.clone(), &global.namespace);
    let existing = api.get_opt(&new.name).await?;
    if let Some(found) = existing
        .as_ref()
        .filter(|found| found.spec.platform != <&str>::from(new.platform))
    {
        return Err(Failure::usage(format!(
            "failed to change credential {}: it is for {}; choose another name",
            new.name, found.spec.platform
        )));
    }
    let secrets = secrets(session)?;
    let key = secret_name(&global.namespace, &new.name);
    secrets.put(&key, &new.secret).map_err(|error| {
        Failure::new(
            Exit::Storage,
            format!("{error}: make the data directory writable for you"),
        )
        .because(error)
    })?;
    let spec = CredentialSpec {
        platform: new.platform.to_string(),
        type_: new.kind,
        secret_ref: SecretRef {
            name: new.name.clone(),
        },
        base_url: new.base_url,
        rate_limits: new.rate_limits,
        monthly_budget_usd: new.monthly_budget,
    };
    if existing.is_none() {
        return Ok(api
            .create(&PostParams::default(), &Credential::new(&new.name, spec))
            .await?);
    }
    // What was not named now stays as somebody set it; the base URL follows the token.
    let mut patch =
        json!({"spec": {"type": spec.type_, "secretRef": spec.secret_ref, "baseUrl": spec.base_url}});
    if let Some(fields) = patch.get_mut("spec").and_then(serde_json::Value::as_object_mut) {
        if !spec.rate_limits.is_empty() {
            fields.insert("rateLimits".to_owned(), json!(spec.rate_limits));
        }
        if spec.monthly_budget_usd.is_some() {
            fields.insert("monthlyBudgetUsd".to_owned(), json!(spec.monthly_budget_usd));
        }
    }
    Ok(api
        .patch(&new.name, &PatchParams::default(), &Patch::Merge(&patch))
        .await?)
}

/// Takes the secret away: the object is gone, nobody may use what it stood for.
pub(crate) fn forget(session: &Session, global: &Global, name: &str) -> Result<(), Failure> {
    let secrets = secrets(session)?;
    let key = secret_name(&global.namespace, name);
    secrets.remove(&key).map_err(|error| {
        Failure::new(Exit::Storage, format!("{error}: delete its file by hand")).because(error)
    })
}
