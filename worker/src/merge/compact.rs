//! A follower's row while it is merged: one allocation for all of its texts.

use followlytics_core::row::Row;
use jiff::Timestamp;

/// A row without its id, which the merge keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compact {
    /// Handle, name, biography and place, one behind the other.
    texts: Box<str>,
    /// Lengths of handle, name and biography.
    lengths: [u32; 3],
    /// Which optional fields are there, and the two flags.
    bits: u16,
    counts: [i64; 3],
    created: i64,
    /// The page it comes from, as an index into the input's pages.
    pub(super) page: u32,
}

/// Bit of each optional field.
#[derive(Clone, Copy)]
enum Bit {
    Name,
    Bio,
    Location,
    Followers,
    Following,
    Posts,
    VerifiedKnown,
    Verified,
    ProtectedKnown,
    Protected,
    Created,
}

impl Bit {
    const fn mask(self) -> u16 {
        1 << self as u16
    }
}

impl Compact {
    pub(super) fn new(row: &Row, page: u32) -> Self {
        let optional = [&row.name, &row.bio, &row.location].map(|text| text.as_deref().unwrap_or_default());
        let [name, bio, location] = optional;
        let texts = [row.handle.as_str(), name, bio, location]
            .concat()
            .into_boxed_str();
        // A page is 64 MiB at most, so no text in it is longer.
        let lengths =
            [row.handle.as_str(), name, bio].map(|text| u32::try_from(text.len()).unwrap_or(u32::MAX));
        let mut bits = 0;
        for (bit, set) in [
            (Bit::Name, row.name.is_some()),
            (Bit::Bio, row.bio.is_some()),
            (Bit::Location, row.location.is_some()),
            (Bit::Followers, row.followers.is_some()),
            (Bit::Following, row.following.is_some()),
            (Bit::Posts, row.posts.is_some()),
            (Bit::VerifiedKnown, row.verified.is_some()),
            (Bit::Verified, row.verified == Some(true)),
            (Bit::ProtectedKnown, row.protected.is_some()),
            (Bit::Protected, row.protected == Some(true)),
            (Bit::Created, row.created.is_some()),
        ] {
            if set {
                bits |= bit.mask();
            }
        }
        Self {
            texts,
            lengths,
            bits,
            counts: [row.followers, row.following, row.posts].map(Option::unwrap_or_default),
            created: row.created.map_or(0, Timestamp::as_microsecond),
            page,
        }
    }

    const fn has(&self, bit: Bit) -> bool {
        self.bits & bit.mask() != 0
    }

    /// The `number`-th text: from the end of those before it to its own.
    fn text(&self, number: usize) -> &str {
        let before: usize = self
            .lengths
            .iter()
            .take(number)
            .map(|length| *length as usize)
            .sum();
        let rest = self.texts.get(before..).unwrap_or_default();
        self.lengths
            .get(number)
            .map_or(rest, |length| rest.get(..*length as usize).unwrap_or_default())
    }

    pub(super) fn handle(&self) -> &str {
        self.text(0)
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.has(Bit::Name).then(|| self.text(1))
    }

    pub(super) fn bio(&self) -> Option<&str> {
        self.has(Bit::Bio).then(|| self.text(2))
    }

    pub(super) fn location(&self) -> Option<&str> {
        self.has(Bit::Location).then(|| self.text(3))
    }

    /// Followers, following, posts.
    pub(super) fn counts(&self) -> [Option<i64>; 3] {
        let [followers, following, posts] = self.counts;
        [
            self.has(Bit::Followers).then_some(followers),
            self.has(Bit::Following).then_some(following),
            self.has(Bit::Posts).then_some(posts),
        ]
    }

    pub(super) fn verified(&self) -> Option<bool> {
        self.has(Bit::VerifiedKnown).then(|| self.has(Bit::Verified))
    }

    pub(super) fn protected(&self) -> Option<bool> {
        self.has(Bit::ProtectedKnown).then(|| self.has(Bit::Protected))
    }

    /// Microseconds since 1970.
    pub(super) fn created(&self) -> Option<i64> {
        self.has(Bit::Created).then_some(self.created)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn rows()(
            handle in "\\PC{0,8}",
            texts in prop::array::uniform3(prop::option::of("\\PC{0,12}")),
            counts in prop::array::uniform3(prop::option::of(any::<i64>())),
            flags in prop::array::uniform2(prop::option::of(any::<bool>())),
            created in prop::option::of(-1_000_000i64..1_000_000),
        ) -> Row {
            let [name, bio, location] = texts;
            let [followers, following, posts] = counts;
            let [verified, protected] = flags;
            let created = created.map(|at| Timestamp::from_microsecond(at).unwrap());
            Row { id: "1".into(), handle, name, bio, location, followers, following, posts, verified, protected, created }
        }
    }

    proptest! {
        #[test]
        fn a_row_comes_out_as_it_went_in(row in rows()) {
            let compact = Compact::new(&row, 7);
            let [followers, following, posts] = compact.counts();
            let back = Row {
                id: "1".into(),
                handle: compact.handle().into(),
                name: compact.name().map(str::to_owned),
                bio: compact.bio().map(str::to_owned),
                location: compact.location().map(str::to_owned),
                followers,
                following,
                posts,
                verified: compact.verified(),
                protected: compact.protected(),
                created: compact.created().map(|at| Timestamp::from_microsecond(at).unwrap()),
            };
            prop_assert_eq!(back, row);
            prop_assert_eq!(compact.page, 7);
        }
    }
}
