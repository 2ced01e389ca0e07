//! The shape of a line: what it must hold to be read, without keeping any of it.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// A text, read and dropped.
pub(super) struct Text;

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl de::Visitor<'_> for Reader {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Text, E> {
                Ok(Text)
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// What [`crate::row::Row`] reads.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read to be checked, not to be kept")]
pub(super) struct Row {
    id: Text,
    #[serde(default)]
    handle: Present,
    name: Option<Text>,
    bio: Option<Text>,
    location: Option<Text>,
    followers: Option<i64>,
    following: Option<i64>,
    posts: Option<i64>,
    verified: Option<bool>,
    protected: Option<bool>,
    created: Option<jiff::Timestamp>,
}

/// A text that may be left out, but not be null.
#[derive(Default)]
struct Present;

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(|_| Self)
    }
}

/// What [`crate::row::Line`] reads.
#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "read to be checked, not to be kept")]
pub(super) enum Line {
    Unread { unread: Text, error: Text },
    Row(Row),
}
