//! Sockets of the control plane: for its owner only, removed with it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::Router;
use tempfile::TempDir;
use tokio::{net::UnixListener, sync::watch, task::JoinHandle};

use crate::{data::DataDir, exit::Failure};

/// Longest path of a socket: `sun_path` holds 108 bytes, the last of them zero.
const LONGEST: usize = 107;
/// How long open requests may take at the end.
const GRACE: Duration = Duration::from_secs(1);

/// Where sockets lie: the data directory, or a private one elsewhere if its path is too long for a socket.
pub(crate) struct Sockets {
    directory: PathBuf,
    _elsewhere: Option<TempDir>,
}

/// A router on a socket.
pub(crate) struct Served {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Sockets {
    pub(crate) fn choose(data: &DataDir) -> Result<Self, Failure> {
        let fits = |directory: &Path| directory.join("broker.sock").as_os_str().len() <= LONGEST;
        if fits(data.root()) {
            return Ok(Self {
                directory: data.root().to_owned(),
                _elsewhere: None,
            });
        }
        let elsewhere = tempfile::Builder::new().prefix("followlytics-").tempdir();
        let elsewhere = elsewhere.map_err(|source| refused(&std::env::temp_dir(), &source))?;
        if !fits(elsewhere.path()) {
            return Err(Failure::usage(format!(
                "failed to open a socket: the paths of {} and of {} are too long for one; name a shorter data \
                 directory with --data DIR",
                data.root().display(),
                elsewhere.path().display()
            )));
        }
        Ok(Self {
            directory: elsewhere.path().to_owned(),
            _elsewhere: Some(elsewhere),
        })
    }

    /// Serves the router on the socket of this name until `stop` turns true.
    pub(crate) fn serve(
        &self,
        name: &str,
        router: Router,
        stop: watch::Receiver<bool>,
    ) -> Result<Served, Failure> {
        let path = self.directory.join(name);
        // The lock is held: whoever made this file is gone.
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(|source| refused(&path, &source))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .map_err(|source| refused(&path, &source))?;
        let task = tokio::spawn(serve(listener, router, stop));
        Ok(Served { path, task })
    }
}

async fn serve(listener: UnixListener, router: Router, mut stop: watch::Receiver<bool>) {
    let mut ended = stop.clone();
    let stopping = async move {
        // A sender that is gone means the same.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let late = async move {
        let _ = ended.wait_for(|stop| *stop).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(stopping) => {
            if let Err(error) = served {
                tracing::error!(%error, "a socket of the control plane failed");
            }
        }
        () = late => {}
    }
}

impl Served {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for its end, which `stop` began.
    pub(crate) async fn ended(self) {
        let _ = self.task.await;
        let _ = fs::remove_file(&self.path);
    }
}

fn refused(path: &Path, source: &std::io::Error) -> Failure {
    Failure::storage(format!(
        "failed to open the socket {}: {source}; name another data directory with --data DIR",
        path.display()
    ))
}
