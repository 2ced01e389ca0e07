//! `GET /api/v1/accounts/{id}/followers`: newest follow first, eighty at most, positions in the `Link` header.

use crate::{
    answer::{Answer, Turn},
    edges::Edge,
    faults::FaultKind,
    population::{Account, Population},
    world::State,
};

use super::{
    account::push_account,
    errors,
    gate::{Seen, admit, find},
    position, server,
};

const LONGEST: usize = 80;
const DEFAULT: usize = 40;

/// The stretch of the list that is asked for: follows with an id between the two, neither included.
struct Stretch {
    above: Option<u64>,
    below: Option<u64>,
    /// From the old end: the rows right above `above`.
    forwards: bool,
    limit: usize,
}

pub(super) fn page(state: &mut State, turn: &Turn<'_>) -> Answer {
    let pass = match admit(state, turn) {
        Ok(pass) => pass,
        Err(answer) => return answer,
    };
    let answer = match find(state, turn) {
        Ok(Seen::Whole(user)) => serve(state, turn, user).unwrap_or_else(|answer| answer),
        Ok(Seen::Suspended(_)) => Answer::json(200, "[]"),
        Err(answer) => answer,
    };
    pass.stamp(answer)
}

fn serve(state: &mut State, turn: &Turn<'_>, user: u64) -> Result<Answer, Answer> {
    let stretch = stretch(turn)?;
    state.churn_before_page(turn.ask.realm, user, turn.now_ms);
    let people = state.population(turn.ask.realm);
    let hidden = people
        .overlays
        .get(&user)
        .is_some_and(|known| known.hide_collections);
    let Some(account) = people.accounts.get(&user).filter(|_| !hidden) else {
        return Ok(Answer::json(200, "[]"));
    };
    let edges = cut(people, account, &stretch, turn.fault);
    let links = links(turn, account, &stretch, &edges);
    let mut rows: Vec<u64> = edges.iter().map(|edge| edge.user).collect();
    if turn.has_fault(&FaultKind::DuplicatedRow) {
        rows.extend(rows.first().copied());
    }
    let answer = Answer {
        body: write(people, turn, &rows),
        rows,
        ..Answer::json(200, "")
    };
    Ok(if links.is_empty() {
        answer
    } else {
        answer.with_header("link", links)
    })
}

fn stretch(turn: &Turn<'_>) -> Result<Stretch, Answer> {
    let ids = server(turn).ids;
    let read = |name: &'static str| match turn.ask.query(name) {
        None | Some("") => Ok(None),
        Some(text) => position::decode(ids, text)
            .map(Some)
            .ok_or_else(|| errors::bad_position(name)),
    };
    let (max, min, since) = (read("max_id")?, read("min_id")?, read("since_id")?);
    let asked = turn.ask.query("limit").map_or(Ok(DEFAULT), str::parse);
    // `"abc".to_i` is 0, and so is the page.
    let limit = asked.unwrap_or(0).min(LONGEST);
    Ok(Stretch {
        above: min.or(since),
        below: max,
        forwards: min.is_some(),
        limit,
    })
}

/// The rows of one page. Hidden users are left out before it is cut: pages are full.
fn cut(people: &Population, account: &Account, stretch: &Stretch, fault: Option<&FaultKind>) -> Vec<Edge> {
    let limit = match fault {
        Some(FaultKind::ShortPage) => stretch.limit.div_ceil(2).min(stretch.limit.saturating_sub(1)),
        Some(FaultKind::EmptyPage) => 0,
        _ => stretch.limit,
    };
    let edges = &account.edges;
    let shown = |edge: &Edge| !people.is_hidden(edge.user);
    let (above, below) = (stretch.above, stretch.below.unwrap_or(u64::MAX));
    if stretch.forwards {
        let from = above.unwrap_or(0);
        let newer = edges
            .at_serial(from.saturating_add(1))
            .take_while(|edge| edges.serial(*edge) < below);
        let mut rows: Vec<Edge> = newer.filter(shown).take(limit).collect();
        rows.reverse();
        return rows;
    }
    edges
        .below_serial(below)
        .take_while(|edge| above.is_none_or(|above| edges.serial(*edge) > above))
        .filter(shown)
        .take(limit)
        .collect()
}

/// The `Link` header: on a full page the way to older rows, on every page with a row the way to newer ones.
fn links(turn: &Turn<'_>, account: &Account, stretch: &Stretch, rows: &[Edge]) -> String {
    if turn.has_fault(&FaultKind::MissingCursor) {
        return String::new();
    }
    let server = server(turn);
    let id = turn.ask.subject.text().unwrap_or_default();
    let limit = turn
        .ask
        .query("limit")
        .map(|limit| format!("limit={limit}&"))
        .unwrap_or_default();
    let link = |name: &str, at: String, rel: &str| {
        let host = &server.host;
        format!("<https://{host}/api/v1/accounts/{id}/followers?{limit}{name}={at}>; rel=\"{rel}\"")
    };
    let text = |edge: &Edge| position::encode(server.ids, account.edges.serial(*edge));
    let older = match turn.fault {
        Some(FaultKind::RepeatedCursor) => turn.ask.query("max_id").map(str::to_owned),
        Some(FaultKind::CursorLeadsBack) => account.edges.behind_newest(stretch.limit).as_ref().map(text),
        Some(FaultKind::EmptyPage) => {
            empty_page_position(account, stretch).map(|serial| position::encode(server.ids, serial))
        }
        Some(FaultKind::ShortPage) => rows.last().map(text),
        _ => rows.last().filter(|_| rows.len() == stretch.limit).map(text),
    };
    let newer = rows.first().map(text);
    let links: Vec<String> = older
        .map(|at| link("max_id", at, "next"))
        .into_iter()
        .chain(newer.map(|at| link("since_id", at, "prev")))
        .collect();
    links.join(", ")
}

/// A position right above the next row, so that the cursor of an empty page is a new one if there is room.
fn empty_page_position(account: &Account, stretch: &Stretch) -> Option<u64> {
    let below = stretch.below.unwrap_or(u64::MAX);
    let next = account.edges.below_serial(below).next()?;
    Some(account.edges.serial(next).saturating_add(1).min(below))
}

fn write(people: &Population, turn: &Turn<'_>, rows: &[u64]) -> String {
    let host = &server(turn).host;
    let broken_at = turn.has_fault(&FaultKind::MalformedRow).then_some(rows.len() / 2);
    let mut body = String::with_capacity(16 + rows.len() * 900);
    body.push('[');
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        if broken_at == Some(index) {
            body.push_str(r#"{"id":1234567890,"username":null,"acct":["broken"]},"#);
        }
        push_account(&mut body, people, *row, host, false);
    }
    body.push(']');
    body
}
