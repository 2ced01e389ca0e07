//! Secrets that end with the process: for tests and simulation.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{CredentialError, Secret, SecretStore};

/// Secrets that end with the process.
#[derive(Default)]
pub struct MemorySecrets(Mutex<BTreeMap<String, Secret>>);

impl SecretStore for MemorySecrets {
    fn get(&self, credential: &str) -> Result<Option<Secret>, CredentialError> {
        Ok(self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(credential)
            .cloned())
    }

    fn put(&self, credential: &str, secret: &Secret) -> Result<(), CredentialError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(credential.to_owned(), secret.clone());
        Ok(())
    }
}
