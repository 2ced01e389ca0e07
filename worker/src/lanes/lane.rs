//! One lane: reads, merges, and makes one object after the other.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    WorkerError,
    heartbeat::Heartbeat,
    rows::{Io, Kway, Seal},
};

use super::{Inputs, Lane, Made};

/// What lets a lane go on.
pub(super) enum Pulse<'a, 'h> {
    /// It runs on the job's own thread.
    Heart(&'a mut Heartbeat<'h>),
    /// It runs beside, until this is set.
    Stop(&'a AtomicBool),
}

impl Pulse<'_, '_> {
    async fn beat(&mut self) -> Result<(), WorkerError> {
        match self {
            Self::Heart(heartbeat) => heartbeat.beat().await,
            Self::Stop(stop) if stop.load(Ordering::Relaxed) => Err(WorkerError::Lost),
            Self::Stop(_) => Ok(()),
        }
    }
}

/// A lane under way.
pub(super) struct Running<'a> {
    inputs: &'a Inputs,
    lane: Lane,
    kway: Kway,
    /// Rows that no object holds yet.
    next: Option<arrow::array::RecordBatch>,
    trimmed: u64,
    made: u32,
}

impl<'a> Running<'a> {
    pub(super) async fn new(inputs: &'a Inputs, io: &Io, lane: Lane) -> Result<Self, WorkerError> {
        let mut kway = inputs.kway(io, &lane.between, None).await?;
        let next = kway.next().await?;
        Ok(Self {
            inputs,
            lane,
            kway,
            next,
            trimmed: 0,
            made: 0,
        })
    }

    /// The next object; none behind the last. The pulse is felt about every hundredth of a second.
    pub(super) async fn next(&mut self, pulse: &mut Pulse<'_, '_>) -> Result<Option<Made>, WorkerError> {
        let settings = &self.inputs.settings;
        if self.next.is_none() {
            return Ok(None);
        }
        let mut seal = Seal::new(self.inputs.spread.to, self.inputs.form)?;
        while let Some(rows) = self.next.take() {
            let room = settings.piece_rows.max(1) - seal.rows();
            let fits = usize::try_from(room).unwrap_or(usize::MAX).min(rows.num_rows());
            if fits < rows.num_rows() {
                seal.write(&rows.slice(0, fits))?;
                self.next = Some(rows.slice(fits, rows.num_rows() - fits));
                break;
            }
            seal.write(&rows)?;
            self.inputs.note(self.kway.held_rows());
            self.next = self.kway.next().await?;
            pulse.beat().await?;
            if seal.bytes() >= settings.piece_bytes || seal.rows() >= settings.piece_rows {
                break;
            }
        }
        let trimmed = self.kway.trimmed() - self.trimmed;
        self.trimmed += trimmed;
        self.made += 1;
        Ok(Some(Made {
            lane: self.lane.number,
            piece: self.lane.piece + self.made - 1,
            sealed: seal.finish()?,
            last: self.next.is_none(),
            trimmed,
        }))
    }
}
