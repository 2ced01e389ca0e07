//! The data directory: ledger, objects, secrets, sockets, and the lock that lets one control plane use them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use followlytics_api::credentials::FileSecrets;
use rustix::fs::{FlockOperation, flock};

use crate::exit::{Exit, Failure};

/// How often, and how soon again, a taken lock is tried.
const LOCK_TRIES: u32 = 10;
const LOCK_AGAIN: Duration = Duration::from_millis(100);

/// The data directory.
#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    root: PathBuf,
}

/// The right to run a control plane on a data directory; gone with this value, or with the process.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl DataDir {
    /// The directory that was named, or `$XDG_DATA_HOME/followlytics`, or `~/.local/share/followlytics`. It is
    /// made if it is missing, for its owner only: secrets lie in it.
    pub(crate) fn open(named: Option<&Path>) -> Result<Self, Failure> {
        let root = match named {
            Some(path) => path.to_owned(),
            None => default_root().ok_or_else(|| {
                Failure::usage("failed to choose a data directory: HOME is not set; name one with --data DIR")
            })?,
        };
        let refused = |source: io::Error| {
            let exit = match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Exit::Storage,
                _ => Exit::Usage,
            };
            let message = format!(
                "failed to open the data directory {}: {source}; name another with --data DIR",
                root.display()
            );
            Failure::new(exit, message)
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&root)
            .map_err(refused)?;
        // Children have a working directory of their own.
        let root = root.canonicalize().map_err(refused)?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.root.join("ledger.db")
    }

    pub(crate) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    pub(crate) fn sandboxes(&self) -> PathBuf {
        self.root.join("sandboxes")
    }

    /// Where redacted traces of pages that changed are kept; only there once there is one.
    pub(crate) fn traces(&self) -> PathBuf {
        self.root.join("traces")
    }

    /// Where the running control plane says how it is reached.
    pub(crate) fn address(&self) -> PathBuf {
        self.root.join("api.address")
    }

    /// The secrets of this directory's Credentials.
    pub(crate) fn secrets(&self) -> Result<FileSecrets, Failure> {
        let path = self.root.join("credentials");
        FileSecrets::open(&path).map_err(|source| {
            Failure::storage(format!(
                "failed to open {}: {source}; make it writable for you",
                path.display()
            ))
        })
    }

    /// The kubeconfig of the running control plane.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    /// Where the API server's certificates, token and port are kept.
    pub(crate) fn https(&self) -> Result<PathBuf, Failure> {
        let path = self.root.join("https");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|source| {
                Failure::storage(format!(
                    "failed to make {}: {source}; make the data directory writable for you",
                    path.display()
                ))
            })?;
        Ok(path)
    }

    /// Takes the directory for this process; `None` when another process has it.
    pub(crate) fn try_lock(&self) -> Result<Option<Lock>, Failure> {
        let path = self.root.join("lock");
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let refused = |source: io::Error| {
            Failure::storage(format!(
                "failed to write {}: {source}; make the directory writable for you",
                path.display()
            ))
        };
        let mut file = open.map_err(refused)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(refused(error.into())),
        }
        // For the sentence that the next one reads; a full disk must not keep anybody from looking.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Some(Lock { _file: file }))
    }

    /// Takes the directory for this process. A command that only reads or writes an object has it for a moment; one
    /// that works keeps it.
    pub(crate) async fn lock_soon(&self) -> Result<Lock, Failure> {
        for _ in 0..LOCK_TRIES {
            if let Some(lock) = self.try_lock()? {
                return Ok(lock);
            }
            tokio::time::sleep(LOCK_AGAIN).await;
        }
        Err(self.in_use())
    }

    /// The sentence for somebody who did not get the lock.
    pub(crate) fn in_use(&self) -> Failure {
        let mut holder = String::new();
        let _ = File::open(self.root.join("lock")).and_then(|mut file| file.read_to_string(&mut holder));
        let process = holder
            .trim()
            .parse::<u32>()
            .map_or_else(|_| String::new(), |pid| format!(" (process {pid})"));
        Failure::storage(format!(
            "another followlytics{process} runs on the data directory {}: stop it, or name another directory with \
             --data DIR",
            self.root.display()
        ))
    }

    /// Bytes that are left on its disk, where that can be told.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        let found = rustix::fs::statvfs(&self.root).ok()?;
        found.f_bavail.checked_mul(found.f_frsize)
    }
}

fn default_root() -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let share = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(share.join("followlytics"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_belongs_to_one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDir::open(Some(&parent.path().join("a/b"))).unwrap();
        let lock = data.try_lock().unwrap();
        assert!(lock.is_some());
        assert!(data.try_lock().unwrap().is_none());
        let sentence = data.in_use().message;
        assert!(
            sentence.contains(&format!("(process {})", std::process::id())),
            "{sentence}"
        );
        drop(lock);
        assert!(data.try_lock().unwrap().is_some());
    }
}
