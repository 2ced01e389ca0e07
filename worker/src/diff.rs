//! What changed between two results of one account: both are sorted by id, so they are read side by side once.

use std::cmp::Ordering;

use arrow::{
    array::{Array as _, AsArray as _, RecordBatch, StringViewArray},
    error::ArrowError,
};
use followlytics_core::{
    mutants::{self, Mutant},
    platform::Ids,
    scan::{merge::Id, summary::ResultRecord},
};
use followlytics_store::objects::Objects;
use serde::Serialize;

use crate::{
    WorkerError,
    read::{Rows, columns},
};

/// What became of a follower, as far as the two results say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// In the later result only, and the earlier one is complete.
    Gained,
    /// In the earlier result only, and the later one is complete.
    Lost,
    /// In the later result only; the earlier one may have missed it.
    FirstSeen,
    /// In the earlier result only; the later one may have missed it.
    NotSeen,
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
    /// In the later result only: an observation.
    pub first_seen: i64,
    /// In the earlier result only: an observation.
    pub not_seen: i64,
    /// Followers who came; `None` where that cannot be said.
    pub gained: Option<i64>,
    /// Why it cannot be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gained_unknown: Option<String>,
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
/// Who is missing in a complete result did not follow throughout it: so `lost` needs the later result complete, and
/// `gained` the earlier one. A count is whole only if both are complete, that of the lost only if both are current
/// too: a result that extends an older one still holds who left meanwhile.
pub async fn diff<E: From<WorkerError>>(
    objects: &Objects,
    ids: Ids,
    (earlier, later): (&ResultRecord, &ResultRecord),
    mut each: impl FnMut(Change) -> Result<(), E>,
) -> Result<Counts, E> {
    let conclusions = Conclusions::of(earlier, later);
    let mut counts = Counts {
        from: earlier.version,
        to: later.version,
        ..Counts::default()
    };
    let mut before = Side::open(objects, earlier, ids).await?;
    let mut after = Side::open(objects, later, ids).await?;
    loop {
        let order = match (before.id(), after.id()) {
            (None, None) => {
                conclusions.judge(&mut counts);
                return Ok(counts);
            }
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(before), Some(after)) => before.cmp(after),
        };
        match order {
            Ordering::Less => {
                counts.not_seen += 1;
                each(before.change(conclusions.missing, None))?;
                before.advance().await?;
            }
            Ordering::Greater => {
                counts.first_seen += 1;
                each(after.change(conclusions.new, None))?;
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

/// What two results allow to conclude.
struct Conclusions {
    /// What somebody is whom only the earlier result holds.
    missing: Kind,
    /// What somebody is whom only the later result holds.
    new: Kind,
    gained_unknown: Option<String>,
    lost_unknown: Option<String>,
}

impl Conclusions {
    fn of(earlier: &ResultRecord, later: &ResultRecord) -> Self {
        let (before, after) = (&earlier.certificate, &later.certificate);
        let incomplete = incomplete(earlier).or_else(|| incomplete(later));
        let lost_unknown = || stale(earlier).or_else(|| stale(later));
        // Of what it took over from yet another result, the later one does not say when it was seen.
        let is_newer = after.current || after.extends == Some(earlier.version);
        let gained_unknown = || if is_newer { None } else { stale(later) };
        Self {
            missing: if (after.complete || mutants::on(Mutant::IncompleteConcluded)) && is_newer {
                Kind::Lost
            } else {
                Kind::NotSeen
            },
            new: if before.complete && is_newer {
                Kind::Gained
            } else {
                Kind::FirstSeen
            },
            lost_unknown: incomplete.clone().or_else(lost_unknown),
            gained_unknown: incomplete.or_else(gained_unknown),
        }
    }

    /// These counts, without what nothing proves.
    fn judge(&self, counts: &mut Counts) {
        counts.gained = self.gained_unknown.is_none().then_some(counts.first_seen);
        counts.gained_unknown.clone_from(&self.gained_unknown);
        counts.lost = self.lost_unknown.is_none().then_some(counts.not_seen);
        counts.lost_unknown.clone_from(&self.lost_unknown);
    }
}

fn incomplete(record: &ResultRecord) -> Option<String> {
    let certificate = &record.certificate;
    (!certificate.complete).then(|| {
        let why = certificate.evidence.join("; ");
        format!("result {} is not complete: {why}", record.version)
    })
}

fn stale(record: &ResultRecord) -> Option<String> {
    (!record.certificate.current).then(|| {
        format!(
            "result {} extends {}, and still holds who left meanwhile",
            record.version,
            record
                .certificate
                .extends
                .map_or_else(|| "an earlier one".to_owned(), |base| format!("result {base}"))
        )
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

#[cfg(test)]
mod tests {
    use followlytics_core::{
        platform::evidence::Grade,
        scan::certificate::{Certificate, Guarantee},
    };

    use super::*;

    fn result(version: i64, extends: Option<i64>) -> ResultRecord {
        let certificate = Certificate {
            guarantee: Guarantee::Exact,
            complete: true,
            current: extends.is_none(),
            extends,
            grade: Grade::Source,
            basis: String::new(),
            support: Vec::new(),
            evidence: Vec::new(),
            seams: Vec::new(),
            scanned: 10,
            unique: 10,
            platform_count: 10,
            list_total: None,
            hidden: 0,
            unexplained: 0,
            drift: None,
        };
        ResultRecord {
            version,
            manifest: String::new(),
            parts: Vec::new(),
            sha256: String::new(),
            rows: 10,
            duplicates: 0,
            unread: 0,
            certificate,
        }
    }

    /// Who is missing says something only of a complete result.
    #[test]
    fn an_incomplete_result_says_nothing_of_who_is_missing_in_it() {
        let incomplete = |version| {
            let mut result = result(version, None);
            result.certificate.complete = false;
            result.certificate.evidence.push("a row is gone".to_owned());
            result
        };
        for (earlier, later, kinds, unknown) in [
            (incomplete(1), result(2, None), (Kind::FirstSeen, Kind::Lost), 1),
            (result(1, None), incomplete(2), (Kind::Gained, Kind::NotSeen), 2),
        ] {
            let found = Conclusions::of(&earlier, &later);
            assert_eq!((found.new, found.missing), kinds);
            let why = format!("result {unknown} is not complete: a row is gone");
            for reason in [&found.gained_unknown, &found.lost_unknown] {
                assert_eq!(reason.as_deref(), Some(why.as_str()));
            }
        }
    }

    /// A follower of result 1 who left before result 2 is still in result 3, which extends result 1.
    #[test]
    fn who_was_taken_over_from_another_result_was_not_gained() {
        let conclusions = |earlier, later| Conclusions::of(&earlier, &later);
        let found = conclusions(result(2, None), result(3, Some(1)));
        assert_eq!((found.new, found.missing), (Kind::FirstSeen, Kind::NotSeen));
        assert_eq!(
            found.gained_unknown.as_deref(),
            Some("result 3 extends result 1, and still holds who left meanwhile")
        );
        for (earlier, later) in [
            (result(1, None), result(3, Some(1))),
            (result(1, None), result(2, None)),
        ] {
            let found = conclusions(earlier, later);
            assert_eq!((found.new, found.gained_unknown), (Kind::Gained, None));
            assert_eq!(found.missing, Kind::Lost);
        }
    }
}
