//! What an answer of X's site means that holds no list: by status, by the code of its first error, by its words.
//!
//! Messages are written here: X's own repeat handles and addresses.

use followlytics_core::retry::{Class, Failure};
use followlytics_platforms::answer::Answer;
use serde_json::{Map, Value};

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Whether a page was asked for from a place the page itself would not have gone to.
    pub(crate) sought: bool,
    /// Whether the account shows its lists only to whom it approved.
    pub(crate) protected: bool,
}

impl Asked {
    /// Nothing of the kind.
    pub(crate) const PLAIN: Self = Self {
        sought: false,
        protected: false,
    };
}

/// The failure an answer stands for; `body` is what it holds as JSON, where it is any. `None` where it refuses
/// nothing, and yet has nothing that was expected.
pub(crate) fn refusal(answer: &Answer, body: Option<&Value>, asked: Asked) -> Option<Failure> {
    let status = answer.status.as_u16();
    let remaining = answer.told.and_then(|told| told.remaining);
    if status >= 400 && body.is_none() && !answer.body.is_empty() {
        return Some(block(answer));
    }
    let (code, words) = first_error(body);
    let (class, message) = match (status, code) {
        (_, Some(336)) => outdated("X's page asks without a feature that X now wants (336)"),
        (_, Some(88)) | (429, _) if remaining.is_some_and(|left| left > 0) => (
            Class::Blocked,
            "X limits this session although its window has room: it takes it for a robot (88)".to_owned(),
        ),
        (_, Some(88)) | (429, _) => (Class::RateLimited, "the session's window is used up".to_owned()),
        (_, Some(326)) => locked("X has locked the session's account (326): sign in by hand and unlock it"),
        (_, Some(64)) => locked("X has suspended the session's account (64)"),
        (_, Some(32)) => logged_out("X no longer knows the session (32)"),
        (_, Some(353)) => logged_out("X refuses the session's ct0 (353)"),
        (_, Some(366)) => logged_out("X wants the session signed in anew, and lets nobody do so now (366)"),
        (_, Some(37)) if asked.protected => protected(),
        (_, Some(37)) => logged_out("X shows this list to signed-in people only (37)"),
        (_, Some(34 | 50)) => (Class::NotFound, "X knows no such account".to_owned()),
        (_, Some(63)) => (Class::Suspended, "X suspended the account".to_owned()),
        (_, _) if words.is_some_and(|words| words.contains("LoadShed")) => {
            (Class::ServerError, "X sheds load".to_owned())
        }
        (_, Some(130 | 131)) => (Class::ServerError, "X is over capacity".to_owned()),
        (401 | 403, None) => logged_out("X refuses the session"),
        (404, None) => outdated("X's page asks with a query id that X no longer knows (404)"),
        (300..=599, None) => return Some(answer.common_failure().unwrap_or_else(|| answer.unknown())),
        (400 | 200, Some(_)) if asked.sought => (
            Class::SeekRefused,
            "X refuses to begin a page at this place".to_owned(),
        ),
        (_, Some(code)) => (
            Class::Unknown,
            format!("X answered with the error {code}, which no table knows"),
        ),
        (_, None) if words.is_some() && asked.sought => (
            Class::SeekRefused,
            "X refuses to begin a page at this place".to_owned(),
        ),
        (_, None) if words.is_some() => (
            Class::Unknown,
            "X answered with an error that has no code".to_owned(),
        ),
        (200, None)
            if body
                .and_then(|body| body.get("data")?.as_object())
                .is_some_and(Map::is_empty) =>
        {
            (Class::NotFound, "X knows no such account".to_owned())
        }
        (_, None) => return None,
    };
    Some(answer.failure(class, message))
}

/// A page for people instead of an answer: what stands in front of X refuses the browser.
pub(crate) fn block(answer: &Answer) -> Failure {
    let status = answer.status.as_u16();
    if answer.headers.contains_key("cf-ray") {
        let message = format!("Cloudflare, in front of X, refuses this browser ({status})");
        return answer.failure(Class::Blocked, message);
    }
    match status {
        500..=599 => answer.failure(Class::ServerError, format!("the platform failed ({status})")),
        _ => answer.failure(
            Class::Blocked,
            format!("X refuses this browser with a page for people ({status})"),
        ),
    }
}

fn first_error(body: Option<&Value>) -> (Option<i64>, Option<&str>) {
    let first = body.and_then(|body| body.get("errors")?.as_array()?.first());
    let Some(first) = first else { return (None, None) };
    let code = first.get("code").or_else(|| first.pointer("/extensions/code"));
    let words = first.get("message").and_then(Value::as_str).unwrap_or_default();
    (
        code.and_then(Value::as_i64).filter(|code| *code >= 0),
        Some(words),
    )
}

