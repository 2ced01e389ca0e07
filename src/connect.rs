//! Which control plane a command talks to: `--server`, a running one on the data directory, or one of its own.

use std::{path::PathBuf, time::Duration};

use followlytics_core::account::Platform;
use hyper_util::rt::TokioIo;
use kube::Client;
use tokio::net::UnixStream;

use crate::{
    args::Global,
    data::DataDir,
    exit::Failure,
    plane::{Options, Plane},
};

/// How long a command waits for a control plane that is just starting.
const STARTING: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(100);

/// A control plane that a command talks to.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) data: DataDir,
    /// The command's own control plane; `None` when it talks to another process.
    pub(crate) plane: Option<Plane>,
    /// Whether `--server` named it: then its data directory is not known.
    pub(crate) named: bool,
}

impl Session {
    /// The control plane for this command; `options` say what one of its own would do.
    pub(crate) async fn open(global: &Global, options: Options) -> Result<Self, Failure> {
        let data = DataDir::open(global.data.as_deref())?;
        if let Some(server) = &global.server {
            let path = socket_path(server)?;
            if UnixStream::connect(&path).await.is_err() {
                return Err(Failure::usage(format!(
                    "failed to reach the control plane at {server}: nobody listens there; start one with \
                     `followlytics up`, or leave --server out"
                )));
            }
            return Ok(Self {
                client: client(path, &global.namespace),
                data,
                plane: None,
                named: true,
            });
        }
        let mut waited = Duration::ZERO;
        loop {
            if let Some(path) = running(&data).await {
                return Ok(Self {
                    client: client(path, &global.namespace),
                    data,
                    plane: None,
                    named: false,
                });
            }
            // One that holds the lock and does not listen yet, or no longer: it will be either soon.
            if let Some(lock) = data.try_lock()? {
                let plane = Plane::start(&data, lock, options, &global.namespace)?;
                return Ok(Self {
                    client: plane.client.clone(),
                    data,
                    plane: Some(plane),
                    named: false,
                });
            }
            if waited >= STARTING {
                return Err(data.in_use());
            }
            tokio::time::sleep(AGAIN).await;
            waited += AGAIN;
        }
    }

    /// The base URL that another process's control plane uses for a platform, where it is known.
    pub(crate) fn base_url(&self, platform: Platform) -> Option<String> {
        let address = std::fs::read_to_string(self.data.address())
            .ok()
            .filter(|_| !self.named)?;
        let key = format!("{platform}=");
        address
            .lines()
            .skip(1)
            .find_map(|line| Some(line.strip_prefix(&key)?.to_owned()))
    }

    /// Ends the command's own control plane, if it has one.
    pub(crate) async fn close(self) {
        if let Some(plane) = self.plane {
            plane.stop().await;
        }
    }
}

/// The socket of the control plane that runs on this data directory.
async fn running(data: &DataDir) -> Option<PathBuf> {
    let address = std::fs::read_to_string(data.address()).ok()?;
    let path = socket_path(address.lines().next()?.trim()).ok()?;
    // A file of one that was killed answers nobody.
    UnixStream::connect(&path).await.ok().map(|_| path)
}

fn socket_path(server: &str) -> Result<PathBuf, Failure> {
    server
        .strip_prefix("unix://")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .ok_or_else(|| {
            Failure::usage(format!(
                "failed to read --server: {server:?} is no address of a control plane; write unix:///PATH"
            ))
        })
}

/// A client through a socket: one connection a request, so that a control plane that restarts is met again.
fn client(path: PathBuf, namespace: &str) -> Client {
    let service = tower::service_fn(move |mut request: http::Request<kube::client::Body>| {
        let path = path.clone();
        async move {
            let stream = TokioIo::new(UnixStream::connect(&path).await?);
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
            tokio::spawn(connection);
            request
                .headers_mut()
                .insert(http::header::HOST, http::HeaderValue::from_static("followlytics"));
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(sender.send_request(request).await?)
        }
    });
    Client::new(service, namespace)
}
