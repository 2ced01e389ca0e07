//! GitHub's errors: a message, a link to the documentation, and the status once more as text.

use serde_json::json;

use crate::answer::{Answer, Content};

use super::ROOT;

const DOCS: &str = "https://docs.github.com";
const RATE_DOCS: &str = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api";

fn error(status: u16, message: &str, page: &str) -> Answer {
    let body = json!({"message": message, "documentation_url": page, "status": status.to_string()});
    Answer::json(status, body.to_string())
}

pub(super) fn not_found() -> Answer {
    error(404, "Not Found", &format!("{DOCS}/rest/users/users#get-a-user"))
}

pub(super) fn bad_credentials() -> Answer {
    error(401, "Bad credentials", &format!("{DOCS}/rest"))
}

/// 451, with the notice it goes back to.
pub(super) fn blocked() -> Answer {
    let body = json!({
        "message": "Repository access blocked",
        "block": {
            "reason": "dmca",
            "created_at": "2026-01-01T00:00:00Z",
            "html_url": "https://github.com/github/dmca/blob/master/2026/01/2026-01-01-notice.md",
        },
    });
    Answer::json(451, body.to_string())
}

/// 403 of the platform's front door, which is no JSON.
pub(super) fn user_agent_required() -> Answer {
    let text = "\r\nRequest forbidden by administrative rules. Please make sure your request has a User-Agent header \
                (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required). Check \
                https://developer.github.com for other possible causes.\r\n";
    Answer {
        content: Content::Html,
        ..Answer::json(403, text)
    }
}

/// The first limit is used up.
pub(super) fn rate_limited(address: Option<&str>, user: u64) -> Answer {
    let message = match address {
        Some(address) => format!(
            "API rate limit exceeded for {address}. (But here's the good news: Authenticated requests get a higher \
             rate limit. Check out the documentation for more details.)"
        ),
        None => format!("API rate limit exceeded for user ID {user}."),
    };
    error(403, &message, RATE_DOCS)
}

/// A secondary limit is used up.
pub(super) fn secondary(status: u16) -> Answer {
    let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. For more \
                   on scraping GitHub and how it may affect your rights, please review our Terms of Service \
                   (https://docs.github.com/en/site-policy/github-terms/github-terms-of-service).";
    error(
        status,
        message,
        &format!("{RATE_DOCS}#about-secondary-rate-limits"),
    )
}

/// 301 to the user's lasting address.
pub(super) fn moved(path: &str) -> Answer {
    let url = format!("{ROOT}{path}");
    let body = json!({
        "message": "Moved Permanently",
        "url": url,
        "documentation_url": format!("{DOCS}/rest/guides/best-practices-for-using-the-rest-api#follow-redirects"),
    });
    Answer::json(301, body.to_string()).with_header("location", url)
}
