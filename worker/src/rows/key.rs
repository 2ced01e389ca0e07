//! Ids as numbers that compare in one step.

use std::cmp::Ordering;

use arrow::{
    array::{Array as _, AsArray as _, RecordBatch, StringViewArray},
    datatypes::Int64Type,
    error::ArrowError,
};
use followlytics_core::{platform::Ids, scan::merge::Id};

/// Set in the keys of texts on a platform of numbers, which come behind all numbers.
const ODD: u128 = 1 << 127;
/// Behind every id: no text begins with so many bytes of 255.
pub(crate) const END: u128 = u128::MAX;

/// How ids become keys: in the order of [`Id`], with ties only between texts that begin alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys {
    ids: Ids,
    /// How many bytes all texts begin with alike: those of DIDs say nothing.
    common: usize,
}

/// A row's key and its text, which decides between equal keys.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) key: u128,
    pub(crate) text: &'a str,
}

impl Keys {
    /// Keys for ids that lie from `least` to `most`.
    pub(crate) fn new(ids: Ids, least: &str, most: &str) -> Self {
        let common = match ids {
            Ids::Integer => 0,
            Ids::Text => least
                .bytes()
                .zip(most.bytes())
                .take_while(|(a, b)| a == b)
                .count(),
        };
        Self { ids, common }
    }

    /// The key of an id.
    pub(crate) fn of(self, id: &Id) -> u128 {
        match (id, self.ids) {
            (Id::Number(number), _) => u128::from(number.unsigned_abs()),
            (Id::Text(text), Ids::Integer) => odd(text),
            (Id::Text(text), Ids::Text) => self.text(text),
        }
    }

    /// The keys of a batch's rows.
    pub(crate) fn of_batch(self, batch: &RecordBatch) -> Result<Vec<u128>, ArrowError> {
        let texts = texts(batch)?;
        if self.ids == Ids::Text {
            return Ok(texts
                .iter()
                .map(|text| self.text(text.unwrap_or_default()))
                .collect());
        }
        let numbers = batch
            .column_by_name("id_num")
            .and_then(|column| column.as_primitive_opt::<Int64Type>())
            .ok_or_else(|| ArrowError::SchemaError("column id_num is missing or no number".to_owned()))?;
        if numbers.null_count() == 0 {
            let keys = numbers.values().iter();
            return Ok(keys.map(|number| u128::from(number.unsigned_abs())).collect());
        }
        let both = numbers.iter().zip(texts.iter());
        Ok(both
            .map(|(number, text)| match number {
                Some(number) => u128::from(number.unsigned_abs()),
                None => odd(text.unwrap_or_default()),
            })
            .collect())
    }

    /// Which of two rows comes first.
    #[inline]
    pub(crate) fn order(self, a: Place<'_>, b: Place<'_>) -> Ordering {
        a.key.cmp(&b.key).then_with(|| {
            if self.is_whole(a.key) {
                Ordering::Equal
            } else {
                a.text.cmp(b.text)
            }
        })
    }

    /// Whether a key says all of its id.
    #[inline]
    pub(crate) fn is_whole(self, key: u128) -> bool {
        self.ids == Ids::Integer && key < ODD
    }

    fn text(self, text: &str) -> u128 {
        first_bytes(text.as_bytes().get(self.common..).unwrap_or_default())
    }
}

/// The ids of a batch.
pub(crate) fn texts(batch: &RecordBatch) -> Result<&StringViewArray, ArrowError> {
    batch
        .column_by_name("id")
        .and_then(|column| column.as_string_view_opt())
        .ok_or_else(|| ArrowError::SchemaError("column id is missing or no text".to_owned()))
}

fn odd(text: &str) -> u128 {
    ODD | (first_bytes(text.as_bytes()) >> 1)
}

/// The first sixteen bytes, in the order in which texts compare.
fn first_bytes(bytes: &[u8]) -> u128 {
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(bytes) {
        *to = *from;
    }
    u128::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn keys_are_in_the_order_of_ids(
            a in prop_oneof!["[0-9]{1,4}", "did:[a-c]{0,20}", "[a-b\u{0}\u{e9}]{0,20}"],
            b in prop_oneof!["[0-9]{1,4}", "did:[a-c]{0,20}", "[a-b\u{0}\u{e9}]{0,20}"],
            integer: bool,
        ) {
            let ids = if integer { Ids::Integer } else { Ids::Text };
            let (least, most) = if a <= b { (&a, &b) } else { (&b, &a) };
            let keys = Keys::new(ids, least, most);
            let (left, right) = (Id::new(&a, ids), Id::new(&b, ids));
            let place = |id, text| Place { key: keys.of(id), text };
            prop_assert_eq!(keys.order(place(&left, &a), place(&right, &b)), left.cmp(&right));
            prop_assert!(keys.of(&left) < END && keys.of(&right) < END);
        }
    }
}
