//! Whether a page counts, and what it changes.

use super::{
    density::Density,
    lease,
    range::{Kind, Range, State},
};
use crate::{
    mutants::{self, Mutant},
    page::Header,
};

/// Why a page does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The lease belongs to somebody else by now.
    #[error("the range has a newer epoch")]
    Fenced,
    /// The page does not follow the checkpoint.
    #[error("{field} does not follow the checkpoint: send the page that the permit named")]
    Misplaced {
        /// Which field of the header.
        field: &'static str,
    },
}

/// Under which right a page is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right<'a> {
    /// The holder's own, by name.
    Holder(&'a str),
    /// The broker's, for a page an earlier holder had sent before it lost the range.
    Adoption,
}

/// What a committed page adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Lines of the body: rows read and unread.
    pub lines: i64,
    /// Whether what is known was met: by a seam, rows that the range behind had read itself; by a scan that goes on
    /// from a result, the newest rows of that.
    pub met: bool,
    /// The scan ends after so many rows; 0 = never.
    pub row_cap: i64,
}

/// Moves the checkpoint past a page. The range is unchanged when the page is refused.
pub fn accept(range: &mut Range, right: Right<'_>, header: &Header, content: Content) -> Result<(), Refused> {
    match right {
        Right::Holder(sandbox) if !lease::is_current(range, sandbox, header.epoch) => {
            return Err(Refused::Fenced);
        }
        Right::Adoption if header.epoch >= range.epoch => return Err(Refused::Fenced),
        Right::Holder(_) | Right::Adoption => {}
    }
    let misplaced = |field| Err(Refused::Misplaced { field });
    if range.state != State::Open {
        return Err(Refused::Fenced);
    }
    if header.seq != range.seq {
        return misplaced("seq");
    }
    if header.input != range.place {
        return misplaced("input");
    }
    if !header.exhausted && moves_back(range, header) {
        return misplaced("output");
    }
    if let Some(seen) = Density::of_page(header, content.lines) {
        if range.seq == 0 {
            range.first = seen;
        }
        range.last = seen;
    }
    range.seq += 1;
    if !mutants::on(Mutant::CheckpointStays) {
        range.place = header.output.clone();
    }
    range.claimed = range.place.position;
    range.attempts = 0;
    range.not_before = None;
    let rows = range.rows + content.lines;
    let full = content.row_cap > 0 && rows >= content.row_cap && range.kind == Kind::Listing;
    // What names itself is read again, and its rows count once.
    if full || !header.names_itself() {
        range.rows = rows;
        range.lease_rows += content.lines;
    }
    if header.exhausted || full || content.met || range.is_past(&range.place) {
        range.state = State::Done;
        lease::give_back(range);
    }
    Ok(())
}

