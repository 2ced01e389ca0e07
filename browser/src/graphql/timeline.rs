//! The list of users in an answer of `Followers`.
//!
//! What is no user and no cursor is left out: X puts other things into lists. Rows are never guessed: where
//! instructions, cursor or users are not as they are known, the expectation that broke is named instead.

use followlytics_core::{page::MAX_ROWS, row::Line};
use serde::Deserialize as _;
use serde_json::Value;

use super::{
    Broken,
    user::{User, is_unavailable},
};

/// Where the list is.
const INSTRUCTIONS: &str = "/data/user/result/timeline/timeline/instructions";
/// From this many users on, not one of which can be read, their shape has changed.
const ENOUGH: usize = 3;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timeline {
    /// Its rows in the platform's order, and those that could not be read.
    pub(crate) lines: Vec<Line>,
    /// Users it holds, those withheld among them.
    pub(crate) users: u32,
    /// The cursor of what is below.
    pub(crate) bottom: String,
}

/// Reads a list; `None` where the answer holds none at all.
pub(crate) fn timeline(body: &Value) -> Option<Result<Timeline, Broken>> {
    let instructions = body.pointer(INSTRUCTIONS)?;
    Some(read(instructions))
}

fn read(instructions: &Value) -> Result<Timeline, Broken> {
    let instructions = instructions
        .as_array()
        .ok_or_else(|| Broken::new("timeline.instructions is a list"))?;
    let entries = instructions
        .iter()
        .filter(|one| one.get("type").and_then(Value::as_str) == Some("TimelineAddEntries"))
        .filter_map(|one| one.get("entries")?.as_array())
        .flatten();
    let (mut lines, mut users, mut bottom) = (Vec::new(), 0usize, None);
    for entry in entries {
        let Some(content) = entry.get("content") else {
            continue;
        };
        if is(content, "cursorType", "Bottom") {
            bottom = content.get("value").and_then(Value::as_str).map(str::to_owned);
            continue;
        }
        let Some(item) = content
            .get("itemContent")
            .filter(|item| is(item, "itemType", "TimelineUser"))
        else {
            continue;
        };
        users += 1;
        let result = item.pointer("/user_results/result").unwrap_or(&Value::Null);
        if !is_unavailable(result) {
            lines.push(line(result));
        }
    }
    if users > MAX_ROWS {
        return Err(Broken::new(format!("a page holds at most {MAX_ROWS} users")));
    }
    let unread = lines
        .iter()
        .filter(|line| matches!(line, Line::Unread { .. }))
        .count();
    if unread == lines.len() && unread >= ENOUGH {
        return Err(Broken::new(
            "user_results.result has rest_id, and screen_name in core or legacy",
        ));
    }
    Ok(Timeline {
        lines,
        users: u32::try_from(users).unwrap_or(u32::MAX),
        bottom: bottom
            .ok_or_else(|| Broken::new("a TimelineAddEntries holds an entry with cursorType Bottom"))?,
    })
}

fn is(value: &Value, name: &str, expected: &str) -> bool {
    value.get(name).and_then(Value::as_str) == Some(expected)
}

fn line(result: &Value) -> Line {
    let read = User::deserialize(result).map_err(|error| error.to_string());
    match read.and_then(|user| user.row().map_err(str::to_owned)) {
        Ok(row) => Line::Row(row),
        Err(error) => Line::Unread {
            unread: result.to_string(),
            error,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(id: &str) -> Value {
        json!({"__typename": "User", "rest_id": id, "core": {"screen_name": format!("u{id}")}})
    }

    fn item(result: &Value) -> Value {
        json!({"entryId": "user-1", "content": {"entryType": "TimelineTimelineItem",
            "itemContent": {"itemType": "TimelineUser", "user_results": result}}})
    }

    fn cursor(kind: &str, value: &str) -> Value {
        json!({"content": {"entryType": "TimelineTimelineCursor", "cursorType": kind, "value": value}})
    }

    fn body(entries: &[Value]) -> Value {
        json!({"data": {"user": {"result": {"timeline": {"timeline": {"instructions": [
            {"type": "TimelineClearCache"}, {"type": "TimelineTerminateTimeline", "direction": "Bottom"},
            {"type": "TimelineAddEntries", "entries": entries}]}}}}}})
    }

    #[test]
    fn withheld_users_are_counted_and_unreadable_ones_kept() {
        let entries = vec![
            item(&json!({"result": user("2")})),
            item(&json!({})),
            item(&json!({"result": {"__typename": "UserUnavailable"}})),
            item(&json!({"result": {"__typename": "User", "rest_id": "x"}})),
            json!({"content": {"entryType": "TimelineTimelineModule", "items": []}}),
            cursor("Bottom", "44|9"),
            cursor("Top", "-1|10"),
        ];
        let page = timeline(&body(&entries)).unwrap().unwrap();
        assert_eq!(
            (page.users, page.lines.len(), page.bottom.as_str()),
            (4, 2, "44|9")
        );
        assert!(matches!(&page.lines[0], Line::Row(row) if row.id == "2" && row.handle == "u2"));
        assert!(matches!(&page.lines[1], Line::Unread { unread, .. } if unread.contains("rest_id")));
    }

    #[test]
    fn what_is_not_as_it_was_names_the_expectation() {
        let broken = |body: Value| timeline(&body).unwrap().unwrap_err().0;
        assert!(broken(body(&[item(&json!({"result": user("2")}))])).contains("cursorType Bottom"));
        let strange = json!({"result": {"__typename": "User", "identity": {"id": 5}}});
        let entries = vec![
            item(&strange),
            item(&strange),
            item(&strange),
            cursor("Bottom", "4|9"),
        ];
        assert!(broken(body(&entries)).contains("screen_name in core or legacy"));
        let mut other = body(&[]);
        other["data"]["user"]["result"]["timeline"]["timeline"]["instructions"] = json!({"0": 1});
        assert!(broken(other).contains("instructions is a list"));
        assert!(timeline(&json!({"data": {"user": {"result": {"timeline": {}}}}})).is_none());
    }

    #[test]
    fn an_empty_page_with_a_cursor_is_a_page() {
        let page = timeline(&body(&[cursor("Bottom", "4|9")])).unwrap().unwrap();
        assert_eq!((page.users, page.lines.len()), (0, 0));
    }
}
