//! Reads page objects, and believes nothing: each has to be what the ledger says it is.

use followlytics_core::{
    page::{self, Page},
    platform::Seek,
    scan::{
        plan,
        range::{NEWEST, OLDEST},
        source::Source,
    },
};
use followlytics_store::{
    ledger::{MergeInput, PageRow},
    objects::Objects,
};

use crate::WorkerError;

/// Reads a page. One that is not what the ledger says it is cannot be made again.
pub(crate) async fn read(
    objects: &Objects,
    scan: &str,
    input: &MergeInput,
    row: &PageRow,
) -> Result<Page, WorkerError> {
    let damaged = |detail: String| WorkerError::Damaged {
        key: row.key.clone(),
        detail,
    };
    let bytes = objects.get(&row.key).await?;
    let found = page::sha256(&bytes);
    if found != row.sha256 {
        return Err(damaged(format!(
            "its SHA-256 is {found} ({} bytes), the ledger says {}: it was changed or cut off",
            bytes.len(),
            row.sha256
        )));
    }
    let page = page::decode(&bytes).map_err(|source| WorkerError::Page {
        key: row.key.clone(),
        source,
    })?;
    let header = &page.header;
    // The hash vouches for the bytes; this is for a row that names the wrong object.
    let ours = (scan, input.account_id.as_str(), row.range, row.epoch, row.seq);
    let its = (
        header.scan.as_str(),
        header.account_id.as_str(),
        header.range,
        header.epoch,
        header.seq,
    );
    if ours != its {
        return Err(damaged(format!("it is page {its:?}, the ledger says {ours:?}")));
    }
    if i64::try_from(page.lines.len()) != Ok(row.lines) {
        return Err(damaged(format!(
            "it has {} lines, the ledger says {}",
            page.lines.len(),
            row.lines
        )));
    }
    Ok(page)
}

/// Times after and before which the followers of a page followed, in microseconds; `None` where unknown.
pub(crate) type Bounds = (Option<i64>, Option<i64>);

/// Returns the bounds of a page where positions are times. A page from the newest end was read before its followers
/// could follow later; the oldest end, and a cursor that shows no position, bound nothing.
pub(crate) fn bounds_of(page: &Page, row: &PageRow, seek: Seek) -> Bounds {
    let (input, output) = (&page.header.input, &page.header.output);
    let (from, to) = (input.position, output.position);
    if page.header.source == Source::Browser {
        // The page from the newest end begins with rows of any age.
        return (from != NEWEST)
            .then(|| (plan::time_of(to), plan::time_of(from)))
            .unzip();
    }
    if seek != Seek::Time {
        return (None, None);
    }
    let newest = if from == NEWEST {
        row.seen_at.as_microsecond()
    } else {
        from
    };
    (
        (to != OLDEST && !output.is_unread()).then_some(to),
        (!input.is_unread()).then_some(newest),
    )
}

#[cfg(test)]
mod tests {
    use followlytics_core::{page::Header, scan::range::Place};
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_browsers_places_are_times_and_the_newest_page_tells_none() {
        let at = |seconds| plan::position(Timestamp::from_second(seconds).unwrap());
        let seen = Timestamp::from_second(300).unwrap();
        let page = |from: i64, to: i64| Page {
            header: Header {
                format: Header::FORMAT,
                scan: "s".into(),
                platform: followlytics_core::account::Platform::X,
                account_id: "1".into(),
                range: 1,
                epoch: 1,
                seq: 0,
                input: Place::at(from),
                output: Place::at(to),
                exhausted: false,
                permit: "p".into(),
                seen_at: seen,
                price_version: 0,
                source: Source::Browser,
                returned: 0,
                total: None,
                anomalies: Vec::new(),
            },
            lines: Vec::new(),
        };
        let row = PageRow {
            range: 1,
            seq: 0,
            epoch: 1,
            key: String::new(),
            sha256: String::new(),
            lines: 0,
            bytes: 0,
            seen_at: seen,
        };
        let bounds = |page: &Page| bounds_of(page, &row, Seek::Chain);
        assert_eq!(
            bounds(&page(at(200), at(100))),
            (Some(100_000_000), Some(200_000_000))
        );
        assert_eq!(bounds(&page(NEWEST, at(100))), (None, None));
    }
}
