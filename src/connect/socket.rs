//! A control plane behind a socket of this machine.

use std::path::PathBuf;

use hyper_util::rt::TokioIo;
use kube::Client;
use tokio::net::UnixStream;

use crate::{data::DataDir, exit::Failure};

/// The socket of the control plane that runs on this data directory.
pub(super) async fn running(data: &DataDir) -> Option<PathBuf> {
    let address = std::fs::read_to_string(data.address()).ok()?;
    let path = path(address.lines().next()?.trim())?;
    // A file of one that was killed answers nobody.
    UnixStream::connect(&path).await.ok().map(|_| path)
}

/// The path in `unix:///PATH`.
pub(super) fn path(server: &str) -> Option<PathBuf> {
    server
        .strip_prefix("unix://")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// A client of the control plane that was named.
pub(super) async fn named(path: PathBuf, namespace: &str) -> Result<Client, Failure> {
    if UnixStream::connect(&path).await.is_err() {
        return Err(Failure::usage(format!(
            "failed to reach the control plane at unix://{}: nobody listens there; start one with `followlytics up`, \
             or leave --server out",
            path.display()
        )));
    }
    Ok(client(path, namespace))
}

/// A client through a socket: one connection a request, so that a control plane that restarts is met again.
pub(super) fn client(path: PathBuf, namespace: &str) -> Client {
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
