//! The page object: the log from which everything else can be rebuilt.
//!
//! One line of JSON (the header), then a zstd frame with one line of JSON a row. Written once, never
//! changed; its key carries the hash of its bytes.

mod frame;
mod shape;

use std::{
    fmt::Write as _,
    io::{BufRead as _, Read as _},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    account::Platform,
    row::{Line, Row},
    scan::{
        observed::Anomaly,
        range::{Place, RangeId},
        source::Source,
    },
};

/// Largest page object accepted, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// Largest body accepted once decompressed, in bytes.
pub const MAX_BODY: u64 = 64 << 20;
/// Most rows accepted.
pub const MAX_ROWS: usize = 10_000;
/// Longest header accepted, in bytes.
const MAX_HEADER: usize = 64 << 10;
/// Format written by this release.
const FORMAT: u32 = 1;

/// What a page says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// Format of the object.
    pub format: u32,
    /// Uid of the scan.
    pub scan: String,
    /// The platform.
    pub platform: Platform,
    /// The account's id.
    pub account_id: String,
    /// The range.
    pub range: RangeId,
    /// Epoch of the lease it was fetched under.
    pub epoch: u64,
    /// Number within the range, from 0.
    pub seq: u32,
    /// Where it begins.
    pub input: Place,
    /// Where the next one begins.
    pub output: Place,
    /// Whether the platform's list ends here.
    pub exhausted: bool,
    /// The permit that paid for it.
    pub permit: String,
    /// The broker's clock at the permit.
    pub seen_at: Timestamp,
    /// Version of the price list.
    pub price_version: u32,
    /// Where its rows come from.
    #[serde(default, skip_serializing_if = "Source::is_api")]
    pub source: Source,
    /// Rows the platform returned and charges for: those kept, those trimmed and those that failed to parse.
    pub returned: u32,
    /// Rows of the whole list, where the platform sends its total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// What the page showed that contradicts the platform's facts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<Anomaly>,
}

/// Why bytes are no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Too large in one of its dimensions.
    #[error("failed to read the page: {what} is over the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The header line is missing or no header.
    #[error("failed to read the page's header")]
    Header(#[source] serde_json::Error),
    /// No header line.
    #[error("failed to read the page: it has no header line")]
    NoHeader,
    /// Written by a newer release.
    #[error("failed to read the page: format {found} is newer than {FORMAT}; use the newer `followlytics`")]
    Format {
        /// The format found.
        found: u32,
    },
    /// The zstd frame is damaged.
    #[error("failed to decompress the page")]
    Body(#[source] std::io::Error),
    /// A line is no row.
    #[error("failed to read line {line} of the page")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What was wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl Header {
    /// The format this release writes.
    pub const FORMAT: u32 = FORMAT;

    /// Whether the platform named the place of this page as the next one.
    pub fn names_itself(&self) -> bool {
        !self.exhausted && self.output.is_page_of(&self.input)
    }
}

/// A page, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it says of itself.
    pub header: Header,
    /// Its lines, in the platform's order.
    pub lines: Vec<Line>,
}

impl Page {
    /// The rows that could be read.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.lines.iter().filter_map(|line| match line {
            Line::Row(row) => Some(row),
            Line::Unread { .. } => None,
        })
    }
}

/// Writes a page object.
pub fn encode(header: &Header, lines: &[Line]) -> Result<Vec<u8>, PageError> {
    let mut object = serde_json::to_vec(header).map_err(PageError::Header)?;
    object.push(b'\n');
    let mut body = Vec::with_capacity(lines.len() * 256);
    for (index, line) in lines.iter().enumerate() {
        serde_json::to_writer(&mut body, line).map_err(|source| PageError::Line {
            line: index + 1,
            source,
        })?;
        body.push(b'\n');
    }
    object.extend(frame::compress(&body).map_err(PageError::Body)?);
    Ok(object)
}

/// Reads the header alone; returns where the body begins too.
pub fn decode_header(object: &[u8]) -> Result<(Header, usize), PageError> {
    if object.len() > MAX_BYTES {
        return Err(PageError::TooLarge {
            what: "its size",
            limit: MAX_BYTES as u64,
        });
    }
    let end = object
        .iter()
        .take(MAX_HEADER)
        .position(|byte| *byte == b'\n')
        .ok_or(PageError::NoHeader)?;
    let line = object.get(..end).unwrap_or_default();
    let header: Header = serde_json::from_slice(line).map_err(PageError::Header)?;
    if header.format > FORMAT {
        return Err(PageError::Format { found: header.format });
    }
    Ok((header, end + 1))
}

/// Reads a whole page, within the limits.
pub fn decode(object: &[u8]) -> Result<Page, PageError> {
    let mut lines = Vec::new();
    let header = read(object, |text| {
        // Nearly every line is a row, and telling the kinds apart costs as much again as reading one.
        let row = serde_json::from_slice(text).map(Line::Row);
        lines.push(row.or_else(|_| serde_json::from_slice(text))?);
        Ok(())
    })?;
    Ok(Page { header, lines })
}

/// Reads a page like [`decode`] and refuses the same ones, but keeps nothing of its rows; returns how many lines it
/// has. The broker does this to every page, and keeping rows costs more than everything else it does to one.
pub fn check(object: &[u8]) -> Result<(Header, usize), PageError> {
    let mut lines = 0;
    let header = read(object, |text| {
        let row = serde_json::from_slice::<shape::Row>(text).map(drop);
        row.or_else(|_| serde_json::from_slice::<shape::Line>(text).map(drop))?;
        lines += 1;
        Ok(())
    })?;
    Ok((header, lines))
}

fn read(
    object: &[u8],
    line: impl FnMut(&[u8]) -> Result<(), serde_json::Error>,
) -> Result<Header, PageError> {
    let (header, start) = decode_header(object)?;
    frame::decompress(object.get(start..).unwrap_or_default(), |body| {
        read_lines(body, line)
    })?;
    Ok(header)
}

fn read_lines(
    body: &mut dyn std::io::Read,
    mut line: impl FnMut(&[u8]) -> Result<(), serde_json::Error>,
) -> Result<(), PageError> {
    let mut reader = std::io::BufReader::new(body.take(MAX_BODY + 1));
    let (mut count, mut text, mut size) = (0, Vec::new(), 0u64);
    loop {
        text.clear();
        let read = reader.read_until(b'\n', &mut text).map_err(PageError::Body)?;
        size += read as u64;
        if size > MAX_BODY {
            return Err(PageError::TooLarge {
                what: "its body",
                limit: MAX_BODY,
            });
        }
        if read == 0 {
            return Ok(());
        }
        if count == MAX_ROWS {
            return Err(PageError::TooLarge {
                what: "its number of rows",
                limit: MAX_ROWS as u64,
            });
        }
        count += 1;
        line(&text).map_err(|source| PageError::Line { line: count, source })?;
    }
}

/// SHA-256 of an object, lower-case hexadecimal.
pub fn sha256(object: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(object) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
