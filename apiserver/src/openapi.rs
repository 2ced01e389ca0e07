//! `OpenAPI` v3: one document for every group and version, and the index that names them by their hash.
//!
//! kubectl needs them to apply (the `fieldValidation` parameter), to create and to explain. The schema of a kind is
//! its definition's own, with the metadata every kind has.

mod paths;
mod schemas;

use std::collections::BTreeMap;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};

pub(crate) use schemas::inlined;

use crate::{
    decode::hexadecimal,
    registry::{Registry, Resource},
};

/// A document, written once.
struct Document {
    /// SHA-512 in upper-case hexadecimal digits: the entity tag, and the hash in the index.
    hash: String,
    body: Bytes,
}

/// Every document by its path below `/openapi/v3/`.
pub(crate) struct Documents {
    documents: BTreeMap<String, Document>,
    index: Bytes,
}

impl Documents {
    pub(crate) fn of(registry: &Registry) -> Self {
        let mut groups: BTreeMap<String, Vec<&Resource>> = BTreeMap::new();
        for resource in registry.iter() {
            groups.entry(path_of(resource)).or_default().push(resource);
        }
        let documents: BTreeMap<String, Document> = groups
            .into_iter()
            .map(|(path, resources)| (path, document(&resources)))
            .collect();
        let paths: Map<String, Value> = documents
            .iter()
            .map(|(path, document)| {
                let url = format!("/openapi/v3/{path}?hash={}", document.hash);
                (path.clone(), json!({"serverRelativeURL": url}))
            })
            .collect();
        Self {
            documents,
            index: Bytes::from(json!({"paths": paths}).to_string()),
        }
    }

    pub(crate) fn index(&self) -> Response {
        (
            [(header::CONTENT_TYPE, "application/json")],
            Body::from(self.index.clone()),
        )
            .into_response()
    }

    /// One document; one that is asked for by its hash may be kept for a year, by another hash it is elsewhere.
    pub(crate) fn answer(&self, path: &str, hash: &str, headers: &HeaderMap, now: Timestamp) -> Response {
        let Some(document) = self.documents.get(path) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let tag = format!("\"{}\"", document.hash);
        if !hash.is_empty() && hash != document.hash {
            let location = format!("/openapi/v3/{path}?hash={}", document.hash);
            let answer = [
                (header::LOCATION, location),
                (header::ETAG, tag),
                (header::VARY, "Accept".into()),
            ];
            return (StatusCode::MOVED_PERMANENTLY, answer).into_response();
        }
        let mut answer = vec![(header::ETAG, tag.clone()), (header::VARY, "Accept".to_owned())];
        if !hash.is_empty() {
            let expires = now
                .checked_add(SignedDuration::from_hours(365 * 24))
                .unwrap_or(now);
            answer.push((header::CACHE_CONTROL, "public, immutable".to_owned()));
            answer.push((
                header::EXPIRES,
                expires.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
            ));
        }
        let known = headers
            .get(header::IF_NONE_MATCH)
            .and_then(|value| value.to_str().ok());
        let mut response = if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let json = [(header::CONTENT_TYPE, "application/json")];
            (json, Body::from(document.body.clone())).into_response()
        };
        for (name, value) in answer {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// `api/v1`, `apis/test.io/v1`.
fn path_of(resource: &Resource) -> String {
    if resource.group.is_empty() {
        format!("api/{}", resource.version)
    } else {
        format!("apis/{}/{}", resource.group, resource.version)
    }
}

fn document(resources: &[&Resource]) -> Document {
    let mut all_paths = Map::new();
    for resource in resources {
        all_paths.extend(paths::of(resource));
    }
    let document = json!({
        "openapi": "3.0.0", "info": {"title": "Followlytics", "version": "v0.1.0"}, "paths": all_paths,
        "components": {"schemas": schemas::of(resources)},
    });
    let body = document.to_string();
    let hash = Sha512::digest(body.as_bytes());
    Document {
        hash: hexadecimal(&hash).to_uppercase(),
        body: Bytes::from(body),
    }
}

/// `group`, `version` and `kind`, as an extension of schemas and operations.
fn group_version_kind(resource: &Resource, kind: &str) -> Value {
    json!({"group": resource.group, "kind": kind, "version": resource.version})
}
