//! PUT of an object or of its status, and the end every update has in common.

use axum::response::Response;
use http::StatusCode;

use crate::{
    admission::{ManagedFields, admit_update},
    decode, gc, names,
    object::Object,
    present::View,
    query::WriteOptions,
    registry::Resource,
    router::Call,
    server::Inner,
    status_error::{Cause, StatusError},
    verbs::create::check_namespace,
    write::Write,
};

pub(crate) async fn update(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    call.require_readable()?;
    let view = View::of(server, call)?;
    let resource = &call.resource;
    let options = call.query.write_options("UpdateOptions")?;
    let decoded = decode::body(call)?;
    let mut warnings = decode::judge(resource, decoded.complaints, options.field_validation)?;
    let candidate = decoded.object;
    check_target(call, &candidate)?;
    let mut write = Write::begin(server, options.dry_run).await?;
    let old = get_old(&mut write, call).await?;
    // Who replaces a custom resource must have read it; built-in kinds may be replaced blindly.
    if candidate.version().is_empty() && resource.is_custom() {
        let cause = Cause::invalid(
            "metadata.resourceVersion",
            "Invalid value: 0: must be specified for an update",
        );
        return Err(StatusError::invalid_kind(
            &resource.plural,
            &resource.group,
            candidate.name(),
            &[cause],
        ));
    }
    if !candidate.uid().is_empty() && candidate.uid() != old.uid() {
        let why = format!(
            "Precondition failed: UID in precondition: {}, UID in object meta: {}",
            candidate.uid(),
            old.uid()
        );
        return Err(StatusError::conflict(resource, old.name(), &why));
    }
    let new = finish(write, call, &options, &old, candidate, &mut warnings).await?;
    view.object(StatusCode::OK, &new, &warnings)
}

/// Admits what a PUT or a patch has made of an object, stores it and commits; adds what is to be warned of.
pub(crate) async fn finish(
    mut write: Write<'_>,
    call: &Call,
    options: &WriteOptions,
    old: &Object,
    candidate: Object,
    warnings: &mut Vec<String>,
) -> Result<Object, StatusError> {
    let resource = &call.resource;
    if resource.is_custom() {
        warnings.extend(names::warnings(&candidate, Some(old)));
    }
    let now = write.now.clone();
    let track = ManagedFields::Track(call.writer(&options.field_manager, &now));
    let admitted = admit_update(resource, old, candidate, call.part, track);
    let new = admitted.map_err(|error| error.warned(warnings))?;
    let new = store(&mut write, resource, old, new).await?;
    write.commit().await?;
    Ok(new)
}

/// The body must name the object of the path.
pub(crate) fn check_target(call: &Call, candidate: &Object) -> Result<(), StatusError> {
    check_name(call, candidate)?;
    check_namespace(candidate, call.object_namespace())
}

/// The same for the name alone.
pub(crate) fn check_name(call: &Call, candidate: &Object) -> Result<(), StatusError> {
    let name = call.object_name()?;
    match candidate.name() {
        "" => Err(StatusError::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        ))),
        sent if sent != name => Err(StatusError::bad_request(format!(
            "the name of the object ({sent}) does not match the name on the URL ({name})"
        ))),
        _ => Ok(()),
    }
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
    if write.is_dry_run() {
        return Ok(new);
    }
    if new.is_deleting() && old.has_finalizers() && !new.has_finalizers() {
        gc::remove_finished(write, &resource.key, old, new.clone()).await?;
        return Ok(new);
    }
    let new = write.replace(&resource.key, old, new).await?;
    if old.owner_uids() != new.owner_uids() {
        gc::remove_if_ownerless(write, &resource.key, &new).await?;
    }
    Ok(new)
}
