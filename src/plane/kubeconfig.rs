//! What an ordinary kubectl needs to reach this control plane: a token, and the kubeconfig that holds it.
//!
//! Durable: the token, in a file of its own; whoever deletes it has another one after the next start. The kubeconfig
//! is written anew at every start.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::{exit::Failure, private_file};

/// Bytes of chance in a token.
const TOKEN_BYTES: usize = 32;
/// Characters below which what lies in the file was not written here.
const SHORTEST: usize = 32;
/// The name of cluster, user and context.
const NAME: &str = "followlytics";

/// The token in this file, made if there is none.
pub(crate) fn token(path: &Path) -> Result<SecretString, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let token = text.trim();
            if token.len() < SHORTEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Failure::storage(format!(
                    "failed to read the API server's token in {}: it is too short or no token; delete the file, and \
                     the next `up` makes another and writes the kubeconfig anew",
                    path.display()
                )));
            }
            Ok(SecretString::from(token))
        }
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            let token = new_token()?;
            write(path, token.expose_secret())?;
            Ok(token)
        }
        Err(source) => Err(refused(path, &source)),
    }
}

fn new_token() -> Result<SecretString, Failure> {
    let mut bytes = [0; TOKEN_BYTES];
    let source = rustls::crypto::ring::default_provider().secure_random;
    source
        .fill(&mut bytes)
        .ok()
        .context("failed to get random bytes from the system")?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes)))
}

/// Writes the kubeconfig; its path.
pub(crate) fn write_kubeconfig(
    path: PathBuf,
    address: SocketAddr,
    authority: &str,
    token: &SecretString,
    namespace: &str,
) -> Result<PathBuf, Failure> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": {
            "server": format!("https://{address}"),
            "certificate-authority-data": STANDARD.encode(authority),
        }}],
        "users": [{"name": NAME, "user": {"token": token.expose_secret()}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME, "namespace": namespace}}],
        "current-context": NAME,
    });
    let text = serde_saphyr::to_string(&config).context("failed to write the kubeconfig")?;
    write(&path, &text)?;
    Ok(path)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    private_file::replace(path, text.as_bytes()).map_err(|source| refused(path, &source))
}

fn refused(path: &Path, source: &io::Error) -> Failure {
    Failure::storage(format!(
        "failed to read or write {}: {source}; make the data directory writable for you",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stays_until_its_file_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let read = || token(&path).unwrap().expose_secret().to_owned();
        let first = read();
        assert_eq!(first.len(), 43);
        assert_eq!(read(), first);
        std::fs::remove_file(&path).unwrap();
        assert_ne!(read(), first);
        std::fs::write(&path, "short").unwrap();
        let failure = token(&path).unwrap_err();
        assert!(
            failure.message.contains("delete the file") && !failure.message.contains("short\""),
            "{failure}"
        );
    }

    #[test]
    fn a_kubeconfig_names_cluster_user_and_namespace() {
        let folder = tempfile::tempdir().unwrap();
        let path = write_kubeconfig(
            folder.path().join("kubeconfig"),
            "127.0.0.1:6443".parse().unwrap(),
            "PEM",
            &SecretString::from("secret"),
            "default",
        )
        .unwrap();
        let read = kube::config::Kubeconfig::read_from(&path).unwrap();
        assert_eq!(read.current_context.as_deref(), Some("followlytics"));
        let cluster = read.clusters[0].cluster.clone().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:6443"));
        assert_eq!(cluster.certificate_authority_data.as_deref(), Some("UEVN"));
        let user = read.auth_infos[0].auth_info.clone().unwrap();
        assert_eq!(user.token.unwrap().expose_secret(), "secret");
    }
}
