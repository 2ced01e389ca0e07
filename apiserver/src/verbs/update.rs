//! PUT of an object or of its status, and the end every update has in common.

use axum::response::Response;
use http::StatusCode;

use crate::{
    admission::{ManagedFields, Part, admit_update, decode},
    gc::{self, Propagation},
    object::Object,
    present,
    registry::{Form, Resource},
    router::Call,
    server::Inner,
    status_error::{Cause, StatusError},
    verbs::create::check_namespace,
    write::Write,
};

pub(crate) async fn update(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    call.require_json()?;
    let resource = &call.resource;
    let options = call.query.write_options()?;
    let mut candidate = Object::from_json(&call.body)?;
    let warnings = decode(resource, &mut candidate, options.field_validation)?;
    check_target(call, &candidate)?;
    // Who replaces a custom resource must have read it; built-in kinds may be replaced blindly.
    if candidate.version().is_empty() && resource.form == Form::Custom {
        let cause = Cause::invalid(
            "metadata.resourceVersion",
            "Invalid value: 0: must be specified for an update",
        );
        return Err(StatusError::invalid(resource, candidate.name(), &[cause]));
    }
    let mut write = Write::begin(server, options.dry_run).await?;
    let old = get_old(&mut write, call).await?;
    let new = admit_update(resource, &old, candidate, call.part, ManagedFields::Keep)?;
    let new = store(&mut write, resource, &old, new).await?;
    write.commit().await?;
    present::object(StatusCode::OK, resource, call.shape, &new, &warnings)
}

/// The body must name the object of the path.
pub(crate) fn check_target(call: &Call, candidate: &Object) -> Result<(), StatusError> {
    let name = call.object_name()?;
    if candidate.name() != name {
        let sent = candidate.name();
        return Err(StatusError::bad_request(format!(
            "the name of the object ({sent}) does not match the name on the URL ({name})"
        )));
    }
    check_namespace(candidate, call.object_namespace())
}

pub(crate) async fn get_old(write: &mut Write<'_>, call: &Call) -> Result<Object, StatusError> {
    let name = call.object_name()?;
    let old = write
        .find(&call.resource.key, call.object_namespace(), name)
        .await?;
    old.ok_or_else(|| StatusError::not_found(&call.resource, name))
}

/// Writes an admitted update. An object that was only waiting for its last finalizer goes.
pub(crate) async fn store(
    write: &mut Write<'_>,
    resource: &Resource,
    old: &Object,
    new: Object,
) -> Result<Object, StatusError> {
    if new.is_deleting() && old.has_finalizers() && !new.has_finalizers() {
        gc::delete(write, &resource.key, new.clone(), Propagation::Background).await?;
        return Ok(new);
    }
    let new = write.replace(&resource.key, old, new).await?;
    if old.owner_uids() != new.owner_uids() {
        gc::remove_if_ownerless(write, &resource.key, &new).await?;
    }
    Ok(new)
}

/// The part of an object a path writes, as a subresource name.
pub(crate) fn subresource(part: Part) -> &'static str {
    match part {
        Part::Main => "",
        Part::Status => "status",
    }
}
