//! Which form of an object the caller wants, from its Accept header.

use http::{HeaderMap, header};

use crate::status_error::StatusError;

/// The form of an object in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The object itself.
    Full,
    /// `PartialObjectMetadata`: what a controller's watch on its children asks for.
    Metadata(MetaVersion),
    /// Rows and cells for people: what `kubectl get` asks for.
    Table(MetaVersion),
}

/// A version of `meta.k8s.io`; both have the same fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetaVersion {
    V1,
    V1Beta1,
}

impl MetaVersion {
    fn parse(version: &str) -> Option<Self> {
        match version {
            "v1" => Some(Self::V1),
            "v1beta1" => Some(Self::V1Beta1),
            _ => None,
        }
    }

    pub(crate) fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "meta.k8s.io/v1",
            Self::V1Beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

/// The form of the discovery document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiscoveryForm {
    /// One document with every resource of every group, in this version.
    Aggregated(&'static str),
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
        let version_of = |one: &str| {
            (parameter(one, "as") == Some("APIGroupDiscoveryList")).then(|| match parameter(one, "v") {
                Some("v2") => Some("v2"),
                Some("v2beta1") => Some("v2beta1"),
                _ => None,
            })?
        };
        text(headers)
            .and_then(|accept| accept.split(',').find_map(version_of))
            .map_or(Self::Legacy, Self::Aggregated)
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
    let Some(form) = parameter(alternative, "as") else {
        return Some(Shape::Full);
    };
    if parameter(alternative, "g") != Some("meta.k8s.io") {
        return None;
    }
    let version = MetaVersion::parse(parameter(alternative, "v")?)?;
    match form {
        "PartialObjectMetadata" | "PartialObjectMetadataList" => Some(Shape::Metadata(version)),
        "Table" => Some(Shape::Table(version)),
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
    fn the_first_form_that_can_be_served_is_taken() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(shape(kubectl), Some(Shape::Table(MetaVersion::V1)));
        let newer = "application/json;as=Table;v=v9;g=meta.k8s.io, application/json";
        assert_eq!(shape(newer), Some(Shape::Full));
        let older = "application/json;as=Table;v=v1beta1;g=meta.k8s.io";
        assert_eq!(shape(older), Some(Shape::Table(MetaVersion::V1Beta1)));
    }

    #[test]
    fn protobuf_is_passed_over_and_nothing_asked_means_json() {
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
            Some(Shape::Metadata(MetaVersion::V1))
        );
    }
}
