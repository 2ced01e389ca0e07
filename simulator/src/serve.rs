//! The router on a socket, where a lost response is a closed connection.

use std::{io, sync::Arc, time::Duration};

use axum::{Router, body::Body, response::Response};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tower::ServiceExt as _;

use crate::{
    answer::{DROP_HEADER, Peer},
    router::router,
    world::World,
};

/// hyper closes a connection without a byte when its service fails: exactly what a lost response looks like.
#[derive(Debug, Error)]
#[error("failed to deliver the response: a fault dropped it")]
struct Dropped;

/// Serves the world until the future is dropped, which also closes every open connection.
///
/// Errors only if the listener itself is broken before the first connection.
pub async fn serve(world: Arc<World>, listener: TcpListener) -> io::Result<()> {
    let router = router(world);
    let mut connections = JoinSet::new();
    tracing::debug!(address = %listener.local_addr()?, "simulator is listening");
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(converse(stream, Peer(peer.ip()), router.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: connections that end will free some.
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, peer: Peer, router: Router) {
    // Small answers must not wait for Nagle: benches measure the latency that was configured.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        deliver(router.clone(), request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new());
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "connection ended");
    }
}

async fn deliver(router: Router, request: Request<Incoming>) -> Result<Response, Dropped> {
    let answered = router.oneshot(request.map(Body::new)).await;
    let response = answered.unwrap_or_else(|never| match never {});
    if response.headers().contains_key(DROP_HEADER) {
        Err(Dropped)
    } else {
        Ok(response)
    }
}
