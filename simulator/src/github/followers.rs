//! `GET /users/{login}/followers`: pages by number, oldest follow first.

use crate::{
    answer::{Answer, Turn},
    faults::FaultKind,
    world::{Platform, State},
};

use super::{
    ROOT,
    gate::{admit, find},
    user::push_row,
};

const LONGEST: u64 = 100;
const DEFAULT: u64 = 30;

pub(super) fn page(state: &mut State, turn: &Turn<'_>) -> Answer {
    let pass = match admit(state, turn) {
        Ok(pass) => pass,
        Err(answer) => return answer,
    };
    let answer = find(state, turn).map_or_else(|refused| refused, |user| serve(state, turn, user));
    pass.finish(state, turn, answer)
}

fn serve(state: &mut State, turn: &Turn<'_>, user: u64) -> Answer {
    state.churn_before_page(Platform::Github, user, turn.now_ms);
    let (page, limit) = place(turn);
    let people = state.population(Platform::Github);
    let account = people.accounts.get(&user);
    let total = account.map_or(0, |account| account.edges.len());
    let start = (page - 1).saturating_mul(limit);
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let edges = account
        .into_iter()
        .flat_map(|account| account.edges.starting_at(start));
    // Flagged users are left out of the page after it was cut: pages are short, never empty in the middle for long.
    let mut rows: Vec<u64> = edges
        .take(size)
        .map(|edge| edge.user)
        .filter(|user| !people.is_hidden(*user))
        .collect();
    if turn.has_fault(&FaultKind::EmptyPage) {
        rows.clear();
    }
    if turn.has_fault(&FaultKind::DuplicatedRow) {
        rows.extend(rows.first().copied());
    }
    let broken_at = turn.has_fault(&FaultKind::MalformedRow).then_some(rows.len() / 2);
    let mut body = String::with_capacity(16 + rows.len() * 1_100);
    body.push('[');
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        if broken_at == Some(index) {
            body.push_str(r#"{"login":null,"id":"broken","type":["broken"]},"#);
        }
        push_row(&mut body, people, *row);
    }
    body.push(']');
    let links = links(turn, &people.public_id(user), page, total.div_ceil(limit).max(1));
    let answer = Answer {
        rows,
        ..Answer::json(200, body)
    };
    if links.is_empty() || turn.has_fault(&FaultKind::MissingCursor) {
        answer
    } else {
        answer.with_header("link", links)
    }
}

/// Page number and size, bent into range without a word, as the platform does.
fn place(turn: &Turn<'_>) -> (u64, u64) {
    let number = |name: &str| turn.ask.query(name).and_then(|text| text.parse::<u64>().ok());
    let limit = number("per_page")
        .filter(|limit| *limit > 0)
        .unwrap_or(DEFAULT)
        .min(LONGEST);
    (number("page").unwrap_or(1).max(1), limit)
}

/// The `Link` header; past the end it leads back to the last page.
fn links(turn: &Turn<'_>, id: &str, page: u64, last: u64) -> String {
    let size = turn
        .ask
        .query("per_page")
        .map(|size| format!("per_page={size}&"))
        .unwrap_or_default();
    let link =
        |page: u64, rel: &str| format!("<{ROOT}/user/{id}/followers?{size}page={page}>; rel=\"{rel}\"");
    let mut links = Vec::new();
    if page > 1 {
        links.push(link((page - 1).min(last), "prev"));
    }
    if page < last {
        links.push(link(page + 1, "next"));
    }
    if page != last {
        links.push(link(last, "last"));
    }
    if page > 1 {
        links.push(link(1, "first"));
    }
    links.join(", ")
}
