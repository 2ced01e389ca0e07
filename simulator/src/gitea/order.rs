//! In which order a page's rows come.
//!
//! Gitea 1.26 (models/user/user.go, `GetUserFollowers`) asks without ORDER BY: on SQLite rows come by the id of the user, on
//! PostgreSQL by the plan of that very page, which changes with the offset.

use crate::{
    config::GiteaOrder,
    edges::Edges,
    ids::{integer_id, mix},
    world::Platform,
};

/// The users of a page of `size` rows from `start` on.
pub(super) fn page(edges: &Edges, order: GiteaOrder, changes_at: u64, start: u64, size: usize) -> Vec<u64> {
    let by_hash = order == GiteaOrder::Plan && start >= changes_at;
    if order == GiteaOrder::Follow {
        return edges
            .starting_at(start)
            .take(size)
            .map(|edge| edge.user)
            .collect();
    }
    let mut users: Vec<u64> = edges.starting_at(0).map(|edge| edge.user).collect();
    let key = |user: u64| {
        let id = integer_id(Platform::Gitea, user);
        if by_hash { mix(0x6A5B, id) } else { id }
    };
    users.sort_by_cached_key(|user| key(*user));
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    users.into_iter().skip(start).take(size).collect()
}
