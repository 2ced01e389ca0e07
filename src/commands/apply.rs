//! `apply`: creates or changes objects as files say.

use std::{collections::BTreeMap, io::Read as _, path::PathBuf};

use clap::Args;
use followlytics_core::scan::consent::ANNOTATION;
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams, ValidationDirective},
};
use serde_json::Value;

use super::scan::by_budget;
use crate::{
    args::{Global, Output},
    connect::Session,
    exit::{Exit, Failure},
    kinds::Kind,
    output,
    plane::Options,
};

/// Who owns the fields that this command writes.
const MANAGER: &str = "followlytics-apply";

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// YAML or JSON, several documents at will; `-` is standard input
    #[arg(short, long = "filename", required = true, value_name = "FILE|-")]
    filename: Vec<PathBuf>,
    /// Take fields over that somebody else owns
    #[arg(long)]
    force_conflicts: bool,
    /// Check everything, store nothing
    #[arg(long)]
    dry_run: bool,
}

/// How the server begins to refuse what is not of its kind's form.
const UNTYPED: &str = "failed to create typed patch object";

/// One document, checked as far as that goes without a server.
struct Document {
    kind: Kind,
    namespace: String,
    name: String,
    object: Value,
}

pub(super) async fn run(global: &Global, args: ApplyArgs) -> Result<Exit, Failure> {
    // Everything is read before anything is written.
    let mut documents = Vec::new();
    for path in &args.filename {
        documents.extend(read(path, &global.namespace)?);
    }
    let session = Session::open(global, Options::objects_only()).await?;
    let applied = apply_all(global, &args, &session, &documents).await;
    let waits = session.plane.is_some();
    session.close().await;
    applied?;
    if waits && !global.quiet && !args.dry_run {
        eprintln!("note: no control plane runs on this data directory; `followlytics up` starts the work");
    }
    Ok(Exit::Ok)
}

async fn apply_all(
    global: &Global,
    args: &ApplyArgs,
    session: &Session,
    documents: &[Document],
) -> Result<(), Failure> {
    let params = PatchParams {
        dry_run: args.dry_run,
        force: args.force_conflicts,
        field_manager: Some(MANAGER.to_owned()),
        field_validation: Some(ValidationDirective::Strict),
    };
    for document in documents {
        let api = document.kind.api(&session.client, &document.namespace);
        let before = api.get_opt(&document.name).await?;
        let after: DynamicObject = api
            .patch(&document.name, &params, &Patch::Apply(&document.object))
            .await
            .map_err(|error| refused(error, document))?;
        let after = if args.dry_run {
            after
        } else {
            consent_by_budget(document, &api, after).await?
        };
        if matches!(global.output, Output::Json | Output::Yaml) {
            output::print_value(global.output, &after)?;
            continue;
        }
        let what = match before {
            None => "created",
            Some(before) if asked(&before) == asked(&after) => "unchanged",
            Some(_) => "configured",
        };
        let suffix = if args.dry_run { " (dry run)" } else { "" };
        output::print(&format!(
            "{} {what}{suffix}\n",
            document.kind.name_of(&document.name)
        ))?;
    }
    Ok(())
}

/// Whoever applies a Scan consents to its budget, also where a `scan` command created it and paid for it so far.
async fn consent_by_budget(
    document: &Document,
    api: &Api<DynamicObject>,
    after: DynamicObject,
) -> Result<DynamicObject, Failure> {
    let annotations = after.metadata.annotations.as_ref();
    if document.kind.resource.kind != "Scan" || annotations.is_none_or(|all| !all.contains_key(ANNOTATION)) {
        return Ok(after);
    }
    let patch = serde_json::json!({"metadata": by_budget()});
    Ok(api
        .patch(&document.name, &PatchParams::default(), &Patch::Merge(&patch))
        .await?)
}

