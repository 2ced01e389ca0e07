//! Lists whose positions are row numbers, read by the number of a page: Gitea and GitHub.
//!
//! Which rows a page holds depends on the page size, so it is the same for a whole scan. Links are never
//! followed: their host is whatever the server was configured to be called.

use followlytics_core::{
    page::MAX_ROWS,
    retry::Failure,
    row::{Line, Row},
    scan::{
        observed::Anomaly,
        range::{Place, Walk},
    },
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{answer::Answer, connector::FetchedPage, rows::lines};

/// The answer to a request that was not made, for nothing can be there.
pub(crate) const fn nothing_left() -> FetchedPage {
    FetchedPage {
        lines: Vec::new(),
        next: None,
        returned: 0,
        total: None,
        anomalies: Vec::new(),
        told: None,
    }
}

/// A page by its number from 1, and the row numbers `first..first + size` that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub(crate) number: i64,
    pub(crate) first: i64,
    pub(crate) size: i64,
}

impl Numbered {
    /// The page that holds the next rows in this direction; `None` when no row can be left.
    pub(crate) fn at(position: i64, walk: Walk, page_rows: u32) -> Option<Self> {
        let size = i64::from(page_rows.max(1));
        let before = match walk {
            Walk::Down if position <= 0 => return None,
            Walk::Down => (position - 1) / size,
            Walk::Up => position.max(0) / size,
        };
        Some(Self {
            number: before + 1,
            first: before * size,
            size,
        })
    }

    /// Where the next page begins. Walking down, an empty page is not the end: the list has closed up, and
    /// what is left lies below. Walking up, only an empty page is.
    fn next(self, walk: Walk, returned: usize) -> Option<Place> {
        match walk {
            Walk::Down => (self.first > 0).then_some(Place::at(self.first)),
            Walk::Up => (returned > 0).then(|| Place::at(self.first.saturating_add(self.size))),
        }
    }

    /// Reads this page; of its rows those count that lie past `position` in the direction of reading.
    pub(crate) fn read<T: DeserializeOwned>(
        self,
        answer: &Answer,
        row: fn(T) -> Result<Row, &'static str>,
        position: i64,
        walk: Walk,
        total: Option<i64>,
    ) -> Result<FetchedPage, Failure> {
        let list: Vec<&RawValue> =
            serde_json::from_slice(&answer.body).map_err(|_| answer.malformed("it is no list"))?;
        let read = lines(&list, row)
            .ok_or_else(|| answer.malformed(&format!("it holds more than {MAX_ROWS} rows")))?;
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let lines: Vec<Line> = read
            .into_iter()
            .zip(self.first..)
            .enumerate()
            .filter(|(index, (_, number))| {
                // Rows beyond the page have no number: they may be anywhere in the list, and are kept.
                *index >= size
                    || match walk {
                        Walk::Down => *number < position,
                        Walk::Up => *number >= position,
                    }
            })
            .map(|(_, (line, _))| line)
            .collect();
        let has_surplus = list.len() > size;
        Ok(FetchedPage {
            lines,
            next: self.next(walk, list.len()),
            returned: u32::try_from(list.len()).unwrap_or(u32::MAX),
            total,
            anomalies: has_surplus.then_some(Anomaly::SurplusRows).into_iter().collect(),
            told: answer.told,
        })
    }
}
