//! Density: how many rows are expected where, by what pages and probes have shown.
//!
//! A page shows how densely rows lie at its own place and nothing of what lies beyond. Between two places that were
//! seen, density is taken to change steadily; how far the denser side reaches follows from the rows of the whole list
//! that nothing else accounts for. So a burst of followers is expected where it was entered, and nowhere else.
//!
//! Estimates only choose where to cut and how many runners to use. What they miss costs requests, never rows.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "estimates: a rounded row or microsecond moves a cut, and `as` saturates"
)]

use super::range::{Kind, NEWEST, Range, State, Walk};
use crate::{
    mutants::{self, Mutant},
    page::Header,
    platform::Seek,
    scan::source::Source,
};

/// Rows seen in an extent of positions; unknown while the extent is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Density {
    /// Rows.
    pub rows: i64,
    /// Positions they lie in.
    pub extent: i64,
}

impl Density {
    /// Of so many rows between two positions.
    pub fn between(rows: i64, lo: i64, hi: i64) -> Self {
        Self {
            rows: rows.max(0),
            extent: hi.saturating_sub(lo).max(1),
        }
    }

    /// What a page shows; `None` where it is not known how far its rows reach.
    pub fn of_page(header: &Header, lines: i64) -> Option<Self> {
        let (from, to) = (&header.input, &header.output);
        if from.is_unread() || to.is_unread() && !header.exhausted {
            return None;
        }
        let dated = header.source == Source::Api && header.platform.facts().seek == Seek::Time;
        let start = match from.position {
            NEWEST if dated => header.seen_at.as_microsecond(),
            NEWEST => return None,
            position => position,
        };
        Some(Self::between(
            lines,
            start.min(to.position),
            start.max(to.position),
        ))
    }

    /// Rows a position; `None` while unknown.
    pub fn rate(self) -> Option<f64> {
        (self.extent > 0).then(|| self.rows as f64 / self.extent as f64)
    }

    /// Positions that so many rows take; `None` where it is unknown or nothing was seen.
    pub fn extent_of(self, rows: i64) -> Option<i64> {
        let rate = self.rate().filter(|rate| *rate > 0.0)?;
        Some((rows as f64 / rate) as i64)
    }

    /// The same density as whole numbers.
    fn of_rate(rate: f64) -> Self {
        const ROWS: i64 = 1 << 20;
        if rate <= 0.0 {
            return Self { rows: 0, extent: 1 };
        }
        Self::between(ROWS, 0, (ROWS as f64 / rate) as i64)
    }
}

/// What is unread between two places, and how densely rows lie at them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Positions.
    length: f64,
    /// Rows a position where reading goes on.
    near: f64,
    /// Rows a position at the far end.
    far: f64,
    /// How far the denser side reaches: 0 not at all, 1 thinning out steadily to the other end, 2 all the way.
    reach: f64,
}

impl Stretch {
    /// Between densities that were seen. `far` is `None` where the list was never seen beyond.
    pub fn new(length: i64, near: f64, far: Option<f64>) -> Self {
        Self {
            length: length.max(0) as f64,
            near,
            far: far.unwrap_or(0.0),
            reach: 1.0,
        }
    }

    fn least(&self) -> f64 {
        self.near.min(self.far) * self.length
    }

    fn excess(&self) -> f64 {
        (self.near - self.far).abs() * self.length / 2.0
    }

    /// Rows expected in it.
    pub fn rows(&self) -> f64 {
        self.least() + self.reach * self.excess()
    }

    /// The same as a whole number.
    pub fn expected(&self) -> i64 {
        self.rows() as i64
    }

    /// Rows expected within a distance from the near end.
    pub fn rows_within(&self, distance: f64) -> f64 {
        let distance = distance.clamp(0.0, self.length);
        if self.near >= self.far {
            return self.far * distance + self.ramp(distance);
        }
        let rest = self.length - distance;
        self.near * distance + self.ramp(self.length) - self.ramp(rest)
    }

