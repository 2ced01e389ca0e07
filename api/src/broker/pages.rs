//! `POST /broker/v1/pages`: a sandbox brings a page.
//!
//! The object is durable before the row that names it: a crash in between leaves an orphan, which the next
//! grant of the range adopts.

use axum::{Json, body::Bytes, extract::State, http::HeaderMap};
use followlytics_core::{
    layout,
    mutants::{self, Mutant},
    page::{self, Header},
    scan::{source::Source, window::Told},
    wire::{Reply, Step, WINDOW_HEADER},
};
use followlytics_store::ledger::{NewPage, Sandbox};

use super::{
    Broker, BrokerError,
    auth::Caller,
    meets::{Met, meet_from_below, meets},
};

pub(super) async fn post(
    State(broker): State<Broker>,
    Caller(sandbox): Caller,
    headers: HeaderMap,
    object: Bytes,
) -> Result<Json<Reply>, BrokerError> {
    let told = told(&headers)?;
    let checked = page::check(&object)?;
    let (header, _) = &checked;
    if header.scan != sandbox.scan {
        return Err(BrokerError::Invalid(
            "scan: this sandbox works for another scan".to_owned(),
        ));
    }
    let lines = checked.1;
    let header = header.clone();
    let taken = take(&broker, &sandbox, checked, object, told).await;
    if let Err(error) = &taken
        && error.leaves_page()
        && let Err(error) = broker
            .ledger
            .weigh_page(&sandbox, &header, i64::try_from(lines).unwrap_or(i64::MAX))
            .await
    {
        // What cannot be noted stays reserved at the full price.
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the price of a page could not be noted"
        );
    }
    taken.map(Json)
}

/// Stores a page and commits it. Where that fails its rows are paid for all the same.
async fn take(
    broker: &Broker,
    sandbox: &Sandbox,
    checked: (Header, usize),
    object: Bytes,
    told: Option<Told>,
) -> Result<Reply, BrokerError> {
    let header = &checked.0;
    let sha256 = page::sha256(&object);
    let key = layout::page(&header.scan, header.range, header.epoch, header.seq, &sha256);
    let new = measure(broker, sandbox, Named { key, sha256 }, checked, &object, told).await?;
    if !mutants::on(Mutant::ObjectSkipped) {
        broker.objects.create(&new.key, object).await?;
    }
    let mut reply = broker.ledger.commit_page(sandbox, &new).await?;
    if reply.step == Step::Done && new.header.source == Source::Browser {
        meet_from_below(broker, sandbox, new.header.range).await?;
    }
    reply.token = broker.token_for(sandbox, &reply.step).await?;
    Ok(reply)
}

/// An object's key and the hash of its bytes.
pub(super) struct Named {
    pub(super) key: String,
    pub(super) sha256: String,
}

/// What the broker itself finds in a page that [`page::check`] has read: it believes no count that a sandbox states.
pub(super) async fn measure(
    broker: &Broker,
    sandbox: &Sandbox,
    Named { key, sha256 }: Named,
    (header, lines): (Header, usize),
    object: &Bytes,
    told: Option<Told>,
) -> Result<NewPage, BrokerError> {
    let Met { met, again } = meets(broker, sandbox, &header, object).await?;
    Ok(NewPage {
        lines: i64::try_from(lines).unwrap_or(i64::MAX),
        bytes: i64::try_from(object.len()).unwrap_or(i64::MAX),
        sha256,
        header,
        key,
        met,
        again,
        told,
    })
}

fn told(headers: &HeaderMap) -> Result<Option<Told>, BrokerError> {
    let Some(value) = headers.get(WINDOW_HEADER) else {
        return Ok(None);
    };
    serde_json::from_slice(value.as_bytes())
        .map(Some)
        .map_err(|error| BrokerError::Invalid(format!("{WINDOW_HEADER}: {error}")))
}
