//! `app.bsky.graph.getFollowers`: newest first, a hundred at most, seekable.

use crate::{
    answer::{Answer, Turn},
    edges::Edge,
    faults::FaultKind,
    population::{Account, Population, UserState},
    world::{Platform, State},
};

use super::{
    cursor, errors,
    gate::admit,
    profile::{check_actor, push_view},
};

const LONGEST: usize = 100;
const DEFAULT: usize = 50;

pub(super) fn page(state: &mut State, turn: &Turn<'_>) -> Answer {
    match admit(state, turn) {
        Ok(pass) => {
            let answer = serve(state, turn).unwrap_or_else(|answer| answer);
            pass.stamp(answer)
        }
        Err(answer) => answer,
    }
}

fn serve(state: &mut State, turn: &Turn<'_>) -> Result<Answer, Answer> {
    check_actor(&turn.ask.subject)?;
    let limit = limit(turn)?;
    let people = state.population(Platform::Bluesky);
    let asked = turn.ask.subject.text().unwrap_or_default();
    let user = turn
        .subject
        .filter(|user| people.state(*user) == UserState::Active);
    let user = user.ok_or_else(|| errors::invalid_request(&format!("Actor not found: {asked}")))?;
    state.churn_before_page(Platform::Bluesky, user, turn.now_ms);
    let people = state.population(Platform::Bluesky);
    let Some(account) = people.accounts.get(&user) else {
        return Ok(write(people, turn, user, &[], None));
    };
    let (edges, next) = cut(people, account, turn, limit)?;
    let visible = edges
        .iter()
        .map(|edge| edge.user)
        .filter(|user| !people.is_hidden(*user));
    let mut rows: Vec<u64> = visible.collect();
    if turn.has_fault(&FaultKind::DuplicatedRow) {
        rows.extend(rows.first().copied());
    }
    let next = match turn.fault {
        Some(FaultKind::RepeatedCursor) => turn.ask.cursor().map(str::to_owned),
        Some(FaultKind::CursorLeadsBack) => {
            let first = account.edges.behind_newest(limit);
            first.map(|edge| cursor::encode(people.seed, account.edges.key(edge)))
        }
        Some(FaultKind::MissingCursor) => None,
        Some(FaultKind::OddCursor) => next.map(|key| cursor::encode_odd(people.seed, key)),
        _ if edges.is_empty() => next.map(|key| cursor::encode_above(people.seed, key, turn.ask.cursor())),
        _ => next.map(|key| cursor::encode(people.seed, key)),
    };
    Ok(write(people, turn, user, &rows, next))
}

fn limit(turn: &Turn<'_>) -> Result<usize, Answer> {
    let Some(text) = turn.ask.query("limit") else {
        return Ok(DEFAULT);
    };
    let refuse = |message: &str| Err(errors::invalid_request(message));
    match text.parse::<i64>().map(usize::try_from) {
        Ok(Ok(count @ 1..=LONGEST)) => Ok(count),
        Ok(Ok(1..)) => refuse("Error: limit can not be greater than 100"),
        Ok(_) => refuse("Error: limit can not be less than 1"),
        Err(_) => refuse("Error: limit must be an integer"),
    }
}

/// The edges of this page and the position its cursor stands for.
fn cut(
    people: &Population,
    account: &Account,
    turn: &Turn<'_>,
    limit: usize,
) -> Result<(Vec<Edge>, Option<u64>), Answer> {
    let position = match turn.ask.cursor() {
        None | Some("") => u64::MAX,
        // The server answers a cursor of another generation with an empty list, not with an error.
        Some(text) if text.contains("::") => return Ok((Vec::new(), None)),
        Some(text) => {
            let decoded = cursor::decode(people.seed, text);
            let kept = decoded.filter(|_| !turn.has_fault(&FaultKind::ExpiredCursor));
            kept.ok_or_else(errors::internal)?
        }
    };
    if turn.has_fault(&FaultKind::EmptyPage) {
        return Ok((Vec::new(), next_key(account, position)));
    }
    let limit = if turn.has_fault(&FaultKind::ShortPage) {
        limit.div_ceil(2).min(limit - 1)
    } else {
        limit
    };
    let edges: Vec<Edge> = account.edges.older_than(position).take(limit).collect();
    let next = edges.last().map(|edge| account.edges.key(*edge));
    // A short page of a limit of one touches nothing, and must not look like the end.
    let next = next.or_else(|| {
        if limit == 0 {
            next_key(account, position)
        } else {
            None
        }
    });
    Ok((edges, next))
}

/// The next row's key, where there is one: an empty page has a cursor as well.
fn next_key(account: &Account, position: u64) -> Option<u64> {
    let next = account.edges.older_than(position).next()?;
    Some(account.edges.key(next))
}

fn write(people: &Population, turn: &Turn<'_>, user: u64, rows: &[u64], next: Option<String>) -> Answer {
    let mut body = String::with_capacity(512 + rows.len() * 512);
    body.push_str("{\"followers\":[");
    let broken_at = turn.has_fault(&FaultKind::MalformedRow).then_some(rows.len() / 2);
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        if broken_at == Some(index) {
            body.push_str(r#"{"did":1234567890,"handle":null,"displayName":["broken"]},"#);
        }
        push_view(&mut body, people, *row);
    }
    body.push_str("],\"subject\":");
    push_view(&mut body, people, user);
    if let Some(next) = next {
        body.push_str(",\"cursor\":");
        crate::json::push_string(&mut body, &next);
    }
    body.push('}');
    Answer {
        rows: rows.to_vec(),
        ..Answer::json(200, body)
    }
}