    /// Rows of the excess within a distance from the dense end.
    fn ramp(&self, distance: f64) -> f64 {
        let height = (self.near - self.far).abs();
        if self.reach <= 1.0 {
            let length = self.reach * self.length;
            let inside = distance.min(length);
            if length <= 0.0 {
                return 0.0;
            }
            return height * (inside - inside * inside / (2.0 * length));
        }
        height * (distance - (2.0 - self.reach) * distance * distance / (2.0 * self.length))
    }

    /// Rows a position at a distance from the near end.
    fn rate_at(&self, distance: f64) -> f64 {
        let step = (self.length / 1e6).max(1.0);
        let rows = self.rows_within(distance + step) - self.rows_within(distance);
        (rows / step).max(0.0)
    }

    /// The distance from the near end within which so many rows are expected.
    pub fn distance_of(&self, rows: f64) -> f64 {
        if mutants::on(Mutant::DensityIgnored) {
            return self.length * (rows / self.rows().max(1.0)).min(1.0);
        }
        let (mut low, mut high) = (0.0, self.length);
        // As many halvings as a position has bits.
        for _ in 0..64 {
            let middle = f64::midpoint(low, high);
            if self.rows_within(middle) < rows {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    /// The density at a distance from the near end.
    pub fn density_at(&self, distance: f64) -> Density {
        Density::of_rate(self.rate_at(distance))
    }
}

/// Spreads the rows of the list that are left over what is unread.
pub fn settle(stretches: &mut [Stretch], left: i64) {
    let least: f64 = stretches.iter().map(Stretch::least).sum();
    let excess: f64 = stretches.iter().map(Stretch::excess).sum();
    if excess > 0.0 {
        let reach = ((left as f64 - least) / excess).clamp(0.0, 2.0);
        for stretch in stretches {
            stretch.reach = reach;
        }
    }
}

/// What is known of a list as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Nothing is expected below.
    pub floor: i64,
    /// Nothing is expected above.
    pub top: i64,
    /// Rows that were not read yet, by the platform's count.
    pub left: i64,
}

/// What is unread of each range, in their order; of one that lists nothing, or is a chain, nothing.
pub fn outlook(ranges: &[Range], bounds: Bounds) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = ranges
        .iter()
        .map(|range| stretch(range, ranges, bounds))
        .collect();
    settle(&mut stretches, bounds.left);
    stretches
}

fn stretch(range: &Range, ranges: &[Range], bounds: Bounds) -> Stretch {
    let lists = matches!(range.kind, Kind::Listing | Kind::Sweep);
    let Some(span) = range.span.filter(|_| lists) else {
        return Stretch::new(0, 0.0, None);
    };
    if range.state != State::Open {
        return Stretch::new(0, 0.0, None);
    }
    let (lo, hi) = (span.lo.max(bounds.floor), span.hi.min(bounds.top));
    let at = range.place.position.clamp(lo.min(hi), hi);
    let length = match range.walk {
        Walk::Down => at.saturating_sub(lo),
        Walk::Up => hi.saturating_sub(at),
    };
    let planned = (range.expected - range.rows).max(0) as f64 / (length.max(1)) as f64;
    let is_seen = span.hi != NEWEST || !mutants::on(Mutant::OpenEndUnseen);
    let Some(near) = range.last.rate().filter(|_| is_seen) else {
        // Nothing was seen: as the plan says.
        return Stretch::new(length, planned, Some(planned));
    };
    let beyond = ranges
        .iter()
        .filter(|other| other.kind == range.kind && other.source == range.source)
        .filter_map(|other| Some((other.span.filter(|span| !span.is_empty())?, other)))
        .find(|(other, _)| match range.walk {
            Walk::Down => other.hi == span.lo,
            Walk::Up => other.lo == span.hi,
        });
    Stretch::new(length, near, beyond.and_then(|(_, other)| other.first.rate()))
}

#[cfg(test)]
mod crew;
#[cfg(test)]
mod tests;
