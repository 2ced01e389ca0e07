//! Which program a server runs: many speak Mastodon's API.
//!
//! Mastodon's `GET /api/v2/instance` names its version and where its source is. Others answer the version of Mastodon
//! they are compatible with, and their own in parentheses; `GoToSocial` answers its own version only.

use followlytics_core::{platform::server::Server, retry::Failure};
use serde::Deserialize;

use super::{API, DIALECT, answer};
use crate::{
    connector::{Context, Identified},
    request::get_moved,
    rows::object,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Instance {
    version: String,
    source_url: String,
}

pub(super) async fn get(ctx: &Context) -> Result<Identified, Failure> {
    let path = format!("{}/v2/instance", API.trim_end_matches("/v1"));
    let answer = get_moved(ctx, DIALECT, &path).await?;
    let instance = match answer::check(&answer, ctx.auth) {
        Ok(()) => object::<Instance>(&answer.body).unwrap_or_default(),
        Err(failure) if failure.class.is_passing() => return Err(failure),
        // Releases before 4.0 do not know the request.
        Err(_) => Instance::default(),
    };
    Ok((named(&instance), answer.told))
}

fn named(instance: &Instance) -> Server {
    let compatible = instance
        .version
        .split_once("(compatible; ")
        .and_then(|(_, own)| own.trim_end_matches(')').split_once(' '));
    if let Some((software, version)) = compatible {
        return Server::new(not_mastodon(software), version);
    }
    let software = match instance.source_url.trim_end_matches('/') {
        "https://github.com/mastodon/mastodon" => "mastodon",
        other => not_mastodon(other.rsplit('/').next().unwrap_or_default()),
    };
    Server::new(software, &instance.version)
}

/// The name of a program that is not Mastodon's own repository, whatever it calls itself.
fn not_mastodon(name: &str) -> &str {
    if name.eq_ignore_ascii_case("mastodon") {
        "mastodon-fork"
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_what_it_says_it_is() {
        for (version, source_url, software, own) in [
            (
                "4.3.2",
                "https://github.com/mastodon/mastodon",
                "mastodon",
                "4.3.2",
            ),
            (
                "2.7.2 (compatible; Pleroma 2.6.0)",
                "https://git.pleroma.social/pleroma/pleroma",
                "pleroma",
                "2.6.0",
            ),
            (
                "0.20.0+git-57cb4fe",
                "https://codeberg.org/superseriousbusiness/gotosocial",
                "gotosocial",
                "0.20.0+git-57cb4fe",
            ),
            // A fork may order its lists otherwise.
            (
                "4.3.0+glitch",
                "https://github.com/glitch-soc/mastodon-fork",
                "mastodon-fork",
                "4.3.0+glitch",
            ),
            ("", "", "", ""),
        ] {
            let instance = Instance {
                version: version.to_owned(),
                source_url: source_url.to_owned(),
            };
            let server = named(&instance);
            assert_eq!(
                (server.software.as_str(), server.version.as_str()),
                (software, own)
            );
        }
    }

    #[test]
    fn a_fork_that_keeps_the_name_of_its_repository_is_no_mastodon() {
        let fork = Instance {
            version: "4.3.0".to_owned(),
            source_url: "https://github.com/somebody/mastodon".to_owned(),
        };
        assert_eq!(named(&fork).software, "mastodon-fork");
        let compatible = Instance {
            version: "4.3.0 (compatible; Mastodon 4.3.0)".to_owned(),
            ..Instance::default()
        };
        assert_eq!(named(&compatible).software, "mastodon-fork");
    }
}
