//! A web session as the user supplies it: the two cookies of a signed-in page. Never logged, never stored here.

use followlytics_core::retry::{Class, Failure};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// Longest cookie accepted, in bytes.
const LONGEST: usize = 512;

/// A session of X's site.
#[derive(Debug, Clone)]
pub struct WebSession {
    /// The cookie `auth_token`.
    pub(crate) auth_token: SecretString,
    /// The cookie `ct0`, which the page repeats as a header.
    pub(crate) ct0: SecretString,
    /// Whose session it is, where the user said so; without a leading @.
    pub handle: Option<String>,
}

/// Why a text is no session. Never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Not the form.
    #[error(
        "failed to read the web session: it must be JSON such as {{\"authToken\": \"…\", \"ct0\": \"…\"}}"
    )]
    Form,
    /// A cookie that none can be.
    #[error(
        "failed to read the web session: {field} is {what}; copy the value of the cookie {cookie} from a signed-in browser"
    )]
    Cookie {
        /// The field.
        field: &'static str,
        /// The cookie it comes from.
        cookie: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// A handle that none can be.
    #[error("failed to read the web session: handle is 1 to 15 letters, digits or underscores")]
    Handle,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    auth_token: Option<String>,
    ct0: Option<String>,
    handle: Option<String>,
}

impl WebSession {
    /// Reads `{"authToken": …, "ct0": …, "handle": …}`; the handle may be left out.
    pub fn parse(text: &str) -> Result<Self, SessionError> {
        let raw: Raw = serde_json::from_str(text).map_err(|_| SessionError::Form)?;
        let handle = raw.handle.map(|handle| handle.trim_start_matches('@').to_owned());
        let good = |handle: &String| {
            (1..=15).contains(&handle.len())
                && handle
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if handle.as_ref().is_some_and(|handle| !good(handle)) {
            return Err(SessionError::Handle);
        }
        Ok(Self {
            auth_token: cookie(raw.auth_token, "authToken", "auth_token")?,
            ct0: cookie(raw.ct0, "ct0", "ct0")?,
            handle,
        })
    }

    /// Whether it is the same session.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.auth_token.expose_secret() == other.auth_token.expose_secret()
            && self.ct0.expose_secret() == other.ct0.expose_secret()
            && self.handle == other.handle
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self {
            class: Class::LoggedOut,
            message: error.to_string(),
            told: None,
            retry_after_ms: None,
        }
    }
}

fn cookie(
    value: Option<String>,
    field: &'static str,
    cookie: &'static str,
) -> Result<SecretString, SessionError> {
    let refused = |what| SessionError::Cookie { field, cookie, what };
    let value = value.ok_or(refused("missing"))?;
    if value.is_empty() {
        return Err(refused("empty"));
    }
    if value.len() > LONGEST {
        return Err(refused("too long"));
    }
    // RFC 6265: what a cookie's value may hold.
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    if !value.bytes().all(plain) {
        return Err(refused("not what a cookie can hold"));
    }
    Ok(SecretString::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_reads_with_and_without_its_owner() {
        let session = WebSession::parse(r#"{"authToken":"a1","ct0":"c1","handle":"@nasa"}"#).unwrap();
        assert_eq!(session.handle.as_deref(), Some("nasa"));
        let other = WebSession::parse(r#"{"authToken":"a1","ct0":"c1"}"#).unwrap();
        assert!(!session.is(&other) && session.is(&session.clone()));
    }

    #[test]
    fn every_refusal_names_the_field_and_never_the_value() {
        for (text, part) in [
            ("a1:c1", "authToken"),
            (r#"{"authToken":"s3cret","c0":"x"}"#, "must be JSON such as"),
            (r#"{"ct0":"s3cret"}"#, "authToken is missing"),
            (r#"{"authToken":"s3cret","ct0":""}"#, "ct0 is empty"),
            (
                r#"{"authToken":"s3cret; b=c","ct0":"x"}"#,
                "authToken is not what a cookie can hold",
            ),
            (
                r#"{"authToken":"s3cret","ct0":"x","handle":"na sa"}"#,
                "1 to 15 letters",
            ),
        ] {
            let error = WebSession::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        let long = format!(r#"{{"authToken":"{}","ct0":"x"}}"#, "a".repeat(LONGEST + 1));
        assert!(
            WebSession::parse(&long)
                .unwrap_err()
                .to_string()
                .contains("too long")
        );
    }

    #[test]
    fn nothing_secret_is_shown() {
        let session = WebSession::parse(r#"{"authToken":"s3cret","ct0":"s3cret"}"#).unwrap();
        assert!(!format!("{session:?}").contains("s3cret"));
    }
}