/// Whether a page of a seekable list leads against the direction of reading.
fn moves_back(range: &Range, header: &Header) -> bool {
    use super::range::Walk;
    match (range.span, range.walk) {
        (None, _) => false,
        (Some(_), Walk::Down) => header.output.position > header.input.position,
        (Some(_), Walk::Up) => header.output.position < header.input.position,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        account::Platform,
        scan::range::{Place, Span, Walk},
    };

    fn range() -> Range {
        let mut range = Range::new(1, Kind::Listing, Some(Span { lo: 0, hi: 100 }), Walk::Down, 100);
        lease::grant(&mut range, "a", Timestamp::UNIX_EPOCH);
        range
    }

    fn header(epoch: u64, seq: u32, from: i64, to: i64) -> Header {
        Header {
            format: 1,
            scan: "s".into(),
            platform: Platform::Gitea,
            account_id: "1".into(),
            range: 1,
            epoch,
            seq,
            input: Place::at(from),
            output: Place::at(to),
            exhausted: false,
            permit: "p".into(),
            seen_at: Timestamp::UNIX_EPOCH,
            price_version: 0,
            source: crate::scan::source::Source::Api,
            returned: 50,
            total: None,
            anomalies: Vec::new(),
        }
    }

    const FIFTY: Content = Content {
        lines: 50,
        met: false,
        row_cap: 0,
    };

    #[test]
    fn pages_in_order_move_the_checkpoint_to_the_end() {
        let mut range = range();
        accept(&mut range, Right::Holder("a"), &header(1, 0, 100, 50), FIFTY).unwrap();
        assert_eq!(
            (range.seq, range.place.position, range.state),
            (1, 50, State::Open)
        );
        accept(&mut range, Right::Holder("a"), &header(1, 1, 50, 0), FIFTY).unwrap();
        assert_eq!((range.rows, range.state, range.holder), (100, State::Done, None));
    }

    /// The place keeps the last position that was read, so the range ends neither early nor with rows unread.
    #[test]
    fn unread_cursors_lead_on_until_a_position_is_past_the_end() {
        let mut range = range();
        let unread = |cursor| Place::unread(50, cursor);
        let places = [
            Place::at(100),
            Place::at(50),
            unread("x"),
            unread("y"),
            Place::at(20),
        ];
        for ((input, output), seq) in places.iter().zip(&places[1..]).zip(0..) {
            let page = Header {
                input: input.clone(),
                output: output.clone(),
                ..header(1, seq, 0, 0)
            };
            accept(&mut range, Right::Holder("a"), &page, FIFTY).unwrap();
            assert_eq!((&range.place, range.state), (output, State::Open));
        }
        accept(&mut range, Right::Holder("a"), &header(1, 4, 20, 0), FIFTY).unwrap();
        assert_eq!((range.rows, range.state), (250, State::Done));
    }

    #[test]
    fn a_stale_epoch_changes_nothing() {
        let mut range = range();
        lease::grant(&mut range, "b", Timestamp::UNIX_EPOCH);
        let before = range.clone();
        assert_eq!(
            accept(&mut range, Right::Holder("a"), &header(1, 0, 100, 50), FIFTY),
            Err(Refused::Fenced)
        );
        assert_eq!(range, before);
    }

    #[test]
    fn an_earlier_holders_page_is_adopted_at_the_checkpoint_only() {
        let mut range = range();
        assert_eq!(
            accept(&mut range, Right::Adoption, &header(1, 0, 100, 50), FIFTY),
            Err(Refused::Fenced)
        );
        lease::grant(&mut range, "b", Timestamp::UNIX_EPOCH);
        let elsewhere = accept(&mut range, Right::Adoption, &header(1, 0, 90, 50), FIFTY);
        assert_eq!(elsewhere, Err(Refused::Misplaced { field: "input" }));
        accept(&mut range, Right::Adoption, &header(1, 0, 100, 50), FIFTY).unwrap();
        assert_eq!(range.place.position, 50);
    }

    #[test]
    fn what_does_not_follow_is_refused_by_the_fields_name() {
        for (header, refused) in [
            (header(1, 1, 100, 50), Refused::Misplaced { field: "seq" }),
            (header(1, 0, 50, 0), Refused::Misplaced { field: "input" }),
            (header(1, 0, 100, 150), Refused::Misplaced { field: "output" }),
        ] {
            let mut range = range();
            let before = range.clone();
            assert_eq!(
                accept(&mut range, Right::Holder("a"), &header, FIFTY),
                Err(refused)
            );
            assert_eq!(range, before);
        }
    }

    #[test]
    fn rows_of_a_page_that_names_itself_count_where_they_end_the_range() {
        for (row_cap, expected) in [
            (0, (0, State::Open)),
            (60, (0, State::Open)),
            (50, (50, State::Done)),
        ] {
            let mut range = range();
            let content = Content { row_cap, ..FIFTY };
            accept(&mut range, Right::Holder("a"), &header(1, 0, 100, 100), content).unwrap();
            assert_eq!((range.rows, range.state), expected);
        }
    }

    #[test]
    fn a_seam_ends_where_it_meets_the_range_behind() {
        let mut seam = range();
        seam.kind = Kind::Seam;
        let met = Content {
            lines: 50,
            met: true,
            row_cap: 0,
        };
        accept(&mut seam, Right::Holder("a"), &header(1, 0, 100, 50), met).unwrap();
        assert_eq!(seam.state, State::Done);
    }

    #[test]
    fn a_row_cap_ends_the_range() {
        let mut range = range();
        let capped = Content {
            lines: 50,
            met: false,
            row_cap: 50,
        };
        accept(&mut range, Right::Holder("a"), &header(1, 0, 100, 50), capped).unwrap();
        assert_eq!(range.state, State::Done);
    }
}
