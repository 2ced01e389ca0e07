//! The GraphQL query `Followers`: a page of entries between two cursors.

use serde_json::{Value, json};

use crate::{
    answer::{Answer, Turn},
    faults::FaultKind,
    population::Population,
    world::{Platform, State},
};

use super::{
    cut::{Cut, Start, cut, start},
    errors,
    gate::{Operation, Pass, admit},
    odd, page,
    rows::{Person, unavailable},
    user::active,
};

/// Milliseconds since the Unix epoch at which X's ids begin.
const SNOWFLAKE_EPOCH_MS: u64 = 1_288_834_974_657;
const SNOWFLAKE_BITS: u32 = 22;

pub(super) fn page(state: &mut State, turn: &Turn<'_>) -> Answer {
    match admit(state, turn, Operation::Followers) {
        Ok(pass) => {
            let answer = serve(state, turn, &pass).unwrap_or_else(|answer| answer);
            pass.stamp(answer)
        }
        Err(answer) => answer,
    }
}

fn serve(state: &mut State, turn: &Turn<'_>, pass: &Pass) -> Result<Answer, Answer> {
    let user = target(state, turn, pass)?;
    let order = state.order;
    let people = state.population(Platform::X);
    let edges = people.accounts.get(&user).map(|account| &account.edges);
    let start = start(turn, edges).ok_or_else(|| errors::bad_variable("cursor"))?;
    state.churn_before_page(Platform::X, user, turn.now_ms);
    let people = state.population(Platform::X);
    let nothing = Cut {
        users: Vec::new(),
        bottom: 0,
    };
    let cut = people
        .accounts
        .get(&user)
        .map_or(nothing, |account| cut(people, account, start, turn));
    let request = snowflake(turn.now_ms, order);
    let mut answer = write(people, turn, &cut, (start, request));
    let visible = cut.users.iter().copied();
    answer.rows = visible.filter(|user| !people.is_hidden(*user)).collect();
    if turn.has_fault(&FaultKind::DuplicatedRow) {
        answer.rows.extend(answer.rows.first().copied());
    }
    if turn.has_fault(&FaultKind::RendererCrash) {
        answer = answer.with_header(page::MOOD_HEADER, "crashes");
    }
    Ok(answer)
}

fn target(state: &State, turn: &Turn<'_>, pass: &Pass) -> Result<u64, Answer> {
    if turn.ask.form("userId").is_none() {
        return Err(errors::bad_variable("userId"));
    }
    let people = state.population(Platform::X);
    let user = active(people, turn)?;
    let overlay = people.overlays.get(&user);
    let is_closed = overlay.and_then(|known| known.protected).unwrap_or(false);
    if is_closed && pass.viewer != Some(user) {
        return Err(errors::not_authorized());
    }
    Ok(user)
}

/// The id of a request: its time, and its place among the world's.
fn snowflake(now_ms: u64, order: u64) -> u64 {
    let since = now_ms.saturating_sub(SNOWFLAKE_EPOCH_MS).max(1);
    (since << SNOWFLAKE_BITS) | (order & ((1 << SNOWFLAKE_BITS) - 1))
}

