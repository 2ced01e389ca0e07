//! The columns of a result: the row schema, in one place.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanBuilder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
        UInt32Builder,
    },
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
    error::ArrowError,
};
use followlytics_core::scan::merge::Merged;

use crate::merge::compact::Compact;

/// How the rows were read; a browser is the other way.
const SOURCE: &str = "api";

/// Rows on their way into a batch.
pub(super) struct Columns {
    schema: SchemaRef,
    account_id: String,
    account: StringBuilder,
    id: StringBuilder,
    id_num: Int64Builder,
    handle: StringBuilder,
    name: StringBuilder,
    bio: StringBuilder,
    location: StringBuilder,
    followers: Int64Builder,
    following: Int64Builder,
    posts: Int64Builder,
    verified: BooleanBuilder,
    protected: BooleanBuilder,
    created: TimestampMicrosecondBuilder,
    seen_at: TimestampMicrosecondBuilder,
    source: StringBuilder,
    range: UInt32Builder,
    epoch: Int64Builder,
    seq: UInt32Builder,
    row: UInt32Builder,
    after: Int64Builder,
    before: Int64Builder,
}

fn schema() -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let always = |name: &str, kind| Field::new(name, kind, false);
    let perhaps = |name: &str, kind| Field::new(name, kind, true);
    Arc::new(Schema::new(vec![
        always("account", DataType::Utf8),
        always("id", DataType::Utf8),
        perhaps("id_num", DataType::Int64),
        always("handle", DataType::Utf8),
        perhaps("name", DataType::Utf8),
        perhaps("bio", DataType::Utf8),
        perhaps("location", DataType::Utf8),
        perhaps("followers", DataType::Int64),
        perhaps("following", DataType::Int64),
        perhaps("posts", DataType::Int64),
        perhaps("verified", DataType::Boolean),
        perhaps("protected", DataType::Boolean),
        perhaps("created", time()),
        always("seen_at", time()),
        always("source", DataType::Utf8),
        always("range", DataType::UInt32),
        always("epoch", DataType::Int64),
        always("seq", DataType::UInt32),
        always("row", DataType::UInt32),
        perhaps("after_us", DataType::Int64),
        perhaps("before_us", DataType::Int64),
    ]))
}

impl Columns {
    pub(super) fn new(account_id: &str) -> Self {
        Self {
            schema: schema(),
            account_id: account_id.to_owned(),
            account: StringBuilder::new(),
            id: StringBuilder::new(),
            id_num: Int64Builder::new(),
            handle: StringBuilder::new(),
            name: StringBuilder::new(),
            bio: StringBuilder::new(),
            location: StringBuilder::new(),
            followers: Int64Builder::new(),
            following: Int64Builder::new(),
            posts: Int64Builder::new(),
            verified: BooleanBuilder::new(),
            protected: BooleanBuilder::new(),
            created: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            seen_at: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            source: StringBuilder::new(),
            range: UInt32Builder::new(),
            epoch: Int64Builder::new(),
            seq: UInt32Builder::new(),
            row: UInt32Builder::new(),
            after: Int64Builder::new(),
            before: Int64Builder::new(),
        }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Adds a row; `bounds` are the times between which the follow lies, in microseconds.
    pub(super) fn append(&mut self, merged: &Merged<Compact>, bounds: Option<(i64, i64)>) {
        let (row, sighting) = (&merged.row, &merged.sighting);
        let [followers, following, posts] = row.counts();
        self.account.append_value(&self.account_id);
        self.id.append_value(merged.id.to_string());
        self.id_num.append_option(merged.id.number());
        self.handle.append_value(row.handle());
        self.name.append_option(row.name());
        self.bio.append_option(row.bio());
        self.location.append_option(row.location());
        self.followers.append_option(followers);
        self.following.append_option(following);
        self.posts.append_option(posts);
        self.verified.append_option(row.verified());
        self.protected.append_option(row.protected());
        self.created.append_option(row.created());
        self.seen_at.append_value(sighting.seen_at.as_microsecond());
        self.source.append_value(SOURCE);
        self.range.append_value(sighting.range);
        self.epoch
            .append_value(i64::try_from(sighting.epoch).unwrap_or(i64::MAX));
        self.seq.append_value(sighting.seq);
        self.row.append_value(sighting.row);
        self.after.append_option(bounds.map(|(after, _)| after));
        self.before.append_option(bounds.map(|(_, before)| before));
    }

    /// The rows added since the last call, as a batch.
    pub(super) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
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
        ];
        RecordBatch::try_new(self.schema(), columns)
    }
}
