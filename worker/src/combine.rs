//! Combining: many sorted runs become one, so that the last merge has few to read; and what that merge shares with it.
//!
//! Every object is recorded before the next is begun. Whoever goes on with an open run, this worker or another, does
//! none of that work again.

use std::sync::Arc;

use followlytics_core::scan::merge::{Id, Rank};
use followlytics_store::ledger::{OpenRun, Run, Shard};
use serde::{Deserialize, Serialize};

use crate::{
    WorkerError,
    lanes::{Inputs, Lane, Names, Sink, drive, split},
    rows::{Form, Shape, Spread},
    work::Work,
};

/// Of what and how an open run is merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Whether it becomes the result: all live runs go into it.
    pub(crate) is_result: bool,
    /// Otherwise the numbers of the runs that go into it.
    pub(crate) inputs: Vec<i64>,
    /// The ids at which its lanes end.
    pub(crate) bounds: Vec<String>,
    /// The first rank that the row cap leaves out: position, range, page and row.
    pub(crate) cut: Option<(i64, u32, u32, u32)>,
}

/// Merges runs of one level while the scan goes on, once there are as many as one merge reads.
pub(crate) async fn combine_some(work: &mut Work<'_>) -> Result<(), WorkerError> {
    loop {
        if let Some(open) = work.ledger.find_open_run(work.job).await? {
            let plan = plan_of(&open)?;
            if open.is_busy || plan.is_result {
                return Ok(());
            }
            finish(work, &open, &plan).await?;
            continue;
        }
        let live = work.ledger.list_runs(&work.job.scan).await?;
        let fan_in = work.settings.fan_in.max(2);
        let mut levels: Vec<i64> = live.iter().map(|run| run.level).collect();
        levels.sort_unstable();
        levels.dedup();
        let of_level = |level: i64| live.iter().filter(move |run| run.level == level);
        let Some(level) = levels
            .into_iter()
            .find(|level| of_level(*level).count() >= fan_in)
        else {
            return Ok(());
        };
        let inputs: Vec<&Run> = of_level(level).take(fan_in).collect();
        begin(work, &inputs, level + 1).await?;
    }
}

/// Merges the smallest runs until one merge can read all that are left.
pub(crate) async fn combine_to_few(work: &mut Work<'_>) -> Result<(), WorkerError> {
    let fan_in = work.settings.fan_in.max(2);
    loop {
        if let Some(open) = work.ledger.find_open_run(work.job).await? {
            let plan = plan_of(&open)?;
            if plan.is_result {
                return Ok(());
            }
            // The scan has ended, and its merge waits for nobody.
            finish(work, &open, &plan).await?;
            continue;
        }
        let live = work.ledger.list_runs(&work.job.scan).await?;
        if live.len() <= fan_in {
            return Ok(());
        }
        let mut inputs: Vec<&Run> = live.iter().collect();
        inputs.sort_by_key(|run| (run.rows, run.number));
        inputs.truncate((live.len() - fan_in + 1).min(fan_in));
        let level = inputs.iter().map(|run| run.level).max().unwrap_or(0) + 1;
        begin(work, &inputs, level).await?;
    }
}

async fn begin(work: &mut Work<'_>, inputs: &[&Run], level: i64) -> Result<(), WorkerError> {
    let shape = work.shape();
    let spread = Spread {
        from: shape,
        to: shape,
        cut: None,
    };
    let opened = open_runs(work, inputs.iter().copied(), spread, Form::of_run(work.settings)).await?;
    let plan = Plan {
        is_result: false,
        inputs: inputs.iter().map(|run| run.number).collect(),
        bounds: split(&opened).iter().map(Id::to_string).collect(),
        cut: None,
    };
    work.ledger.begin_run(work.job, level, &encode(&plan)?).await?;
    Ok(())
}

async fn finish(work: &mut Work<'_>, open: &OpenRun, plan: &Plan) -> Result<(), WorkerError> {
    if !work.ledger.take_run(work.job, open.number).await? {
        return Ok(());
    }
    let live = work.ledger.list_runs(&work.job.scan).await?;
    let inputs: Vec<&Run> = live
        .iter()
        .filter(|run| plan.inputs.contains(&run.number))
        .collect();
    if inputs.len() != plan.inputs.len() {
        // One of them was damaged and given up since.
        return Ok(work.ledger.drop_run(work.job, open.number).await?);
    }
    let shape = work.shape();
    let spread = Spread {
        from: shape,
        to: shape,
        cut: None,
    };
    let opened = open_runs(work, inputs.into_iter(), spread, Form::of_run(work.settings)).await?;
    let (scan, epoch, number) = (work.job.scan.clone(), work.job.epoch, open.number);
    let names = Names::Shards {
        scan,
        run: number,
        epoch,
    };
    merge_lanes(work, opened, open, plan, names).await?;
    Ok(work
        .ledger
        .finish_run(work.job, open.number, &plan.inputs)
        .await?)
}

/// Opens runs for a merge.
pub(crate) async fn open_runs<'r>(
    work: &mut Work<'_>,
    runs: impl Iterator<Item = &'r Run>,
    spread: Spread,
    form: Form,
) -> Result<Arc<Inputs>, WorkerError> {
    let mut opened = Vec::new();
    for run in runs.filter(|run| !run.shards.is_empty()) {
        let mut pieces = Vec::with_capacity(run.shards.len());
        for shard in &run.shards {
            pieces.push(work.open(shard).await?);
        }
        opened.push(Arc::new(pieces));
        work.heartbeat.beat().await?;
    }
    let ids = work.input.platform.facts().ids;
    let inputs = Inputs::new(opened, ids, spread, form, work.settings.clone());
    Ok(Arc::new(inputs))
}

/// Merges what is not merged yet, and records every object.
pub(crate) async fn merge_lanes(
    work: &mut Work<'_>,
    inputs: Arc<Inputs>,
    open: &OpenRun,
    plan: &Plan,
    names: Names,
) -> Result<(), WorkerError> {
    let bounds: Vec<Id> = plan
        .bounds
        .iter()
        .map(|bound| Id::new(bound, inputs.ids))
        .collect();
    let left: Vec<Lane> = Lane::all(&bounds)
        .into_iter()
        .filter_map(|lane| rest_of(lane, &open.shards, &inputs))
        .collect();
    let sink = Sink {
        ledger: work.ledger,
        objects: work.objects,
        job: work.job,
        run: open.number,
        names,
    };
    drive(inputs, left, &mut work.heartbeat, &sink).await
}

/// What is left of a lane behind the objects that are recorded; nothing of one that is done.
fn rest_of(mut lane: Lane, done: &[Shard], inputs: &Inputs) -> Option<Lane> {
    if let Some(last) = done.iter().rfind(|shard| shard.lane == lane.number) {
        if last.is_last {
            return None;
        }
        lane.piece = last.piece + 1;
        lane.between.after = Some(Id::new(&last.max_id, inputs.ids));
    }
    Some(lane)
}

/// How a result is merged.
pub(crate) fn spread_of_result(shape: Shape, cut: Option<Rank>) -> Spread {
    Spread {
        from: shape,
        to: Shape::Plain,
        cut,
    }
}

pub(crate) fn plan_of(open: &OpenRun) -> Result<Plan, WorkerError> {
    serde_json::from_str(&open.plan).map_err(|source| WorkerError::Manifest {
        key: format!("of run {}", open.number),
        source,
    })
}

pub(crate) fn encode(plan: &Plan) -> Result<String, WorkerError> {
    serde_json::to_string(plan).map_err(|source| WorkerError::Manifest {
        key: "of a run".to_owned(),
        source,
    })
}
