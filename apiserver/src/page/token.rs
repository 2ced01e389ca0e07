//! The token that leads from one page of a list to the next.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::status_error::StatusError;

/// A continue token, taken apart: `meta.k8s.io/v1` tokens have these fields too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Token {
    v: String,
    /// The version of every page; -1 for the present, whatever it is.
    pub(super) rv: i64,
    /// After this object: `namespace/name` and a zero byte.
    start: String,
}

const TOKEN_VERSION: &str = "meta.k8s.io/v1";

impl Token {
    pub(super) fn encode(version: i64, after: &(String, String)) -> String {
        let token = Self {
            v: TOKEN_VERSION.into(),
            rv: version,
            start: format!("{}/{}\0", after.0, after.1),
        };
        URL_SAFE_NO_PAD.encode(serde_json::to_string(&token).unwrap_or_default())
    }

    pub(super) fn decode(text: &str) -> Result<Self, StatusError> {
        let invalid = |problem: String| {
            StatusError::bad_request(format!(
                "invalid continue token: continue key is not valid: {problem}"
            ))
        };
        let json = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|error| invalid(error.to_string()))?;
        let token: Self = serde_json::from_slice(&json).map_err(|error| invalid(error.to_string()))?;
        if token.v != TOKEN_VERSION {
            let problem = format!("server does not recognize this encoded version {:?}", token.v);
            return Err(invalid(problem));
        }
        Ok(token)
    }

    pub(super) fn after(&self) -> Result<(String, String), StatusError> {
        let place = self
            .start
            .strip_suffix('\0')
            .and_then(|start| start.split_once('/'));
        let (namespace, name) = place.ok_or_else(|| {
            StatusError::bad_request("invalid continue token: continue key is not valid: it names no object")
        })?;
        Ok((namespace.to_owned(), name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_and_a_forged_one_is_refused() {
        let after = ("default".to_owned(), "a".to_owned());
        let token = Token::decode(&Token::encode(7, &after)).unwrap();
        assert_eq!((token.rv, token.after().unwrap()), (7, after));
        for forged in [
            "x",
            "e30",
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJ4In0",
        ] {
            let refused = Token::decode(forged).and_then(|token| token.after());
            assert!(
                refused
                    .unwrap_err()
                    .to_string()
                    .starts_with("invalid continue token")
            );
        }
    }
}
