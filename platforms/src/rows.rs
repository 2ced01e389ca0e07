//! From a platform's list to lines: each row by itself, so that one that cannot be read costs no other.

use followlytics_core::{
    page::MAX_ROWS,
    row::{Line, Row},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Reads every row of a list with its platform's own form; `None` when the list is longer than a page can be.
pub(crate) fn lines<'a, T>(
    list: &[&'a RawValue],
    row: fn(T) -> Result<Row, &'static str>,
) -> Option<Vec<Line>>
where
    T: Deserialize<'a>,
{
    if list.len() > MAX_ROWS {
        return None;
    }
    Some(list.iter().map(|raw| line(raw, row)).collect())
}

/// Reads a JSON object. Without this check serde would take a list for an object's fields in order.
pub(crate) fn object<'a, T>(text: &'a [u8]) -> Result<T, serde_json::Error>
where
    T: Deserialize<'a>,
{
    match text.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(text),
        _ => Err(serde::de::Error::custom("it is no object")),
    }
}

fn line<'a, T>(raw: &'a RawValue, row: fn(T) -> Result<Row, &'static str>) -> Line
where
    T: Deserialize<'a>,
{
    let read = object::<T>(raw.get().as_bytes()).map_err(|error| error.to_string());
    match read.and_then(|source| row(source).map_err(str::to_owned)) {
        Ok(row) => Line::Row(row),
        Err(error) => Line::Unread {
            unread: raw.get().to_owned(),
            error,
        },
    }
}

/// An id that is a number. A server's own ghosts and bots have ids below 1, and follow nobody.
pub(crate) fn id(number: i64) -> Result<String, &'static str> {
    if number > 0 {
        Ok(number.to_string())
    } else {
        Err("id is not above 0")
    }
}

/// A text that says something.
pub fn text(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
}

/// An instant; one that cannot be read is left out, for on some platforms people write it themselves and
/// nobody may hide from a list that way.
pub(crate) fn instant(value: Option<String>) -> Option<Timestamp> {
    value?.parse().ok()
}
