//! Rows on their way into columns.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanBuilder, Int64Array, Int64Builder, RecordBatch, StringViewBuilder,
        TimestampMicrosecondBuilder, UInt32Array, UInt32Builder,
    },
    compute::take_record_batch,
    error::ArrowError,
};
use followlytics_core::{
    row::Row,
    scan::{
        merge::{Id, Rank, Sighting},
        source::Source,
    },
};
use jiff::Timestamp;

use super::schema::{Shape, schema};
use crate::pages;

/// Rows in the order in which they came.
pub(crate) struct Columns {
    account_id: String,
    account: StringViewBuilder,
    id: StringViewBuilder,
    id_num: Int64Builder,
    handle: StringViewBuilder,
    name: StringViewBuilder,
    bio: StringViewBuilder,
    location: StringViewBuilder,
    followers: Int64Builder,
    following: Int64Builder,
    posts: Int64Builder,
    verified: BooleanBuilder,
    protected: BooleanBuilder,
    created: TimestampMicrosecondBuilder,
    seen_at: TimestampMicrosecondBuilder,
    source: StringViewBuilder,
    range: UInt32Builder,
    epoch: Int64Builder,
    seq: UInt32Builder,
    row: UInt32Builder,
    after: Int64Builder,
    before: Int64Builder,
    rows: u32,
}

impl Columns {
    pub(crate) fn new(account_id: &str) -> Self {
        Self {
            account_id: account_id.to_owned(),
            account: StringViewBuilder::new(),
            id: StringViewBuilder::new(),
            id_num: Int64Builder::new(),
            handle: StringViewBuilder::new(),
            name: StringViewBuilder::new(),
            bio: StringViewBuilder::new(),
            location: StringViewBuilder::new(),
            followers: Int64Builder::new(),
            following: Int64Builder::new(),
            posts: Int64Builder::new(),
            verified: BooleanBuilder::new(),
            protected: BooleanBuilder::new(),
            created: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            seen_at: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            source: StringViewBuilder::new(),
            range: UInt32Builder::new(),
            epoch: Int64Builder::new(),
            seq: UInt32Builder::new(),
            row: UInt32Builder::new(),
            after: Int64Builder::new(),
            before: Int64Builder::new(),
            rows: 0,
        }
    }

    /// Adds a row and returns its number; `bounds` are the times after and before which the account followed, in
    /// microseconds, where they are known.
    pub(crate) fn append(
        &mut self,
        id: &Id,
        row: &Row,
        sighting: &Sighting,
        (source, (after, before)): (Source, pages::Bounds),
    ) -> u32 {
        self.account.append_value(&self.account_id);
        self.id.append_value(&row.id);
        self.id_num.append_option(id.number());
        self.handle.append_value(&row.handle);
        self.name.append_option(row.name.as_deref());
        self.bio.append_option(row.bio.as_deref());
        self.location.append_option(row.location.as_deref());
        self.followers.append_option(row.followers);
        self.following.append_option(row.following);
        self.posts.append_option(row.posts);
        self.verified.append_option(row.verified);
        self.protected.append_option(row.protected);
        self.created
            .append_option(row.created.map(Timestamp::as_microsecond));
        self.seen_at.append_value(sighting.seen_at.as_microsecond());
        self.source.append_value(match source {
            Source::Api => "api",
            Source::Browser => "browser",
        });
        self.range.append_value(sighting.range);
        self.epoch
            .append_value(i64::try_from(sighting.epoch).unwrap_or(i64::MAX));
        self.seq.append_value(sighting.seq);
        self.row.append_value(sighting.row);
        self.after.append_option(after);
        self.before.append_option(before);
        self.rows += 1;
        self.rows - 1
    }

    /// The rows with these numbers, in this order, and whether an id that was doubled on purpose is no number.
    pub(crate) fn take(mut self, shape: Shape, order: &[(u32, Id, Rank)]) -> Result<RecordBatch, ArrowError> {
        let batch = RecordBatch::try_new(schema(Shape::Plain), self.finish())?;
        let numbers: UInt32Array = order.iter().map(|(number, ..)| *number).collect();
        let batch = take_record_batch(&batch, &numbers)?;
        let mut columns = batch.columns().to_vec();
        // What the merge says an id is, is what it is sorted by.
        let id_num: Int64Array = order.iter().map(|(_, id, _)| id.number()).collect();
        if let Some(column) = columns.get_mut(2) {
            *column = Arc::new(id_num);
        }
        if shape == Shape::Ranked {
            columns.extend(ranks(&order.iter().map(|(.., rank)| rank)));
        }
        RecordBatch::try_new(schema(shape), columns)
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.account.finish()),
            Arc::new(self.id.finish()),
            Arc::new(self.id_num.finish()),
            Arc::new(self.handle.finish()),
            Arc::new(self.name.finish()),
            Arc::new(self.bio.finish()),
            Arc::new(self.location.finish()),
            Arc::new(self.followers.finish()),
            Arc::new(self.following.finish()),
            Arc::new(self.posts.finish()),
            Arc::new(self.verified.finish()),
            Arc::new(self.protected.finish()),
            Arc::new(self.created.finish()),
            Arc::new(self.seen_at.finish()),
            Arc::new(self.source.finish()),
            Arc::new(self.range.finish()),
            Arc::new(self.epoch.finish()),
            Arc::new(self.seq.finish()),
            Arc::new(self.row.finish()),
            Arc::new(self.after.finish()),
            Arc::new(self.before.finish()),
        ]
    }
}

/// The columns of [`Shape::Ranked`].
pub(super) fn ranks<'a>(ranks: &(impl Iterator<Item = &'a Rank> + Clone)) -> [ArrayRef; 4] {
    let positions: Int64Array = ranks.clone().map(|rank| Some(rank.position)).collect();
    let number = |of: fn(&Rank) -> u32| -> ArrayRef {
        Arc::new(ranks.clone().map(|rank| Some(of(rank))).collect::<UInt32Array>())
    };
    [
        Arc::new(positions),
        number(|rank| rank.range),
        number(|rank| rank.seq),
        number(|rank| rank.row),
    ]
}
