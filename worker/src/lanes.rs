//! Lanes: the merge of sorted runs, cut into stretches of ids that do not touch.
//!
//! Where the cuts lie follows from the runs alone, so the same runs give the same objects on any machine. Each lane
//! writes its objects in order of ids; one that was recorded is never written again, and a lane goes on behind it.

mod drive;
mod lane;
mod sink;
mod split;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use followlytics_core::{
    platform::Ids,
    scan::merge::{Cut, Id, Rank},
};

use crate::{
    Settings, WorkerError,
    heartbeat::Heartbeat,
    rows::{Between, Bounds, Form, Io, Keys, Kway, Opened, Sealed, Spread, Stream},
};

pub(crate) use drive::drive;
pub(crate) use sink::{Names, Sink, store};
pub(crate) use split::split;

/// Sorted runs that are open, and how they are merged.
pub(crate) struct Inputs {
    pub(crate) runs: Vec<Arc<Vec<Opened>>>,
    pub(crate) ids: Ids,
    pub(crate) keys: Keys,
    pub(crate) spread: Spread,
    pub(crate) form: Form,
    pub(crate) settings: Settings,
    /// The most rows that were in memory at once, in any lane.
    pub(crate) peak: AtomicUsize,
}

/// A stretch of ids that is merged by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) number: u32,
    /// The number of its next object.
    pub(crate) piece: u32,
    pub(crate) between: Between,
}

/// An object that a lane has made and nobody has stored.
pub(crate) struct Made {
    pub(crate) lane: u32,
    pub(crate) piece: u32,
    pub(crate) sealed: Sealed,
    /// Whether it is its lane's last.
    pub(crate) last: bool,
    /// Followers that a cap left out on the way to it.
    pub(crate) trimmed: u64,
}

impl Inputs {
    /// Opens runs whose objects are in order of ids.
    pub(crate) fn new(
        runs: Vec<Arc<Vec<Opened>>>,
        ids: Ids,
        spread: Spread,
        form: Form,
        settings: Settings,
    ) -> Self {
        let all = || {
            runs.iter()
                .flat_map(|run| run.iter())
                .flat_map(|piece| &piece.groups)
        };
        let least = all().map(|group| group.first.as_str()).min();
        let most = all().map(|group| group.last.as_str()).max();
        Self {
            keys: Keys::new(ids, least.unwrap_or_default(), most.unwrap_or_default()),
            runs,
            ids,
            spread,
            form,
            settings,
            peak: AtomicUsize::new(0),
        }
    }

    /// Rows of all runs.
    pub(crate) fn rows(&self) -> u64 {
        let groups = self
            .runs
            .iter()
            .flat_map(|run| run.iter())
            .flat_map(|piece| &piece.groups);
        groups.map(|group| group.rows).sum()
    }

    /// The merge of a stretch of ids; of these columns, or of all.
    pub(crate) async fn kway(
        &self,
        io: &Io,
        between: &Between,
        columns: Option<&'static [&'static str]>,
    ) -> Result<Kway, WorkerError> {
        let bounds = Bounds {
            fetch: self.settings.fetch(self.runs.len()),
            rows: BATCH_ROWS,
        };
        let stream = |run: &Arc<Vec<Opened>>| {
            Stream::new(
                Arc::clone(run),
                columns,
                (self.keys, self.ids),
                between.clone(),
                bounds,
            )
        };
        let streams = self.runs.iter().map(stream).collect();
        Kway::new(io.clone(), self.keys, streams, self.spread).await
    }

    fn note(&self, rows: usize) {
        self.peak.fetch_max(rows, Ordering::Relaxed);
    }
}

/// Rows decoded at once from each run.
const BATCH_ROWS: usize = 1024;

/// Finds the first rank that a cap leaves out. Reads ids and ranks only, and nearly always once.
pub(crate) async fn find_cut(
    inputs: &Inputs,
    io: &Io,
    cap: u64,
    heartbeat: &mut Heartbeat<'_>,
) -> Result<Option<Rank>, WorkerError> {
    const COLUMNS: &[&str] = &[
        "id",
        "id_num",
        "rank_position",
        "rank_range",
        "rank_seq",
        "rank_row",
    ];
    let mut cut = Cut::new(cap);
    while cut.found().is_none() {
        let mut kway = inputs.kway(io, &Between::default(), Some(COLUMNS)).await?;
        while let Some(ranks) = kway.next_ranks().await? {
            for rank in ranks {
                cut.add(rank);
            }
            inputs.note(kway.held_rows());
            heartbeat.beat().await?;
        }
        cut.end_pass();
    }
    Ok(cut.found().flatten())
}

impl Lane {
    /// The lanes between these ids, of which nothing is done.
    pub(crate) fn all(bounds: &[Id]) -> Vec<Self> {
        let ends = bounds.iter().cloned().map(Some).chain([None]);
        let mut after = None;
        ends.zip(0..)
            .map(|(until, number)| Self {
                number,
                piece: 0,
                between: Between {
                    after: std::mem::replace(&mut after, until.clone()),
                    until,
                },
            })
            .collect()
    }
}
