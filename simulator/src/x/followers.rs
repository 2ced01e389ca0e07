//! `GET /2/users/{id}/followers`: newest first, up to a thousand, one opaque token after another.

use crate::{
    answer::{Answer, Turn},
    credits::Resource,
    edges::{Edge, SEQUENCE_STEP},
    faults::FaultKind,
    ids::mix,
    population::{Account, Population, UserState},
    world::{Platform, State},
};

use super::{
    errors,
    gate::{Pass, Route, admit},
    page_token::{self, Place},
    rows::{Fields, Pinned, check_parameters, push_user},
    users::{is_id, utc_day},
};

const PARAMETERS: [&str; 6] = [
    "expansions",
    "max_results",
    "pagination_token",
    "post.fields",
    "tweet.fields",
    "user.fields",
];
const LONGEST: usize = 1_000;
const DEFAULT: usize = 100;

/// A stretch of the list, before it is written.
struct Page {
    edges: Vec<Edge>,
    /// Position of the next older page, if anything is older.
    next: Option<u64>,
    /// Position of the next newer page, if anything is newer.
    previous: Option<u64>,
}

pub(super) fn page(state: &mut State, turn: &Turn<'_>) -> Answer {
    match admit(state, turn, Route::Followers) {
        Ok(pass) => serve(state, turn, pass),
        Err(answer) => answer,
    }
}

