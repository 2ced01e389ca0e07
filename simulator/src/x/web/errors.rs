//! What GraphQL says instead of rows: some as HTTP errors, most as 200 with an `errors` member.

use serde_json::{Value, json};

use crate::answer::{Answer, Content};

/// Every answer of one world has the same trace: nobody follows it.
const TRACE: &str = "53817e5a4b0c55d3";

fn plain(status: u16, code: i64, message: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": message}]});
    Answer::json(status, body.to_string())
}

/// An error as GraphQL writes it, with everything said twice.
fn graph(message: &str, kind: [&str; 3], code: Option<i64>, path: &Value) -> Value {
    let [name, kind, source] = kind;
    let mut extensions = json!({
        "name": name, "source": source, "kind": kind, "tracing": {"trace_id": TRACE},
    });
    if let (Some(code), Some(members)) = (code, extensions.as_object_mut()) {
        members.insert("code".to_owned(), code.into());
    }
    let mut error = extensions.clone();
    if let Some(members) = error.as_object_mut() {
        members.insert("message".to_owned(), message.into());
        members.insert("locations".to_owned(), json!([{"line": 1, "column": 1}]));
        members.insert("path".to_owned(), path.clone());
        members.insert("extensions".to_owned(), extensions);
    }
    error
}

fn with_data(error: &Value, data: &Value) -> Answer {
    Answer::json(200, json!({"errors": [error], "data": data}).to_string())
}

/// 401 of a session that is over, or never was.
pub(super) fn signed_out() -> Answer {
    plain(401, 32, "Could not authenticate you")
}

/// 403 that says nothing at all: clients take it for a session that is over.
pub(super) fn forbidden() -> Answer {
    Answer::json(403, "{}")
}

pub(super) fn csrf_mismatch() -> Answer {
    plain(
        403,
        353,
        "This request requires a matching csrf cookie and header.",
    )
}

/// 404 without a byte: the query id or the transaction id is none.
pub(super) fn no_such_query() -> Answer {
    Answer {
        content: Content::Empty,
        ..Answer::json(404, "")
    }
}

pub(super) fn rate_limited() -> Answer {
    plain(429, 88, "Rate limit exceeded.")
}

/// 400 that names the features the request forgot.
pub(super) fn features_missing(names: &[&str]) -> Answer {
    let message = format!("The following features cannot be null: {}", names.join(", "));
    plain(400, 336, &message)
}

/// 400 for variables nobody can read, cursors of another place among them.
pub(super) fn bad_variable(name: &str) -> Answer {
    plain(
        400,
        214,
        &format!("BadRequest: the value of `{name}` is not valid"),
    )
}

/// 200 and 326: the account is locked until a person unlocks it.
pub(super) fn locked() -> Answer {
    let message = "Authorization: Denied by access control: To protect our users from spam and other malicious \
                   activity, this account is temporarily locked. Please log in to https://twitter.com to unlock \
                   your account.";
    let kind = ["AuthorizationError", "Permissions", "Client"];
    let mut error = graph(message, kind, Some(326), &json!(["user", "result"]));
    let bounce = json!({"bounce_location": "https://twitter.com/account/access", "sub_error_code": 0});
    if let Some(members) = error.as_object_mut() {
        members.insert("bounce".to_owned(), bounce);
    }
    with_data(&error, &json!({"user": {}}))
}

/// 200 and 37: a list that is closed to this viewer, or to guests.
pub(super) fn not_authorized() -> Answer {
    let message = "Authorization: Denied by access control: unspecified reason";
    let kind = ["AuthorizationError", "Permissions", "Client"];
    let path = json!(["user", "result", "timeline", "timeline"]);
    let data = json!({"user": {"result": {"__typename": "User", "timeline": {}}}});
    with_data(&graph(message, kind, Some(37), &path), &data)
}

/// 200 from an overloaded server; the error has no code, which clients write as -1.
pub(super) fn load_shed() -> Answer {
    let kind = ["LoadShedError", "ServiceLevel", "Server"];
    let path = json!(["user", "result", "timeline", "timeline"]);
    with_data(
        &graph("LoadShed: Unspecified", kind, None, &path),
        &json!({"user": {}}),
    )
}

/// The error beside good rows: one of them could not be shown.
pub(super) fn one_row_failed() -> Value {
    let kind = ["TimeoutError", "Operational", "Server"];
    let path = json!([
        "user",
        "result",
        "timeline",
        "timeline",
        "instructions",
        3,
        "entries",
        0
    ]);
    graph("Dependency: Unspecified", kind, None, &path)
}

/// Nobody has this name or id.
pub(super) fn nobody() -> Answer {
    Answer::json(200, r#"{"data":{}}"#)
}

/// The account is suspended: a user without anything.
pub(super) fn suspended() -> Answer {
    let result = json!({
        "__typename": "UserUnavailable",
        "reason": "Suspended",
        "message": "User is suspended",
    });
    Answer::json(200, json!({"data": {"user": {"result": result}}}).to_string())
}
