/*!
One connection from its first byte to its last: which protocol serves it.

Plaintext and TLS are served by the same code, compiled for each: plaintext pays
nothing for the other.
*/

use super::{
    endpoint::{ConnectionContext, Endpoint, Protocol},
    http::{self, reply::HttpReply},
    otlp,
};
use crate::net::{
    activity::Activity,
    connection::{
        ConnectionLimits, FIRST_BYTE_TIMEOUT, HttpVersion, Opened, Supervisor, open, spread,
    },
    permit::ConnectionProof,
};
use crate::receiver::{http::HttpServer, otlp::GrpcServer};
use ::http::{Request, Response};
use hyper::body::Incoming;
use std::{net::SocketAddr, rc::Rc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
};

/// Why TLS refused a connection, in what is told of the peer.
pub(crate) const HANDSHAKE: &str = "handshake";

/// Serves one accepted connection until it ends, or, once `shutdown` turns
/// true, until its requests in flight are answered (GOAWAY / connection: close).
/// `proof` is told how far it comes.
/// Must run inside a `LocalSet` (it spawns local tasks).
pub async fn serve(
    endpoint: Rc<Endpoint>,
    socket: TcpStream,
    peer: SocketAddr,
    proof: ConnectionProof,
    shutdown: watch::Receiver<bool>,
) {
    let (tls, stats) = (endpoint.tls.as_ref(), &endpoint.stats);
    let unnegotiated = match endpoint.protocol {
        Protocol::Grpc(_) => HttpVersion::Two,
        Protocol::Http(..) => HttpVersion::One,
    };
    let failed = || {
        stats.failed_handshakes.add(1);
        stats.limited.note(peer.ip(), HANDSHAKE);
    };
    let opened = open(socket, peer, tls, unnegotiated, failed, &shutdown).await;
    proof.spoken();
    match opened {
        Some(Opened::Plain(stream, version)) => {
            speak(endpoint, stream, version, (peer, proof), shutdown).await;
        }
        Some(Opened::Encrypted(stream, version)) => {
            Box::pin(speak(endpoint, *stream, version, (peer, proof), shutdown)).await;
        }
        None => {}
    }
}

/// Speaks HTTP to the end of the connection.
async fn speak<S>(
    endpoint: Rc<Endpoint>,
    stream: S,
    version: HttpVersion,
    (peer, proof): (SocketAddr, ConnectionProof),
    shutdown: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limits = limits(&endpoint.protocol, version);
    let activity = Rc::new(Activity::new(limits.idle.is_some()));
    let context = ConnectionContext::new(endpoint, peer, proof, shutdown.clone());
    let context = Rc::new(context);
    let _supervisor = Supervisor::start(limits, shutdown, Rc::clone(&activity));
    match (&context.endpoint.protocol, version) {
        (Protocol::Grpc(settings), HttpVersion::Two) => {
            let served = otlp::grpc::serve(Rc::clone(&context), settings, &activity, stream);
            served.await;
        }
        (
            Protocol::Grpc(GrpcServer {
                max_header_bytes, ..
            }),
            HttpVersion::One,
        )
        | (
            Protocol::Http(
                HttpServer {
                    max_header_bytes, ..
                },
                _,
            ),
            _,
        ) => {
            let (context, limit) = (Rc::clone(&context), *max_header_bytes);
            Box::pin(http::connection::run(
                context, activity, stream, version, limit, answer,
            ))
            .await;
        }
    }
}

/// Answers a request that hyper has read.
async fn answer(context: Rc<ConnectionContext>, request: Request<Incoming>) -> Response<HttpReply> {
    match &context.endpoint.protocol {
        Protocol::Grpc(_) => otlp::grpc::answer_http1(&context, &request),
        Protocol::Http(settings, decoder) => {
            http::request::answer(&context, settings, decoder, request).await
        }
    }
}

/// Returns how long a connection of this protocol may last.
fn limits(protocol: &Protocol, version: HttpVersion) -> ConnectionLimits {
    match protocol {
        Protocol::Grpc(settings) => ConnectionLimits {
            age: settings.keepalive.max_connection_age.map(spread),
            grace: settings.keepalive.max_connection_age_grace,
            idle: match version {
                // All that HTTP/1.1 gets here is an answer that names the other port.
                HttpVersion::One => Some(FIRST_BYTE_TIMEOUT),
                HttpVersion::Two => settings.keepalive.max_connection_idle,
            },
            head: (version == HttpVersion::One).then_some(FIRST_BYTE_TIMEOUT),
        },
        Protocol::Http(settings, _) => ConnectionLimits {
            age: settings.max_connection_age.map(spread),
            grace: settings.max_connection_age_grace,
            idle: settings.idle_timeout,
            head: (version == HttpVersion::One).then_some(settings.header_timeout),
        },
    }
}
