//! JSON written straight into a string: a page of a thousand rows builds no tree.

use std::fmt::{Display, Write as _};

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    // Nearly every text is as it is written.
    if text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        out.push_str(text);
        out.push('"');
        return;
    }
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

/// Appends a whole number in its digits.
pub(crate) fn push_number(out: &mut String, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    for place in digits.iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    let text = digits.get(start..).map(std::str::from_utf8);
    out.push_str(text.and_then(Result::ok).unwrap_or("0"));
}

/// Appends `2026-11-20T12:00:00.000Z`, with so many digits of the second's fraction (0 or 3).
///
/// A page of a thousand rows has a thousand of them: a general formatter would be a third of its cost.
pub(crate) fn push_time(out: &mut String, ms: u64, milliseconds: bool) {
    let (days, in_day) = (ms / 86_400_000, ms % 86_400_000);
    // Civil from days, after Howard Hinnant: years begin in March, eras have 400 of them.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    push_number(out, year);
    for (before, number) in [
        ('-', month),
        ('-', day),
        ('T', in_day / 3_600_000),
        (':', in_day / 60_000 % 60),
        (':', in_day / 1_000 % 60),
    ] {
        out.push(before);
        push_padded(out, number, 2);
    }
    if milliseconds {
        out.push('.');
        push_padded(out, in_day % 1_000, 3);
    }
    out.push('Z');
}

fn push_padded(out: &mut String, number: u64, digits: u32) {
    for place in (1..digits).rev() {
        if number < 10u64.pow(place) {
            out.push('0');
        }
    }
    push_number(out, number);
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
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
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

    /// A whole number.
    pub(crate) fn number(&mut self, key: &str, value: u64) {
        push_number(self.key(key), value);
    }

    /// A time in milliseconds since the epoch, as the platforms write it.
    pub(crate) fn time(&mut self, key: &str, ms: u64, milliseconds: bool) {
        let out = self.key(key);
        out.push('"');
        push_time(out, ms, milliseconds);
        out.push('"');
    }

    pub(crate) fn close(self) {
        self.out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::timestamp;

    #[test]
    fn numbers_and_times_are_written_as_everywhere() {
        for number in [0, 7, 10, 1_234_567_890, u64::MAX] {
            let mut out = String::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string());
        }
        for nth in 0..20_000u64 {
            let ms = crate::ids::mix(1, nth) % 4_102_444_800_000;
            let (mut long, mut short) = (String::new(), String::new());
            push_time(&mut long, ms, true);
            push_time(&mut short, ms, false);
            assert_eq!(long, format!("{:.3}", timestamp(ms)));
            assert_eq!(short, format!("{:.0}", timestamp(ms - ms % 1_000)));
        }
    }

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
