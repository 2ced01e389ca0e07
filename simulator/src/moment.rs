//! When something happened, in both of the world's measures.

/// A place in the world's history: its order number, and the clock's time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) order: u64,
    pub(crate) ms: u64,
}

/// A place in history as a question names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Order(u64),
    Ms(u64),
}

impl Moment {
    /// Whether this had happened at that point: what happens at the point itself had.
    pub(crate) const fn is_by(self, point: Point) -> bool {
        match point {
            Point::Order(order) => self.order <= order,
            Point::Ms(ms) => self.ms <= ms,
        }
    }
}

/// A selection by chance that needs no list: users whose hash lies below a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draw {
    pub(crate) seed: u64,
    below: u64,
}

impl Draw {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=1 first; NaN becomes 0"
    )]
    pub(crate) fn new(seed: u64, share: f64) -> Self {
        Self {
            seed,
            below: (share.clamp(0.0, 1.0) * 4_294_967_296.0) as u64,
        }
    }

    pub(crate) const fn is_nobody(self) -> bool {
        self.below == 0
    }

    pub(crate) fn takes(self, user: u64) -> bool {
        crate::ids::mix(self.seed, user) >> 32 < self.below
    }
}
