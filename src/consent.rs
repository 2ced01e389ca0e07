//! The lease by which an attached command consents to what its scan costs.

use std::time::Duration;

use followlytics_core::scan::consent;
use followlytics_crds::Scan;
use followlytics_store::ledger::Ledger;
use kube::ResourceExt as _;
use tokio::task::JoinHandle;

use crate::{edge, exit::Failure, plane::Plane};

/// A lease, renewed until it is withdrawn or the process ends.
pub(crate) struct Consent {
    ledger: Ledger,
    scan: String,
    holder: String,
    renewal: JoinHandle<()>,
}

impl Consent {
    /// Consents to the cost of a scan, and lets the command's own control plane work on it.
    pub(crate) async fn give(plane: &Plane, scan: &Scan) -> Result<Self, Failure> {
        let uid = scan.metadata.uid.clone().unwrap_or_default();
        let holder = edge::new_id().to_string();
        plane.ledger.give_consent(&uid, &holder).await?;
        let renewal = tokio::spawn(renew(plane.ledger.clone(), uid.clone(), holder.clone()));
        plane.serve(&uid, &scan.namespace().unwrap_or_default(), &scan.name_any())?;
        Ok(Self {
            ledger: plane.ledger.clone(),
            scan: uid,
            holder,
            renewal,
        })
    }

    /// Withdraws it: no request starts on its strength any more.
    pub(crate) async fn withdraw(self) {
        self.renewal.abort();
        if let Err(error) = self.ledger.withdraw_consent(&self.scan, &self.holder).await {
            // It ends without a renewal.
            tracing::warn!(%error, "failed to withdraw the consent to spend");
        }
    }
}

async fn renew(ledger: Ledger, scan: String, holder: String) {
    let every = Duration::try_from(consent::RENEWAL).unwrap_or_default();
    loop {
        tokio::time::sleep(every).await;
        match ledger.renew_consent(&scan, &holder).await {
            Ok(true) => {}
            // Another command has taken the scan over, or it is deleted.
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "failed to renew the consent to spend"),
        }
    }
}
