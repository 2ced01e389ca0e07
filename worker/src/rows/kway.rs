//! Merges sorted streams into one, with one row per follower.
//!
//! Keys alone are compared; whole rows move once, a few thousand at a time, from the batches they were decoded into
//! to the batch that is written.

mod tournament;

use arrow::{
    array::{Array, ArrayRef, AsArray as _, BooleanArray, RecordBatch},
    compute::interleave,
    datatypes::{DataType, Int64Type, TimestampMicrosecondType, UInt32Type},
    error::ArrowError,
};
use followlytics_core::{
    mutants::{self, Mutant},
    scan::merge::{Rank, is_one},
};

use super::{
    columns::ranks,
    io::Io,
    key::{END, Keys, Place},
    schema::{EPOCH, PLAIN, RANGE, ROW, SEEN_AT, SEQ, Shape, schema},
    stream::{Sorted, Stream},
};
use crate::WorkerError;
use tournament::Tournament;

/// Rows moved at once.
const SPREAD: usize = 8192;

/// What becomes of the merged rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    /// Whether the streams carry ranks.
    pub(crate) from: Shape,
    /// Whether the output does.
    pub(crate) to: Shape,
    /// The first rank that is left out.
    pub(crate) cut: Option<Rank>,
}

/// A row: the batch that holds it, and its number there.
type Pick = (usize, usize);

/// A stream's rows, and the one whose turn it is.
struct Head {
    rows: Sorted,
    row: usize,
    slot: usize,
}

/// A merge of sorted streams.
pub(crate) struct Kway {
    io: Io,
    keys: Keys,
    spread: Spread,
    streams: Vec<Stream>,
    heads: Vec<Option<Head>>,
    tournament: Tournament,
    /// Batches that a pick or a head may name.
    held: Vec<RecordBatch>,
    picks: Vec<Pick>,
    /// Of each pick, where there are any.
    ranks: Vec<Rank>,
    last_key: u128,
    trimmed: u64,
}

impl Kway {
    pub(crate) async fn new(
        io: Io,
        keys: Keys,
        streams: Vec<Stream>,
        spread: Spread,
    ) -> Result<Self, WorkerError> {
        let mut kway = Self {
            io,
            keys,
            spread,
            heads: streams.iter().map(|_| None).collect(),
            tournament: Tournament::new(streams.len()),
            streams,
            held: Vec::new(),
            picks: Vec::with_capacity(SPREAD),
            ranks: Vec::new(),
            last_key: END,
            trimmed: 0,
        };
        for stream in 0..kway.streams.len() {
            kway.refill(stream).await?;
        }
        let Self {
            tournament,
            heads,
            keys,
            ..
        } = &mut kway;
        tournament.begin(|a, b| wins(*keys, heads, a, b));
        Ok(kway)
    }

    /// The next rows; none only at the end. A cap may leave a batch empty.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, WorkerError> {
        self.gather().await?;
        if self.picks.is_empty() {
            return Ok(None);
        }
        self.cut();
        let rows = self.move_rows()?;
        self.forget();
        Ok(Some(rows))
    }

    /// The ranks of the next followers; none only at the end.
    pub(crate) async fn next_ranks(&mut self) -> Result<Option<Vec<Rank>>, WorkerError> {
        self.gather().await?;
        let ranks = std::mem::take(&mut self.ranks);
        self.forget();
        Ok((!ranks.is_empty()).then_some(ranks))
    }

    /// Followers that the cap left out so far.
    pub(crate) const fn trimmed(&self) -> u64 {
        self.trimmed
    }

    /// Rows in memory.
    pub(crate) fn held_rows(&self) -> usize {
        self.held.iter().map(RecordBatch::num_rows).sum()
    }

    /// Picks rows until there are enough and the next one is another follower's.
    async fn gather(&mut self) -> Result<(), WorkerError> {
        loop {
            let stream = self.tournament.winner();
            let Some(head) = self.heads.get(stream).and_then(Option::as_ref) else {
                return Ok(());
            };
            let pick = (head.slot, head.row);
            let key = head.key();
            if self.is_last(key, head) {
                self.settle(pick)?;
            } else {
                if self.picks.len() >= SPREAD {
                    return Ok(());
                }
                self.picks.push(pick);
                if self.spread.from == Shape::Ranked {
                    self.ranks.push(rank(self.held.get(pick.0), pick.1)?);
                }
                self.last_key = key;
            }
            self.step(stream).await?;
        }
    }

    /// Whether a row is of the follower that was picked last.
    fn is_last(&self, key: u128, head: &Head) -> bool {
        if key != self.last_key {
            return false;
        }
        let Some((slot, row)) = self.picks.last() else {
            return false;
        };
        let same = self.keys.is_whole(key)
            || self
                .held
                .get(*slot)
                .and_then(|batch| batch.column_by_name("id")?.as_string_view_opt())
                .is_some_and(|ids| ids.value(*row) == head.text());
        is_one(same)
    }

    /// Decides between two rows of one follower: the greater sighting wins, the least rank stays.
    fn settle(&mut self, pick: Pick) -> Result<(), WorkerError> {
        if self.spread.from == Shape::Ranked {
            let other = rank(self.held.get(pick.0), pick.1)?;
            if let Some(rank) = self.ranks.last_mut() {
                *rank = (*rank).min(other);
            }
        }
        let sighting = |(slot, row): Pick| self.held.get(slot).and_then(|batch| sighting(batch, row));
        if let Some(last) = self.picks.last().copied()
            && sighting(pick) > sighting(last)
            && let Some(last) = self.picks.last_mut()
        {
            *last = pick;
        }
        Ok(())
    }

    /// Goes on to a stream's next row.
    async fn step(&mut self, stream: usize) -> Result<(), WorkerError> {
        let ended = self
            .heads
            .get_mut(stream)
            .and_then(Option::as_mut)
            .is_none_or(|head| {
                head.row += 1;
                head.row == head.rows.keys.len()
            });
        if ended {
            self.refill(stream).await?;
        }
        let Self {
            tournament,
            heads,
            keys,
            ..
        } = self;
        tournament.replay(stream, |a, b| wins(*keys, heads, a, b));
        Ok(())
    }

    async fn refill(&mut self, stream: usize) -> Result<(), WorkerError> {
        let next = match self.streams.get_mut(stream) {
            Some(stream) => stream.next(&self.io).await?,
            None => None,
        };
        let slot = self.held.len();
        if let Some(rows) = &next {
            self.held.push(rows.batch.clone());
        }
        if let Some(head) = self.heads.get_mut(stream) {
            *head = next.map(|rows| Head { rows, row: 0, slot });
        }
        Ok(())
    }

    /// Leaves out what is behind the cap.
    fn cut(&mut self) {
        let Some(cut) = self.spread.cut else { return };
        let before = self.picks.len();
        let mut ranks = self.ranks.iter();
        self.picks
            .retain(|_| ranks.next().is_some_and(|rank| *rank < cut));
        self.ranks.retain(|rank| *rank < cut);
        self.trimmed += (before - self.picks.len()) as u64;
    }

    fn move_rows(&self) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(PLAIN + 4);
        for number in 0..PLAIN {
            let arrays: Vec<&dyn Array> = self
                .held
                .iter()
                .map(|batch| batch.column(number).as_ref())
                .collect();
            columns.push(
                if arrays
                    .first()
                    .is_some_and(|array| *array.data_type() == DataType::Boolean)
                {
                    flags(&arrays, &self.picks)
                } else {
                    interleave(&arrays, &self.picks)?
                },
            );
        }
        if self.spread.to == Shape::Ranked {
            columns.extend(ranks(&self.ranks.iter()));
        }
        RecordBatch::try_new(schema(self.spread.to), columns)
    }

    /// Lets go of all batches but those whose turn has come.
    fn forget(&mut self) {
        self.picks.clear();
        self.ranks.clear();
        self.last_key = END;
        self.held.clear();
        for head in self.heads.iter_mut().flatten() {
            head.slot = self.held.len();
            self.held.push(head.rows.batch.clone());
        }
    }
}

