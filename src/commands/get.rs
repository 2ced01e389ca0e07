//! `get`: objects in columns or in full, now or as they change.

use clap::Args;
use futures::TryStreamExt as _;
use kube::{
    ResourceExt as _,
    api::{DynamicObject, ListParams},
    runtime::watcher::{self, Event, watcher},
};

use crate::{
    args::{Global, Output},
    connect::Session,
    edge,
    exit::{Exit, Failure},
    follow::Interrupt,
    kinds::Kind,
    output,
    plane::Options,
};

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// scans, sandboxes, credentials, events or namespaces
    kind: String,
    /// One object
    name: Option<String>,
    /// Label selector, such as team=a,stage!=test
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Go on showing changes
    #[arg(short, long)]
    watch: bool,
}

impl GetArgs {
    /// Every object of a kind.
    pub(super) fn all(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            name: None,
            selector: None,
            watch: false,
        }
    }
}

pub(super) async fn run(global: &Global, args: GetArgs) -> Result<Exit, Failure> {
    let kind = Kind::find(&args.kind)?;
    let kind = if global.output == Output::Wide {
        kind.widened()
    } else {
        kind
    };
    let mut interrupt = Interrupt::listen()?;
    let session = Session::open(global, Options::objects_only()).await?;
    let shown = tokio::select! {
        shown = show(global, &args, &kind, &session) => shown,
        () = interrupt.wait() => Ok(()),
    };
    session.close().await;
    shown?;
    Ok(Exit::Ok)
}

async fn show(global: &Global, args: &GetArgs, kind: &Kind, session: &Session) -> Result<(), Failure> {
    let api = kind.api(&session.client, &global.namespace);
    if args.watch {
        return watch(global, args, kind, api).await;
    }
    if let Some(name) = &args.name {
        let object = api.get(name).await?;
        return print(global, kind, &[object], true);
    }
    let params = ListParams {
        label_selector: args.selector.clone(),
        ..ListParams::default()
    };
    let found = api.list(&params).await?.items;
    print(global, kind, &found, false)
}

fn print(global: &Global, kind: &Kind, objects: &[DynamicObject], one: bool) -> Result<(), Failure> {
    match global.output {
        Output::Json | Output::Yaml => match objects {
            [object] if one => output::print_value(global.output, object),
            all => {
                let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": all});
                output::print_value(global.output, &list)
            }
        },
        Output::Name => objects
            .iter()
            .try_for_each(|o| output::print(&format!("{}\n", kind.name_of(&o.name_any())))),
        Output::Table | Output::Wide if objects.is_empty() => {
            if !global.quiet {
                eprintln!("none found in namespace {}", global.namespace);
            }
            Ok(())
        }
        Output::Table | Output::Wide => {
            let now = edge::now();
            let rows = objects.iter().map(|object| kind.row(object, now));
            let rows: Vec<_> = std::iter::once(kind.header()).chain(rows).collect();
            output::print(&output::columns(&rows))
        }
    }
}

/// One line or document a change, the present state first.
async fn watch(
    global: &Global,
    args: &GetArgs,
    kind: &Kind,
    api: kube::Api<DynamicObject>,
) -> Result<(), Failure> {
    let mut config = watcher::Config::default();
    if let Some(selector) = &args.selector {
        config = config.labels(selector);
    }
    if let Some(name) = &args.name {
        config = config.fields(&format!("metadata.name={name}"));
    }
    let mut changes = std::pin::pin!(watcher(api, config));
    if matches!(global.output, Output::Table | Output::Wide) {
        output::print(&output::columns(&[widened(kind.header())]))?;
    }
    loop {
        let change = changes.try_next().await.map_err(|error| {
            Failure::new(
                Exit::Failed,
                "failed to watch: the control plane ended; run the command again",
            )
            .because(error)
        })?;
        match change {
            None => return Ok(()),
            Some(Event::Apply(object) | Event::InitApply(object)) => changed(global, kind, &object)?,
            Some(Event::Delete(object)) => {
                if global.output == Output::Table && !global.quiet {
                    eprintln!("{} deleted", kind.name_of(&object.name_any()));
                }
            }
            Some(Event::Init | Event::InitDone) => {}
        }
    }
}

fn changed(global: &Global, kind: &Kind, object: &DynamicObject) -> Result<(), Failure> {
    match global.output {
        Output::Json => {
            // One document a line, so that a reader knows where each ends.
            let line = serde_json::to_string(object).map_err(anyhow::Error::from)?;
            output::print(&format!("{line}\n"))
        }
        Output::Yaml => {
            output::print("---\n")?;
            output::print_value(Output::Yaml, object)
        }
        Output::Name => output::print(&format!("{}\n", kind.name_of(&object.name_any()))),
        Output::Table | Output::Wide => {
            output::print(&output::columns(&[widened(kind.row(object, edge::now()))]))
        }
    }
}

/// Lines that come one by one cannot know their neighbours: a width of their own.
fn widened(row: Vec<String>) -> Vec<String> {
    row.into_iter()
        .enumerate()
        .map(|(column, cell)| {
            if column == 0 {
                format!("{cell:<32}")
            } else {
                format!("{cell:<10}")
            }
        })
        .collect()
}
