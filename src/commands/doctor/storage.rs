//! The data directory: whether it can be written, who may read it, how much room it has, and what its clock says.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use followlytics_core::clock::difference;
use jiff::Timestamp;

use super::Check;
use crate::{args::Global, data::DataDir, edge, exit::Exit, private_file, storage::Storage};

/// Bytes below which a scan soon cannot go on, and below which a large one may not.
const FULL: u64 = 16 << 20;
const NARROW: u64 = 1 << 30;
/// Seconds that two clocks may be apart before windows and leases suffer.
const APART: i64 = 2;
/// Name of the check of a database server's clock.
pub(super) const DATABASE_CLOCK: &str = "database's clock";

pub(super) fn checks(data: &DataDir) -> Vec<Check> {
    let root = data.root();
    let mut checks = vec![readers(root), writing(root, "data directory")];
    checks.extend(room(data));
    checks.push(clock(data));
    checks
}

fn readers(root: &Path) -> Check {
    const WHAT: &str = "privacy";
    match fs::metadata(root) {
        Ok(found) if found.permissions().mode() & 0o777 == 0o700 => {
            Check::good(WHAT, format!("{}, for you only", root.display()))
        }
        Ok(found) => Check::bad(
            WHAT,
            Exit::Storage,
            format!(
                "{} has mode {:o}: others may read what is in it",
                root.display(),
                found.permissions().mode() & 0o777
            ),
            format!("chmod 700 {}", root.display()),
        ),
        Err(error) => Check::bad(
            WHAT,
            Exit::Storage,
            error.to_string(),
            "name another directory with --data DIR",
        ),
    }
}

/// Whether objects can be written: those that arguments name, else those of the control plane, which are at `root`.
pub(super) async fn objects(global: &Global, data: &DataDir, root: Option<PathBuf>) -> Check {
    const WHAT: &str = "objects";
    let storage = match Storage::chosen(global, data) {
        Ok(storage) => storage,
        Err(failure) => return Check::failed(WHAT, &failure),
    };
    let root = match (&global.objects, root) {
        (None, Some(root)) if root != storage.objects_root() => root,
        _ => {
            if let Err(failure) = storage.open_reliable_objects().await {
                return Check::failed(WHAT, &failure);
            }
            storage.objects_root().to_owned()
        }
    };
    if root.is_absolute() {
        return writing(&root, WHAT);
    }
    let shown = root.display();
    if global.objects.is_some() {
        Check::good(WHAT, format!("{shown} takes, keeps and gives them"))
    } else {
        Check::note(
            WHAT,
            format!("{shown}, which `up` has checked when it started; --objects checks it now"),
        )
    }
}

/// Whether a PostgreSQL server keeps what it confirmed. What cannot be opened was told before.
pub(super) async fn durability(global: &Global, data: &DataDir) -> Option<Check> {
    const WHAT: &str = "durability";
    let storage = Storage::chosen(global, data).ok().filter(Storage::is_on_server)?;
    let database = storage.open_database().await.ok()?;
    let off = database.unsafe_settings().await.ok()?;
    Some(if off.is_empty() {
        Check::good(WHAT, "synchronous_commit, fsync and full_page_writes are on")
    } else {
        let names = off.join(" and ");
        Check::bad(
            WHAT,
            Exit::Storage,
            format!("{names} off: a crash of the database's machine can lose charges and pages"),
            format!("set {names} to on in postgresql.conf"),
        )
    })
}

/// Whether a database server's clock and this machine's agree. What cannot be opened was told before.
pub(super) async fn database_clock(global: &Global, data: &DataDir) -> Option<Check> {
    const WHAT: &str = DATABASE_CLOCK;
    let storage = Storage::chosen(global, data).ok().filter(Storage::is_on_server)?;
    let database = storage.open_database().await.ok()?;
    let theirs = database.read().await.ok()?.time()?;
    let ahead = theirs.duration_since(edge::now());
    Some(
        match difference("the database's clock", ahead, "this machine's") {
            None => Check::good(WHAT, "it agrees with this machine's"),
            Some(said) => Check::note(WHAT, said),
        },
    )
}

/// Writes, syncs and removes a file.
fn writing(folder: &Path, what: &'static str) -> Check {
    let probe = folder.join(".doctor");
    let tried = private_file::replace(&probe, b"probe").and_then(|()| fs::remove_file(&probe));
    match tried {
        Ok(()) => Check::good(
            what,
            format!("files can be written and synced in {}", folder.display()),
        ),
        Err(error) => Check::bad(
            what,
            Exit::Storage,
            format!("failed to write in {}: {error}", folder.display()),
            "make it writable for you, or name another directory with --data DIR",
        ),
    }
}

fn room(data: &DataDir) -> Option<Check> {
    const WHAT: &str = "room";
    let free = data.free_bytes()?;
    let shown = format!("{} MB are free", free / 1_000_000);
    Some(match free {
        ..FULL => Check::bad(WHAT, Exit::Storage, shown, "free some space"),
        FULL..NARROW => Check::note(
            WHAT,
            format!("{shown}; a million followers take a few hundred MB while they are read"),
        ),
        _ => Check::good(WHAT, shown),
    })
}

/// Windows, leases and dates follow the machine's clock: one that was set back would stretch all of them.
fn clock(data: &DataDir) -> Check {
    const WHAT: &str = "clock";
    let now = edge::now();
    let files = ["ledger.db", "ledger.db-wal", "lock"].map(|name| data.root().join(name));
    let newest = files.iter().filter_map(|path| changed(path)).max();
    match newest.map(|at| at.duration_since(now).as_secs()) {
        Some(ahead) if ahead > APART => Check::bad(
            WHAT,
            Exit::Failed,
            format!("it says {now}, and the database was written {ahead} s after that"),
            "set the clock right (NTP), on this machine and on the one that holds the files",
        ),
        _ => {
            let shown = now.strftime("%F %T UTC");
            Check::good(WHAT, format!("{shown}, not before what was written last"))
        }
    }
}

fn changed(path: &Path) -> Option<Timestamp> {
    let at = fs::metadata(path).ok()?.modified().ok()?;
    let since = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Timestamp::from_second(i64::try_from(since.as_secs()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::Standing, *};

    fn standing(data: &DataDir, what: &str) -> Standing {
        let all = checks(data);
        all.iter().find(|check| check.what == what).unwrap().standing
    }

    #[test]
    fn what_is_wrong_with_a_directory_is_seen() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDir::open(Some(&parent.path().join("data"))).unwrap();
        for what in ["privacy", "data directory", "clock"] {
            assert_eq!(standing(&data, what), Standing::Good, "{what}");
        }
        assert_eq!(fs::read_dir(data.root()).unwrap().count(), 0, "nothing is left");
        fs::set_permissions(data.root(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(standing(&data, "privacy"), Standing::Bad);
        let file = fs::File::create(data.root().join("ledger.db")).unwrap();
        let later = file.metadata().unwrap().modified().unwrap() + Duration::from_mins(10);
        file.set_modified(later).unwrap();
        assert_eq!(standing(&data, "clock"), Standing::Bad);
        fs::create_dir(data.root().join(".doctor")).unwrap();
        assert_eq!(standing(&data, "data directory"), Standing::Bad);
    }
}
