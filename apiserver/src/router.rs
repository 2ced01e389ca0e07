//! Takes a request apart and gives it to its verb. One fallback route: paths are data, not routes.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Collected, LengthLimitError, Limited};
use serde_json::json;

use crate::{
    accept::Shape,
    admission::Part,
    apply::Writer,
    discovery,
    path::{Path, ResourcePath},
    present,
    query::Query,
    registry::{Form, Resource},
    review,
    server::Inner,
    status_error::StatusError,
    verbs,
};

/// As Kubernetes: an object must also fit into etcd there.
const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;

/// A field manager is no longer.
const MAX_USER_AGENT: usize = 128;

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
    /// What the client calls itself, up to the first slash: its name where it gives no field manager.
    pub(crate) user_agent: String,
    pub(crate) body: Bytes,
}

impl Call {
    /// The namespace of the object, empty for cluster-scoped kinds.
    pub(crate) fn object_namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    pub(crate) fn object_name(&self) -> Result<&str, StatusError> {
        let missing = || StatusError::bad_request("name must be provided");
        self.name.as_deref().ok_or_else(missing)
    }

    /// Who a write is by: the stated field manager, or the program that sends it.
    pub(crate) fn writer<'a>(&'a self, manager: &'a str, now: &'a str) -> Writer<'a> {
        Writer {
            manager: if manager.is_empty() {
                &self.user_agent
            } else {
                manager
            },
            subresource: self.part.subresource(),
            now,
        }
    }

    /// Refuses bodies that are neither JSON nor YAML; kubectl's `--raw` and scale send no type at all.
    pub(crate) fn require_readable(&self) -> Result<(), StatusError> {
        match self.content_type.as_str() {
            "" | "application/json" | "application/yaml" | "*/*" => Ok(()),
            _ => Err(StatusError::unsupported_media_type(
                "application/json, application/yaml",
            )),
        }
    }
}

pub(crate) fn router(server: Arc<Inner>) -> Router {
    Router::new().fallback(answer).with_state(server)
}

async fn answer(State(server): State<Arc<Inner>>, request: Request) -> Response {
    let is_head = request.method() == Method::HEAD;
    let mut response = route(&server, request)
        .await
        .unwrap_or_else(IntoResponse::into_response);
    // Nothing in between may keep an answer, but for those that say otherwise.
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache, private"));
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn route(server: &Arc<Inner>, request: Request) -> Result<Response, StatusError> {
    server.prepare().await?;
    let (parts, body) = request.into_parts();
    let registry = &server.registry;
    let headers = &parts.headers;
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let path = percent_decoded(parts.uri.path());
    match Path::parse(&path) {
        Path::Resource(path) if review::is_path(&path.group, &path.version, &path.plural) => {
            if parts.method != Method::POST || path.name.is_some() {
                return Err(StatusError::method_not_allowed());
            }
            review::answer(&content_type(headers), &read_body(body).await?)
        }
        Path::Resource(path) => {
            let call = call(server, path, query, headers, body).await?;
            dispatch(server, &parts.method, call).await
        }
        Path::Unknown => Err(StatusError::no_such_path()),
        _ if !matches!(parts.method, Method::GET | Method::HEAD) => Err(StatusError::method_not_allowed()),
        Path::Health => Ok(health()),
        Path::Version => Ok(version()),
        Path::OpenApiIndex => Ok(registry.documents().index()),
        Path::OpenApi(path) => {
            let documents = registry.documents();
            Ok(documents.answer(&path, query.text("hash"), headers, server.timestamp()))
        }
        Path::CoreVersions => Ok(discovery::core_versions(registry, headers)),
        Path::Groups => Ok(discovery::groups(registry, headers)),
        Path::Group(group) => discovery::group(registry, &group),
        Path::ResourceList { group, version } => discovery::resource_list(registry, &group, &version),
    }
}

/// A path as it was meant; what is no escape stays.
fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn health() -> Response {
    let text = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (text, "ok").into_response()
}

fn version() -> Response {
    let version = json!({
        "major": "1", "minor": "34", "emulationMajor": "1", "emulationMinor": "34",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "33", "gitVersion": concat!("v1.34.0+followlytics.", env!("CARGO_PKG_VERSION")),
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
    if let Some(name) = path.name.as_deref().filter(|name| name.contains('%')) {
        return Err(StatusError::bad_request(format!(
            "Name parameter invalid: {name:?}: may not contain '%'"
        )));
    }
    let part = match path.subresource.as_deref() {
        None => Part::Main,
        Some("status") if resource.has_status => Part::Status,
        Some("scale") if resource.scale.is_some() => Part::Scale,
        Some(_) if resource.is_custom() => {
            let name = path.name.as_deref().unwrap_or_default();
            return Err(StatusError::not_found(&resource, name));
        }
        Some(_) => return Err(StatusError::no_such_path()),
    };
    let shape = Shape::from_headers(headers)?;
    let user_agent = header_text(headers, &header::USER_AGENT);
    let user_agent = user_agent.split('/').next().unwrap_or_default();
    Ok(Call {
        resource,
        namespace: path.namespace,
        name: path.name,
        part,
        query,
        shape,
        content_type: content_type(headers),
        user_agent: user_agent.chars().take(MAX_USER_AGENT).collect(),
        body: read_body(body).await?,
    })
}

fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

fn content_type(headers: &HeaderMap) -> String {
    let content_type = header_text(headers, &header::CONTENT_TYPE);
    let content_type = content_type.split(';').next().unwrap_or_default();
    content_type.trim().to_owned()
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
    let named = call.name.is_some();
    let verb = match (method.as_str(), named) {
        ("GET", false) if call.query.flag("watch") => "watch",
        ("GET" | "HEAD", false) => "list",
        ("GET" | "HEAD", true) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", false) => "deletecollection",
        ("DELETE", true) => "delete",
        _ => "",
    };
    let is_part = call.part != Part::Main;
    if !named && call.resource.namespaced && call.namespace.is_none() && !matches!(verb, "list" | "watch") {
        return Err(StatusError::no_such_path());
    }
    let fits = match verb {
        "" => false,
        "create" => !named && !is_part,
        "delete" => !is_part,
        "update" | "patch" => named,
        _ => true,
    };
    if !fits || !call.resource.verbs.contains(&verb) {
        return Err(refused(&call, verb));
    }
    match verb {
        "watch" => verbs::watch::watch(server, call).await,
        "list" => verbs::list::list(server, &call).await,
        _ if call.part == Part::Scale => verbs::scale::scale(server, &call, verb).await,
        "get" => verbs::get::get(server, &call).await,
        "create" => verbs::create::create(server, &call).await,
        "update" => verbs::update::update(server, &call).await,
        "patch" => verbs::patch::patch(server, &call).await,
        "delete" => verbs::delete::delete(server, &call).await,
        _ => verbs::delete::delete_collection(server, &call).await,
    }
}

fn refused(call: &Call, verb: &str) -> StatusError {
    match call.resource.form {
        Form::Custom if call.name.is_none() && !verb.is_empty() => {
            StatusError::bad_request("name must be provided")
        }
        Form::Custom => StatusError::verb_not_supported(&call.resource, verb),
        _ => StatusError::method_not_allowed(),
    }
}
