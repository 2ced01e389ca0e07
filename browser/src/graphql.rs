//! X's GraphQL answers as its page gets them: a list of users, one user, or a refusal.

mod refusal;
mod timeline;
mod user;

pub(crate) use self::{
    refusal::{Asked, block, refusal},
    timeline::timeline,
    user::{Found, account},
};

/// What a page or an answer was expected to hold, and did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) String);

impl Broken {
    pub(crate) fn new(expectation: impl Into<String>) -> Self {
        Self(expectation.into())
    }
}
