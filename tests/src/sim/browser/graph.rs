//! X's GraphQL answers, as far as a simulation needs them: users' ids and handles, the way on, and refusals.

use followlytics_core::{
    retry::{Class, Failure},
    row::{Line, Row},
    scan::plan::AccountReport,
};
use followlytics_platforms::answer::Answer;
use serde_json::Value;

/// Where the list is.
const INSTRUCTIONS: &str = "/data/user/result/timeline/timeline/instructions";

/// A page of a list.
pub(super) struct List {
    pub(super) lines: Vec<Line>,
    /// Users it holds, those withheld among them.
    pub(super) users: u32,
    /// The cursor of what is below.
    pub(super) bottom: String,
}

pub(super) fn failure(class: Class, message: &str) -> Failure {
    Failure {
        class,
        message: message.to_owned(),
        told: None,
        retry_after_ms: None,
    }
}

fn body(answer: &Answer) -> Option<Value> {
    serde_json::from_slice(&answer.body).ok()
}

/// Reads a page of followers; `None` where the answer holds no list.
pub(super) fn list(answer: &Answer) -> Option<Result<List, Failure>> {
    let body = body(answer).filter(|_| answer.status.is_success())?;
    let instructions = body.pointer(INSTRUCTIONS)?;
    let entries = instructions.as_array().into_iter().flatten();
    let entries = entries.filter_map(|one| one.get("entries")?.as_array()).flatten();
    let (mut lines, mut users, mut bottom) = (Vec::new(), 0, None);
    for content in entries.filter_map(|entry| entry.get("content")) {
        if content.get("cursorType").and_then(Value::as_str) == Some("Bottom") {
            bottom = content.get("value").and_then(Value::as_str).map(str::to_owned);
        }
        let Some(result) = content.pointer("/itemContent/user_results") else {
            continue;
        };
        users += 1;
        let result = result.get("result").unwrap_or(&Value::Null);
        let withheld = result.get("__typename").and_then(Value::as_str) != Some("User");
        if !withheld {
            lines.push(line(result));
        }
    }
    let unread = lines
        .iter()
        .filter(|line| matches!(line, Line::Unread { .. }))
        .count();
    let changed = unread == lines.len() && unread >= 3;
    Some(match bottom.filter(|_| !changed) {
        Some(bottom) => Ok(List { lines, users, bottom }),
        None => Err(answer.failure(Class::MarkupChanged, "the list is not as it is known")),
    })
}

fn line(result: &Value) -> Line {
    match (text(result, "/rest_id"), handle(result)) {
        (Some(id), Some(handle)) => Line::Row(Row {
            id,
            handle,
            ..Row::default()
        }),
        _ => Line::Unread {
            unread: result.to_string(),
            error: "the user has no rest_id or no screen_name".to_owned(),
        },
    }
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().map(str::to_owned)
}

fn handle(result: &Value) -> Option<String> {
    text(result, "/core/screen_name").or_else(|| text(result, "/legacy/screen_name"))
}

/// Reads a look-up.
pub(super) fn report(answer: &Answer) -> Result<AccountReport, Failure> {
    let read = || {
        let body = body(answer).filter(|_| answer.status.is_success())?;
        let result = body.pointer("/data/user/result")?;
        let count = result
            .pointer("/relationship_counts/followers")
            .or_else(|| result.pointer("/legacy/followers_count"));
        let created = text(result, "/core/created_at").or_else(|| text(result, "/legacy/created_at"));
        Some(AccountReport {
            id: text(result, "/rest_id")?,
            handle: handle(result)?,
            followers: count?.as_i64()?,
            created: created
                .and_then(|text| jiff::fmt::strtime::parse("%a %b %d %H:%M:%S %z %Y", text).ok())
                .and_then(|parsed| parsed.to_timestamp().ok()),
        })
    };
    read().ok_or_else(|| refusal(answer, false))
}

/// The failure an answer without a list or an account stands for.
pub(super) fn refusal(answer: &Answer, sought: bool) -> Failure {
    let status = answer.status.as_u16();
    let body = body(answer);
    if status >= 400 && body.is_none() && !answer.body.is_empty() {
        let class = match status {
            500..=599 if !answer.headers.contains_key("cf-ray") => Class::ServerError,
            _ => Class::Blocked,
        };
        return answer.failure(class, "a page for people instead of an answer");
    }
    let first = body.as_ref().and_then(|body| body.pointer("/errors/0"));
    let code = first
        .and_then(|error| error.get("code").or_else(|| error.pointer("/extensions/code")))
        .and_then(Value::as_i64);
    let remaining = answer.told.and_then(|told| told.remaining);
    let class = match (status, code) {
        (_, Some(88)) | (429, _) if remaining.is_some_and(|left| left > 0) => Class::Blocked,
        (_, Some(88)) | (429, _) => Class::RateLimited,
        (_, Some(336)) | (404, None) => Class::ClientOutdated,
        (_, Some(326 | 64)) => Class::SessionLocked,
        (_, Some(32 | 353 | 37)) | (401 | 403, None) => Class::LoggedOut,
        (_, Some(34 | 50)) => Class::NotFound,
        (_, Some(63)) => Class::Suspended,
        (500..=599, _) => Class::ServerError,
        (_, _) if first.is_some() && code.is_none() && answer.status.is_success() => Class::ServerError,
        (200 | 400, Some(_)) if sought => Class::SeekRefused,
        (_, Some(_)) | (300..=499, None) => Class::Unknown,
        (_, None) if body.is_none() => Class::Malformed,
        (_, None) => Class::MarkupChanged,
    };
    answer.failure(class, format!("X answered with {status} and {code:?}"))
}
