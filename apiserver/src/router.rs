//! Takes a request apart and gives it to its verb. One fallback route: paths are data, not routes.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, Collected, LengthLimitError, Limited};
use serde_json::json;

use crate::{
    accept::Shape,
    admission::Part,
    discovery,
    path::{Path, ResourcePath},
    present,
    query::Query,
    registry::Resource,
    server::Inner,
    status_error::StatusError,
    verbs,
};

/// As Kubernetes: an object must also fit into etcd there.
const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;

/// One request on objects, decoded.
pub(crate) struct Call {
    pub(crate) resource: Arc<Resource>,
    /// `None` for cluster-scoped kinds and for all namespaces.
    pub(crate) namespace: Option<String>,
    /// `None` for a collection.
    pub(crate) name: Option<String>,
    pub(crate) part: Part,
    pub(crate) query: Query,
    pub(crate) shape: Shape,
    /// Without parameters; empty if none was sent.
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

impl Call {
    /// The namespace of the object, empty for cluster-scoped kinds.
    pub(crate) fn object_namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    pub(crate) fn object_name(&self) -> Result<&str, StatusError> {
        self.name.as_deref().ok_or_else(StatusError::method_not_allowed)
    }

    /// Refuses bodies that are not JSON; kubectl's `--raw` and scale send no type at all.
    pub(crate) fn require_json(&self) -> Result<(), StatusError> {
        match self.content_type.as_str() {
            "" | "application/json" | "*/*" => Ok(()),
            other => Err(StatusError::unsupported_media_type(other, "application/json")),
        }
    }
}

pub(crate) fn router(server: Arc<Inner>) -> Router {
    Router::new().fallback(answer).with_state(server)
}

async fn answer(State(server): State<Arc<Inner>>, request: Request) -> Response {
    route(&server, request)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn route(server: &Arc<Inner>, request: Request) -> Result<Response, StatusError> {
    server.prepare().await?;
    let (parts, body) = request.into_parts();
    let registry = &server.registry;
    let headers = &parts.headers;
    match Path::parse(parts.uri.path()) {
        Path::Resource(path) => {
            let query = Query::parse(parts.uri.query().unwrap_or_default());
            let call = call(server, path, query, headers, body).await?;
            dispatch(server, &parts.method, call).await
        }
        Path::Unknown => Err(StatusError::no_such_path()),
        _ if parts.method != Method::GET => Err(StatusError::method_not_allowed()),
        Path::Health => Ok("ok".into_response()),
        Path::Version => Ok(version()),
        Path::CoreVersions => Ok(discovery::core_versions(registry, headers)),
        Path::Groups => Ok(discovery::groups(registry, headers)),
        Path::Group(group) => discovery::group(registry, &group),
        Path::ResourceList { group, version } => discovery::resource_list(registry, &group, &version),
    }
}

fn version() -> Response {
    let version = json!({
        "major": "1", "minor": "34", "gitVersion": concat!("v1.34.0+followlytics.", env!("CARGO_PKG_VERSION")),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc", "platform": std::env::consts::OS,
    });
    present::raw(StatusCode::OK, version.to_string())
}

async fn call(
    server: &Arc<Inner>,
    path: ResourcePath,
    query: Query,
    headers: &HeaderMap,
    body: Body,
) -> Result<Call, StatusError> {
    let resource = server.registry.find(&path.group, &path.version, &path.plural);
    let resource = resource.cloned().ok_or_else(StatusError::no_such_path)?;
    // An object without its namespace, or a cluster-scoped kind in one, is no path.
    if path.namespace.is_some() && !resource.namespaced
        || path.namespace.is_none() && resource.namespaced && path.name.is_some()
    {
        return Err(StatusError::no_such_path());
    }
    let part = match path.subresource.as_deref() {
        None => Part::Main,
        Some("status") if resource.has_status => Part::Status,
        Some(_) => return Err(StatusError::no_such_path()),
    };
    let shape = Shape::from_headers(headers)?;
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let content_type = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned();
    let body = read_body(body).await?;
    Ok(Call {
        resource,
        namespace: path.namespace,
        name: path.name,
        part,
        query,
        shape,
        content_type,
        body,
    })
}

async fn read_body(body: Body) -> Result<Bytes, StatusError> {
    let read = Limited::new(body, MAX_BODY_BYTES).collect().await;
    read.map(Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            StatusError::too_large(MAX_BODY_BYTES)
        } else {
            StatusError::bad_request(format!("failed to read the body of the request: {error}"))
        }
    })
}

async fn dispatch(server: &Arc<Inner>, method: &Method, call: Call) -> Result<Response, StatusError> {
    let is_watch = call.query.flag("watch");
    match (method.as_str(), call.name.is_some(), call.part) {
        ("GET", false, _) if is_watch => verbs::watch::watch(server, call).await,
        ("GET", false, _) => verbs::list::list(server, &call).await,
        ("GET", true, _) => verbs::get::get(server, &call).await,
        ("POST", false, Part::Main) => verbs::create::create(server, &call).await,
        ("PUT", true, _) => verbs::update::update(server, &call).await,
        ("PATCH", true, _) => verbs::patch::patch(server, &call).await,
        ("DELETE", true, Part::Main) => verbs::delete::delete(server, &call).await,
        ("DELETE", false, Part::Main) => verbs::delete::delete_collection(server, &call).await,
        _ => Err(StatusError::method_not_allowed()),
    }
}
