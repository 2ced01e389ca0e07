//! What changed between two results of one account: both are sorted by id, so they are read side by side once.

use std::cmp::Ordering;

use arrow::{
    array::{Array as _, AsArray as _, RecordBatch, StringViewArray},
    error::ArrowError,
};
use followlytics_core::{
    platform::Ids,
    scan::{certificate::Guarantee, merge::Id, summary::ResultRecord},
};
use followlytics_store::objects::Objects;
use serde::Serialize;

use crate::{
    WorkerError,
    read::{Rows, columns},
};

/// What became of a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// In the later result only.
    Gained,
    /// In the earlier result only.
    Lost,
    /// In both, with another handle.
    Renamed,
}

/// A follower of whom something changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What.
    pub change: Kind,
    /// The follower's id.
    pub id: String,
    /// The handle in the later result; in the earlier one for a follower who left.
    pub handle: String,
    /// The handle before, of a follower who was renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earlier_handle: Option<String>,
}

/// How many changes there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Version of the earlier result.
    pub from: i64,
    /// Version of the later result.
    pub to: i64,
    /// Followers who came.
    pub gained: i64,
    /// Followers who left; `None` where that cannot be said.
    pub lost: Option<i64>,
    /// Why it cannot be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_unknown: Option<String>,
    /// Followers with another handle.
    pub renamed: i64,
}

/// Hands every change to `each`, in order of ids. In memory are a batch of each result and no more.
///
/// A follower who is missing in the later result is told as lost only if both results are exact: otherwise nobody
/// knows whether it left or was not read.
pub async fn diff<E: From<WorkerError>>(
    objects: &Objects,
    ids: Ids,
    (earlier, later): (&ResultRecord, &ResultRecord),
    mut each: impl FnMut(Change) -> Result<(), E>,
) -> Result<Counts, E> {
    let lost_unknown = inexact(earlier).or_else(|| inexact(later));
    let mut counts = Counts {
        from: earlier.version,
        to: later.version,
        lost: lost_unknown.is_none().then_some(0),
        lost_unknown,
        ..Counts::default()
    };
    let mut before = Side::open(objects, earlier, ids).await?;
    let mut after = Side::open(objects, later, ids).await?;
    loop {
        let order = match (before.id(), after.id()) {
            (None, None) => return Ok(counts),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(before), Some(after)) => before.cmp(after),
        };
        match order {
            Ordering::Less => {
                if let Some(lost) = &mut counts.lost {
                    *lost += 1;
                    each(before.change(Kind::Lost, None))?;
                }
                before.advance().await?;
            }
            Ordering::Greater => {
                counts.gained += 1;
                each(after.change(Kind::Gained, None))?;
                after.advance().await?;
            }
            Ordering::Equal => {
                if before.handle() != after.handle() {
                    counts.renamed += 1;
                    each(after.change(Kind::Renamed, Some(before.handle().to_owned())))?;
                }
                before.advance().await?;
                after.advance().await?;
            }
        }
    }
}

fn inexact(record: &ResultRecord) -> Option<String> {
    let certificate = &record.certificate;
    (certificate.guarantee != Guarantee::Exact).then(|| {
        let why = certificate.evidence.join("; ");
        format!("result {} is not exact: {why}", record.version)
    })
}

/// One result, at one of its rows.
struct Side {
    rows: Rows,
    ids: Ids,
    batch: Option<Batch>,
    row: usize,
    id: Option<Id>,
}

struct Batch {
    ids: StringViewArray,
    handles: StringViewArray,
}

impl Side {
    async fn open(objects: &Objects, record: &ResultRecord, ids: Ids) -> Result<Self, WorkerError> {
        let mut side = Self {
            rows: columns(objects, record, &["id", "handle"]).await?,
            ids,
            batch: None,
            row: 0,
            id: None,
        };
        side.settle().await?;
        Ok(side)
    }

    /// The id of the row it is at; none behind the last.
    const fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    fn handle(&self) -> &str {
        self.text(|batch| &batch.handles)
    }

    fn text(&self, column: impl Fn(&Batch) -> &StringViewArray) -> &str {
        self.batch
            .as_ref()
            .map_or("", |batch| column(batch).value(self.row))
    }

    fn change(&self, change: Kind, earlier_handle: Option<String>) -> Change {
        Change {
            change,
            id: self.text(|batch| &batch.ids).to_owned(),
            handle: self.handle().to_owned(),
            earlier_handle,
        }
    }

    async fn advance(&mut self) -> Result<(), WorkerError> {
        self.row += 1;
        self.settle().await
    }

    /// Fetches rows until there is one at `row`, or none any more.
    async fn settle(&mut self) -> Result<(), WorkerError> {
        while self
            .batch
            .as_ref()
            .is_none_or(|batch| self.row >= batch.ids.len())
        {
            let Some(batch) = self.rows.next().await? else {
                (self.batch, self.id) = (None, None);
                return Ok(());
            };
            self.batch = Some(Batch {
                ids: texts(&batch, "id")?,
                handles: texts(&batch, "handle")?,
            });
            self.row = 0;
        }
        self.id = Some(Id::new(self.text(|batch| &batch.ids), self.ids));
        Ok(())
    }
}

fn texts(batch: &RecordBatch, name: &str) -> Result<StringViewArray, ArrowError> {
    let column = batch
        .column_by_name(name)
        .and_then(|column| column.as_string_view_opt());
    column
        .cloned()
        .ok_or_else(|| ArrowError::SchemaError(format!("column {name} is missing or no text")))
}
