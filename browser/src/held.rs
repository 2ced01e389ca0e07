//! A request of the page that is held: whose list it asks for, from where, and how it reads with another cursor.
//!
//! Everything but the value of `variables.cursor` stays byte for byte as the page wrote it.

use std::fmt::Write as _;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// Which of the page's requests this one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A page of followers.
    Followers,
    /// The account whose page it is.
    User,
    /// Anything else.
    Other,
}

impl Operation {
    /// By the last part of a GraphQL path.
    pub(crate) fn of(url: &str) -> Self {
        let path = path(url);
        match path.rsplit('/').next() {
            _ if !path.contains("/graphql/") => Self::Other,
            Some("Followers") => Self::Followers,
            Some("UserByScreenName") => Self::User,
            _ => Self::Other,
        }
    }
}

/// The path of a URL.
pub(crate) fn path(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after.find('/').and_then(|at| after.get(at..)).unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or(path)
}

/// The variables of a request, in the page's order and words.
#[derive(Debug, Clone)]
pub(crate) struct Variables(Vec<(String, Box<RawValue>)>);

impl Variables {
    /// Those of a URL; `None` where it has none that can be read.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (_, query) = url.split_once('?')?;
        let raw = query
            .split('&')
            .find_map(|part| part.strip_prefix("variables="))?;
        serde_json::from_str(&decode(raw)?).ok()
    }

    /// A text among them.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        serde_json::from_str(value.get()).ok()
    }

    /// The same with this cursor, or with none.
    fn with_cursor(mut self, cursor: Option<&str>) -> Option<Self> {
        let raw = match cursor {
            Some(cursor) => Some(serde_json::value::to_raw_value(cursor).ok()?),
            None => None,
        };
        let known = self.0.iter_mut().find(|(name, _)| name == "cursor");
        match (known, raw) {
            (Some((_, value)), Some(raw)) => *value = raw,
            (None, Some(raw)) => self.0.push(("cursor".to_owned(), raw)),
            (Some(_), None) => self.0.retain(|(name, _)| name != "cursor"),
            (None, None) => {}
        }
        Some(self)
    }

    fn write(&self) -> String {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("{}:{}", serde_json::Value::from(name.as_str()), value.get()))
            .collect();
        format!("{{{}}}", parts.join(","))
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Variables;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Variables, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Variables(all))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The URL with another cursor among its variables; `None` where it has no variables that can be read.
pub(crate) fn with_cursor(url: &str, cursor: Option<&str>) -> Option<String> {
    let variables = Variables::of(url)?.with_cursor(cursor)?.write();
    let (front, query) = url.split_once('?')?;
    let parts: Vec<String> = query
        .split('&')
        .map(|part| match part.strip_prefix("variables=") {
            Some(_) => format!("variables={}", encode(&variables)),
            None => part.to_owned(),
        })
        .collect();
    Some(format!("{front}?{}", parts.join("&")))
}

/// As a page's `encodeURIComponent` does.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://x.test/i/api/graphql/Abc-9/Followers?variables=%7B%22userId%22%3A%2212%22%2C%22count%22%3A20%2C%22withB%22%3A1.50%7D&features=%7B%22a%22%3Atrue%7D";

    #[test]
    fn a_cursor_is_put_in_and_nothing_else_changes() {
        let seek = with_cursor(URL, Some("9|4")).unwrap();
        assert_eq!(
            seek,
            "https://x.test/i/api/graphql/Abc-9/Followers?variables=%7B%22userId%22%3A%2212%22%2C%22count%22%3A20%2C%22withB%22%3A1.50%2C%22cursor%22%3A%229%7C4%22%7D&features=%7B%22a%22%3Atrue%7D"
        );
        let other = with_cursor(&seek, Some("3|4")).unwrap();
        assert_eq!(other, seek.replace("9%7C4", "3%7C4"));
        assert_eq!(with_cursor(&other, None).as_deref(), Some(URL));
        assert_eq!(with_cursor("https://x.test/a?b=c", None), None);
    }

    #[test]
    fn variables_read_as_the_page_wrote_them() {
        let variables = Variables::of(URL).unwrap();
        assert_eq!(variables.text("userId").as_deref(), Some("12"));
        assert_eq!((variables.text("count"), variables.text("cursor")), (None, None));
        for wrong in [
            "https://x.test/a?variables=%7",
            "https://x.test/a?variables=[]",
            "https://x.test/a",
        ] {
            assert!(Variables::of(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn requests_are_told_apart_by_their_path() {
        assert_eq!(Operation::of(URL), Operation::Followers);
        assert_eq!(
            Operation::of("https://x.test/i/api/graphql/q/UserByScreenName?variables={}"),
            Operation::User
        );
        for other in [
            "https://x.test/i/api/graphql/q/FollowersYouKnow?x=/Followers",
            "https://x.test/nasa/Followers",
            "https://x.test",
        ] {
            assert_eq!(Operation::of(other), Operation::Other, "{other}");
        }
        assert_eq!(path("http://h:1/a/b?c#d"), "/a/b");
        assert_eq!(path("http://h:1"), "/");
    }
}
