//! X's error bodies, word for word as clients meet them.

use serde_json::{Value, json};

use crate::answer::Answer;

const PROBLEMS: &str = "https://api.twitter.com/2/problems";
/// The developer account every simulated app belongs to.
const DEVELOPER_ACCOUNT: u64 = 1_234_567_890_123_456_789;

fn problem(name: &str) -> String {
    format!("{PROBLEMS}/{name}")
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer::json(status, body.to_string())
}

/// 400 for one query parameter.
pub(super) fn invalid_parameter(name: &str, value: &str, message: &str) -> Answer {
    let error = json!({"parameters": {name: [value]}, "message": message});
    answer(
        400,
        &json!({
            "errors": [error],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": problem("invalid-request"),
        }),
    )
}

/// 400 for a pagination token that is foreign, made up or too old; the platform does not say which.
pub(super) fn invalid_page_token(token: &str) -> Answer {
    let message = format!("The `pagination_token` query parameter value [{token}] is not valid");
    invalid_parameter("pagination_token", token, &message)
}

/// 400 for a user id that cannot be one.
pub(super) fn invalid_id(id: &str) -> Answer {
    invalid_parameter(
        "id",
        id,
        &format!("The `id` query parameter value [{id}] is not valid"),
    )
}

/// 400 for a username that cannot be one.
pub(super) fn invalid_username(name: &str) -> Answer {
    let pattern = "^[A-Za-z0-9_]{1,15}$";
    let message = format!("The `username` query parameter value [{name}] does not match {pattern}");
    invalid_parameter("username", name, &message)
}

pub(super) fn unauthorized() -> Answer {
    let title = "Unauthorized";
    answer(
        401,
        &json!({"title": title, "type": "about:blank", "status": 401, "detail": title}),
    )
}

pub(super) fn credits_depleted() -> Answer {
    let detail = format!(
        "Your enrolled account [{DEVELOPER_ACCOUNT}] does not have any credits to fulfill this request."
    );
    answer(
        402,
        &json!({
            "account_id": DEVELOPER_ACCOUNT,
            "title": "CreditsDepleted",
            "detail": detail,
            "type": problem("credits"),
        }),
    )
}

/// 403 where an app bearer asks for something only a user has.
pub(super) fn user_context_needed() -> Answer {
    // The two spaces are the platform's.
    let detail = "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  Supported \
                  authentication types are [OAuth 1.0a User Context, OAuth 2.0 User Context].";
    answer(
        403,
        &json!({
            "title": "Unsupported Authentication",
            "detail": detail,
            "type": problem("unsupported-authentication"),
            "status": 403,
        }),
    )
}

pub(super) fn too_many_requests() -> Answer {
    let title = "Too Many Requests";
    answer(
        429,
        &json!({"title": title, "detail": title, "type": "about:blank", "status": 429}),
    )
}

pub(super) fn usage_capped() -> Answer {
    let body = json!({
        "account_id": DEVELOPER_ACCOUNT,
        "product_name": "standard-basic",
        "title": "UsageCapExceeded",
        "period": "Monthly",
        "scope": "Product",
        "detail": "Usage cap exceeded: Monthly product cap",
        "type": problem("usage-capped"),
    });
    answer(429, &body).with_header("x-rate-limit-limit", "40000")
}

/// 200 with nothing but an error: nobody has this username or id.
pub(super) fn not_found(parameter: &str, value: &str) -> Answer {
    alone(&not_found_entry(parameter, value))
}

/// The error of one user among several, or alone.
pub(super) fn not_found_entry(parameter: &str, value: &str) -> Value {
    let detail = format!("Could not find user with {parameter}: [{value}].");
    entry(
        ("user", parameter, value),
        "Not Found Error",
        &detail,
        "resource-not-found",
    )
}

/// 200 with nothing but an error; the type says "not found" although the title says "forbidden".
pub(super) fn suspended(parameter: &str, value: &str) -> Answer {
    alone(&suspended_entry(parameter, value))
}

pub(super) fn suspended_entry(parameter: &str, value: &str) -> Value {
    let detail = format!("User has been suspended: [{value}].");
    entry(
        ("user", parameter, value),
        "Forbidden",
        &detail,
        "resource-not-found",
    )
}

/// A pinned post that is gone, beside the users who pinned theirs.
pub(super) fn post_not_found(parameter: &str, id: &str) -> Value {
    let detail = format!("Could not find tweet with {parameter}: [{id}].");
    entry(
        ("tweet", parameter, id),
        "Not Found Error",
        &detail,
        "resource-not-found",
    )
}

/// 200 with nothing but an error: the list of a protected account.
pub(super) fn protected(id: &str) -> Answer {
    let detail = format!("Sorry, you are not authorized to see the user with id: [{id}].");
    let title = "Authorization Error";
    let mut error = entry(("user", "id", id), title, &detail, "not-authorized-for-resource");
    if let Some(fields) = error.as_object_mut() {
        fields.insert("section".to_owned(), Value::from("data"));
    }
    alone(&error)
}

fn alone(error: &Value) -> Answer {
    answer(200, &json!({"errors": [error]}))
}

fn entry((resource, parameter, value): (&str, &str, &str), title: &str, detail: &str, kind: &str) -> Value {
    json!({
        "value": value,
        "detail": detail,
        "title": title,
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": value,
        "type": problem(kind),
    })
}

/// 403 of the application's own token endpoint: wrong key or secret.
pub(super) fn bad_consumer() -> Answer {
    let message = "Unable to verify your credentials";
    let error = json!({"code": 99, "message": message, "label": "authenticity_token_error"});
    answer(403, &json!({"errors": [error]}))
}

/// 400 of the token endpoint: spent, revoked or foreign refresh token.
pub(super) fn refresh_token_invalid() -> Answer {
    let description = "Value passed for the token was invalid.";
    answer(
        400,
        &json!({"error": "invalid_request", "error_description": description}),
    )
}

/// 400 of the token endpoint: a code that was spent, is too old, or belongs to another client, address or verifier.
pub(super) fn code_invalid() -> Answer {
    let description = "Value passed for the authorization code was invalid.";
    answer(
        400,
        &json!({"error": "invalid_request", "error_description": description}),
    )
}

pub(super) fn client_unauthorized() -> Answer {
    let description = "Missing valid authorization header";
    answer(
        401,
        &json!({"error": "unauthorized_client", "error_description": description}),
    )
}

pub(super) fn grant_unsupported(grant: &str) -> Answer {
    let description = format!("Value passed for the grant_type was invalid: [{grant}].");
    answer(
        400,
        &json!({"error": "invalid_request", "error_description": description}),
    )
}
