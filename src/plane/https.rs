//! The API server on loopback, by https and with a token: client-go sends no credential over plain http.
//!
//! Owns connections: how many, how long a stranger may hold one, how large heads may be. What is asked is the API
//! server's business; who asks is [`gate`]'s.

mod address;
mod gate;
#[cfg(test)]
mod tests;

use std::{
    fmt::Display,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body};
use http::Request;
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
};
use tower::ServiceExt as _;

pub(crate) use self::address::Listen;
use self::gate::{Gate, Visitor};
use super::{identity::Identity, kubeconfig};
use crate::{data::DataDir, edge, exit::Failure};

/// Connections at once: many times what people and controllers of one machine need.
const CONNECTIONS: usize = 256;
/// How long a stranger has: from the connection to the first request with the token.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// How long a request's head may take, and how long a connection may lie idle.
const HEAD: Duration = Duration::from_mins(1);
/// Most bytes of a request's head; bodies are limited where they are read.
const HEAD_BYTES: u32 = 64 * 1024;
/// Requests at once on one connection: kubectl and controllers watch over one.
const STREAMS: u32 = 250;
/// How often a silent connection is asked whether it is still there, and how long it may take to say so.
const ALIVE: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(20);
/// How long open requests may take at the end.
const GRACE: Duration = Duration::from_secs(1);
/// Wait after an accept that failed: too many open files, mostly.
const AGAIN: Duration = Duration::from_millis(100);

/// The API server, served on loopback.
pub(crate) struct Https {
    kubeconfig: PathBuf,
    task: JoinHandle<()>,
}

/// What every connection shares.
struct Shared {
    identity: Identity,
    gate: Gate,
    router: Router,
    /// How long a stranger has.
    introduction: Duration,
}

impl Https {
    /// Listens, makes whatever is missing of certificates and token, and writes the kubeconfig.
    pub(crate) fn start(
        data: &DataDir,
        listen: Listen,
        router: Router,
        namespace: &str,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, Failure> {
        let folder = data.https()?;
        let (listener, address) = listen.bind(&folder.join("address"))?;
        let identity = Identity::open(&folder.join("authority.json"), address.ip(), edge::now())?;
        let token = kubeconfig::token(&folder.join("token"))?;
        let path = data.kubeconfig();
        let kubeconfig =
            kubeconfig::write_kubeconfig(path, address, identity.authority(), &token, namespace)?;
        let shared = Arc::new(Shared {
            identity,
            gate: Gate::new(token),
            router,
            introduction: INTRODUCTION,
        });
        let task = tokio::spawn(serve(listener, shared, stop));
        Ok(Self { kubeconfig, task })
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Waits for its end, which `stop` began.
    pub(crate) async fn ended(self) {
        let _ = self.task.await;
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let ending = stop.clone();
    let mut stopped = pin!(async move {
        // A sender that is gone means the same.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    loop {
        tokio::select! {
            () = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            Some((stream, slot)) = next(&listener, &slots) => {
                let (shared, stop) = (Arc::clone(&shared), ending.clone());
                connections.spawn(async move {
                    talk(stream, &shared, stop).await;
                    drop(slot);
                });
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        connections.shutdown().await;
    }
}

/// The next connection, once there is room for it.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    // Nobody closes it: there is always a next one.
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, slot)),
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// One connection, from the handshake to its end.
async fn talk(stream: TcpStream, shared: &Shared, stop: watch::Receiver<bool>) {
    let acceptor = shared.identity.acceptor(edge::now());
    // Small answers must not wait for the one before to be acknowledged.
    let _ = stream.set_nodelay(true);
    let stream = match tokio::time::timeout(shared.introduction, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    let second = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let visitor = Visitor::default();
    let introduction = shared.introduction;
    let service = service_fn(|request: Request<Incoming>| {
        let admitted = shared.gate.admit(&visitor, request.headers());
        let router = shared.router.clone();
        async move {
            match admitted {
                Ok(()) => router.oneshot(request.map(Body::new)).await,
                Err(refusal) => Ok(*refusal),
            }
        }
    });
    let stream = TokioIo::new(stream);
    if second {
        let mut builder = conn::http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEAD_BYTES)
            .keep_alive_interval(ALIVE)
            .keep_alive_timeout(ANSWER);
        let connection = builder.serve_connection(stream, service);
        drive(connection, &visitor, introduction, stop).await;
    } else {
        let mut builder = conn::http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES as usize);
        let connection = builder.serve_connection(stream, service);
        drive(connection, &visitor, introduction, stop).await;
    }
}

/// Runs a connection until it ends, is told to, or turns out to be a stranger's.
async fn drive<C>(connection: C, visitor: &Visitor, introduction: Duration, mut stop: watch::Receiver<bool>)
where
    C: GracefulConnection<Error: Display>,
{
    let mut stopped = pin!(async move {
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let mut connection = pin!(connection);
    let mut introduction = pin!(tokio::time::sleep(introduction));
    let (mut asked, mut stopping) = (false, false);
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
                return;
            }
            () = &mut introduction, if !asked => {
                if !visitor.is_known() {
                    return tracing::debug!("a connection brought no request with the token");
                }
                asked = true;
            }
            () = &mut stopped, if !stopping => {
                connection.as_mut().graceful_shutdown();
                stopping = true;
            }
        }
    }
}
