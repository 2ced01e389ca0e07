//! Drives the lanes: on the job's own thread, or on threads that compute while that one reads, stores and beats.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, sync::mpsc};

use super::{
    Inputs, Lane, Made, Sink,
    lane::{Pulse, Running},
};
use crate::{WorkerError, heartbeat::Heartbeat, rows::Io};

/// How long the lanes are waited for between two beats.
const LOOK: Duration = Duration::from_millis(500);

/// Merges the lanes; every object goes into the sink, those of one lane in order.
pub(crate) async fn drive(
    inputs: Arc<Inputs>,
    lanes: Vec<Lane>,
    heartbeat: &mut Heartbeat<'_>,
    sink: &Sink<'_>,
) -> Result<(), WorkerError> {
    let threads = inputs.settings.threads.min(lanes.len());
    if threads > 1 {
        return beside(inputs, lanes, threads, heartbeat, sink).await;
    }
    let io = Io::Here(sink.objects.clone());
    for lane in lanes {
        let mut running = Running::new(&inputs, &io, lane).await?;
        while let Some(made) = running.next(&mut Pulse::Heart(heartbeat)).await? {
            sink.take(made).await?;
        }
    }
    Ok(())
}

async fn beside(
    inputs: Arc<Inputs>,
    lanes: Vec<Lane>,
    threads: usize,
    heartbeat: &mut Heartbeat<'_>,
    sink: &Sink<'_>,
) -> Result<(), WorkerError> {
    let queue = Arc::new(Mutex::new(VecDeque::from(lanes)));
    let stop = Arc::new(Stop(AtomicBool::new(false)));
    // One object waits at most: memory is for merging.
    let (tell, mut told) = mpsc::channel(1);
    for _ in 0..threads {
        let io = Io::There(sink.objects.clone(), Handle::current());
        let side = Side {
            inputs: Arc::clone(&inputs),
            queue: Arc::clone(&queue),
            stop: Arc::clone(&stop),
            io,
        };
        let tell = tell.clone();
        std::thread::spawn(move || futures::executor::block_on(side.work(tell)));
    }
    drop(tell);
    // Dropped with this future: the threads stop at their next step.
    let _stop = OnDrop(stop);
    loop {
        match tokio::time::timeout(LOOK, told.recv()).await {
            Ok(Some(made)) => sink.take(made?).await?,
            Ok(None) => return Ok(()),
            Err(_) => {}
        }
        heartbeat.beat().await?;
    }
}

struct Stop(AtomicBool);

struct OnDrop(Arc<Stop>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// One of the threads.
struct Side {
    inputs: Arc<Inputs>,
    queue: Arc<Mutex<VecDeque<Lane>>>,
    stop: Arc<Stop>,
    io: Io,
}

impl Side {
    async fn work(self, tell: mpsc::Sender<Result<Made, WorkerError>>) {
        loop {
            let lane = self
                .queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(lane) = lane else { return };
            if let Err(error) = self.lane(lane, &tell).await {
                // Nobody listens any more only where the job has ended.
                let _ = tell.send(Err(error)).await;
                return;
            }
        }
    }

    async fn lane(
        &self,
        lane: Lane,
        tell: &mpsc::Sender<Result<Made, WorkerError>>,
    ) -> Result<(), WorkerError> {
        let mut running = Running::new(&self.inputs, &self.io, lane).await?;
        while let Some(made) = running.next(&mut Pulse::Stop(&self.stop.0)).await? {
            if tell.send(Ok(made)).await.is_err() {
                return Err(WorkerError::Lost);
            }
        }
        Ok(())
    }
}
