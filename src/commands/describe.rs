//! `describe`: one object in full, with its ranges, sandboxes and events.

use std::collections::BTreeMap;

use clap::Args;
use followlytics_core::scan::range::{Kind as RangeKind, Range, State};
use followlytics_crds::Sandbox;
use jiff::Timestamp;
use kube::{
    Api,
    api::{DynamicObject, ListParams},
};
use serde_json::{Value, json};

use crate::{
    args::{Global, Output},
    connect::Session,
    edge,
    exit::{Exit, Failure},
    kinds::{self, Kind},
    output,
    plane::Options,
};

#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// scan, sandbox, credential or namespace, and a name; or KIND/NAME
    #[arg(required = true, num_args = 1..=2, value_name = "KIND")]
    words: Vec<String>,
}

/// What is shown of a range.
const RANGE: [&str; 7] = ["id", "kind", "state", "rows", "expected", "epoch", "holder"];
/// Ranges shown at most: a scan may have thousands.
const MOST_RANGES: usize = 100;

/// An object, and what belongs to it.
struct Found {
    object: DynamicObject,
    ranges: Vec<Range>,
    sandboxes: Vec<DynamicObject>,
    events: Vec<DynamicObject>,
}

pub(super) async fn run(global: &Global, args: DescribeArgs) -> Result<Exit, Failure> {
    let targets = kinds::targets(&args.words)?;
    let one = targets
        .first()
        .and_then(|target| Some((&target.kind, target.names.first()?)));
    let (Some((kind, name)), [_]) = (one, targets.as_slice()) else {
        return Err(Failure::usage(
            "failed to describe: name one object, as KIND NAME or KIND/NAME; `followlytics get scans` lists them",
        ));
    };
    let session = Session::open(global, Options::objects_only()).await?;
    let found = find(&session, &global.namespace, kind, name).await;
    session.close().await;
    let Found {
        object,
        ranges,
        sandboxes,
        events,
    } = found?;
    let now = edge::now();
    if matches!(global.output, Output::Json | Output::Yaml) {
        let ranges: Vec<_> = ranges.iter().map(|range| named(range, now)).collect();
        let whole = json!({"object": object, "ranges": ranges, "sandboxes": sandboxes, "events": events});
        output::print_value(global.output, &whole)?;
        return Ok(Exit::Ok);
    }
    let mut text = describe(&object)?;
    if !ranges.is_empty() {
        let header = RANGE.map(str::to_uppercase);
        let rows = ranges.iter().take(MOST_RANGES).map(|range| row(range, now));
        let rows: Vec<_> = std::iter::once(header.to_vec()).chain(rows).collect();
        block(&mut text, "Ranges", &output::columns(&rows));
        if ranges.len() > MOST_RANGES {
            text.extend(["  … and ", &(ranges.len() - MOST_RANGES).to_string(), " more\n"]);
        }
    }
    for (title, kind, objects) in [
        ("Sandboxes", Kind::find("sandboxes")?, &sandboxes),
        ("Events", Kind::find("events")?, &events),
    ] {
        if !objects.is_empty() {
            let rows = objects.iter().map(|object| kind.row(object, now));
            let rows: Vec<_> = std::iter::once(kind.header()).chain(rows).collect();
            block(&mut text, title, &output::columns(&rows));
        }
    }
    output::print(&text)?;
    Ok(Exit::Ok)
}

fn block(text: &mut String, title: &str, lines: &str) {
    text.extend([title, ":\n"]);
    text.extend(lines.lines().flat_map(|line| ["  ", line, "\n"]));
}

/// One range: who holds it now, and how far it is.
fn row(range: &Range, now: Timestamp) -> Vec<String> {
    let kind = match range.kind {
        RangeKind::Resolve => "Resolve",
        RangeKind::Listing => "Listing",
        RangeKind::Seam => "Seam",
        RangeKind::Sweep => "Sweep",
    };
    let held = range.is_held(now);
    let state = match (range.state, held) {
        (State::Open, true) => "Active",
        (State::Open, false) => "Waiting",
        (State::Done, _) => "Done",
        (State::Failed, _) => "Failed",
    };
    let holder = range
        .holder
        .clone()
        .filter(|_| held && range.state == State::Open);
    vec![
        range.id.to_string(),
        kind.to_owned(),
        state.to_owned(),
        range.rows.to_string(),
        range.expected.to_string(),
        range.epoch.to_string(),
        holder.unwrap_or_default(),
    ]
}

fn named(range: &Range, now: Timestamp) -> BTreeMap<&'static str, String> {
    RANGE.into_iter().zip(row(range, now)).collect()
}

async fn find(session: &Session, namespace: &str, kind: &Kind, name: &str) -> Result<Found, Failure> {
    let client = &session.client;
    let object = kind.api(client, namespace).get(name).await?;
    let uid = object.metadata.uid.clone();
    // Ranges are rows of the ledger; who reaches a control plane from outside sees their counts in the status.
    let ranges = match (&session.plane, &uid) {
        (Some(plane), Some(uid)) if kind.resource.kind == "Scan" => plane.ledger.list_ranges(uid).await?,
        _ => Vec::new(),
    };
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
    Ok(Found {
        object,
        ranges,
        sandboxes,
        events,
    })
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
