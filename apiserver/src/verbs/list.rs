//! GET of a collection. Everything is answered in one list: `limit` is a wish, and `continue` is never given out.

use axum::response::Response;
use followlytics_store::{
    db::Tx,
    resources::{self, StoredObject},
};

use crate::{present, router::Call, selector::Selector, server::Inner, status_error::StatusError};

pub(crate) async fn list(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    let selector = Selector::parse(
        &call.resource,
        call.query.text("labelSelector"),
        call.query.text("fieldSelector"),
    )?;
    let mut tx = server.db.begin().await?;
    let version = resources::current_version(&mut tx).await?;
    check_version(call, version)?;
    let found = select(&mut tx, call, &selector).await?;
    drop(tx);
    let items = found.iter().map(|stored| stored.object.as_str());
    present::list(&call.resource, call.shape, version, items)
}

/// The objects of a collection that the selector wants, by namespace and name.
pub(crate) async fn select(
    tx: &mut Tx,
    call: &Call,
    selector: &Selector,
) -> Result<Vec<StoredObject>, StatusError> {
    let (key, namespace) = (&call.resource.key, call.namespace.as_deref());
    let candidates = match (selector.single_name(), namespace, call.resource.namespaced) {
        (Some(name), Some(namespace), true) => resources::find_object(tx, key, namespace, name)
            .await?
            .into_iter()
            .collect(),
        (Some(name), _, false) => resources::find_object(tx, key, "", name)
            .await?
            .into_iter()
            .collect(),
        _ => resources::list_objects(tx, key, namespace).await?,
    };
    let wanted = |stored: &StoredObject| {
        selector.matches(&stored.labels, &stored.namespace, &stored.name, &stored.object)
    };
    Ok(candidates.into_iter().filter(wanted).collect())
}

/// Only the present can be listed; a version from the future comes from another database.
fn check_version(call: &Call, current: i64) -> Result<(), StatusError> {
    let Some(asked) = call.query.version("resourceVersion")? else {
        return Ok(());
    };
    if asked > current {
        return Err(StatusError::version_too_large(asked, current));
    }
    if call.query.text("resourceVersionMatch") == "Exact" && asked < current {
        return Err(StatusError::expired(asked, current));
    }
    Ok(())
}
