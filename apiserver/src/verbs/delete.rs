//! DELETE of an object or of a collection.

use axum::response::Response;
use followlytics_store::resources;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    builtin::DEFAULT_NAMESPACE,
    decode,
    gc::{self, Deletion, Propagation},
    json::{self, Document},
    object::Object,
    page::select,
    present::{self, ListMeta, View},
    query::dry_run,
    registry::{Form, Resource},
    router::Call,
    selector::Selector,
    server::Inner,
    status_error::{Cause, StatusError},
    verbs::update::get_old,
    write::{Write, parse},
};

/// `DeleteOptions`, as far as they mean something here: nothing runs that could be given time to end.
#[derive(Debug)]
struct DeleteOptions {
    uid: Option<String>,
    version: Option<String>,
    propagation: Option<Propagation>,
    dry_run: bool,
}

impl DeleteOptions {
    /// The body; without one, what the query says.
    fn of(call: &Call) -> Result<Self, StatusError> {
        let sent = if call.body.is_empty() {
            Self::of_query(call)
        } else {
            Self::of_body(call)?
        };
        let text = |pointer: &str| sent.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let mut causes = Vec::new();
        let propagation = propagation(&sent, &mut causes);
        let dry_runs = sent.get("dryRun").and_then(Value::as_array);
        let dry_runs: Vec<&str> = dry_runs.into_iter().flatten().filter_map(Value::as_str).collect();
        let mut is_dry_run = false;
        for one in dry_runs {
            is_dry_run |= dry_run(one, &mut causes);
        }
        if !causes.is_empty() {
            return Err(StatusError::invalid_options("DeleteOptions", &causes));
        }
        Ok(Self {
            uid: text("/preconditions/uid"),
            version: text("/preconditions/resourceVersion"),
            propagation,
            dry_run: is_dry_run,
        })
    }

    fn of_query(call: &Call) -> Value {
        let mut options = json!({});
        let policy = call.query.text("propagationPolicy");
        if let Value::Object(options) = &mut options {
            if !policy.is_empty() {
                options.insert("propagationPolicy".into(), policy.into());
            }
            if call.query.has("orphanDependents") {
                let orphan = call.query.flag("orphanDependents");
                options.insert("orphanDependents".into(), orphan.into());
            }
            if call.query.has("dryRun") {
                options.insert("dryRun".into(), json!([call.query.text("dryRun")]));
            }
        }
        options
    }

    fn of_body(call: &Call) -> Result<Value, StatusError> {
        call.require_readable()?;
        let Document { value, .. } = json::read(&call.body)
            .map_err(|error| json::problem(&error))
            .or_else(|problem| decode::yaml(&call.body).map_err(|_| problem))
            .map_err(|problem| {
                StatusError::unexplained(format!("couldn't get version/kind; json parse error: {problem}"))
            })?;
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
        if !matches!(kind, "" | "DeleteOptions") {
            return Err(StatusError::unexplained(format!(
                "no kind {kind:?} is registered for the body of a delete: it takes DeleteOptions"
            )));
        }
        Ok(value)
    }

    fn check(&self, resource: &Resource, object: &Object) -> Result<(), StatusError> {
        let differs =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_some_and(|wanted| wanted != found);
        let why = if differs(&self.uid, object.uid()) {
            let wanted = self.uid.as_deref().unwrap_or_default();
            format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({}). The object might have \
                 been deleted and then recreated",
                object.uid()
            )
        } else if differs(&self.version, object.version()) {
            let wanted = self.version.as_deref().unwrap_or_default();
            format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({}). \
                 The object might have been modified",
                object.version()
            )
        } else {
            return Ok(());
        };
        Err(StatusError::precondition(resource, object.name(), &why))
    }
}

fn propagation(sent: &Value, causes: &mut Vec<Cause>) -> Option<Propagation> {
    let policy = sent.get("propagationPolicy").filter(|policy| !policy.is_null());
    let orphan = sent.get("orphanDependents").and_then(Value::as_bool);
    if policy.is_some() && orphan.is_some() {
        let message = format!(
            "Invalid value: {}: orphanDependents and deletionPropagation cannot be both set",
            policy.cloned().unwrap_or_default()
        );
        causes.push(Cause::invalid("propagationPolicy", message));
    }
    match (policy.map(|policy| policy.as_str()), orphan) {
        (Some(Some("Foreground")), _) => Some(Propagation::Foreground),
        (Some(Some("Background")), _) | (None, Some(false)) => Some(Propagation::Background),
        (Some(Some("Orphan")), _) | (None, Some(true)) => Some(Propagation::Orphan),
        (None, None) => None,
        (Some(_), _) => {
            let supported = ["Foreground", "Background", "Orphan", "nil"];
            let sent = policy.cloned().unwrap_or_default();
            causes.push(Cause::not_supported("propagationPolicy", &sent, &supported));
            None
        }
    }
}

pub(crate) async fn delete(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    let options = DeleteOptions::of(call)?;
    let view = View::of(server, call)?;
    let resource = &call.resource;
    let mut write = Write::begin(server, options.dry_run).await?;
    let object = get_old(&mut write, call).await?;
    options.check(resource, &object)?;
    refuse_default_namespace(resource, &object)?;
    let deletion = gc::delete(&mut write, &resource.key, object, options.propagation).await?;
    write.commit().await?;
    match deletion {
        Deletion::Marked(object) => view.object(StatusCode::OK, &object, &[]),
        Deletion::Removed(object) => {
            let mut details = json!({"name": object.name(), "kind": resource.plural, "uid": object.uid()});
            if let (Value::Object(details), false) = (&mut details, resource.group.is_empty()) {
                details.insert("group".into(), resource.group.as_str().into());
            }
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
            });
            Ok(present::raw(StatusCode::OK, status.to_string()))
        }
    }
}

/// Deletes everything the selectors want, in one transaction, and answers with what it was.
pub(crate) async fn delete_collection(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    let options = DeleteOptions::of(call)?;
    let view = View::of(server, call)?;
    let resource = &call.resource;
    let selector = Selector::of(call)?;
    let mut write = Write::begin(server, options.dry_run).await?;
    let found = select(server, &mut write.tx, call, &selector).await?;
    let version = resources::current_version(&mut write.tx).await?;
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
        gc::delete(&mut write, &resource.key, object, options.propagation).await?;
    }
    write.commit().await?;
    let meta = ListMeta {
        version,
        ..ListMeta::default()
    };
    view.list(&meta, found.iter().map(|stored| stored.object.as_str()))
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
