//! `GET /api/v1/users/{login}/followers`: pages by number.

use crate::{
    answer::{Answer, Turn},
    faults::FaultKind,
    world::{Platform, State},
};

use super::{gate::admit, order, user::push_user};

pub(super) const DEFAULT: u64 = 30;

pub(super) fn page(state: &mut State, turn: &Turn<'_>) -> Answer {
    let (user, label) = match admit(state, turn) {
        Ok(admitted) => admitted,
        Err(answer) => return answer,
    };
    state.churn_before_page(Platform::Gitea, user, turn.now_ms);
    let (page, limit) = place(turn);
    let people = state.population(Platform::Gitea);
    let account = people.accounts.get(&user);
    let total = account.map_or(0, |account| account.edges.len());
    let start = (page - 1).saturating_mul(limit);
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut rows: Vec<u64> = account.map_or_else(Vec::new, |account| {
        let order = turn.config.gitea.order;
        order::page(
            &account.edges,
            order,
            turn.config.gitea.plan_changes_at,
            start,
            size,
        )
    });
    if turn.has_fault(&FaultKind::EmptyPage) {
        rows.clear();
    }
    if turn.has_fault(&FaultKind::DuplicatedRow) {
        rows.extend(rows.first().copied());
    }
    let root_url = &turn.config.gitea.root_url;
    let broken_at = turn.has_fault(&FaultKind::MalformedRow).then_some(rows.len() / 2);
    let mut body = String::with_capacity(16 + rows.len() * 704);
    body.push('[');
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        if broken_at == Some(index) {
            body.push_str(r#"{"id":"broken","login":null,"full_name":["broken"]},"#);
        }
        push_user(&mut body, people, *row, root_url);
    }
    body.push(']');
    let mut answer = Answer {
        rows,
        principal: label.to_owned(),
        ..Answer::json(200, body)
    }
    .with_header("x-total-count", total.to_string())
    .with_header("access-control-expose-headers", "X-Total-Count");
    let links = links(turn, page, limit, total);
    if !links.is_empty() {
        answer = answer
            .with_header("link", links)
            .with_header("access-control-expose-headers", "X-Total-Count, Link");
    }
    answer
}

/// Page number and size, bent into range without a word, as the server does.
fn place(turn: &Turn<'_>) -> (u64, u64) {
    let number = |name: &str| turn.ask.query(name).and_then(|text| text.parse::<u64>().ok());
    let most = u64::from(turn.config.gitea.max_response_items).max(1);
    let limit = number("limit")
        .filter(|limit| *limit > 0)
        .unwrap_or(DEFAULT)
        .min(most);
    (number("page").unwrap_or(1).max(1), limit)
}

/// The `Link` header; its host is the configured one, whatever host was asked.
fn links(turn: &Turn<'_>, page: u64, limit: u64, total: u64) -> String {
    let last = total.div_ceil(limit).max(1);
    let link = |page: u64, rel: &str| {
        let (root, path) = (&turn.config.gitea.root_url, &turn.ask.wire.path);
        format!("<{root}{path}?limit={limit}&page={page}>; rel=\"{rel}\"")
    };
    let mut links = Vec::new();
    if page < last {
        links.push(link(page + 1, "next"));
        links.push(link(last, "last"));
    }
    if page > 1 && last > 1 {
        links.push(link(1, "first"));
        links.push(link((page - 1).min(last), "prev"));
    }
    links.join(",")
}
