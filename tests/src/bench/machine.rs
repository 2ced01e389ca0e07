//! What the figures were measured on: cores and memory, nothing else.

use std::{fmt, thread};

/// A machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Cores this process may use.
    pub cores: usize,
    /// Memory in GiB; 0 = not known.
    pub memory_gib: u64,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = text
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        Self {
            cores,
            memory_gib: kib.unwrap_or(0) >> 20,
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores", self.cores)?;
        if self.memory_gib > 0 {
            write!(f, " and {} GiB of memory", self.memory_gib)
        } else {
            Ok(())
        }
    }
}
