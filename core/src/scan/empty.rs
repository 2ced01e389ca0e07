//! Empty pages: a platform's page for people sometimes answers with no rows and a way on to the same place.
//!
//! One or two mean nothing. Many mean that the list ends there, or that the platform fails softly; only time tells them
//! apart, so from the third on the next is asked for later and later. In the middle of a list, where there should be
//! older rows, more of them are wanted.

use std::collections::BTreeMap;

/// Empty pages in a row that are passed over at once.
const PASSING: u32 = 2;
/// Empty pages in a row at which the oldest part of a list has ended.
const END: u32 = 5;
/// The same for a part of it that is not the oldest.
const END_IN_THE_MIDDLE: u32 = 9;

/// What an empty page means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// Nothing: the next one may hold rows.
    Passing,
    /// Too many to be passed over: ask again later.
    Again,
    /// The list ends here.
    End,
}

/// Empty pages in a row, by account and place.
#[derive(Debug, Default)]
pub struct EmptyPages(BTreeMap<(String, i64), u32>);

impl EmptyPages {
    /// A page with rows, or one that leads on, was read at this place.
    pub fn forget(&mut self, account: &str, place: i64) {
        self.0.remove(&(account.to_owned(), place));
    }

    /// An empty page was read at this place, which leads nowhere else; `lo` is where its range ends.
    pub fn count(&mut self, account: &str, place: i64, lo: i64) -> Empty {
        let count = self.0.entry((account.to_owned(), place)).or_default();
        *count += 1;
        let end = if lo > 0 { END_IN_THE_MIDDLE } else { END };
        if *count >= end {
            self.forget(account, place);
            return Empty::End;
        }
        if *count > PASSING {
            Empty::Again
        } else {
            Empty::Passing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(lo: i64) -> Vec<Empty> {
        let mut pages = EmptyPages::default();
        (0..20)
            .map(|_| pages.count("a", 7, lo))
            .take_while(|empty| *empty != Empty::End)
            .collect()
    }

    #[test]
    fn a_middle_wants_more_of_them_than_the_oldest_end() {
        use Empty::{Again, Passing};
        assert_eq!(counted(0), [Passing, Passing, Again, Again]);
        assert_eq!(counted(5).len(), 8);
        assert!(counted(5)[2..].iter().all(|empty| *empty == Again));
    }

    #[test]
    fn rows_in_between_begin_the_count_anew() {
        let mut pages = EmptyPages::default();
        for _ in 0..10 {
            assert_eq!(pages.count("a", 7, 0), Empty::Passing);
            assert_eq!(pages.count("b", 7, 0), Empty::Passing);
            pages.forget("a", 7);
            pages.forget("b", 7);
        }
    }
}
