//! What a URL path names. Only the shape of paths: whether a resource exists is the registry's to say.

/// A path, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Path {
    /// `/version`.
    Version,
    /// `/healthz`, `/livez`, `/readyz`.
    Health,
    /// `/api`: versions of the core group, or the aggregated document of the core group.
    CoreVersions,
    /// `/apis`: every other group.
    Groups,
    /// `/apis/<group>`.
    Group(String),
    /// `/api/v1`, `/apis/<group>/<version>`.
    ResourceList {
        /// Empty for the core group.
        group: String,
        /// `v1alpha1`.
        version: String,
    },
    /// `/openapi/v3`.
    OpenApiIndex,
    /// `/openapi/v3/<path>`, for example `apis/test.io/v1`.
    OpenApi(String),
    /// Objects.
    Resource(ResourcePath),
    /// Nothing this server has.
    Unknown,
}

/// One object, a collection, or a part of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    /// Empty for the core group.
    pub(crate) group: String,
    /// `v1alpha1`.
    pub(crate) version: String,
    /// `None` for cluster-scoped objects and for all namespaces.
    pub(crate) namespace: Option<String>,
    /// `scans`.
    pub(crate) plural: String,
    /// `None` for the collection.
    pub(crate) name: Option<String>,
    /// `status`.
    pub(crate) subresource: Option<String>,
}

impl Path {
    pub(crate) fn parse(path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        match segments.as_slice() {
            ["version"] => Self::Version,
            ["healthz" | "livez" | "readyz", ..] => Self::Health,
            ["openapi", "v3"] => Self::OpenApiIndex,
            ["openapi", "v3", rest @ ..] => Self::OpenApi(rest.join("/")),
            ["api"] => Self::CoreVersions,
            ["apis"] => Self::Groups,
            ["apis", group] => Self::Group((*group).into()),
            ["api", version] => Self::ResourceList {
                group: String::new(),
                version: (*version).into(),
            },
            ["apis", group, version] => Self::ResourceList {
                group: (*group).into(),
                version: (*version).into(),
            },
            ["api", version, rest @ ..] => resource("", version, rest),
            ["apis", group, version, rest @ ..] => resource(group, version, rest),
            _ => Self::Unknown,
        }
    }
}

fn resource(group: &str, version: &str, rest: &[&str]) -> Path {
    let (namespace, rest) = match rest {
        // `/api/v1/namespaces/a/status` is a part of the namespace itself, not a collection in it.
        ["namespaces", _, "status" | "finalize"] if group.is_empty() => (None, rest),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).into()), rest),
        rest => (None, rest),
    };
    let part = |position: usize| rest.get(position).map(|segment| (*segment).to_owned());
    match (part(0), rest.len()) {
        (Some(plural), 1..=3) => Path::Resource(ResourcePath {
            group: group.into(),
            version: version.into(),
            namespace,
            plural,
            name: part(1),
            subresource: part(2),
        }),
        _ => Path::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str) -> ResourcePath {
        match Path::parse(path) {
            Path::Resource(path) => path,
            other => panic!("{path} is {other:?}"),
        }
    }

    #[test]
    fn a_namespaced_object_and_its_status() {
        let path = parsed("/apis/followlytics.io/v1alpha1/namespaces/a/scans/b/status");
        assert_eq!(
            (path.group.as_str(), path.plural.as_str()),
            ("followlytics.io", "scans")
        );
        assert_eq!(path.namespace.as_deref(), Some("a"));
        assert_eq!(
            (path.name.as_deref(), path.subresource.as_deref()),
            (Some("b"), Some("status"))
        );
    }

    #[test]
    fn a_namespace_is_an_object_and_also_a_place() {
        let itself = parsed("/api/v1/namespaces/a");
        assert_eq!(
            (itself.plural.as_str(), itself.name.as_deref()),
            ("namespaces", Some("a"))
        );
        let status = parsed("/api/v1/namespaces/a/status");
        assert_eq!(
            (status.namespace, status.subresource.as_deref()),
            (None, Some("status"))
        );
        let events = parsed("/api/v1/namespaces/a/events");
        assert_eq!((events.namespace.as_deref(), events.name), (Some("a"), None));
    }

    #[test]
    fn what_is_not_a_path_of_this_server_is_unknown() {
        for path in ["/", "/metrics", "/apis/g/v1/namespaces/a/scans/b/status/more"] {
            assert_eq!(Path::parse(path), Path::Unknown, "{path}");
        }
    }
}
