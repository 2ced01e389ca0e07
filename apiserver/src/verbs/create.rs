//! POST of a new object.

use axum::response::Response;
use followlytics_store::{db::DbError, resources};
use http::StatusCode;

use crate::{
    admission::{Birth, ManagedFields, admit_create},
    builtin::EVENTS_KEPT,
    decode, gc, names,
    object::Object,
    present::View,
    registry::{Form, Resource},
    router::Call,
    server::Inner,
    status_error::StatusError,
    write::{Write, parse},
};

/// Tries of a generated name before giving up.
const NAME_ATTEMPTS: usize = 8;

pub(crate) async fn create(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    let resource = &call.resource;
    // A POST without a path namespace would be to all namespaces.
    let namespace = match (&call.namespace, resource.namespaced) {
        (Some(namespace), _) => namespace.clone(),
        (None, false) => String::new(),
        (None, true) => return Err(StatusError::no_such_path()),
    };
    call.require_readable()?;
    let view = View::of(server, call)?;
    let options = call.query.write_options("CreateOptions")?;
    let decoded = decode::body(call)?;
    let mut warnings = decode::judge(resource, decoded.complaints, options.field_validation)?;
    let mut candidate = decoded.object;
    check_namespace(&candidate, &namespace)?;
    if !candidate.version().is_empty() {
        return Err(StatusError::unexplained(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    candidate.metadata.remove("managedFields");
    if resource.is_custom() {
        warnings.extend(names::warnings(&candidate, None));
    }

    let mut write = Write::begin(server, options.dry_run).await?;
    let now = write.now.clone();
    let managed = ManagedFields::Track(call.writer(&options.field_manager, &now));
    let inserted = insert(server, &mut write, resource, &namespace, candidate, managed).await;
    let object = inserted.map_err(|error| error.warned(&warnings))?;
    write.commit().await?;
    view.object(StatusCode::CREATED, &object, &warnings)
}

/// The body may leave the namespace out, but not name another.
pub(crate) fn check_namespace(object: &Object, namespace: &str) -> Result<(), StatusError> {
    let sent = object.namespace();
    if sent.is_empty() || sent == namespace {
        return Ok(());
    }
    Err(StatusError::bad_request(
        "the namespace of the provided object does not match the namespace sent on the request",
    ))
}

/// Adds a decoded candidate, naming it first if it only has a `generateName`.
pub(crate) async fn insert(
    server: &Inner,
    write: &mut Write<'_>,
    resource: &Resource,
    namespace: &str,
    mut candidate: Object,
    managed: ManagedFields<'_>,
) -> Result<Object, StatusError> {
    require_namespace(write, resource, namespace, candidate.name()).await?;
    let prefix = candidate.meta("generateName").to_owned();
    let generated = candidate.name().is_empty() && !prefix.is_empty();
    if !generated && candidate.name().is_empty() {
        // Refused with everything else that is wrong with it.
        let birth = birth(server, write, namespace);
        return admit_create(resource, candidate, birth, managed);
    }
    for _ in 0..NAME_ATTEMPTS {
        if generated {
            candidate.set_meta("name", server.new_name(&prefix));
        }
        let taken = write.find(&resource.key, namespace, candidate.name()).await?;
        if !generated || taken.is_none() {
            break;
        }
    }
    let object = admit_create(resource, candidate, birth(server, write, namespace), managed)?;
    let name = object.name().to_owned();
    // Looked at last: what is wrong with the object itself is told first.
    if let Some(existing) = write.find(&resource.key, namespace, &name).await? {
        return Err(StatusError::already_exists(
            resource,
            &name,
            existing.is_deleting(),
        ));
    }
    let object = write
        .insert(&resource.key, object)
        .await
        .map_err(|error| taken(resource, &name, error))?;
    gc::remove_if_ownerless(write, &resource.key, &object).await?;
    if matches!(resource.form, Form::CoreEvent | Form::GroupEvent) {
        forget_old_events(write, resource).await?;
    }
    Ok(object)
}

fn birth<'a>(server: &Inner, write: &Write<'_>, namespace: &'a str) -> Birth<'a> {
    Birth {
        uid: server.new_uid(),
        now: write.now.clone(),
        namespace,
    }
}

fn taken(resource: &Resource, name: &str, error: StatusError) -> StatusError {
    match error.database_error() {
        Some(DbError::Exists(_)) => StatusError::already_exists(resource, name, false),
        _ => error,
    }
}

async fn require_namespace(
    write: &mut Write<'_>,
    resource: &Resource,
    namespace: &str,
    name: &str,
) -> Result<(), StatusError> {
    if !resource.namespaced {
        return Ok(());
    }
    let Some(object) = write.find("namespaces", "", namespace).await? else {
        return Err(StatusError::namespace_not_found(namespace));
    };
    if object.is_deleting() {
        return Err(StatusError::namespace_terminating(resource, name, namespace));
    }
    Ok(())
}

/// Events pile up and nobody deletes them; the oldest go, a few at a time.
async fn forget_old_events(write: &mut Write<'_>, resource: &Resource) -> Result<(), StatusError> {
    if write.is_dry_run() || resources::current_version(&mut write.tx).await? % 64 != 0 {
        return Ok(());
    }
    for stored in resources::list_oldest(&mut write.tx, &resource.key, EVENTS_KEPT).await? {
        let mut event = parse(&stored)?;
        write.remove_row(&resource.key, &mut event).await?;
    }
    Ok(())
}
