//! PATCH: merge patch, JSON patch and apply.

use axum::response::Response;
use http::StatusCode;

use crate::{
    admission::{ManagedFields, Part, admit_update, decode},
    apply::{Applier, apply},
    builtin,
    object::Object,
    patch::{json_patch, merge_patch},
    present,
    query::WriteOptions,
    router::Call,
    server::Inner,
    status_error::{Cause, StatusError},
    verbs::{
        create::insert,
        update::{check_target, get_old, store, subresource},
    },
    write::Write,
};

const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

pub(crate) async fn patch(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    let options = call.query.write_options()?;
    match call.content_type.as_str() {
        APPLY => apply_patch(server, call, &options).await,
        _ if options.force => {
            let cause = Cause::forbidden("force", "may not be specified for non-apply patch");
            Err(StatusError::invalid(
                &call.resource,
                call.object_name()?,
                &[cause],
            ))
        }
        MERGE => patch_with(server, call, &options, merge_patch).await,
        JSON => {
            let resource = &call.resource;
            patch_with(server, call, &options, |object, patch| {
                json_patch(resource, object, patch)
            })
            .await
        }
        other => Err(StatusError::unsupported_media_type(
            other,
            &[JSON, MERGE, APPLY].join(", "),
        )),
    }
}

/// A patch that says what to change: without a resourceVersion in it, it never conflicts.
async fn patch_with(
    server: &Inner,
    call: &Call,
    options: &WriteOptions,
    change: impl Fn(&Object, &[u8]) -> Result<Object, StatusError>,
) -> Result<Response, StatusError> {
    let resource = &call.resource;
    let mut write = Write::begin(server, options.dry_run).await?;
    let old = get_old(&mut write, call).await?;
    let mut before = old.clone();
    builtin::to_served(resource, &mut before.fields);
    let mut candidate = change(&before, &call.body)?;
    let warnings = decode(resource, &mut candidate, options.field_validation)?;
    check_target(call, &candidate)?;
    let new = admit_update(resource, &old, candidate, call.part, ManagedFields::Keep)?;
    let new = store(&mut write, resource, &old, new).await?;
    write.commit().await?;
    present::object(StatusCode::OK, resource, call.shape, &new, &warnings)
}

/// Server-side apply: the document is everything its manager wants to say about the object.
async fn apply_patch(server: &Inner, call: &Call, options: &WriteOptions) -> Result<Response, StatusError> {
    let resource = &call.resource;
    let name = call.object_name()?;
    if options.field_manager.is_empty() {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(StatusError::invalid(resource, name, &[cause]));
    }
    let mut document = Object::from_json(&call.body)?;
    if document.metadata.contains_key("managedFields") {
        return Err(StatusError::bad_request("metadata.managedFields must be nil"));
    }
    let warnings = decode(resource, &mut document, options.field_validation)?;
    document.metadata.entry("name").or_insert_with(|| name.into());
    check_target(call, &document)?;

    let mut write = Write::begin(server, options.dry_run).await?;
    let now = write.now.clone();
    let terms = Applier {
        manager: &options.field_manager,
        subresource: subresource(call.part),
        force: options.force,
        now: &now,
    };
    let old = write.find(&resource.key, call.object_namespace(), name).await?;
    let (status, object) = match old {
        Some(old) => {
            let mut candidate = apply(resource, &old, &document, &terms)?;
            // Identity that the document states is a precondition.
            for field in ["uid", "resourceVersion"] {
                if let Some(stated) = document.metadata.get(field) {
                    candidate.set_meta(field, stated.clone());
                }
            }
            let new = admit_update(resource, &old, candidate, call.part, ManagedFields::Replace)?;
            (StatusCode::OK, store(&mut write, resource, &old, new).await?)
        }
        None if call.part == Part::Status => return Err(StatusError::not_found(resource, name)),
        None if !document.version().is_empty() || !document.uid().is_empty() => {
            return Err(StatusError::conflict(
                resource,
                name,
                "the object has been deleted, but its document names a uid or resourceVersion; remove it to create the object anew",
            ));
        }
        None => {
            let blank = blank(&document);
            let candidate = apply(resource, &blank, &document, &terms)?;
            (
                StatusCode::CREATED,
                insert(server, &mut write, resource, call.object_namespace(), candidate).await?,
            )
        }
    };
    write.commit().await?;
    present::object(status, resource, call.shape, &object, &warnings)
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
