//! How much a worker may use.

/// What a worker may use, and how finely it cuts its work.
///
/// Neither `memory` nor `threads` shows in a result: the same pages give the same bytes whatever they are. The other
/// figures decide where objects are cut; tests make them small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bytes that a merge aims to stay below.
    pub memory: u64,
    /// Threads that merge side by side; with 1 everything happens on the thread that runs the job.
    pub threads: usize,
    /// Most pages of a sorted run that comes from pages.
    pub run_pages: u32,
    /// Bytes of page objects at which such a run ends, too.
    pub run_bytes: u64,
    /// Most runs that are merged at once; more are first merged into fewer.
    pub fan_in: usize,
    /// Rows for each of the stretches of ids that are merged side by side.
    pub lane_rows: u64,
    /// Most rows of an object.
    pub piece_rows: u64,
    /// Bytes at which an object ends, too.
    pub piece_bytes: usize,
    /// Rows of a row group of a run.
    pub run_group_rows: usize,
    /// Rows of a row group of a result.
    pub group_rows: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory: 1 << 30,
            threads: 1,
            run_pages: 256,
            run_bytes: 64 << 20,
            fan_in: 64,
            lane_rows: 2_000_000,
            piece_rows: 1_000_000,
            piece_bytes: 64 << 20,
            run_group_rows: 16 * 1024,
            group_rows: 128 * 1024,
        }
    }
}

impl Settings {
    /// Those of a worker that has this machine to itself.
    pub fn of_machine() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        // Every thread holds a batch of every run: memory, not processors, is the limit.
        Self {
            threads: threads.min(4),
            ..Self::default()
        }
    }

    /// Bytes that one of `streams` streams may read at once.
    pub(crate) fn fetch(&self, streams: usize) -> u64 {
        let sides = (self.threads.max(1) * streams.max(1)) as u64;
        // A quarter of the memory: decoded rows, the writers and what waits to be stored take the rest.
        self.memory / 4 / sides
    }
}
