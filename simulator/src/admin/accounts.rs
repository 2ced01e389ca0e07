//! `/admin/accounts` and `/admin/users`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{AccountSpec, AccountView},
    churn::ChurnSpec,
    error::WorldError,
    population::UserState,
    world::World,
};

use super::error::{Document, platform};

type Shared = State<Arc<World>>;
type Who = Path<(String, String)>;

pub(super) async fn list(State(world): Shared) -> Json<Vec<AccountView>> {
    Json(world.accounts())
}

pub(super) async fn create(
    State(world): Shared,
    Document(spec): Document<AccountSpec>,
) -> Result<(StatusCode, Json<AccountView>), WorldError> {
    Ok((StatusCode::CREATED, Json(world.create_account(spec)?)))
}

pub(super) async fn get(State(world): Shared, Path((on, who)): Who) -> Result<Json<AccountView>, WorldError> {
    Ok(Json(world.account(platform(&on)?, &who)?))
}

/// New users by number, or existing ones by handle or id.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Follow {
    #[serde(default)]
    count: u64,
    #[serde(default)]
    users: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changed {
    changed: u64,
    users: Vec<String>,
}

pub(super) async fn follow(
    State(world): Shared,
    Path((on, who)): Who,
    Document(follow): Document<Follow>,
) -> Result<Json<Changed>, WorldError> {
    let on = platform(&on)?;
    for user in &follow.users {
        world.follow_user(on, &who, user)?;
    }
    let mut users = world.follow(on, &who, follow.count)?;
    users.extend(follow.users);
    Ok(Json(Changed {
        changed: u64::try_from(users.len()).unwrap_or(u64::MAX),
        users,
    }))
}

/// Followers by place (0 = oldest), or by handle or id.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Unfollow {
    #[serde(default)]
    index: usize,
    #[serde(default)]
    count: u64,
    #[serde(default)]
    users: Vec<String>,
}

pub(super) async fn unfollow(
    State(world): Shared,
    Path((on, who)): Who,
    Document(unfollow): Document<Unfollow>,
) -> Result<Json<Changed>, WorldError> {
    let on = platform(&on)?;
    let mut changed = world.unfollow_at(on, &who, unfollow.index, unfollow.count)?;
    for user in &unfollow.users {
        changed += u64::from(world.unfollow_user(on, &who, user)?);
    }
    Ok(Json(Changed {
        changed,
        users: unfollow.users,
    }))
}

pub(super) async fn set_churn(
    State(world): Shared,
    Path((on, who)): Who,
    Document(churn): Document<ChurnSpec>,
) -> Result<Json<AccountView>, WorldError> {
    let on = platform(&on)?;
    world.set_churn(on, &who, churn)?;
    Ok(Json(world.account(on, &who)?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    handle: String,
}

pub(super) async fn rename(
    State(world): Shared,
    Path((on, who)): Who,
    Document(rename): Document<Rename>,
) -> Result<StatusCode, WorldError> {
    world.rename(platform(&on)?, &who, &rename.handle)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewState {
    state: UserState,
}

pub(super) async fn set_state(
    State(world): Shared,
    Path((on, who)): Who,
    Document(new): Document<NewState>,
) -> Result<StatusCode, WorldError> {
    world.set_state(platform(&on)?, &who, new.state)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Protected {
    protected: bool,
}

pub(super) async fn set_protected(
    State(world): Shared,
    Path((on, who)): Who,
    Document(new): Document<Protected>,
) -> Result<StatusCode, WorldError> {
    world.set_protected(platform(&on)?, &who, new.protected)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Collections {
    hide: bool,
}

pub(super) async fn set_hide_collections(
    State(world): Shared,
    Path((on, who)): Who,
    Document(new): Document<Collections>,
) -> Result<StatusCode, WorldError> {
    world.set_hide_collections(platform(&on)?, &who, new.hide)?;
    Ok(StatusCode::NO_CONTENT)
}
