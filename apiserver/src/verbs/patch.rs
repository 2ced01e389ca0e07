//! PATCH: merge patch, JSON patch and apply.

use axum::response::Response;
use http::StatusCode;

use crate::{
    admission::{ManagedFields, Part, admit_update},
    apply::{apply, check_types},
    builtin,
    decode::{self, Decoded},
    json, names,
    object::Object,
    patch::{self, Patched, json_patch, merge_patch},
    present::View,
    query::{FieldValidation, WriteOptions},
    router::Call,
    server::Inner,
    status_error::{Cause, StatusError},
    verbs::{
        create::insert,
        update::{check_target, finish, get_old, store},
    },
    write::Write,
};

pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const JSON: &str = "application/json-patch+json";
pub(crate) const APPLY: &str = "application/apply-patch+yaml";

type Change = fn(&Object, &[u8]) -> Result<Patched, StatusError>;

pub(crate) async fn patch(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    let change: Change = match call.content_type.as_str() {
        APPLY => return apply_patch(server, call).await,
        MERGE => merge_patch,
        JSON => json_patch,
        _ => return Err(unsupported()),
    };
    let options = call.query.write_options("PatchOptions")?;
    if call.query.has("force") {
        let cause = Cause::forbidden("force", "may not be specified for non-apply patch");
        return Err(StatusError::invalid_options("PatchOptions", &[cause]));
    }
    patch_with(server, call, &options, change).await
}

/// The refusal of every other form.
pub(crate) fn unsupported() -> StatusError {
    StatusError::unsupported_media_type(&[JSON, MERGE, APPLY].join(", "))
}

/// An apply says in whose name.
pub(crate) fn require_manager(options: &WriteOptions) -> Result<(), StatusError> {
    if options.field_manager.is_empty() {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(StatusError::invalid_options("PatchOptions", &[cause]));
    }
    Ok(())
}

/// A patch that says what to change: without a resourceVersion in it, it never conflicts.
async fn patch_with(
    server: &Inner,
    call: &Call,
    options: &WriteOptions,
    change: Change,
) -> Result<Response, StatusError> {
    let view = View::of(server, call)?;
    let resource = &call.resource;
    let mut write = Write::begin(server, options.dry_run).await?;
    let old = get_old(&mut write, call).await?;
    let mut before = old.clone();
    builtin::to_served(resource, &mut before.fields);
    let Patched {
        value,
        complaints: mut warnings,
    } = change(&before, &call.body)?;
    let shown = (options.field_validation == FieldValidation::Strict).then(|| value.to_string());
    let Decoded {
        object: candidate,
        complaints,
    } = decode::object(resource, patch::fields(value)?)?;
    warnings.extend(complaints);
    match (options.field_validation, shown) {
        (FieldValidation::Strict, Some(shown)) if !warnings.is_empty() => {
            let problem = format!(
                "Invalid value: {shown:?}: strict decoding error: {}",
                warnings.join(", ")
            );
            return Err(StatusError::invalid_patch(&Cause::invalid("patch", problem)));
        }
        (FieldValidation::Ignore, _) => warnings.clear(),
        _ => {}
    }
    check_target(call, &candidate)?;
    check_uid(call, &old, &candidate)?;
    let new = finish(write, call, options, &old, candidate, &mut warnings).await?;
    view.object(StatusCode::OK, &new, &warnings)
}

/// Two layers of Kubernetes find this, and both say so.
fn check_uid(call: &Call, old: &Object, candidate: &Object) -> Result<(), StatusError> {
    let uid = candidate.uid();
    if uid.is_empty() || uid == old.uid() {
        return Ok(());
    }
    let cause = Cause::invalid(
        "metadata.uid",
        format!("Invalid value: {uid:?}: field is immutable"),
    );
    Err(StatusError::invalid(
        &call.resource,
        old.name(),
        &[cause.clone(), cause],
    ))
}

