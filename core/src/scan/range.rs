//! Ranges: half-open intervals of positions that tile a list, or one chain that cannot be entered.
//!
//! A range moves in one direction only. What its holder has claimed never moves to another range; what is
//! unclaimed may be split off at any time.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};

use super::{
    density::Density,
    lease,
    request::{ScanRequest, Terms},
    source::Source,
    split::Cut,
};
use crate::mutants::{self, Mutant};

/// Number of a range within its scan.
pub type RangeId = u32;

/// The newest end of a list whose positions are times or ids.
pub const NEWEST: i64 = i64::MAX;
/// The oldest end of a list whose positions are times: a follow may be dated before 1970, and its position is negative.
pub const OLDEST: i64 = i64::MIN;

/// Longest cursor kept, as JSON: a page's header holds two.
const LONGEST_CURSOR: usize = 24 << 10;
/// Marks a cursor that does not show its position.
const UNREAD: char = '?';

/// Most lines that a range of an account with so many followers may have, over all of its passes: four times the
/// followers, for lists that change or are read again after a refused token, and 10,000 for counts that are wrong. A
/// list that is longer has no end: the platform names ever new cursors.
pub const fn most_lines(followers: i64) -> i64 {
    let followers = if followers > 0 { followers } else { 0 };
    followers.saturating_mul(4).saturating_add(10_000)
}

/// The direction of reading, in the order of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, IntoStaticStr)]
pub enum Walk {
    /// From small positions to large ones.
    Up,
    /// From large positions to small ones.
    Down,
}

/// A half-open interval of positions: `lo <= p < hi`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// First position inside.
    pub lo: i64,
    /// First position above.
    pub hi: i64,
}

impl Span {
    /// Whether nothing lies inside.
    pub const fn is_empty(self) -> bool {
        self.lo >= self.hi
    }
}

/// The longest that a range waits before it asks again. Only a hold of its source or a full window lasts longer.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// Where the next page begins. Walking down, the next page holds positions below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The position; pages read so far, in a chain.
    pub position: i64,
    /// The platform's own token for this place, where it gave one; marked where it is [unread](Self::unread).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Place {
    /// A place no page has led to.
    pub const fn at(position: i64) -> Self {
        Self {
            position,
            cursor: None,
        }
    }

    /// The place of a seekable list that a cursor without a readable position leads to. Its position stays the last
    /// one that was read: everything below it may still follow.
    ///
    /// A cursor that cannot be stored or sent leads to the [end](Self::is_end), as an empty one does.
    pub fn unread(position: i64, cursor: &str) -> Self {
        let is_short = serde_json::to_string(cursor).is_ok_and(|json| json.len() <= LONGEST_CURSOR);
        // PostgreSQL stores no text with a zero character.
        let kept = if is_short && !cursor.contains('\0') {
            cursor
        } else {
            ""
        };
        Self {
            position,
            cursor: Some(format!("{UNREAD}{kept}")),
        }
    }

    /// The place of a chain after this one: one page further, by the platform's token.
    #[must_use]
    pub fn followed_by(&self, token: &str) -> Self {
        let position = self.position.saturating_add(1);
        let odd = Self::unread(position, token);
        if odd.is_end() || token.starts_with(UNREAD) {
            return odd;
        }
        Self {
            position,
            cursor: Some(token.to_owned()),
        }
    }

    /// Whether both lead to one page. A chain counts its pages: there the token alone says which one it is.
    pub fn is_page_of(&self, other: &Self) -> bool {
        self.cursor == other.cursor && (self.cursor.is_some() || self.position == other.position)
    }

    /// Whether its cursor does not show its position, so that the range can only be read on from page to page.
    pub fn is_unread(&self) -> bool {
        self.cursor
            .as_deref()
            .is_some_and(|cursor| cursor.starts_with(UNREAD))
    }

    /// Whether its cursor leads nowhere: no page follows.
    pub fn is_end(&self) -> bool {
        self.is_unread() && self.token().is_none_or(str::is_empty)
    }

    /// The platform's own token for this place, as the platform wrote it.
    pub fn token(&self) -> Option<&str> {
        let cursor = self.cursor.as_deref()?;
        Some(cursor.strip_prefix(UNREAD).unwrap_or(cursor))
    }
}

/// What a range is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, IntoStaticStr)]
pub enum Kind {
    /// Looks the account up and probes its list.
    Resolve,
    /// Lists followers.
    Listing,
    /// Reads a seam again, until it meets what the range behind it has read.
    Seam,
    /// Lists followers a second time, in the other direction.
    Sweep,
}

