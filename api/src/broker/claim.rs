//! `POST /broker/v1/claim`: a sandbox asks for work.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use followlytics_core::{
    layout,
    mutants::{self, Mutant},
    page,
    wire::{Claim, Held},
};
use followlytics_store::ledger::{Claimed, Orphan, Sandbox};

use super::{
    Broker, BrokerError,
    auth::Caller,
    pages::{self, Named},
};

pub(super) async fn post(
    State(broker): State<Broker>,
    Caller(sandbox): Caller,
) -> Result<Json<Claim>, BrokerError> {
    let claim = match broker.ledger.claim(&sandbox).await? {
        Claimed::Finished => Claim::Finished,
        Claimed::Wait { wait_ms, reason } => Claim::Wait { wait_ms, reason },
        Claimed::Range { held, orphans } => {
            adopt(&broker, &sandbox, held, orphans).await?;
            let mut lease = match broker.ledger.open_lease(&sandbox, held).await {
                // Adoption may have read the range to its end: there is other work, ask again.
                Err(error) if error.class() == followlytics_store::ledger::Class::Fenced => {
                    return Ok(Json(Claim::Wait {
                        wait_ms: 0,
                        reason: "RunnerIdle".to_owned(),
                    }));
                }
                other => other?,
            };
            lease.token = broker.token_for(&sandbox, &lease.step).await?;
            Claim::Lease(Box::new(lease))
        }
    };
    Ok(Json(claim))
}

/// Commits what an earlier holder had sent and no row names yet. The epoch is raised already, so none of them
/// can interfere. The pages that they had committed are not read again: there may be thousands.
async fn adopt(
    broker: &Broker,
    sandbox: &Sandbox,
    held: Held,
    orphans: Vec<Orphan>,
) -> Result<(), BrokerError> {
    if mutants::on(Mutant::AdoptionSkipped) {
        return Ok(());
    }
    for orphan in orphans.into_iter().collect::<BTreeSet<_>>() {
        let Orphan { epoch, seq } = orphan;
        let prefix = layout::pages_of_seq(&sandbox.scan, held.range, epoch, seq);
        for key in broker.objects.list(&prefix).await? {
            // A store that is away now is no reason to pay twice: the claim fails and is asked again.
            let object = broker.objects.get(&key).await?;
            // What is no page, or another's, can never be adopted.
            let Ok((header, _)) = page::decode_header(&object) else {
                continue;
            };
            if header.epoch != epoch || header.range != held.range || header.scan != sandbox.scan {
                continue;
            }
            let sha256 = page::sha256(&object);
            let checked = page::check(&object)?;
            let page = pages::measure(broker, sandbox, Named { key, sha256 }, checked, &object, None).await?;
            broker.ledger.adopt_page(sandbox, held, &page).await?;
        }
    }
    Ok(())
}
