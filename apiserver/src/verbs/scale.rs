//! GET, PUT and PATCH of the number of replicas, as an `autoscaling/v1` Scale.

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;

use crate::{
    admission::{ManagedFields, Part, admit_update},
    apply::apply,
    decode, json,
    object::Object,
    patch,
    present::{self, View},
    query::WriteOptions,
    router::Call,
    scale::ScalePaths,
    server::Inner,
    status_error::StatusError,
    table::Columns,
    verbs::{
        get::find,
        patch::{APPLY, JSON, MERGE, require_manager, unsupported},
        update::{check_name, get_old, store},
    },
    write::{Write, parse},
};

pub(crate) async fn scale(server: &Inner, call: &Call, verb: &str) -> Result<Response, StatusError> {
    let paths = call
        .resource
        .scale
        .as_ref()
        .ok_or_else(StatusError::no_such_path)?;
    let scale = match verb {
        "get" => {
            let mut tx = server.db.begin().await?;
            paths.read(&parse(&find(server, &mut tx, call).await?)?)?
        }
        "update" => replace(server, call, paths).await?,
        _ => patch(server, call, paths).await?,
    };
    let columns = Columns::of_scales();
    let view = View::of(server, call)?.with_columns(&columns);
    Ok(present::raw(
        StatusCode::OK,
        view.json(&scale.to_string())?.into_owned(),
    ))
}

async fn replace(server: &Inner, call: &Call, paths: &ScalePaths) -> Result<Value, StatusError> {
    call.require_readable()?;
    let options = call.query.write_options("UpdateOptions")?;
    let sent = read(call)?;
    check_name(call, &Object::from_value(sent.clone())?)?;
    let mut write = Write::begin(server, options.dry_run).await?;
    let old = get_old(&mut write, call).await?;
    let candidate = paths.write(&old, &sent)?;
    admit(write, call, paths, &options, old, candidate).await
}

async fn patch(server: &Inner, call: &Call, paths: &ScalePaths) -> Result<Value, StatusError> {
    let options = call.query.write_options("PatchOptions")?;
    let mut write = Write::begin(server, options.dry_run).await?;
    let old = get_old(&mut write, call).await?;
    let before = Object::from_value(paths.read(&old)?)?;
    let sent = match call.content_type.as_str() {
        MERGE => patch::merge_patch(&before, &call.body)?.value,
        JSON => patch::json_patch(&before, &call.body)?.value,
        APPLY => return applied(write, call, paths, &options, old).await,
        _ => return Err(unsupported()),
    };
    check_name(call, &Object::from_value(sent.clone())?)?;
    let candidate = paths.write(&old, &sent)?;
    admit(write, call, paths, &options, old, candidate).await
}

async fn admit(
    write: Write<'_>,
    call: &Call,
    paths: &ScalePaths,
    options: &WriteOptions,
    old: Object,
    candidate: Object,
) -> Result<Value, StatusError> {
    let now = write.now.clone();
    let track = ManagedFields::Track(call.writer(&options.field_manager, &now));
    finish(write, call, paths, old, candidate, track).await
}

/// Admits what became of the object, stores it and commits.
async fn finish(
    mut write: Write<'_>,
    call: &Call,
    paths: &ScalePaths,
    old: Object,
    candidate: Object,
    managed: ManagedFields<'_>,
) -> Result<Value, StatusError> {
    let new = admit_update(&call.resource, &old, candidate, Part::Scale, managed)?;
    let new = store(&mut write, &call.resource, &old, new).await?;
    write.commit().await?;
    paths.read(&new)
}

async fn applied(
    write: Write<'_>,
    call: &Call,
    paths: &ScalePaths,
    options: &WriteOptions,
    old: Object,
) -> Result<Value, StatusError> {
    require_manager(options)?;
    let document = paths.document(&old, &read(call)?)?;
    let now = write.now.clone();
    let writer = call.writer(&options.field_manager, &now);
    let candidate = apply(&call.resource, &old, true, &document, &writer, options.force)?;
    finish(write, call, paths, old, candidate, ManagedFields::Replace).await
}

/// The `Scale` a body holds.
fn read(call: &Call) -> Result<Value, StatusError> {
    let document = json::read(&call.body)
        .map_err(|problem| problem.to_string())
        .or_else(|problem| decode::yaml(&call.body).map_err(|_| problem))
        .map_err(|problem| StatusError::bad_request(format!("the object provided is no Scale: {problem}")))?;
    let text = |field: &str| {
        document
            .value
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    if text("kind") != "Scale" || text("apiVersion") != "autoscaling/v1" {
        return Err(StatusError::bad_request(format!(
            "wrong object passed to Scale update: {} of {}",
            text("kind"),
            text("apiVersion")
        )));
    }
    Ok(document.value)
}
