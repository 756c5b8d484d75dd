//! The side that clients connect to.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::handle::Connection;
use super::state::Shared;
use super::upstream::Upstream;
use crate::wait::within;

const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
const MOST_CONNECTIONS: usize = 1024;
/// When connections can't be accepted, which is so while there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until it is dropped, and with it everything it has begun.
pub(super) async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    upstream: Arc<Upstream>,
    shared: Arc<Shared>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                shared.problem(format!("accepting a connection: {error}"));
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(reset) = shared.connect() else {
            close(&stream);
            continue;
        };
        if connections.len() >= MOST_CONNECTIONS {
            shared.problem(format!("more than {MOST_CONNECTIONS} connections"));
            close(&stream);
            continue;
        }
        let connection = Connection::new(Arc::clone(&shared), Arc::clone(&upstream), reset.clone());
        let tls = tls.clone();
        connections.spawn(async move {
            if let Err(error) = converse(stream, tls, connection, reset).await {
                tracing::debug!("fault proxy: a client's connection ended: {error:#}");
            }
        });
    }
}

async fn converse(
    stream: TcpStream,
    tls: TlsAcceptor,
    connection: Connection,
    reset: CancellationToken,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let handshake = within("a handshake", HANDSHAKE_DEADLINE, async {
        Ok(tls.accept(stream).await?)
    });
    let stream = tokio::select! {
        biased;
        () = reset.cancelled() => return Ok(()),
        outcome = handshake => outcome?,
    };
    let connection = Arc::new(connection);
    let service = service_fn(move |request| Arc::clone(&connection).answer(request));
    let mut conversation = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // First, so that nothing goes on after the end.
        biased;
        () = reset.cancelled() => {
            let stream = conversation.into_parts().io.into_inner();
            close(stream.get_ref().0);
            Ok(())
        }
        outcome = &mut conversation => outcome.context("serving"),
    }
}

/// The stream, dropped next, is reset rather than closed in order.
fn close(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!("fault proxy: {error}");
    }
}