/// Where a range stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, IntoStaticStr)]
pub enum State {
    /// Something is left to read.
    Open,
    /// Read to its end.
    Done,
    /// Given up; the reason stands with the scan.
    Failed,
}

/// A range, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Number within the scan.
    pub id: RangeId,
    /// What it is for.
    pub kind: Kind,
    /// Where its rows come from.
    pub source: Source,
    /// Its interval; `None` for a chain.
    pub span: Option<Span>,
    /// Direction of reading.
    pub walk: Walk,
    /// The checkpoint: where the next page begins.
    pub place: Place,
    /// How far the holder has claimed, in walking direction.
    pub claimed: i64,
    /// Number of the next page, from 0.
    pub seq: u32,
    /// Grows with every grant; 0 before the first.
    pub epoch: u64,
    /// The sandbox that holds it.
    pub holder: Option<String>,
    /// When the holder's right ends.
    pub lease_until: Option<Timestamp>,
    /// When the holder got it.
    pub leased_at: Option<Timestamp>,
    /// Where it stands.
    pub state: State,
    /// Not to be granted before.
    pub not_before: Option<Timestamp>,
    /// Failed tries of the next page in a row.
    pub attempts: u32,
    /// Rows committed.
    pub rows: i64,
    /// Rows committed under the present lease, to measure the holder's speed.
    pub lease_rows: i64,
    /// Rows the plan expects in it, all told.
    pub expected: i64,
    /// For a seam: the range whose own rows end it.
    pub meets: Option<RangeId>,
    /// How densely rows lie where it begins: as its first page showed, until then as expected.
    pub first: Density,
    /// How densely rows lie at the checkpoint: as its last page showed, until then as expected.
    pub last: Density,
    /// Credential of its lease; `None` before the first one.
    pub terms: Option<Terms>,
    /// Number of the first page since it last started at its first place.
    pub pass_from: u32,
}

impl Range {
    /// A range nobody has touched.
    pub fn new(id: RangeId, kind: Kind, span: Option<Span>, walk: Walk, expected: i64) -> Self {
        let start = span.map_or(0, |span| match walk {
            Walk::Up => span.lo,
            Walk::Down => span.hi,
        });
        Self {
            id,
            kind,
            source: Source::Api,
            span,
            walk,
            place: Place::at(start),
            claimed: start,
            seq: 0,
            epoch: 0,
            holder: None,
            lease_until: None,
            leased_at: None,
            state: State::Open,
            not_before: None,
            attempts: 0,
            rows: 0,
            lease_rows: 0,
            expected,
            meets: None,
            first: Density::default(),
            last: Density::default(),
            terms: None,
            pass_from: 0,
        }
    }

    /// The same, read from this source.
    #[must_use]
    pub fn from_source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// Cuts a part off; what was expected of the whole is shared out.
    #[must_use]
    pub fn split_off(&mut self, id: RangeId, cut: &Cut) -> Self {
        self.span = Some(cut.kept);
        self.expected = self.rows.saturating_add(cut.kept_rows);
        Self {
            first: cut.density,
            last: cut.density,
            ..Self::new(id, self.kind, Some(cut.residual), self.walk, cut.rows).from_source(self.source)
        }
    }

    /// Whether it is a chain that nothing has bounded yet.
    pub fn is_chain(&self) -> bool {
        self.kind == Kind::Listing && self.span.is_none()
    }

    /// Gives it up: what was read stays, nothing more is requested.
    pub fn give_up(&mut self) {
        self.state = State::Failed;
        lease::give_back(self);
    }

    /// Whether its next request needs the credential that its token was issued under.
    ///
    /// No platform documents whether the token of a chain is valid for another credential. Cursors of lists that can
    /// be entered are positions: they belong to no credential.
    pub fn keeps_terms(&self) -> bool {
        self.is_chain() && self.source.is_api() && self.place.cursor.is_some()
    }

    /// Returns the terms that hold for its next request although the scan names another credential.
    pub fn kept_terms(&self, request: &ScanRequest) -> Option<&Terms> {
        let terms = self.terms.as_ref().filter(|_| self.keeps_terms())?;
        (terms.credential != request.credential_of(self.source)).then_some(terms)
    }

    /// Takes over what was known of its credential's limits while the scan was requested as `earlier`. Returns whether
    /// they had changed since the lease was granted. A chain that has no token yet may have a page under way that brings one.
    pub fn learn_limits(&mut self, earlier: &ScanRequest) -> bool {
        if !self.is_chain() || !self.source.is_api() || mutants::on(Mutant::LimitsForgotten) {
            return false;
        }
        let known = self.terms.as_ref().map(|terms| earlier.renewed(terms));
        let is_new = known != self.terms;
        self.terms = known;
        is_new
    }

