//! GET of one object, or of its status.

use axum::response::Response;
use followlytics_store::{
    db::Tx,
    resources::{self, StoredObject},
};
use http::StatusCode;

use crate::{
    definition, present, present::View, registry::Form, router::Call, server::Inner,
    status_error::StatusError,
};

pub(crate) async fn get(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    let view = View::of(server, call)?;
    let mut tx = server.db.begin().await?;
    let asked = call.query.version().map_err(StatusError::unexplained)?;
    let current = resources::current_version(&mut tx).await?;
    if let Some(asked) = asked.filter(|asked| *asked > current) {
        return Err(StatusError::version_too_large(asked, current));
    }
    let stored = find(server, &mut tx, call).await?;
    drop(tx);
    Ok(present::raw(
        StatusCode::OK,
        view.json(&stored.object)?.into_owned(),
    ))
}

/// The object a path names, as it is stored.
pub(crate) async fn find(server: &Inner, tx: &mut Tx, call: &Call) -> Result<StoredObject, StatusError> {
    let resource = &call.resource;
    let name = call.object_name()?;
    let found = if resource.form == Form::Definition {
        let all = definition::list(tx, &server.registry).await?;
        all.into_iter().find(|stored| stored.name == name)
    } else {
        resources::find_object(tx, &resource.key, call.object_namespace(), name).await?
    };
    found.ok_or_else(|| StatusError::not_found(resource, name))
}