/// The document of an apply, before anything is known of the object.
fn document(call: &Call, options: &WriteOptions) -> Result<(Object, Vec<String>), StatusError> {
    let resource = &call.resource;
    let document = json::read(&call.body)
        .map_err(|problem| problem.to_string())
        .or_else(|_| decode::yaml(&call.body))
        .map_err(|problem| StatusError::bad_request(format!("error decoding YAML: {problem}")))?;
    let mut object = Object::from_value(document.value)?;
    let (version, kind) = (object.text("apiVersion"), object.text("kind"));
    if (version, kind) != (resource.api_version().as_str(), resource.kind.as_str()) {
        let version = if version.contains('/') || version.is_empty() && kind.is_empty() {
            version.to_owned()
        } else {
            format!("/{version}")
        };
        let version = if version.is_empty() { "/" } else { &version };
        return Err(StatusError::bad_request(format!(
            "invalid object type: {version}, Kind={kind}"
        )));
    }
    if object.metadata.contains_key("managedFields") {
        return Err(StatusError::bad_request("metadata.managedFields must be nil"));
    }
    check_types(resource, &object)?;
    builtin::to_stored(resource, &mut object);
    let complaints = document
        .duplicates
        .iter()
        .map(|path| format!("duplicate field {path:?}"));
    let complaints: Vec<String> = complaints.collect();
    match options.field_validation {
        FieldValidation::Strict if !complaints.is_empty() => Err(StatusError::bad_request(format!(
            "error strict decoding YAML: {}",
            complaints.join(", ")
        ))),
        FieldValidation::Ignore => Ok((object, Vec::new())),
        _ => Ok((object, complaints)),
    }
}

/// Server-side apply: the document is everything its manager wants to say about the object.
async fn apply_patch(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    let view = View::of(server, call)?;
    let resource = &call.resource;
    let name = call.object_name()?;
    let options = call.query.write_options("PatchOptions")?;
    require_manager(&options)?;
    let (document, mut warnings) = document(call, &options)?;

    let mut write = Write::begin(server, options.dry_run).await?;
    let now = write.now.clone();
    let writer = call.writer(&options.field_manager, &now);
    let old = write.find(&resource.key, call.object_namespace(), name).await?;
    if resource.is_custom() {
        warnings.extend(names::warnings(&document, old.as_ref()));
    }
    let (status, object) = match old {
        Some(old) => {
            let mut candidate = apply(resource, &old, true, &document, &writer, options.force)?;
            // A document may leave the name out where there is an object to take it from.
            if !document.name().is_empty() {
                check_target(call, &document)?;
            }
            check_uid(call, &old, &document)?;
            // The version that the document states is a precondition.
            if let Some(stated) = document.metadata.get("resourceVersion") {
                candidate.set_meta("resourceVersion", stated.clone());
            }
            let new = admit_update(resource, &old, candidate, call.part, ManagedFields::Replace)?;
            (StatusCode::OK, store(&mut write, resource, &old, new).await?)
        }
        None if call.part != Part::Main => return Err(StatusError::not_found(resource, name)),
        None if !document.uid().is_empty() => {
            return Err(StatusError::conflict(
                resource,
                name,
                &format!(
                    "uid mismatch: the provided object specified uid {}, and no existing object was found",
                    document.uid()
                ),
            ));
        }
        None => {
            check_target(call, &document)?;
            let blank = blank(&document);
            let candidate = apply(resource, &blank, false, &document, &writer, options.force)?;
            let namespace = call.object_namespace();
            let managed = ManagedFields::Replace;
            let made = insert(server, &mut write, resource, namespace, candidate, managed).await?;
            (StatusCode::CREATED, made)
        }
    };
    write.commit().await?;
    view.object(status, &object, &warnings)
}

/// What the first apply of an object is merged into: its type and its name.
fn blank(document: &Object) -> Object {
    let mut blank = Object::default();
    for field in ["apiVersion", "kind"] {
        if let Some(value) = document.fields.get(field) {
            blank.fields.insert(field.into(), value.clone());
        }
    }
    blank.set_meta("name", document.name());
    blank
}