fn serve(state: &mut State, turn: &Turn<'_>, pass: Pass) -> Answer {
    let id = turn.ask.subject.text().unwrap_or_default();
    let read = check_parameters(turn, &PARAMETERS)
        .and_then(|()| {
            if is_id(id) {
                Ok(())
            } else {
                Err(errors::invalid_id(id))
            }
        })
        .and_then(|()| Ok((Fields::read(turn)?, max_results(turn)?)));
    let (fields, limit) = match read {
        Ok((fields, asked)) => (fields, asked.min(turn.config.x.page_rows).max(1)),
        Err(answer) => return pass.stamp(answer),
    };
    let user = match target(state, turn, &pass, id) {
        Ok(user) => user,
        Err(answer) => return pass.stamp(answer),
    };
    state.churn_before_page(Platform::X, user, turn.now_ms);
    let key = mix(state.population(Platform::X).seed ^ 0x70_6B, user);
    let people = state.population_mut(Platform::X);
    let Some(account) = people.accounts.get_mut(&user) else {
        // An ordinary user: it exists, and nobody follows it here.
        return pass.stamp(Answer::json(200, r#"{"meta":{"result_count":0}}"#));
    };
    let start = match start(account, key, turn) {
        Ok(start) => start,
        Err(answer) => return pass.stamp(answer),
    };
    let page = cut(account, start, limit, turn.fault);
    let first = account
        .edges
        .behind_newest(limit)
        .map(|edge| account.edges.key(edge));
    let ttl_ms = turn.config.x.token_ttl_ms;
    let mut token = |position: u64, backwards| {
        let place = Place { position, backwards };
        page_token::issue(account, key, place, ttl_ms, turn.now_ms)
    };
    let next = page.next.map(|position| token(position, false));
    let previous = page.previous.map(|position| token(position, true));
    let next = match turn.fault {
        Some(FaultKind::RepeatedCursor) => turn.ask.cursor().map(str::to_owned),
        Some(FaultKind::CursorLeadsBack) => first.map(|position| token(position, false)),
        Some(FaultKind::MissingCursor) => None,
        _ => next,
    };
    let people = state.population(Platform::X);
    let mut rows: Vec<u64> = page
        .edges
        .iter()
        .map(|edge| edge.user)
        .filter(|user| !people.is_hidden(*user))
        .collect();
    if turn.has_fault(&FaultKind::DuplicatedRow) {
        rows.extend(rows.first().copied());
    }
    let pinned = match Pinned::read(turn, people, &rows) {
        Ok(pinned) => pinned,
        Err(answer) => return pass.stamp(answer),
    };
    let body = write(people, turn, &fields, (&rows, pinned), [next, previous]);
    let answer = charge(
        state,
        turn,
        &pass,
        user,
        Answer {
            rows,
            ..Answer::json(200, body)
        },
    );
    pass.stamp(answer)
}

fn max_results(turn: &Turn<'_>) -> Result<usize, Answer> {
    let Some(text) = turn.ask.query("max_results") else {
        return Ok(DEFAULT);
    };
    text.parse()
        .ok()
        .filter(|count| (1..=LONGEST).contains(count))
        .ok_or_else(|| {
            let message =
                format!("The `max_results` query parameter value [{text}] is not between 1 and {LONGEST}");
            errors::invalid_parameter("max_results", text, &message)
        })
}

fn target(state: &State, turn: &Turn<'_>, pass: &Pass, id: &str) -> Result<u64, Answer> {
    let people = state.population(Platform::X);
    let user = turn.subject.ok_or_else(|| errors::not_found("id", id))?;
    match people.state(user) {
        UserState::Active => {}
        UserState::Suspended => return Err(errors::suspended("id", id)),
        UserState::Deactivated => return Err(errors::not_found("id", id)),
    }
    let closed = people
        .overlays
        .get(&user)
        .and_then(|overlay| overlay.protected)
        .unwrap_or(false);
    if closed && pass.principal.user() != Some(user) {
        Err(errors::protected(id))
    } else {
        Ok(user)
    }
}

fn start(account: &Account, key: u64, turn: &Turn<'_>) -> Result<Place, Answer> {
    let Some(text) = turn.ask.cursor() else {
        return Ok(Place {
            position: u64::MAX,
            backwards: false,
        });
    };
    let opened = page_token::open(account, key, text, turn.config.x.token_ttl_ms, turn.now_ms);
    opened
        .filter(|_| !turn.has_fault(&FaultKind::ExpiredCursor))
        .ok_or_else(|| errors::invalid_page_token(text))
}

/// The rows of one page and the positions of its neighbours. Positions lie between edges: "everything below".
fn cut(account: &Account, start: Place, limit: usize, fault: Option<&FaultKind>) -> Page {
    let limit = match fault {
        Some(FaultKind::ShortPage) => limit.div_ceil(2).min(limit.saturating_sub(1)),
        Some(FaultKind::EmptyPage) => 0,
        _ => limit,
    };
    let edges: Vec<Edge> = if start.backwards {
        let mut newer: Vec<Edge> = account.edges.not_older_than(start.position).take(limit).collect();
        newer.reverse();
        newer
    } else {
        account.edges.older_than(start.position).take(limit).collect()
    };
    let bottom = edges.last().map_or_else(
        || empty_page_position(account, start.position),
        |edge| account.edges.key(*edge),
    );
    let older_left = account.edges.older_than(bottom).next().is_some();
    let top = edges.first().map(|edge| account.edges.key(*edge) + 2);
    let previous = top.filter(|top| account.edges.not_older_than(*top).next().is_some());
    Page {
        edges,
        next: older_left.then_some(bottom),
        previous,
    }
}

/// A position that means the same place and yet gives another token, as long as the gap between two edges has room.
pub(super) fn empty_page_position(account: &Account, position: u64) -> u64 {
    let next = account.edges.older_than(position).next();
    match next.map(|edge| account.edges.key(edge)) {
        Some(next) if position > next + SEQUENCE_STEP / 2 => next + SEQUENCE_STEP / 2,
        Some(next) if position - 2 > next => position - 2,
        None | Some(_) => position,
    }
}

fn write(
    people: &Population,
    turn: &Turn<'_>,
    fields: &Fields<'_>,
    (rows, pinned): (&[u64], Option<Pinned>),
    [next, previous]: [Option<String>; 2],
) -> String {
    let mut body = String::with_capacity(128 + rows.len() * 384);
    body.push('{');
    let broken_at = turn.has_fault(&FaultKind::MalformedRow).then_some(rows.len() / 2);
    let mut count = 0;
    for (index, user) in rows.iter().enumerate() {
        body.push_str(if count == 0 { "\"data\":[" } else { "," });
        if broken_at == Some(index) {
            body.push_str(r#"{"id":1234567890,"name":null,"username":["broken"]},"#);
            count += 1;
        }
        push_user(&mut body, people, *user, fields, turn.config.x.names);
        count += 1;
    }
    if count > 0 {
        body.push_str("],");
    }
    let mut out = String::new();
    let mut meta = crate::json::Object::open(&mut out);
    meta.bare("result_count", count);
    if let Some(next) = next {
        meta.text("next_token", &next);
    }
    if let Some(previous) = previous {
        meta.text("previous_token", &previous);
    }
    meta.close();
    body.push_str("\"meta\":");
    body.push_str(&out);
    if let Some(pinned) = pinned {
        pinned.push(&mut body, turn.config.x.names);
    } else if turn.has_fault(&FaultKind::PartialErrors) {
        let error = errors::suspended_entry("id", "1000000000000000001");
        body.push_str(",\"errors\":[");
        body.push_str(&error.to_string());
        body.push(']');
    }
    body.push('}');
    body
}

fn charge(state: &mut State, turn: &Turn<'_>, pass: &Pass, user: u64, mut answer: Answer) -> Answer {
    let pricing = &turn.config.x.pricing;
    let price = if is_owned(state, pass, user) {
        pricing.owned_nano_usd
    } else {
        pricing.follower_nano_usd
    };
    let app = pass.principal.app();
    let day = utc_day(turn);
    answer.charged_nano_usd = state
        .credits
        .charge(app, day, Resource::Follower, &answer.rows, price);
    if turn.has_fault(&FaultKind::MalformedRow) && !answer.rows.is_empty() {
        answer.charged_nano_usd += state.credits.charge(app, day, Resource::Follower, &[0], price);
    }
    answer
}

/// Owned reads: the signed-in user reads the own list, with an app of the own.
fn is_owned(state: &State, pass: &Pass, user: u64) -> bool {
    let owner = state
        .oauth
        .app(pass.principal.app())
        .and_then(|app| app.owner.as_deref());
    let owner = owner.and_then(|handle| state.population(Platform::X).by_handle(handle));
    pass.principal.user() == Some(user) && owner == Some(user)
}
