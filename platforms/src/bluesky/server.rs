//! Which program a server runs. An `AppView` says so in plain text on its first page
//! (bluesky-social/atproto, packages/bsky/src/api/health.ts, since December 2023); it names no version.

use followlytics_core::{platform::server::Server, retry::Failure};

use super::{DIALECT, answer};
use crate::{
    connector::{Context, Identified},
    request::get,
};

const ITSELF: &str = "AT Protocol Application View (AppView)";

pub(super) async fn ask(ctx: &Context) -> Result<Identified, Failure> {
    let answer = get(ctx, DIALECT, "/").await?;
    let server = match answer::check(&answer) {
        Ok(()) => named(&answer.body),
        Err(failure) if failure.class.is_passing() => return Err(failure),
        Err(_) => Server::default(),
    };
    Ok((server, answer.told))
}

fn named(body: &[u8]) -> Server {
    if String::from_utf8_lossy(body).contains(ITSELF) {
        Server::new(Server::APP_VIEW, "")
    } else {
        Server::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_app_view_is_one() {
        let text = b"\nThis is an AT Protocol Application View (AppView) for the \"bsky.app\" application.\n";
        assert_eq!(named(text).software, Server::APP_VIEW);
        assert_eq!(
            named(b"This is an AT Protocol Personal Data Server (PDS)"),
            Server::default()
        );
        assert_eq!(named(b"\xff"), Server::default());
    }
}
