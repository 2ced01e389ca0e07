//! Commands that ended.

use std::{
    io::{self, Read},
    process::Child,
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;

use super::pause;

/// Longest a command may take in these tests.
const LONGEST: Duration = Duration::from_secs(90);

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

impl Ran {
    /// Its output, which is JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It has ended with this code, and says each of these in one sentence.
    pub fn refused(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.out.is_empty(), "{self:?}");
        let errors: Vec<&str> = self
            .err
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(errors.len(), 1, "one sentence: {self:?}");
        for part in parts {
            assert!(errors[0].contains(part), "{part:?} is not said: {self:?}");
        }
    }
}

/// Waits for a child's end and reads what it wrote.
pub fn finish(child: Child, what: &str) -> Ran {
    finish_within(LONGEST, child, what)
}

/// The same with a limit of the caller's.
pub fn finish_within(longest: Duration, mut child: Child, what: &str) -> Ran {
    // Both at once: a child whose one pipe is full writes nothing to the other.
    let err = whole(child.stderr.take().unwrap());
    let out = whole(child.stdout.take().unwrap());
    let code = wait_within(longest, &mut child, what);
    Ran {
        code,
        out: out.join().unwrap().unwrap(),
        err: err.join().unwrap().unwrap(),
    }
}

fn whole(mut pipe: impl Read + Send + 'static) -> JoinHandle<io::Result<String>> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    })
}

/// Waits for a child's end; its exit code.
pub(super) fn wait(child: &mut Child, what: &str) -> i32 {
    wait_within(LONGEST, child, what)
}

fn wait_within(longest: Duration, child: &mut Child, what: &str) -> i32 {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if waited > longest {
            let _ = child.kill();
            panic!("{what} did not end within {longest:?}");
        }
        pause(Duration::from_millis(10));
        waited += Duration::from_millis(10);
    }
}
