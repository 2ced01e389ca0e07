//! `GET /`: an `AppView` says what it is (packages/bsky/src/api/health.ts).

use crate::{
    answer::{Answer, Content, Turn},
    world::State,
};

use super::gate::admit;

const TEXT: &str = "\nThis is an AT Protocol Application View (AppView) for the \"bsky.app\" application.\n\n\
    Most API routes are under /xrpc/\n\n      Code: https://github.com/bluesky-social/atproto\n  \
    Protocol: https://atproto.com\n";

pub(super) fn page(state: &mut State, turn: &Turn<'_>) -> Answer {
    match admit(state, turn) {
        Ok(pass) => pass.stamp(Answer {
            content: Content::Text,
            ..Answer::json(200, TEXT)
        }),
        Err(answer) => answer,
    }
}