fn write(people: &Population, turn: &Turn<'_>, cut: &Cut, (start, request): (Start, u64)) -> Answer {
    let bottom = match turn.fault {
        Some(FaultKind::MissingCursor) => None,
        // From the second page on: a cursor came with the request.
        Some(FaultKind::RepeatedCursor) => turn.ask.cursor().map(str::to_owned),
        _ => Some(String::new()),
    };
    if turn.has_fault(&FaultKind::UnknownShape) {
        let after = format!("{}|{request}", cut.bottom);
        return Answer::json(200, odd::body(people, cut, &after).to_string());
    }
    let shown = results(people, turn, cut);
    let mut entries: Vec<Value> = Vec::with_capacity(shown.len() + 2);
    for (index, (id, results)) in shown.into_iter().enumerate() {
        entries.push(user_entry(&id, results, below(request, index + 1)));
    }
    let length = entries.len();
    if let Some(value) = bottom {
        let fresh = format!("{}|{}", cut.bottom, below(request, length + 3));
        let value = if value.is_empty() { fresh } else { value };
        entries.push(cursor_entry("Bottom", &value, below(request, length + 1)));
    }
    entries.push(cursor_entry("Top", &format!("-1|{request}"), request));
    let mut instructions = vec![
        json!({"type": "TimelineTerminateTimeline", "direction": "Top"}),
        // There on every page: it does not mean the end.
        json!({"type": "TimelineTerminateTimeline", "direction": "Bottom"}),
        with(json!({"type": "TimelineAddEntries"}), "entries", entries.into()),
    ];
    if start == Start::Newest {
        instructions.insert(0, json!({"type": "TimelineClearCache"}));
    }
    let timeline = with(json!({}), "instructions", instructions.into());
    let result = with(
        json!({"__typename": "User"}),
        "timeline",
        with(json!({}), "timeline", timeline),
    );
    let mut body = with(
        json!({}),
        "data",
        with(json!({}), "user", with(json!({}), "result", result)),
    );
    if let (true, Some(members)) = (turn.has_fault(&FaultKind::PartialErrors), body.as_object_mut()) {
        members.insert("errors".to_owned(), json!([errors::one_row_failed()]));
    }
    Answer::json(200, body.to_string())
}

/// `user_results` of each row, with the id its entry has.
fn results(people: &Population, turn: &Turn<'_>, cut: &Cut) -> Vec<(String, Value)> {
    let shape = turn.config.x.web.shape;
    let mut shown: Vec<(String, Value)> = Vec::with_capacity(cut.users.len() + 1);
    for user in &cut.users {
        if people.is_hidden(*user) {
            shown.extend(unavailable(people, *user).map(|gone| (people.public_id(*user), gone)));
            continue;
        }
        let person = Person::of(people, *user);
        let result = with(json!({}), "result", person.result(shape));
        shown.push((person.id, result));
    }
    if turn.has_fault(&FaultKind::DuplicatedRow) {
        let first = cut.users.iter().find(|user| !people.is_hidden(**user));
        let again = first.map(|user| Person::of(people, *user));
        shown.extend(again.map(|one| (one.id.clone(), with(json!({}), "result", one.result(shape)))));
    }
    if turn.has_fault(&FaultKind::MalformedRow) {
        let broken = json!({"result": {
            "__typename": "User", "rest_id": 1_234_567_890, "core": null, "legacy": ["broken"],
        }});
        shown.insert(shown.len() / 2, ("1234567890".to_owned(), broken));
    }
    shown
}

fn below(request: u64, steps: usize) -> u64 {
    request.saturating_sub(u64::try_from(steps).unwrap_or(0))
}

/// The value with one more member, which `json!` would copy.
fn with(mut value: Value, name: &str, member: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.insert(name.to_owned(), member);
    }
    value
}

fn user_entry(id: &str, results: Value, sort_index: u64) -> Value {
    let item = json!({"__typename": "TimelineUser", "itemType": "TimelineUser", "userDisplayType": "User"});
    let content = json!({
        "__typename": "TimelineTimelineItem",
        "entryType": "TimelineTimelineItem",
        "clientEventInfo": {"component": "FollowersSgs", "element": "user"},
    });
    let entry = json!({"entryId": format!("user-{id}"), "sortIndex": sort_index.to_string()});
    with(
        entry,
        "content",
        with(content, "itemContent", with(item, "user_results", results)),
    )
}

fn cursor_entry(kind: &str, value: &str, sort_index: u64) -> Value {
    json!({
        "entryId": format!("cursor-{}-{sort_index}", kind.to_ascii_lowercase()),
        "sortIndex": sort_index.to_string(),
        "content": {
            "__typename": "TimelineTimelineCursor",
            "entryType": "TimelineTimelineCursor",
            "cursorType": kind,
            "value": value,
        },
    })
}
