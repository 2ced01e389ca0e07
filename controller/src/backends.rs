//! Backends: where sandboxes run. All verbs are repeatable, and "gone" means that nothing of it runs any more.

pub mod process;
pub mod shim;

use followlytics_core::sandbox::{Instance, Known};
use followlytics_crds::{SandboxClass, SandboxSpec};
use futures::future::BoxFuture;
use secrecy::SecretString;

/// What a backend needs to start a sandbox.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Uid of the Sandbox object: the backend's key. A name may come again, a uid never does.
    pub uid: String,
    /// Its name, for people.
    pub name: String,
    /// What runs inside.
    pub class: SandboxClass,
    /// Where the broker is.
    pub broker: String,
    /// What the broker knows it by.
    pub token: SecretString,
}

/// Where sandboxes run.
pub trait Backend: Send + Sync {
    /// Starts the sandbox unless something of this uid runs, or ran and was not destroyed yet; says what is
    /// there then.
    fn ensure<'a>(&'a self, launch: &'a Launch) -> BoxFuture<'a, Result<Instance, BackendError>>;

    /// What is there of this uid.
    fn observe<'a>(&'a self, uid: &'a str) -> BoxFuture<'a, Known<Instance>>;

    /// Ends whatever runs of this uid, gently at first, and forgets it. A backend may return before it is
    /// gone; [`Backend::observe`] says when it is.
    fn destroy<'a>(&'a self, uid: &'a str) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Fields of the spec that this backend can't honour.
    fn unhonoured(&self, spec: &SandboxSpec) -> Vec<&'static str>;
}

/// Why a backend did not do it.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// It never will: the message says what to change.
    #[error("failed to start the sandbox: {detail}")]
    Refused {
        /// What is wrong, and the remedy.
        detail: String,
    },
    /// It may go better later.
    #[error("failed to {verb} the sandbox")]
    Unavailable {
        /// What was tried.
        verb: &'static str,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
}
