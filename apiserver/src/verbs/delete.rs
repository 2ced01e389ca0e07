//! DELETE of an object or of a collection.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::{
    builtin::DEFAULT_NAMESPACE,
    gc::{self, Deletion, Propagation},
    object::Object,
    present,
    registry::{Form, Resource},
    router::Call,
    selector::Selector,
    server::Inner,
    status_error::StatusError,
    verbs::{list::select, update::get_old},
    write::{Write, parse},
};

/// `DeleteOptions`, as far as they mean something here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeleteOptions {
    preconditions: Option<Preconditions>,
    propagation_policy: Option<String>,
    dry_run: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

impl DeleteOptions {
    /// The body, with what the query says in its absence.
    fn of(call: &Call) -> Result<Self, StatusError> {
        call.require_json()?;
        let mut options: Self = if call.body.is_empty() {
            Self::default()
        } else {
            serde_json::from_slice(&call.body)
                .map_err(|error| StatusError::bad_request(format!("invalid DeleteOptions: {error}")))?
        };
        let policy = call.query.text("propagationPolicy");
        if options.propagation_policy.is_none() && !policy.is_empty() {
            options.propagation_policy = Some(policy.to_owned());
        }
        if call.query.write_options()?.dry_run {
            options.dry_run = Some(vec!["All".into()]);
        }
        Ok(options)
    }

    fn propagation(&self) -> Result<Propagation, StatusError> {
        match self.propagation_policy.as_deref() {
            None | Some("Background" | "Foreground") => Ok(Propagation::Background),
            Some("Orphan") => Ok(Propagation::Orphan),
            Some(other) => Err(StatusError::bad_request(format!(
                "invalid propagationPolicy: \"{other}\" is none of Background, Foreground, Orphan"
            ))),
        }
    }

    fn is_dry_run(&self) -> Result<bool, StatusError> {
        match self.dry_run.as_deref() {
            None | Some([]) => Ok(false),
            Some([all]) if all == "All" => Ok(true),
            Some(other) => Err(StatusError::bad_request(format!(
                "invalid dryRun: {other:?} is not [\"All\"]"
            ))),
        }
    }

    fn check(&self, resource: &Resource, object: &Object) -> Result<(), StatusError> {
        let Some(wanted) = &self.preconditions else {
            return Ok(());
        };
        let differs =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_some_and(|wanted| wanted != found);
        let (what, wanted, found) = if differs(&wanted.uid, object.uid()) {
            ("UID", &wanted.uid, object.uid())
        } else if differs(&wanted.resource_version, object.version()) {
            ("ResourceVersion", &wanted.resource_version, object.version())
        } else {
            return Ok(());
        };
        let wanted = wanted.as_deref().unwrap_or_default();
        let why =
            format!("Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}");
        Err(StatusError::conflict(resource, object.name(), &why))
    }
}

pub(crate) async fn delete(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    let options = DeleteOptions::of(call)?;
    let resource = &call.resource;
    let propagation = options.propagation()?;
    let mut write = Write::begin(server, options.is_dry_run()?).await?;
    let object = get_old(&mut write, call).await?;
    options.check(resource, &object)?;
    refuse_default_namespace(resource, &object)?;
    let deletion = gc::delete(&mut write, &resource.key, object, propagation).await?;
    write.commit().await?;
    match deletion {
        Deletion::Marked(object) => present::object(StatusCode::OK, resource, call.shape, &object, &[]),
        Deletion::Removed(object) => {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {
                    "name": object.name(), "group": resource.group, "kind": resource.plural, "uid": object.uid(),
                },
            });
            Ok(present::raw(StatusCode::OK, status.to_string()))
        }
    }
}

/// Deletes everything the selectors want, in one transaction, and answers with what it was.
pub(crate) async fn delete_collection(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    let options = DeleteOptions::of(call)?;
    let resource = &call.resource;
    let propagation = options.propagation()?;
    let selector = Selector::parse(
        resource,
        call.query.text("labelSelector"),
        call.query.text("fieldSelector"),
    )?;
    let mut write = Write::begin(server, options.is_dry_run()?).await?;
    let found = select(&mut write.tx, call, &selector).await?;
    for stored in &found {
        // An earlier deletion may have taken it along, or changed it.
        let Some(object) = write.find(&resource.key, &stored.namespace, &stored.name).await? else {
            continue;
        };
        if write.is_dry_run() {
            options.check(resource, &parse(stored)?)?;
            continue;
        }
        options.check(resource, &object)?;
        refuse_default_namespace(resource, &object)?;
        gc::delete(&mut write, &resource.key, object, propagation).await?;
    }
    let version = followlytics_store::resources::current_version(&mut write.tx).await?;
    write.commit().await?;
    present::list(
        resource,
        call.shape,
        version,
        found.iter().map(|stored| stored.object.as_str()),
    )
}

fn refuse_default_namespace(resource: &Resource, object: &Object) -> Result<(), StatusError> {
    if resource.form == Form::Namespace && object.name() == DEFAULT_NAMESPACE {
        return Err(StatusError::forbidden(
            resource,
            object.name(),
            "this namespace may not be deleted",
        ));
    }
    Ok(())
}
