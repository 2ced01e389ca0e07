//! What the environment says of platforms: base URLs of one's own servers, and tokens.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use followlytics_core::account::Platform;
use secrecy::SecretString;
use strum::VariantArray as _;

use crate::exit::Failure;

/// The variable with a platform's base URL: `FOLLOWLYTICS_BLUESKY_URL`.
pub(crate) fn url_variable(platform: Platform) -> String {
    format!("FOLLOWLYTICS_{}_URL", <&str>::from(platform).to_uppercase())
}

/// The variable with a platform's token: `FOLLOWLYTICS_X_TOKEN`.
pub(crate) fn token_variable(platform: Platform) -> String {
    format!("FOLLOWLYTICS_{}_TOKEN", <&str>::from(platform).to_uppercase())
}

/// Every base URL that the environment names.
pub(crate) fn base_urls() -> Result<BTreeMap<Platform, String>, Failure> {
    let mut found = BTreeMap::new();
    for platform in Platform::VARIANTS {
        let variable = url_variable(*platform);
        if let Some(url) = text(&variable) {
            found.insert(*platform, base_url(&url, &variable)?);
        }
    }
    Ok(found)
}

/// The variable that enables browsers, for platforms separated by commas.
const BROWSERS: &str = "FOLLOWLYTICS_BROWSER";

/// Platforms whose lists a browser may read: those of which an operator wrote down the risk, in `given` or in the
/// environment.
pub(crate) fn browsers(given: &[String]) -> Result<BTreeSet<Platform>, Failure> {
    let variable = text(BROWSERS).unwrap_or_default();
    let named = variable.split(',').filter(|pair| !pair.is_empty());
    given
        .iter()
        .map(|pair| browser(pair, "--browser"))
        .chain(named.map(|pair| browser(pair, BROWSERS)))
        .collect()
}

fn browser(pair: &str, from: &str) -> Result<Platform, Failure> {
    let refused = |why: String| Failure::usage(format!("failed to read {from}: {why}"));
    let (name, risk) = pair.split_once('=').unwrap_or((pair, ""));
    let known = name.parse::<Platform>().ok();
    let Some((platform, web)) = known.and_then(|platform| Some((platform, platform.web()?))) else {
        return Err(refused(format!(
            "no browser lists followers on {name:?}; leave it out"
        )));
    };
    if risk == web.consent {
        return Ok(platform);
    }
    Err(refused(format!(
        "{platform} forbids scripts on its site and may suspend the account of the session; who takes that on writes \
         {platform}={}",
        web.consent
    )))
}

/// Checks a base URL; `from` names where it was written.
pub(crate) fn base_url(url: &str, from: &str) -> Result<String, Failure> {
    let plain = url.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none()
    });
    if plain {
        Ok(url.trim_end_matches('/').to_owned())
    } else {
        Err(Failure::usage(format!(
            "failed to read {from}: {url:?} is no base URL; write http://HOST:PORT or https://HOST"
        )))
    }
}

/// The platform's token in the environment; for X also `X_BEARER_TOKEN`, as its own examples call it.
pub(crate) fn token(platform: Platform) -> Option<SecretString> {
    let own = text(&token_variable(platform));
    own.or_else(|| text("X_BEARER_TOKEN").filter(|_| platform == Platform::X))
        .map(SecretString::from)
}

/// The token in a file: its first line.
pub(crate) fn token_in(path: &Path) -> Result<SecretString, Failure> {
    let text = fs::read_to_string(path).map_err(|source| {
        Failure::usage(format!(
            "failed to read the token file {}: {source}",
            path.display()
        ))
    })?;
    first_line(&text).ok_or_else(|| {
        Failure::usage(format!(
            "failed to read the token file {}: its first line is no token",
            path.display()
        ))
    })
}

/// A token as people paste it: the first line, without blanks.
pub(crate) fn first_line(text: &str) -> Option<SecretString> {
    let token = text.lines().next()?.trim();
    let good = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| SecretString::from(token))
}

fn text(variable: &str) -> Option<String> {
    std::env::var(variable)
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_base_url_has_a_scheme_and_a_host() {
        assert_eq!(
            base_url("http://127.0.0.1:80/", "--base-url").unwrap(),
            "http://127.0.0.1:80"
        );
        for wrong in ["127.0.0.1:80", "ftp://host", "http://h?x=1", ""] {
            let failure = base_url(wrong, "--base-url").unwrap_err();
            assert!(failure.message.contains("--base-url"), "{failure}");
        }
    }

    #[test]
    fn a_token_is_one_line_of_printable_characters() {
        assert_eq!(first_line(" abc \nrest").unwrap().expose_secret(), "abc");
        assert!(first_line("a b").is_none());
        assert!(first_line("").is_none());
    }
}
