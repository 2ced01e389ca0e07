//! The columns of a result: the row schema, in one place.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// What there is besides the columns of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing: a result, or a run of a scan that keeps all it reads.
    Plain,
    /// Where each follower was first listed, for a row cap.
    Ranked,
}

/// Columns of [`Shape::Plain`].
pub(super) const PLAIN: usize = 21;
/// Where a row says when and where it was seen.
pub(super) const SEEN_AT: usize = 13;
pub(super) const RANGE: usize = 15;
pub(super) const EPOCH: usize = 16;
pub(super) const SEQ: usize = 17;
pub(super) const ROW: usize = 18;

/// The columns. Texts are views when in memory and plain texts in a file.
pub(crate) fn schema(shape: Shape) -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let always = |name: &str, kind| Field::new(name, kind, false);
    let perhaps = |name: &str, kind| Field::new(name, kind, true);
    let mut fields = vec![
        always("account", DataType::Utf8View),
        always("id", DataType::Utf8View),
        perhaps("id_num", DataType::Int64),
        always("handle", DataType::Utf8View),
        perhaps("name", DataType::Utf8View),
        perhaps("bio", DataType::Utf8View),
        perhaps("location", DataType::Utf8View),
        perhaps("followers", DataType::Int64),
        perhaps("following", DataType::Int64),
        perhaps("posts", DataType::Int64),
        perhaps("verified", DataType::Boolean),
        perhaps("protected", DataType::Boolean),
        perhaps("created", time()),
        always("seen_at", time()),
        always("source", DataType::Utf8View),
        always("range", DataType::UInt32),
        always("epoch", DataType::Int64),
        always("seq", DataType::UInt32),
        always("row", DataType::UInt32),
        perhaps("after_us", DataType::Int64),
        perhaps("before_us", DataType::Int64),
    ];
    debug_assert_eq!(fields.len(), PLAIN);
    if shape == Shape::Ranked {
        fields.extend([
            always("rank_position", DataType::Int64),
            always("rank_range", DataType::UInt32),
            always("rank_seq", DataType::UInt32),
            always("rank_row", DataType::UInt32),
        ]);
    }
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_where_they_are_looked_for() {
        let places = [
            ("seen_at", SEEN_AT),
            ("range", RANGE),
            ("epoch", EPOCH),
            ("seq", SEQ),
            ("row", ROW),
        ];
        for (name, place) in places {
            assert_eq!(schema(Shape::Ranked).index_of(name).unwrap(), place);
        }
        assert_eq!(schema(Shape::Plain).fields().len(), PLAIN);
    }
}
