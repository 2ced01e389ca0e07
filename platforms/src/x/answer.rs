//! What an answer of X means: the decision table, by status, problem type and title.
//!
//! Most refusals of a single account come with 200 and `errors` alone; the type of a suspended account says
//! "resource-not-found" and only its title says otherwise. Messages are written here: X's own repeat tokens
//! and handles.

use followlytics_core::retry::{Class, Failure};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{answer::Answer, rows::object};

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    /// One account.
    Account,
    /// A page of this account's followers.
    Followers { id: &'a str },
}

/// An answer with something in it. `errors` beside data is partial: the data counts.
#[derive(Debug, Deserialize)]
pub(super) struct Body<'a> {
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
    #[serde(default)]
    meta: Option<Value>,
    #[serde(default)]
    errors: Option<Value>,
}

/// Reads an answer that has data, or the failure it stands for.
pub(super) fn read<'a>(answer: &'a Answer, asked: Asked<'_>) -> Result<Body<'a>, Failure> {
    if !answer.status.is_success() {
        return Err(refusal(answer, asked));
    }
    let mut body: Body<'a> = object(&answer.body).map_err(|_| answer.malformed("it is no JSON object"))?;
    body.data = body.data.filter(|data| data.get() != "null");
    let problems = problems(body.errors.as_ref());
    if let (None, Some(first)) = (body.data, problems.first()) {
        let about_account = match asked {
            Asked::Account => true,
            // A page whose rows were all filtered has errors about rows, and still a way on.
            Asked::Followers { id } => {
                body.meta.is_none() || problems.iter().any(|problem| problem.is_about(id))
            }
        };
        if about_account {
            return Err(account_problem(answer, first));
        }
    }
    if !problems.is_empty() {
        tracing::debug!(problems = problems.len(), "the platform's answer is partial");
    }
    Ok(body)
}

impl<'a> Body<'a> {
    /// The rows; a page without any has no `data` at all.
    pub(super) fn list(&self, answer: &Answer) -> Result<Vec<&'a RawValue>, Failure> {
        match self.data {
            Some(data) => {
                serde_json::from_str(data.get()).map_err(|_| answer.malformed("its data is no list"))
            }
            None => Ok(Vec::new()),
        }
    }

    /// Whether it says that something follows, or that nothing does.
    pub(super) fn has_meta(&self) -> bool {
        matches!(self.meta, Some(Value::Object(_)))
    }

    /// The token of the next page; none at the end. Without `meta` nothing says whether this is the end: rows are kept,
    /// for they are paid; an answer without both cannot be read.
    pub(super) fn next_token(&self, answer: &Answer, has_rows: bool) -> Result<Option<String>, Failure> {
        let Some(Value::Object(meta)) = &self.meta else {
            return if has_rows {
                Ok(None)
            } else {
                Err(answer.malformed("it has no meta"))
            };
        };
        match meta.get("next_token") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(token)) => Ok(Some(token.clone())),
            // A paid page is kept: what is not a text is sent as it is written.
            Some(other) => Ok(Some(other.to_string())),
        }
    }
}

/// A problem as X describes it; whatever has another shape is empty.
#[derive(Debug, Default)]
struct Problem {
    kind: String,
    title: String,
    reason: String,
    resource: String,
    parameter: String,
    parameters: Vec<String>,
    code: Option<i64>,
}

impl Problem {
    fn new(value: &Value) -> Self {
        let word = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let kind = word("type");
        Self {
            // Live answers name api.twitter.com, the documents api.x.com.
            kind: kind.rsplit('/').next().unwrap_or_default().to_owned(),
            title: word("title"),
            reason: word("reason"),
            resource: word("resource_id"),
            parameter: word("parameter"),
            parameters: value
                .get("parameters")
                .and_then(Value::as_object)
                .map(|named| named.keys().cloned().collect())
                .unwrap_or_default(),
            code: value.get("code").and_then(Value::as_i64),
        }
    }

