//! A profile: a directory on tmpfs that only this user reads, and that goes with its Chromium.
//!
//! A process that is killed deletes nothing. Each profile's directory is therefore locked by the process that made
//! it, and the next one made in the same place deletes those that nobody holds any more.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::{
    fs::{FlockOperation, flock, statvfs},
    io::Errno,
};

use crate::error::BrowserError;

const ROOT: &str = "/dev/shm";
const PREFIX: &str = "followlytics-browser-";
/// Space a profile may come to need: caches and databases, all in memory.
const NEEDED: u64 = 48 << 20;
/// Tries at a name nobody else uses.
const TRIES: u32 = 100;

/// A profile's directory. Dropped, it is deleted.
#[derive(Debug)]
pub(super) struct Profile {
    path: PathBuf,
    /// Held as long as the directory is in use; not inherited by what is started.
    _lock: File,
}

impl Profile {
    /// Makes one, after deleting those of processes that are gone.
    pub(super) fn create(root: Option<&Path>) -> Result<Self, BrowserError> {
        let root = root.unwrap_or(Path::new(ROOT));
        let refused = |source| BrowserError::Profile {
            path: root.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .map_err(refused)?;
        sweep(Some(root)).map_err(refused)?;
        check_space(root, NEEDED)?;
        (0..TRIES)
            .find_map(|_| Self::try_create(root).transpose())
            .unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into()))
            .map_err(refused)
    }

    /// `None` where the name is taken, or a sweep took the directory before it was locked.
    fn try_create(root: &Path) -> io::Result<Option<Self>> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("{PREFIX}{}-{number}", process::id()));
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            made => made?,
        }
        let lock = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            // A sweep has it, and is about to delete it.
            Err(Errno::WOULDBLOCK) => return Ok(None),
            locked => locked?,
        }
        let same = fs::metadata(&path).is_ok_and(|there| {
            lock.metadata()
                .is_ok_and(|mine| (mine.dev(), mine.ino()) == (there.dev(), there.ino()))
        });
        Ok(same.then_some(Self { path, _lock: lock }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a profile could not be deleted");
        }
    }
}

/// Deletes the profiles under `root` (`None`: where they are made by default) whose processes are gone.
///
/// Every new profile does it first. Whoever ends sandboxes may call it too: a runner that was killed could not
/// delete its own. Tells whether all of them are gone: processes that are just ending may still write.
pub fn sweep(root: Option<&Path>) -> io::Result<bool> {
    let mut clear = true;
    for entry in fs::read_dir(root.unwrap_or(Path::new(ROOT)))? {
        let path = entry?.path();
        let ours = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if !ours || !path.is_dir() {
            continue;
        }
        // Another user's cannot be opened, and is not ours to delete.
        let Ok(lock) = File::open(&path) else { continue };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    clear = false;
                    tracing::warn!(%error, path = %path.display(), "a profile left behind could not be deleted");
                }
                _ => tracing::info!(path = %path.display(), "a profile left behind was deleted"),
            }
        }
    }
    Ok(clear)
}

fn check_space(root: &Path, needed: u64) -> Result<(), BrowserError> {
    let about = statvfs(root).map_err(|error| BrowserError::Profile {
        path: root.to_owned(),
        source: error.into(),
    })?;
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    if free < needed {
        return Err(BrowserError::NoSpace {
            path: root.to_owned(),
            free_mib: free >> 20,
            needed_mib: needed >> 20,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_its_owners_alone_and_goes_when_dropped() {
        let root = tempfile::tempdir().unwrap();
        let profile = Profile::create(Some(root.path())).unwrap();
        let path = profile.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        fs::write(path.join("Cookies"), "x").unwrap();
        drop(profile);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_process_left_is_deleted_and_what_is_in_use_stays() {
        let root = tempfile::tempdir().unwrap();
        let left = root.path().join(format!("{PREFIX}1-0"));
        fs::create_dir_all(left.join("Default")).unwrap();
        let other = root.path().join("something-else");
        fs::create_dir(&other).unwrap();
        let first = Profile::create(Some(root.path())).unwrap();
        let second = Profile::create(Some(root.path())).unwrap();
        assert!(!left.exists() && other.exists());
        assert!(first.path().exists() && second.path().exists() && first.path() != second.path());
    }

    #[test]
    fn too_little_space_and_no_directory_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        let error = check_space(root.path(), u64::MAX).unwrap_err();
        assert!(matches!(error, BrowserError::NoSpace { .. }), "{error}");
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Profile::create(Some(&file.join("below"))).unwrap_err();
        assert!(matches!(error, BrowserError::Profile { .. }), "{error}");
    }
}
