//! JSON written straight into a string: a page of a thousand rows builds no tree.

use std::fmt::{Display, Write as _};

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for symbol in text.chars() {
        match symbol {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

/// One JSON object being written; members appear in call order.
pub(crate) struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    /// Writes the key and hands back the buffer for its value.
    pub(crate) fn key(&mut self, key: &str) -> &mut String {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        push_string(self.out, key);
        self.out.push(':');
        self.out
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        push_string(self.key(key), value);
    }

    /// A value whose Display is already JSON: numbers, booleans.
    pub(crate) fn bare(&mut self, key: &str, value: impl Display) {
        let out = self.key(key);
        let _ = write!(out, "{value}");
    }

    /// A value whose Display needs quotes but no escapes: times, ids.
    pub(crate) fn quoted(&mut self, key: &str, value: impl Display) {
        let out = self.key(key);
        let _ = write!(out, "\"{value}\"");
    }

    pub(crate) fn close(self) {
        self.out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_parses_back_to_the_same_text() {
        for text in [
            "plain",
            "q\"uo\\te",
            "line\nfeed\r\ttab",
            "\u{1}control",
            "日本 🚀 é",
        ] {
            let mut out = String::new();
            let mut object = Object::open(&mut out);
            object.text("a", text);
            object.bare("b", 3);
            object.close();
            let parsed: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(parsed, serde_json::json!({"a": text, "b": 3}));
        }
    }
}
