//! The requests the page's script makes, for callers without a browser: tests, and browsers that are models.

use serde_json::{Value, json};

use crate::config::{WebConfig, WebSessionSpec};

use super::{PUBLIC_BEARER, features};

/// A GET the page's script makes: where, and with which headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebCall {
    /// Path and query.
    pub path: String,
    /// Every header the server looks at, cookies included.
    pub headers: Vec<(&'static str, String)>,
}

impl WebCall {
    /// A page of followers; without a cursor the first.
    pub fn followers(
        config: &WebConfig,
        session: &WebSessionSpec,
        user_id: &str,
        cursor: Option<&str>,
    ) -> Self {
        let mut variables = json!({
            "userId": user_id,
            "count": config.count,
            "includePromotedContent": false,
        });
        if let (Some(cursor), Some(members)) = (cursor, variables.as_object_mut()) {
            members.insert("cursor".to_owned(), cursor.into());
        }
        Self::new(session, &config.query_id, "Followers", &variables)
    }

    /// The look-up of one account.
    pub fn user_by_screen_name(config: &WebConfig, session: &WebSessionSpec, handle: &str) -> Self {
        let variables = json!({"screen_name": handle, "withSafetyModeUserFields": true});
        Self::new(session, &config.user_query_id, "UserByScreenName", &variables)
    }

    fn new(session: &WebSessionSpec, query_id: &str, operation: &str, variables: &Value) -> Self {
        let path = format!(
            "/i/api/graphql/{query_id}/{operation}?variables={}&features={}",
            percent(&variables.to_string()),
            percent(&Value::Object(features::all()).to_string()),
        );
        let headers = vec![
            ("authorization", format!("Bearer {PUBLIC_BEARER}")),
            (
                "cookie",
                format!("auth_token={}; ct0={}", session.auth_token, session.ct0),
            ),
            ("x-csrf-token", session.ct0.clone()),
            ("x-twitter-active-user", "yes".to_owned()),
            ("x-twitter-client-language", "en".to_owned()),
            ("x-twitter-auth-type", "OAuth2Session".to_owned()),
            ("x-client-transaction-id", "c2ltdWxhdG9y".to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        Self { path, headers }
    }
}

/// As `encodeURIComponent` does it.
pub(super) fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }
    out
}