/// What people ask of an object. Its version would not do: whoever works on it writes its status meanwhile.
fn asked(object: &DynamicObject) -> (Option<i64>, BTreeMap<String, String>, BTreeMap<String, String>) {
    let about = &object.metadata;
    (
        about.generation,
        about.labels.clone().unwrap_or_default(),
        about.annotations.clone().unwrap_or_default(),
    )
}

/// A conflict is about fields, not about time: trying again does not help.
fn refused(error: kube::Error, document: &Document) -> Failure {
    match error {
        kube::Error::Api(status) if status.code == 409 => Failure::usage(format!(
            "failed to apply {}: {}; leave these fields out, or take them over with --force-conflicts",
            document.kind.name_of(&document.name),
            status.message.trim_end_matches('.')
        ))
        .because(kube::Error::Api(status)),
        // A field that the schema does not have, or of another type, is told as an error of the server's own.
        kube::Error::Api(status) if status.message.starts_with(UNTYPED) => Failure::usage(format!(
            "failed to apply {}: {}; correct this field",
            document.kind.name_of(&document.name),
            status.message.rsplit("): ").next().unwrap_or_default()
        ))
        .because(kube::Error::Api(status)),
        error => error.into(),
    }
}

fn read(path: &PathBuf, namespace: &str) -> Result<Vec<Document>, Failure> {
    let shown = if path.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let text = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|source| Failure::usage(format!("failed to read {shown}: {source}")))?;
    let values: Vec<Value> = serde_saphyr::from_multiple(&text)
        .map_err(|error| Failure::usage(format!("failed to read {shown} as YAML: {error}")))?;
    let documents: Vec<Document> = values
        .into_iter()
        .filter(|value| !value.is_null())
        .map(|value| document(value, &shown, namespace))
        .collect::<Result<_, _>>()?;
    if documents.is_empty() {
        return Err(Failure::usage(format!(
            "failed to apply {shown}: it holds no object"
        )));
    }
    Ok(documents)
}

fn document(mut object: Value, shown: &str, namespace: &str) -> Result<Document, Failure> {
    let text = |object: &Value, path: &str| {
        object
            .pointer(path)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .filter(|text| !text.is_empty())
    };
    let missing = |field: &str| Failure::usage(format!("failed to apply {shown}: a document has no {field}"));
    let word = text(&object, "/kind").ok_or_else(|| missing("kind"))?;
    let version = text(&object, "/apiVersion").ok_or_else(|| missing("apiVersion"))?;
    let name = text(&object, "/metadata/name").ok_or_else(|| missing("metadata.name"))?;
    let kind = Kind::find(&word)?;
    if version != kind.resource.api_version {
        return Err(Failure::usage(format!(
            "failed to apply {shown}: {word} {name} has apiVersion {version:?}; write {:?}",
            kind.resource.api_version
        )));
    }
    let named = text(&object, "/metadata/namespace");
    let namespace = named.unwrap_or_else(|| namespace.to_owned());
    if let Some(metadata) = object
        .get_mut("metadata")
        .and_then(Value::as_object_mut)
        .filter(|_| kind.namespaced)
    {
        metadata.insert("namespace".to_owned(), namespace.clone().into());
    }
    Ok(Document {
        kind,
        namespace,
        name,
        object,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_lacks_something_is_refused_by_the_field() {
        for (text, part) in [
            ("metadata: {name: a}", "no kind"),
            ("kind: Scan", "no apiVersion"),
            (
                "{kind: Scan, apiVersion: followlytics.io/v1alpha1}",
                "no metadata.name",
            ),
            (
                "{kind: Scan, apiVersion: v9, metadata: {name: a}}",
                "write \"followlytics.io/v1alpha1\"",
            ),
            (
                "{kind: Pod, apiVersion: v1, metadata: {name: a}}",
                "known are scans",
            ),
        ] {
            let value: Value = serde_saphyr::from_str(text).unwrap();
            let failure = document(value, "f.yaml", "default").err().unwrap();
            assert!(failure.message.contains(part), "{text}: {failure}");
        }
    }
}
