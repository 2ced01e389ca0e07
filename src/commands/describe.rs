//! `describe`: one object in full, with its sandboxes and events.

use clap::Args;
use followlytics_crds::Sandbox;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
};
use serde_json::{Value, json};

use crate::{
    args::{Global, Output},
    connect::Session,
    edge,
    exit::{Exit, Failure},
    kinds::Kind,
    output,
    plane::Options,
};

#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// scan, sandbox, credential or namespace
    kind: String,
    /// Name of the object
    name: String,
}

pub(super) async fn run(global: &Global, args: DescribeArgs) -> Result<Exit, Failure> {
    let kind = Kind::find(&args.kind)?;
    let session = Session::open(global, Options::objects_only()).await?;
    let found = find(&session.client, &global.namespace, &kind, &args.name).await;
    session.close().await;
    let (object, sandboxes, events) = found?;
    if matches!(global.output, Output::Json | Output::Yaml) {
        let whole = json!({"object": object, "sandboxes": sandboxes, "events": events});
        output::print_value(global.output, &whole)?;
        return Ok(Exit::Ok);
    }
    let mut text = describe(&object)?;
    let now = edge::now();
    for (title, kind, objects) in [
        ("Sandboxes", Kind::find("sandboxes")?, &sandboxes),
        ("Events", Kind::find("events")?, &events),
    ] {
        if !objects.is_empty() {
            let rows = objects.iter().map(|object| kind.row(object, now));
            let rows: Vec<_> = std::iter::once(kind.header()).chain(rows).collect();
            let block = output::columns(&rows);
            text.extend([title, ":\n"]);
            text.extend(block.lines().flat_map(|line| ["  ", line, "\n"]));
        }
    }
    output::print(&text)?;
    Ok(Exit::Ok)
}

async fn find(
    client: &Client,
    namespace: &str,
    kind: &Kind,
    name: &str,
) -> Result<(DynamicObject, Vec<DynamicObject>, Vec<DynamicObject>), Failure> {
    let object = kind.api(client, namespace).get(name).await?;
    let uid = object.metadata.uid.clone();
    let events = Kind::find("events")?.api(client, namespace);
    let about = ListParams::default().fields(&format!("involvedObject.name={name}"));
    let mut events = events.list(&about).await?.items;
    events.retain(|event| {
        event
            .data
            .pointer("/involvedObject/uid")
            .and_then(Value::as_str)
            .map(str::to_owned)
            == uid
    });
    let sandboxes: Api<DynamicObject> = Kind::find("sandboxes")?.api(client, namespace);
    let mut sandboxes = sandboxes.list(&ListParams::default()).await?.items;
    sandboxes.retain(|sandbox| {
        let sandbox: Option<Sandbox> = sandbox.clone().try_parse().ok();
        sandbox
            .and_then(|sandbox| sandbox.spec.scan_ref)
            .map(|scan| scan.uid)
            == uid
    });
    Ok((object, sandboxes, events))
}

/// Name, spec and status as YAML: the words that a file would use.
fn describe(object: &DynamicObject) -> Result<String, Failure> {
    let value = serde_json::to_value(object).map_err(anyhow::Error::from)?;
    let mut shown = serde_json::Map::new();
    for (label, path) in [
        ("Name", "/metadata/name"),
        ("Namespace", "/metadata/namespace"),
        ("Kind", "/kind"),
        ("Created", "/metadata/creationTimestamp"),
        ("Deleting", "/metadata/deletionTimestamp"),
        ("Labels", "/metadata/labels"),
        ("Annotations", "/metadata/annotations"),
        ("Spec", "/spec"),
        ("Status", "/status"),
    ] {
        if let Some(found) = value.pointer(path) {
            shown.insert(label.to_owned(), found.clone());
        }
    }
    let text = serde_saphyr::to_string(&shown).map_err(anyhow::Error::from)?;
    Ok(format!("{}\n", text.trim_end()))
}