    /// Whether its lease was granted for another credential than its next request needs.
    pub fn has_outdated_terms(&self, request: &ScanRequest) -> bool {
        let is_other = |terms: &Terms| {
            (terms.credential.as_str(), terms.auth)
                != (request.credential_of(self.source), request.auth_of(self.source))
        };
        !self.keeps_terms() && self.terms.as_ref().is_some_and(is_other)
    }

    /// Whether its next request may be made at `now`, as far as its own failures go. What is to be waited for longer than
    /// any retry was written by a clock that was set back since.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let is_possible = |at: Timestamp| at > now && now.duration_until(at) <= LONGEST_WAIT;
        !self.not_before.is_some_and(is_possible)
    }

    /// Lets its next request wait until `at`, and at most [`LONGEST_WAIT`].
    pub fn wait_until(&mut self, at: Timestamp, now: Timestamp) {
        let longest = now.saturating_add(LONGEST_WAIT).unwrap_or(at);
        self.not_before = Some(at.min(longest));
    }

    /// Whether somebody holds it at `now`. A lease that ends later than any can was granted by a clock that was set back
    /// since, and nobody knows how long ago.
    pub fn is_held(&self, now: Timestamp) -> bool {
        let now = if mutants::on(Mutant::LeaseTakenEarly) {
            now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(now)
        } else {
            now
        };
        let is_possible = |until: Timestamp| until > now && now.duration_until(until) <= lease::TTL * 2;
        self.holder.is_some() && self.lease_until.is_some_and(is_possible)
    }

    /// What its holder has not claimed; empty for a chain.
    pub fn unclaimed(&self) -> Span {
        match (self.span, self.walk) {
            (None, _) => Span { lo: 0, hi: 0 },
            (Some(span), Walk::Up) => Span {
                lo: self.claimed.clamp(span.lo, span.hi),
                hi: span.hi,
            },
            (Some(span), Walk::Down) => Span {
                lo: span.lo,
                hi: self.claimed.clamp(span.lo, span.hi),
            },
        }
    }

    /// Whether a place lies at or past the end.
    pub fn is_past(&self, place: &Place) -> bool {
        match (self.span, self.walk) {
            (None, _) => false,
            (Some(span), Walk::Up) => place.position >= span.hi,
            (Some(span), Walk::Down) => place.position <= span.lo,
        }
    }

    /// Rows left, as far as one can tell: by the density read so far, otherwise by the plan. Below `floor`
    /// nothing is expected.
    pub fn rows_left(&self, floor: i64) -> i64 {
        let Some(span) = self.span else {
            return (self.expected - self.rows).max(0);
        };
        let lo = span.lo.max(floor);
        let (read, left) = match self.walk {
            Walk::Up => (
                self.place.position.saturating_sub(lo),
                span.hi.saturating_sub(self.place.position),
            ),
            Walk::Down => (
                span.hi.saturating_sub(self.place.position),
                self.place.position.saturating_sub(lo),
            ),
        };
        let open_ended = span.hi == NEWEST;
        if self.rows > 0 && read > 0 && !open_ended {
            let left = i128::from(self.rows) * i128::from(left.max(0)) / i128::from(read);
            i64::try_from(left).unwrap_or(i64::MAX)
        } else {
            (self.expected - self.rows).max(0)
        }
    }
}

/// Whether ranges tile `root` without gap or overlap. Chains tile nothing.
pub fn tiles(root: Span, spans: &[Span]) -> bool {
    let mut sorted: Vec<Span> = spans.iter().copied().filter(|span| !span.is_empty()).collect();
    sorted.sort_unstable();
    let mut at = root.lo;
    for span in sorted {
        if span.lo != at {
            return false;
        }
        at = span.hi;
    }
    at == root.hi
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_that_cannot_be_stored_or_sent_leads_to_the_end() {
        for cursor in ["", "a\0b", &"x".repeat(LONGEST_CURSOR)] {
            assert!(Place::unread(7, cursor).is_end());
            assert!(Place::at(7).followed_by(cursor).is_end());
        }
        let long = "x".repeat(10_240);
        assert!(!Place::unread(7, &long).is_end());
        assert!(!Place::at(7).is_unread() && !Place::at(7).is_end());
    }

    proptest! {
        #[test]
        fn a_token_is_given_back_as_it_came(token in "[^\0]{1,80}", position in any::<i64>()) {
            let unread = Place::unread(position, &token);
            prop_assert!(unread.is_unread() && unread.position == position);
            prop_assert_eq!(unread.token(), Some(token.as_str()));
            let chained = Place::at(position).followed_by(&token);
            prop_assert_eq!(chained.token(), Some(token.as_str()));
        }
    }
}
