//! Ranges as rows.

use followlytics_core::scan::{
    density::Density,
    range::{Place, Range, RangeId, Span, State},
};

use super::{LedgerError, scans};
use crate::{
    db::{Row, Tx},
    params,
};

const COLUMNS: &str = "id, kind, lo, hi, walk, position, cursor, claimed, seq, epoch, holder, lease_until, \
     leased_at, state, not_before, attempts, lines, lease_lines, expected, meets, source, \
     terms, pass_from, first_lines, first_extent, last_lines, last_extent";

/// All ranges of a scan, in order of their ids.
pub(super) async fn all(tx: &mut Tx, scan: &str) -> Result<Vec<Range>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM ranges WHERE scan = $1 ORDER BY id");
    tx.query(&sql, params![scan]).await?.iter().map(read).collect()
}

/// The ranges of a scan that are not read to their end.
pub(super) async fn open(tx: &mut Tx, scan: &str) -> Result<Vec<Range>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM ranges WHERE scan = $1 AND state = 'Open' ORDER BY id");
    tx.query(&sql, params![scan]).await?.iter().map(read).collect()
}

/// One range.
pub(super) async fn get(tx: &mut Tx, scan: &str, id: RangeId) -> Result<Range, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM ranges WHERE scan = $1 AND id = $2");
    let row = tx.find(&sql, params![scan, id]).await?;
    read(&row.ok_or_else(|| LedgerError::invalid(format!("range {id}: this scan has no such range")))?)
}

/// Writes a range that is new or that was read in this transaction.
pub(super) async fn put(tx: &mut Tx, scan: &str, range: &Range) -> Result<(), LedgerError> {
    let epoch = i64::try_from(range.epoch).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO ranges (scan, id, kind, lo, hi, walk, position, cursor, claimed, seq, epoch, holder, \
           lease_until, leased_at, state, not_before, attempts, lines, lease_lines, expected, meets, source, terms, pass_from, \
           first_lines, first_extent, last_lines, last_extent) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
           $23, $24, $25, $26, $27, $28) \
         ON CONFLICT (scan, id) DO UPDATE SET lo = $4, hi = $5, position = $7, cursor = $8, claimed = $9, \
           seq = $10, epoch = $11, holder = $12, lease_until = $13, leased_at = $14, state = $15, \
           not_before = $16, attempts = $17, lines = $18, lease_lines = $19, expected = $20, source = $22, \
           terms = $23, pass_from = $24, first_lines = $25, first_extent = $26, last_lines = $27, \
           last_extent = $28",
        params![
            scan,
            range.id,
            <&str>::from(range.kind),
            range.span.map(|span| span.lo),
            range.span.map(|span| span.hi),
            <&str>::from(range.walk),
            range.place.position,
            range.place.cursor.as_deref(),
            range.claimed,
            range.seq,
            epoch,
            range.holder.as_deref(),
            range.lease_until,
            range.leased_at,
            <&str>::from(range.state),
            range.not_before,
            range.attempts,
            range.rows,
            range.lease_rows,
            range.expected,
            range.meets,
            <&str>::from(range.source),
            range.terms.as_ref().map(scans::json).transpose()?,
            range.pass_from,
            range.first.rows,
            range.first.extent,
            range.last.rows,
            range.last.extent,
        ],
    )
    .await?;
    Ok(())
}

fn read(row: &Row) -> Result<Range, LedgerError> {
    let span = match (row.get::<Option<i64>>(2)?, row.get::<Option<i64>>(3)?) {
        (Some(lo), Some(hi)) => Some(Span { lo, hi }),
        _ => None,
    };
    Ok(Range {
        id: row.get(0)?,
        kind: parse("ranges.kind", &row.get::<String>(1)?)?,
        source: parse("ranges.source", &row.get::<String>(20)?)?,
        span,
        walk: parse("ranges.walk", &row.get::<String>(4)?)?,
        place: Place {
            position: row.get(5)?,
            cursor: row.get(6)?,
        },
        claimed: row.get(7)?,
        seq: row.get(8)?,
        epoch: row.get(9)?,
        holder: row.get(10)?,
        lease_until: row.get(11)?,
        leased_at: row.get(12)?,
        state: parse::<State>("ranges.state", &row.get::<String>(13)?)?,
        not_before: row.get(14)?,
        attempts: row.get(15)?,
        rows: row.get(16)?,
        lease_rows: row.get(17)?,
        expected: row.get(18)?,
        meets: row.get(19)?,
        terms: scans::optional("ranges.terms", row.get(21)?)?,
        pass_from: row.get(22)?,
        first: Density {
            rows: row.get(23)?,
            extent: row.get(24)?,
        },
        last: Density {
            rows: row.get(25)?,
            extent: row.get(26)?,
        },
    })
}

/// Reads a word of an enumeration.
pub(super) fn parse<T: std::str::FromStr>(column: &'static str, text: &str) -> Result<T, LedgerError> {
    text.parse()
        .map_err(|_| LedgerError::stored(column, format!("{text:?} is not known to this release")))
}