fn outdated(message: &str) -> (Class, String) {
    (Class::ClientOutdated, message.to_owned())
}

fn locked(message: &str) -> (Class, String) {
    (Class::SessionLocked, message.to_owned())
}

fn logged_out(what: &str) -> (Class, String) {
    (
        Class::LoggedOut,
        format!("{what}: sign in again and copy the session's cookies anew"),
    )
}

fn protected() -> (Class, String) {
    (
        Class::Protected,
        "the account is protected: it shows its followers to whom it approved".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;
    use jiff::Timestamp;

    use super::*;

    fn class(status: u16, headers: &[(&str, &str)], body: &str, asked: Asked) -> Option<Class> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let answer = Answer::read(response, &["x-rate-limit"], Timestamp::UNIX_EPOCH);
        let json = serde_json::from_str::<Value>(body).ok();
        refusal(&answer, json.as_ref(), asked).map(|failure| failure.class)
    }

    fn coded(code: i64) -> String {
        format!(r#"{{"errors":[{{"message":"words","code":{code}}}]}}"#)
    }

    #[test]
    fn the_table_reads_as_it_is_written_down() {
        let room = [
            ("x-rate-limit-remaining", "7"),
            ("x-rate-limit-reset", "1700000000"),
        ];
        let full = [
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", "1700000000"),
        ];
        let plain = |status, body: &str| class(status, &[], body, Asked::PLAIN);
        assert_eq!(plain(400, &coded(336)), Some(Class::ClientOutdated));
        assert_eq!(
            class(429, &full, &coded(88), Asked::PLAIN),
            Some(Class::RateLimited)
        );
        assert_eq!(class(429, &full, "", Asked::PLAIN), Some(Class::RateLimited));
        assert_eq!(class(200, &room, &coded(88), Asked::PLAIN), Some(Class::Blocked));
        assert_eq!(
            plain(429, ""),
            Some(Class::RateLimited),
            "nothing is told of the window"
        );
        assert_eq!(plain(200, &coded(326)), Some(Class::SessionLocked));
        assert_eq!(plain(200, &coded(32)), Some(Class::LoggedOut));
        assert_eq!(plain(403, &coded(353)), Some(Class::LoggedOut));
        assert_eq!(plain(400, &coded(366)), Some(Class::LoggedOut));
        assert_eq!(plain(403, &coded(64)), Some(Class::SessionLocked));
        assert_eq!(plain(404, &coded(34)), Some(Class::NotFound));
        assert_eq!(plain(403, ""), Some(Class::LoggedOut));
        assert_eq!(plain(403, "{}"), Some(Class::LoggedOut));
        assert_eq!(plain(404, ""), Some(Class::ClientOutdated));
        assert_eq!(
            plain(200, r#"{"errors":[{"message":"LoadShed: Unspecified"}]}"#),
            Some(Class::ServerError)
        );
        assert_eq!(plain(503, ""), Some(Class::ServerError));
        assert_eq!(plain(403, "<html>"), Some(Class::Blocked));
        assert_eq!(
            class(503, &[("cf-ray", "a-B")], "<html>", Asked::PLAIN),
            Some(Class::Blocked)
        );
        assert_eq!(plain(502, "<html>"), Some(Class::ServerError));
        assert_eq!(plain(400, &coded(7)), Some(Class::Unknown));
        assert_eq!(plain(200, r#"{"data":{}}"#), Some(Class::NotFound));
        assert_eq!(
            plain(200, r#"{"data":{"timeline":1}}"#),
            None,
            "it refuses nothing"
        );
    }

    #[test]
    fn a_guest_and_a_protected_list_are_told_apart_by_the_account() {
        let body = r#"{"errors":[{"message":"m","extensions":{"code":37}}],"data":{"user":{"result":{"timeline":{}}}}}"#;
        assert_eq!(class(200, &[], body, Asked::PLAIN), Some(Class::LoggedOut));
        let asked = Asked {
            protected: true,
            sought: false,
        };
        assert_eq!(class(200, &[], body, asked), Some(Class::Protected));
    }

    #[test]
    fn only_a_place_that_was_sought_can_be_refused() {
        let asked = Asked {
            sought: true,
            protected: false,
        };
        assert_eq!(class(400, &[], &coded(7), asked), Some(Class::SeekRefused));
        assert_eq!(
            class(200, &[], r#"{"errors":[{"message":"Bad cursor"}]}"#, asked),
            Some(Class::SeekRefused)
        );
        assert_eq!(class(400, &[], &coded(336), asked), Some(Class::ClientOutdated));
        assert_eq!(class(503, &[], "", asked), Some(Class::ServerError));
    }
}
