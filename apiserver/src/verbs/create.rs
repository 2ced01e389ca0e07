//! POST of a new object.

use axum::response::Response;
use followlytics_store::{db::DbError, resources};
use http::StatusCode;

use crate::{
    admission::{Birth, admit_create, decode},
    builtin::EVENTS_KEPT,
    gc,
    object::Object,
    present,
    registry::{Form, Resource},
    router::Call,
    server::Inner,
    status_error::StatusError,
    write::{Write, parse},
};

/// Tries of a generated name before giving up.
const NAME_ATTEMPTS: usize = 8;

pub(crate) async fn create(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    call.require_json()?;
    let resource = &call.resource;
    let options = call.query.write_options()?;
    let mut candidate = Object::from_json(&call.body)?;
    if !candidate.version().is_empty() {
        return Err(StatusError::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let warnings = decode(resource, &mut candidate, options.field_validation)?;
    // A POST without a path namespace would be to all namespaces.
    let namespace = match (&call.namespace, resource.namespaced) {
        (Some(namespace), _) => namespace.clone(),
        (None, false) => String::new(),
        (None, true) => {
            return Err(StatusError::bad_request(
                "a namespaced object is created in a namespace",
            ));
        }
    };
    check_namespace(&candidate, &namespace)?;
    candidate.metadata.remove("managedFields");

    let mut write = Write::begin(server, options.dry_run).await?;
    let object = insert(server, &mut write, resource, &namespace, candidate).await?;
    write.commit().await?;
    present::object(StatusCode::CREATED, resource, call.shape, &object, &warnings)
}

/// The body may leave the namespace out, but not name another.
pub(crate) fn check_namespace(object: &Object, namespace: &str) -> Result<(), StatusError> {
    let sent = object.namespace();
    if sent.is_empty() || sent == namespace {
        return Ok(());
    }
    let message = "the namespace of the provided object does not match the namespace sent on the request";
    Err(StatusError::bad_request(format!(
        "{message}: {sent:?} is not {namespace:?}"
    )))
}

/// Adds a decoded candidate, naming it first if it only has a `generateName`.
pub(crate) async fn insert(
    server: &Inner,
    write: &mut Write<'_>,
    resource: &Resource,
    namespace: &str,
    mut candidate: Object,
) -> Result<Object, StatusError> {
    require_namespace(write, resource, namespace).await?;
    let prefix = candidate.meta("generateName").to_owned();
    let generated = candidate.name().is_empty() && !prefix.is_empty();
    for _ in 0..NAME_ATTEMPTS {
        if generated {
            candidate.set_meta("name", server.new_name(&prefix));
        }
        if write
            .find(&resource.key, namespace, candidate.name())
            .await?
            .is_none()
        {
            break;
        }
        if !generated {
            return Err(StatusError::already_exists(resource, candidate.name()));
        }
    }
    let birth = Birth {
        uid: server.new_uid(),
        now: &write.now.clone(),
        namespace,
    };
    let object = admit_create(resource, candidate, birth)?;
    let name = object.name().to_owned();
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

fn taken(resource: &Resource, name: &str, error: StatusError) -> StatusError {
    match error.database_error() {
        Some(DbError::Exists(_)) => StatusError::already_exists(resource, name),
        _ => error,
    }
}

async fn require_namespace(
    write: &mut Write<'_>,
    resource: &Resource,
    namespace: &str,
) -> Result<(), StatusError> {
    if !resource.namespaced {
        return Ok(());
    }
    let Some(object) = write.find("namespaces", "", namespace).await? else {
        return Err(StatusError::namespace_not_found(namespace));
    };
    if object.is_deleting() {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        return Err(StatusError::forbidden(resource, "", &why));
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
