//! GET of one object, or of its status.

use axum::response::Response;
use followlytics_store::resources;
use http::StatusCode;

use crate::{present, router::Call, server::Inner, status_error::StatusError};

pub(crate) async fn get(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    let resource = &call.resource;
    let name = call.object_name()?;
    let mut tx = server.db.begin().await?;
    let stored = resources::find_object(&mut tx, &resource.key, call.object_namespace(), name).await?;
    drop(tx);
    let stored = stored.ok_or_else(|| StatusError::not_found(resource, name))?;
    Ok(present::raw(
        StatusCode::OK,
        present::json(resource, call.shape, &stored.object)?.into_owned(),
    ))
}
