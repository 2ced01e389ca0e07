//! `get`: objects in columns or in full, now or as they change.

use clap::Args;
use futures::TryStreamExt as _;
use kube::{
    Api, ResourceExt as _,
    api::{DynamicObject, ListParams},
    runtime::watcher::{self, Event, watcher},
};

use crate::{
    args::{Global, Output},
    connect::Session,
    edge,
    exit::{Exit, Failure},
    follow::Interrupt,
    kinds::{self, Kind, Target},
    output,
    plane::Options,
};

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// scans, sandboxes, credentials, events or namespaces, several apart by commas; names after one kind, or KIND/NAME
    #[arg(required = true, value_name = "KIND")]
    words: Vec<String>,
    /// Label selector, such as team=a,stage!=test
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Field selector, such as metadata.name=a
    #[arg(long, value_name = "SELECTOR")]
    field_selector: Option<String>,
    /// Of every namespace
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Go on showing changes
    #[arg(short, long)]
    watch: bool,
}

impl GetArgs {
    /// Every object of a kind.
    pub(super) fn all(kind: &str) -> Self {
        Self {
            words: vec![kind.to_owned()],
            selector: None,
            field_selector: None,
            all_namespaces: false,
            watch: false,
        }
    }

    fn targets(&self, output: Output) -> Result<Vec<Target>, Failure> {
        let mut targets = kinds::targets(&self.words)?;
        let named = targets.iter().any(|target| !target.names.is_empty());
        let selects = self.selector.is_some() || self.field_selector.is_some();
        if named && (selects || self.all_namespaces) {
            return Err(Failure::usage(
                "failed to choose objects: names and a selector or --all-namespaces exclude one another; leave either out",
            ));
        }
        let objects: usize = targets.iter().map(|target| target.names.len().max(1)).sum();
        if self.watch && objects > 1 {
            return Err(Failure::usage(
                "failed to watch: one kind or one object at a time; start a watch for each",
            ));
        }
        if output == Output::Wide {
            for target in &mut targets {
                target.kind = target.kind.clone().widened();
            }
        }
        Ok(targets)
    }

    fn api(&self, kind: &Kind, session: &Session, namespace: &str) -> Api<DynamicObject> {
        if self.all_namespaces {
            kind.api_of_all(&session.client)
        } else {
            kind.api(&session.client, namespace)
        }
    }
}

/// What was found of one kind.
struct Found {
    kind: Kind,
    objects: Vec<DynamicObject>,
}

pub(super) async fn run(global: &Global, args: GetArgs) -> Result<Exit, Failure> {
    let targets = args.targets(global.output)?;
    let mut interrupt = Interrupt::listen()?;
    let session = Session::open(global, Options::objects_only()).await?;
    let shown = tokio::select! {
        shown = show(global, &args, &targets, &session) => shown,
        () = interrupt.wait() => Ok(()),
    };
    session.close().await;
    shown?;
    Ok(Exit::Ok)
}

async fn show(global: &Global, args: &GetArgs, targets: &[Target], session: &Session) -> Result<(), Failure> {
    if let ([target], true) = (targets, args.watch) {
        let api = args.api(&target.kind, session, &global.namespace);
        return watch(global, args, target, api).await;
    }
    let mut all = Vec::new();
    let mut one = targets.len() == 1;
    for target in targets {
        let api = args.api(&target.kind, session, &global.namespace);
        let mut objects = Vec::new();
        for name in &target.names {
            objects.push(api.get(name).await?);
        }
        if target.names.is_empty() {
            let params = ListParams {
                label_selector: args.selector.clone(),
                field_selector: args.field_selector.clone(),
                ..ListParams::default()
            };
            objects = api.list(&params).await?.items;
        }
        one &= target.names.len() == 1;
        all.push(Found {
            kind: target.kind.clone(),
            objects,
        });
    }
    print(global, args, &all, one)
}

fn print(global: &Global, args: &GetArgs, all: &[Found], one: bool) -> Result<(), Failure> {
    let objects: Vec<&DynamicObject> = all.iter().flat_map(|found| &found.objects).collect();
    match global.output {
        Output::Json | Output::Yaml => match objects.as_slice() {
            [object] if one => output::print_value(global.output, object),
            objects => {
                let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
                output::print_value(global.output, &list)
            }
        },
        Output::Name => all.iter().try_for_each(|found| {
            found
                .objects
                .iter()
                .try_for_each(|o| output::print(&format!("{}\n", found.kind.name_of(&o.name_any()))))
        }),
        Output::Table | Output::Wide if objects.is_empty() => {
            if !global.quiet {
                let place = if args.all_namespaces {
                    "any namespace".to_owned()
                } else {
                    format!("namespace {}", global.namespace)
                };
                eprintln!("none found in {place}");
            }
            Ok(())
        }
        Output::Table | Output::Wide => {
            let found: Vec<&Found> = all.iter().filter(|found| !found.objects.is_empty()).collect();
            // A line of one of several kinds says which.
            let several = all.len() > 1;
            let blocks: Vec<String> = found
                .iter()
                .map(|found| table(found, several, args.all_namespaces))
                .collect();
            output::print(&blocks.join("\n"))
        }
    }
}

fn table(found: &Found, several: bool, everywhere: bool) -> String {
    let now = edge::now();
    let rows = found.objects.iter().map(|object| {
        let mut row = found.kind.row(object, now);
        if let (Some(name), true) = (row.first_mut(), several) {
            *name = found.kind.name_of(name);
        }
        (object.namespace().unwrap_or_default(), row)
    });
    let header = ("NAMESPACE".to_owned(), found.kind.header());
    let rows = std::iter::once(header).chain(rows).map(|(namespace, mut row)| {
        if everywhere && found.kind.namespaced {
            row.insert(0, namespace);
        }
        row
    });
    output::columns(&rows.collect::<Vec<_>>())
}

/// One line or document a change, the present state first.
async fn watch(
    global: &Global,
    args: &GetArgs,
    target: &Target,
    api: Api<DynamicObject>,
) -> Result<(), Failure> {
    let kind = &target.kind;
    let mut config = watcher::Config::default();
    if let Some(selector) = &args.selector {
        config = config.labels(selector);
    }
    let name = target.names.first().map(|name| format!("metadata.name={name}"));
    if let Some(selector) = name.as_ref().or(args.field_selector.as_ref()) {
        config = config.fields(selector);
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
