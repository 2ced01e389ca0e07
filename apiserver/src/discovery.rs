//! What this server has, in the two forms clients ask for: one aggregated document, or many small ones.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    accept::DiscoveryForm,
    present,
    registry::{Form, Registry, Resource},
    review,
    status_error::StatusError,
};

const STATUS_VERBS: [&str; 3] = ["get", "patch", "update"];

/// Resources of one version.
type Versions<'a> = BTreeMap<&'a str, Vec<&'a Resource>>;

/// `/api`.
pub(crate) fn core_versions(registry: &Registry, headers: &HeaderMap) -> Response {
    let groups = groups_of(registry, str::is_empty);
    if let DiscoveryForm::Aggregated(version) = DiscoveryForm::from_headers(headers) {
        return aggregated(&groups, version);
    }
    let versions: Vec<&str> = groups
        .values()
        .flat_map(|versions| versions.keys().copied())
        .collect();
    let body = json!({"kind": "APIVersions", "versions": versions, "serverAddressByClientCIDRs": []});
    present::raw(StatusCode::OK, body.to_string())
}

/// `/apis`.
pub(crate) fn groups(registry: &Registry, headers: &HeaderMap) -> Response {
    let groups = groups_of(registry, |group| !group.is_empty());
    if let DiscoveryForm::Aggregated(version) = DiscoveryForm::from_headers(headers) {
        return aggregated(&groups, version);
    }
    let groups: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| api_group(group, versions))
        .collect();
    let body = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups});
    present::raw(StatusCode::OK, body.to_string())
}

/// `/apis/<group>`.
pub(crate) fn group(registry: &Registry, name: &str) -> Result<Response, StatusError> {
    let groups = groups_of(registry, |group| group == name);
    let (group, versions) = groups.first_key_value().ok_or_else(StatusError::no_such_path)?;
    let mut body = api_group(group, versions);
    if let Value::Object(body) = &mut body {
        body.insert("kind".into(), "APIGroup".into());
        body.insert("apiVersion".into(), "v1".into());
    }
    Ok(present::raw(StatusCode::OK, body.to_string()))
}

/// `/api/v1`, `/apis/<group>/<version>`.
pub(crate) fn resource_list(
    registry: &Registry,
    group: &str,
    version: &str,
) -> Result<Response, StatusError> {
    let groups = groups_of(registry, |name| name == group);
    let resources = groups.get(group).and_then(|versions| versions.get(version));
    let resources = resources.ok_or_else(StatusError::no_such_path)?;
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    let mut entries: Vec<Value> = resources
        .iter()
        .flat_map(|resource| legacy_entries(resource))
        .collect();
    if group == review::GROUP {
        entries.push(review::legacy_entry());
    }
    let body = json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries,
    });
    Ok(present::raw(StatusCode::OK, body.to_string()))
}

fn groups_of(registry: &Registry, wanted: impl Fn(&str) -> bool) -> BTreeMap<&str, Versions<'_>> {
    let mut groups: BTreeMap<&str, Versions<'_>> = BTreeMap::new();
    for resource in registry.iter().filter(|resource| wanted(&resource.group)) {
        let versions = groups.entry(&resource.group).or_default();
        versions.entry(&resource.version).or_default().push(resource);
    }
    if wanted(review::GROUP) {
        groups.entry(review::GROUP).or_default().entry("v1").or_default();
    }
    groups
}

fn api_group(group: &str, versions: &Versions<'_>) -> Value {
    let version = |version: &&str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let all: Vec<Value> = versions.keys().map(version).collect();
    json!({"name": group, "versions": all, "preferredVersion": all.first()})
}

fn legacy_entries(resource: &Resource) -> Vec<Value> {
    let mut entry = json!({
        "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
        "kind": resource.kind, "verbs": resource.verbs, "storageVersionHash": storage_hash(resource),
    });
    add_names(&mut entry, resource);
    let mut entries = vec![entry];
    if resource.has_status {
        entries.push(json!({
            "name": format!("{}/status", resource.plural), "singularName": "",
            "namespaced": resource.namespaced, "kind": resource.kind, "verbs": STATUS_VERBS,
        }));
    }
    if resource.scale.is_some() {
        entries.push(json!({
            "name": format!("{}/scale", resource.plural), "singularName": "", "namespaced": resource.namespaced,
            "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": STATUS_VERBS,
        }));
    }
    entries
}

/// Names the version objects are stored in; clients only compare it.
fn storage_hash(resource: &Resource) -> String {
    // Both dialects of Events are stored in the core group's.
    let group = match resource.form {
        Form::GroupEvent => "",
        _ => &resource.group,
    };
    let name = format!("{group}/{}/{}", resource.version, resource.kind);
    let digest = Sha256::digest(name.as_bytes());
    STANDARD.encode(digest.get(..8).unwrap_or_default())
}

/// Short names and categories, where there are any.
fn add_names(entry: &mut Value, resource: &Resource) {
    let Value::Object(entry) = entry else { return };
    for (field, names) in [
        ("shortNames", &resource.short_names),
        ("categories", &resource.categories),
    ] {
        if !names.is_empty() {
            entry.insert(field.into(), names.clone().into());
        }
    }
}

fn aggregated(groups: &BTreeMap<&str, Versions<'_>>, version: &str) -> Response {
    let items: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|(version, resources)| {
                    let mut resources: Vec<Value> = resources
                        .iter()
                        .map(|resource| aggregated_entry(resource))
                        .collect();
                    if *group == review::GROUP {
                        resources.push(review::aggregated_entry());
                    }
                    json!({"version": version, "freshness": "Current", "resources": resources})
                })
                .collect();
            let metadata = if group.is_empty() {
                json!({})
            } else {
                json!({"name": group})
            };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let body = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"), "metadata": {}, "items": items,
    });
    let content_type = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    (
        StatusCode::OK,
        [
            (header::CONTENT_TYPE, content_type),
            (header::VARY, "Accept".to_owned()),
        ],
        body.to_string(),
    )
        .into_response()
}

fn aggregated_entry(resource: &Resource) -> Value {
    let response_kind = json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
    // Go does not write out the group of its own kinds here.
    let shown_kind = if resource.is_custom() {
        response_kind
    } else {
        json!({"group": "", "version": "", "kind": resource.kind})
    };
    let part =
        |name: &str, kind: &Value| json!({"subresource": name, "responseKind": kind, "verbs": STATUS_VERBS});
    let mut subresources = Vec::new();
    if resource.has_status {
        subresources.push(part("status", &shown_kind));
    }
    if resource.scale.is_some() {
        let scale = json!({"group": "autoscaling", "version": "v1", "kind": "Scale"});
        subresources.push(part("scale", &scale));
    }
    let mut entry = json!({
        "resource": resource.plural, "responseKind": shown_kind,
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular, "verbs": resource.verbs,
    });
    add_names(&mut entry, resource);
    if let (Value::Object(entry), false) = (&mut entry, subresources.is_empty()) {
        entry.insert("subresources".into(), subresources.into());
    }
    entry
}
