//! What this server has, in the two forms clients ask for: one aggregated document, or many small ones.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    accept::DiscoveryForm,
    present,
    registry::{Registry, Resource},
    status_error::StatusError,
};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
const STATUS_VERBS: [&str; 3] = ["get", "patch", "update"];

/// Resources of one version.
type Versions<'a> = BTreeMap<&'a str, Vec<&'a Resource>>;

/// `/api`.
pub(crate) fn core_versions(registry: &Registry, headers: &HeaderMap) -> Response {
    let groups = groups_of(registry, str::is_empty);
    if DiscoveryForm::from_headers(headers) == DiscoveryForm::Aggregated {
        return aggregated(&groups);
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
    if DiscoveryForm::from_headers(headers) == DiscoveryForm::Aggregated {
        return aggregated(&groups);
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
    let group_version = resources.first().map(|resource| resource.api_version());
    let entries: Vec<Value> = resources
        .iter()
        .flat_map(|resource| legacy_entries(resource))
        .collect();
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
    groups
}

fn api_group(group: &str, versions: &Versions<'_>) -> Value {
    let version = |version: &&str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let all: Vec<Value> = versions.keys().map(version).collect();
    json!({"name": group, "versions": all, "preferredVersion": all.first()})
}

fn legacy_entries(resource: &Resource) -> Vec<Value> {
    let mut entries = vec![json!({
        "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
        "kind": resource.kind, "verbs": VERBS,
        "shortNames": resource.short_names, "categories": resource.categories,
    })];
    if resource.has_status {
        entries.push(json!({
            "name": format!("{}/status", resource.plural), "singularName": "",
            "namespaced": resource.namespaced, "kind": resource.kind, "verbs": STATUS_VERBS,
        }));
    }
    entries
}

fn aggregated(groups: &BTreeMap<&str, Versions<'_>>) -> Response {
    let items: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|(version, resources)| {
                    let resources: Vec<Value> = resources
                        .iter()
                        .map(|resource| aggregated_entry(resource))
                        .collect();
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
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    });
    (
        StatusCode::OK,
        [(header::CONTENT_TYPE, AGGREGATED)],
        body.to_string(),
    )
        .into_response()
}

fn aggregated_entry(resource: &Resource) -> Value {
    let response_kind = json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
    let subresources: Vec<Value> = if resource.has_status {
        vec![json!({"subresource": "status", "responseKind": response_kind, "verbs": STATUS_VERBS})]
    } else {
        Vec::new()
    };
    json!({
        "resource": resource.plural, "responseKind": response_kind,
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular, "verbs": VERBS, "shortNames": resource.short_names,
        "categories": resource.categories, "subresources": subresources,
    })
}
