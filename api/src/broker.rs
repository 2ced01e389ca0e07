//! The broker: the one place where sandboxes ask for work, permits and tokens, and bring pages.
//!
//! One route a file. A sandbox shows its own token in every request; what it may touch follows from it. The
//! order that matters is in [`pages`]: first the object, then the ledger's row that names it.

mod auth;
mod claim;
mod error;
mod failed;
mod found;
mod heartbeat;
mod meets;
mod pages;
mod release;
mod step;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, routing::post};
use followlytics_core::{page, wire::Step};
use followlytics_store::{
    ledger::{Ledger, Sandbox},
    objects::Objects,
};
use secrecy::ExposeSecret as _;

pub use error::BrokerError;

use crate::credentials::Credentials;

/// What the broker works with; cheap to clone.
#[derive(Clone)]
pub struct Broker {
    ledger: Ledger,
    objects: Objects,
    credentials: Arc<Credentials>,
}

impl Broker {
    /// A broker over this ledger and these objects.
    pub fn new(ledger: Ledger, objects: Objects, credentials: Arc<Credentials>) -> Self {
        Self {
            ledger,
            objects,
            credentials,
        }
    }

    /// The routes under `/broker/v1`.
    pub fn router(self) -> Router {
        const SMALL: usize = 256 << 10;
        let pages = Router::new()
            .route("/broker/v1/pages", post(pages::post))
            .layer(DefaultBodyLimit::max(page::MAX_BYTES));
        Router::new()
            .route("/broker/v1/claim", post(claim::post))
            .route("/broker/v1/heartbeat", post(heartbeat::post))
            .route("/broker/v1/step", post(step::post))
            .route("/broker/v1/found", post(found::post))
            .route("/broker/v1/failed", post(failed::post))
            .route("/broker/v1/release", post(release::post))
            .layer(DefaultBodyLimit::max(SMALL))
            .merge(pages)
            .with_state(self)
    }

    /// The access token to send with an answer, refreshed when it is about to expire: only a step that is a request needs
    /// one, and that of the credential which its permit is charged to.
    async fn token_for(&self, sandbox: &Sandbox, step: &Step) -> Result<Option<String>, BrokerError> {
        let Step::Permit(permit) = step else {
            return Ok(None);
        };
        let (credential, _) = self.ledger.permit_credential(&sandbox.scan, &permit.id).await?;
        let token = self.credentials.access(&credential).await?;
        Ok(token.map(|token| token.expose_secret().to_owned()))
    }
}
