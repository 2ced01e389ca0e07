//! Secrets as files of mode 0600, one a credential, replaced whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{CredentialError, Secret, SecretStore};

/// Secrets in a directory of mode 0700.
pub struct FileSecrets {
    directory: PathBuf,
}

impl FileSecrets {
    /// Over this directory, which is made if it is missing.
    pub fn open(directory: &Path) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// One flat file a credential: a slash in a name cannot lead elsewhere.
    fn path(&self, credential: &str) -> PathBuf {
        let name: String = credential
            .bytes()
            .map(|b| {
                if b.is_ascii_alphanumeric() || b == b'-' {
                    char::from(b).to_string()
                } else {
                    format!("_{b:02x}")
                }
            })
            .collect();
        self.directory.join(format!("{name}.json"))
    }

    /// Takes a secret away; one that is not there is gone already.
    pub fn remove(&self, credential: &str) -> Result<(), CredentialError> {
        match fs::remove_file(self.path(credential)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(CredentialError::Store {
                verb: "remove",
                credential: credential.to_owned(),
                source,
            }),
            _ => Ok(()),
        }
    }

    fn replace(&self, credential: &str, secret: &Secret) -> io::Result<()> {
        let path = self.path(credential);
        let fresh = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(secret)?)?;
        // The pair has to survive the power before anybody uses it: the old one is spent by then.
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        File::open(&self.directory)?.sync_all()
    }
}

impl SecretStore for FileSecrets {
    fn get(&self, credential: &str) -> Result<Option<Secret>, CredentialError> {
        let failed = |verb, source| CredentialError::Store {
            verb,
            credential: credential.to_owned(),
            source,
        };
        match fs::read(self.path(credential)) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| failed("understand", error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", error)),
        }
    }

    fn put(&self, credential: &str, secret: &Secret) -> Result<(), CredentialError> {
        self.replace(credential, secret)
            .map_err(|source| CredentialError::Store {
                verb: "write",
                credential: credential.to_owned(),
                source,
            })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn secrets_are_private_files_that_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = FileSecrets::open(&directory.path().join("credentials")).unwrap();
        assert_eq!(secrets.get("default/../x").unwrap(), None);
        let secret = Secret {
            access_token: "a".into(),
            refresh_token: Some("r".into()),
            ..Secret::default()
        };
        secrets.put("default/../x", &secret).unwrap();
        assert_eq!(secrets.get("default/../x").unwrap(), Some(secret.clone()));
        let path = secrets.path("default/../x");
        assert_eq!(path.parent(), Some(secrets.directory.as_path()));
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(
            !format!("{secret:?}").contains("\"a\""),
            "debug output hides tokens"
        );
        secrets.remove("default/../x").unwrap();
        secrets.remove("default/../x").unwrap();
        assert_eq!(secrets.get("default/../x").unwrap(), None);
    }

    #[test]
    fn a_damaged_secret_is_an_error_that_names_the_credential() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = FileSecrets::open(directory.path()).unwrap();
        fs::write(secrets.path("x"), b"{").unwrap();
        let error = secrets.get("x").unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to understand the secret of credential x"
        );
        assert!(error.needs_a_person());
        let busy = io::Error::from(io::ErrorKind::Interrupted);
        let error = CredentialError::Store {
            verb: "read",
            credential: "x".into(),
            source: busy,
        };
        assert!(!error.needs_a_person());
    }
}