impl Head {
    #[inline]
    fn key(&self) -> u128 {
        self.rows.keys.get(self.row).copied().unwrap_or(END)
    }

    fn text(&self) -> &str {
        if self.row < self.rows.ids.len() {
            self.rows.ids.value(self.row)
        } else {
            ""
        }
    }
}

/// Whether the row of stream `a` comes before that of `b`. Of equal ones the lower stream's comes first, so that
/// the output does not depend on how the streams were played off.
#[inline]
fn wins(keys: Keys, heads: &[Option<Head>], a: usize, b: usize) -> bool {
    let head = |stream: usize| heads.get(stream).and_then(Option::as_ref);
    match (head(a), head(b)) {
        (Some(left), Some(right)) => {
            let (left_key, right_key) = (left.key(), right.key());
            if left_key != right_key {
                return left_key < right_key;
            }
            let place = |head, key| Place {
                key,
                text: Head::text(head),
            };
            keys.order(place(left, left_key), place(right, right_key))
                .then(a.cmp(&b))
                .is_lt()
        }
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (None, None) => a < b,
    }
}

/// When and where a row was seen; nothing where only ids and ranks are read.
fn sighting(batch: &RecordBatch, row: usize) -> Option<(i64, u32, i64, u32, u32)> {
    // By number: names are looked up one by one.
    let column = |number: usize| batch.columns().get(number);
    let small = |number| Some(column(number)?.as_primitive_opt::<UInt32Type>()?.value(row));
    let seen_at = column(SEEN_AT)?
        .as_primitive_opt::<TimestampMicrosecondType>()?
        .value(row)
        * i64::from(!mutants::on(Mutant::RunSeenAtIgnored));
    let epoch = column(EPOCH)?.as_primitive_opt::<Int64Type>()?.value(row);
    Some((seen_at, small(RANGE)?, epoch, small(SEQ)?, small(ROW)?))
}

fn rank(batch: Option<&RecordBatch>, row: usize) -> Result<Rank, ArrowError> {
    let read = |batch: &RecordBatch| {
        let small = |name| {
            Some(
                batch
                    .column_by_name(name)?
                    .as_primitive_opt::<UInt32Type>()?
                    .value(row),
            )
        };
        let position = batch
            .column_by_name("rank_position")?
            .as_primitive_opt::<Int64Type>()?
            .value(row);
        Some(Rank {
            position,
            range: small("rank_range")?,
            seq: small("rank_seq")?,
            row: small("rank_row")?,
        })
    };
    batch
        .and_then(read)
        .ok_or_else(|| ArrowError::SchemaError("columns of the rank are missing".to_owned()))
}

/// Flags have no quick way of their own in Arrow.
fn flags(arrays: &[&dyn Array], picks: &[Pick]) -> ArrayRef {
    let arrays: Vec<Option<&BooleanArray>> = arrays.iter().map(|array| array.as_boolean_opt()).collect();
    let flag = |(slot, row): &Pick| {
        let array = arrays.get(*slot).copied().flatten()?;
        array.is_valid(*row).then(|| array.value(*row))
    };
    std::sync::Arc::new(picks.iter().map(flag).collect::<BooleanArray>())
}

#[cfg(test)]
mod tests;
