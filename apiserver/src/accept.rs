//! Which form of an object the caller wants, from its Accept header.

use http::{HeaderMap, header};

use crate::status_error::StatusError;

/// The form of an object in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The object itself.
    Full,
    /// `PartialObjectMetadata`: what a controller's watch on its children asks for.
    Metadata,
}

/// The form of the discovery document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiscoveryForm {
    /// One document with every resource of every group.
    Aggregated,
    /// Versions, groups and resources as one document each.
    Legacy,
}

impl Shape {
    /// Takes the first alternative this server can serve. No header at all means JSON: kube sends none.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, StatusError> {
        let Some(accept) = text(headers) else {
            return Ok(Self::Full);
        };
        accept
            .split(',')
            .find_map(shape_of)
            .ok_or_else(StatusError::not_acceptable)
    }
}

impl DiscoveryForm {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let aggregated = text(headers).is_some_and(|accept| {
            accept.split(',').any(|one| {
                parameter(one, "as") == Some("APIGroupDiscoveryList") && parameter(one, "v") == Some("v2")
            })
        });
        if aggregated {
            Self::Aggregated
        } else {
            Self::Legacy
        }
    }
}

fn text(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .filter(|value| !value.trim().is_empty())
}

fn shape_of(alternative: &str) -> Option<Shape> {
    let media_type = alternative.split(';').next().unwrap_or_default().trim();
    if !matches!(media_type, "application/json" | "application/*" | "*/*") {
        return None;
    }
    match (parameter(alternative, "as"), parameter(alternative, "v")) {
        (None, _) => Some(Shape::Full),
        (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("v1")) => Some(Shape::Metadata),
        _ => None,
    }
}

fn parameter<'a>(alternative: &'a str, name: &str) -> Option<&'a str> {
    alternative
        .split(';')
        .skip(1)
        .find_map(|parameter| parameter.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(accept: &str) -> Option<Shape> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        Shape::from_headers(&headers).ok()
    }

    #[test]
    fn a_table_falls_back_to_plain_json_and_protobuf_is_passed_over() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(shape(kubectl), Some(Shape::Full));
        assert_eq!(
            shape("application/vnd.kubernetes.protobuf,application/json"),
            Some(Shape::Full)
        );
        assert_eq!(shape("application/vnd.kubernetes.protobuf"), None);
        assert_eq!(Shape::from_headers(&HeaderMap::new()).ok(), Some(Shape::Full));
    }

    #[test]
    fn a_controller_may_ask_for_metadata_only() {
        assert_eq!(
            shape("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"),
            Some(Shape::Metadata)
        );
    }
}