    fn is_about(&self, id: &str) -> bool {
        self.resource == id || self.parameter == "id"
    }
}

fn problems(errors: Option<&Value>) -> Vec<Problem> {
    errors
        .and_then(Value::as_array)
        .map(|list| list.iter().map(Problem::new).collect())
        .unwrap_or_default()
}

/// 200 or 404 about the account itself.
fn account_problem(answer: &Answer, problem: &Problem) -> Failure {
    let (class, message) = match (problem.kind.as_str(), problem.title.as_str()) {
        ("resource-not-found" | "resource-unavailable", "Forbidden") => {
            (Class::Suspended, "X suspended the account")
        }
        ("resource-not-found" | "resource-unavailable", _) | (_, "Not Found Error") => {
            (Class::NotFound, "X knows no such account")
        }
        ("not-authorized-for-resource", _) | (_, "Authorization Error") => (
            Class::Protected,
            "the account is protected: it shows its followers to nobody",
        ),
        _ => (Class::Unknown, "X answered with an error that no table knows"),
    };
    answer.failure(class, message)
}

/// Every status but success.
fn refusal(answer: &Answer, asked: Asked<'_>) -> Failure {
    // Whatever stands between us and X may answer with anything but JSON.
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let problem = Problem::new(&body);
    let inner = problems(body.get("errors"));
    match answer.status.as_u16() {
        400 => bad_request(answer, asked, &inner),
        401 => answer.failure(
            Class::Unauthorized,
            "X refuses the token: it is expired or revoked; sign in again",
        ),
        402 => answer.failure(
            Class::CreditsDepleted,
            "X has no credits left for this app: buy credits or raise its spending limit",
        ),
        403 => answer.failure(Class::Forbidden, forbidden(&problem, &inner)),
        404 if problem.kind == "resource-not-found" || problem.title.starts_with("Not Found") => {
            account_problem(
                answer,
                &Problem {
                    kind: "resource-not-found".into(),
                    ..problem
                },
            )
        }
        429 if problem.kind == "usage-capped" || problem.title == "UsageCapExceeded" => {
            answer.failure(Class::UsageCapped, "X's monthly cap of this app is reached")
        }
        429 => answer.failure(Class::RateLimited, "X's rate limit window is used up"),
        _ => answer.common_failure().unwrap_or_else(|| answer.unknown()),
    }
}

fn bad_request(answer: &Answer, asked: Asked<'_>, inner: &[Problem]) -> Failure {
    let mut names: Vec<&str> = inner
        .iter()
        .flat_map(|problem| &problem.parameters)
        .map(String::as_str)
        .collect();
    names.retain(|name| {
        name.len() <= 40
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b))
    });
    if matches!(asked, Asked::Followers { .. }) && names.contains(&"pagination_token") {
        return answer.failure(
            Class::CursorExpired,
            "X refuses the token of the next page: it has expired",
        );
    }
    let what = if names.is_empty() {
        "the request".to_owned()
    } else {
        names.join(", ")
    };
    answer.failure(Class::BadRequest, format!("X refuses {what} (400)"))
}

/// Who has to do what: an operator at X's portal, or whoever chose the credential.
fn forbidden(problem: &Problem, inner: &[Problem]) -> &'static str {
    let plan = inner.iter().any(|inner| inner.code == Some(453)) || problem.code == Some(453);
    match problem.kind.as_str() {
        "client-forbidden" => {
            "X does not serve this app: attach it to a project with pay-per-use in X's portal"
        }
        _ if problem.reason == "client-not-enrolled" => {
            "X does not serve this app: attach it to a project with pay-per-use in X's portal"
        }
        "unsupported-authentication" => {
            "X wants another kind of token here: use a Credential of the other type"
        }
        _ if plan => "the app's plan at X does not include this request",
        _ => "X does not allow this (403)",
    }
}

#[cfg(test)]
mod tests;
