/*!
One connection before its first request, and the time it has.

Both versions of HTTP are recognised on every port: a sender with a wrong setting
then gets an answer that names the setting, instead of a parse error. The
version is found by peeking for the HTTP/2 preface, so whoever serves the
connection reads an untouched socket. In TLS it is what was negotiated.
*/

use super::{
    activity::{Activity, Order},
    handshake::{self, Greeting},
    notice::ConnectionNotice,
};
use crate::{random::rng, tls};
use futures_util::future::OptionFuture;
use rand::Rng as _;
use std::{future::Future, net::SocketAddr, pin::pin, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::server::TlsStream;

pub(crate) use super::handshake::{HANDSHAKE_TIMEOUT, HttpVersion};

/// How long a new connection may stay silent before it is closed.
pub(crate) const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection whose peer will speak HTTP.
#[derive(Debug)]
pub(crate) enum Opened {
    /// In plaintext.
    Plain(TcpStream, HttpVersion),
    /// In TLS. In a box, so that a plaintext connection is no larger for it.
    Encrypted(Box<TlsStream<TcpStream>>, HttpVersion),
}

/// Opens an accepted connection: waits for its first bytes and does the TLS
/// handshake where `tls` demands one. `unnegotiated` is the version of a peer
/// that negotiates none in TLS. None: the peer left, failed, or was refused,
/// which has been logged; `failed` is called for each failed handshake.
pub(crate) async fn open(
    socket: TcpStream,
    peer: SocketAddr,
    tls: Option<&Arc<tls::ReloadedServerTls>>,
    unnegotiated: HttpVersion,
    failed: impl Fn(),
    shutdown: &watch::Receiver<bool>,
) -> Option<Opened> {
    // An answer is a few dozen bytes: Nagle's algorithm would only delay it.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let greeting = tokio::select! {
        greeting = timeout(FIRST_BYTE_TIMEOUT, handshake::sniff(&socket)) => greeting,
        () = shutdown_begun(shutdown.clone()) => return None,
    };
    let greeting = match greeting {
        Ok(Ok(greeting)) => greeting,
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "connection failed");
            return None;
        }
        Err(_) => {
            tracing::debug!(%peer, "closed: the peer sent no request");
            return None;
        }
    };
    match (tls, greeting) {
        // A port probe: connect and close.
        (_, Greeting::None) => None,
        (None, Greeting::Http(version)) => Some(Opened::Plain(socket, version)),
        (Some(tls), Greeting::Tls) => {
            let handshake = Box::pin(handshake::accept(tls, socket, unnegotiated, peer));
            let shaken = tokio::select! {
                shaken = handshake => shaken,
                () = shutdown_begun(shutdown.clone()) => return None,
            };
            if shaken.is_none() {
                failed();
            }
            shaken.map(|(stream, version)| Opened::Encrypted(Box::new(stream), version))
        }
        (None, Greeting::Tls) => {
            failed();
            ConnectionNotice::Tls.log(
                peer,
                "the sender speaks TLS, but this port takes plaintext: set insecure at the \
                 sender, or tls at this receiver, or, in the mesh, PeerAuthentication and \
                 DestinationRule so that mutual TLS ends before this process",
            );
            None
        }
        (Some(_), Greeting::Http(version)) => {
            failed();
            Box::pin(handshake::refuse_plaintext(socket, version, peer)).await;
            None
        }
    }
}

/// How long a connection that works may last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    /// How old it may become.
    pub(crate) age: Option<Duration>,
    /// How long it may take after that to finish.
    pub(crate) grace: Duration,
    /// How long it may have no request.
    pub(crate) idle: Option<Duration>,
    /// How long a request's head may take to arrive.
    pub(crate) head: Option<Duration>,
}

/// Varies an age by a tenth, as grpc-go does, so that connections made together
/// do not come back together. Whatever the file says, this does not overflow.
pub(crate) fn spread(age: Duration) -> Duration {
    let seconds = age.as_secs_f64() * rng().random_range(0.9..1.1);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Waits until the process shuts down.
pub(crate) async fn shutdown_begun(mut shutdown: watch::Receiver<bool>) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could ask for a shutdown.
        std::future::pending().await
    }
}

/// Waits for the end of a connection's time and gives the order. Runs beside
/// the connection so that serving a request polls none of this.
async fn supervise(
    limits: ConnectionLimits,
    shutdown: watch::Receiver<bool>,
    activity: Rc<Activity>,
) {
    let mut stop = pin!(shutdown_begun(shutdown));
    let mut old = pin!(OptionFuture::from(limits.age.map(sleep)));
    loop {
        tokio::select! {
            () = &mut stop => return activity.give(Order::Finish),
            Some(()) = &mut old => {
                activity.give(Order::Finish);
                sleep(limits.grace).await;
                return activity.give(Order::Close);
            }
            Some(order) = OptionFuture::from(limits.check(&activity)) => {
                if let Some(order) = order {
                    return activity.give(order);
                }
            }
        }
    }
}

impl ConnectionLimits {
    /// Waits until the first idle limit could have been reached and tells what
    /// is due then; None when the connection has no such limit.
    fn check<'a>(
        &'a self,
        activity: &'a Activity,
    ) -> Option<impl Future<Output = Option<Order>> + 'a> {
        let shortest = [self.idle, self.head].into_iter().flatten().min()?;
        Some(async move {
            let over = |since: Option<Instant>, limit: Option<Duration>| {
                since
                    .zip(limit)
                    .is_some_and(|(since, limit)| since.elapsed() >= limit)
            };
            // A quarter of the limit late at most, without a timer per request.
            sleep((shortest / 4).max(Duration::from_millis(1))).await;
            if over(activity.head_since(), self.head) {
                Some(Order::Close)
            } else if over(activity.quiet_since(), self.idle) {
                Some(Order::Finish)
            } else {
                None
            }
        })
    }
}

/// Runs [`supervise`] beside a connection until this is dropped.
#[derive(Debug)]
pub(crate) struct Supervisor(JoinHandle<()>);

impl Supervisor {
    /// Starts to supervise the connection whose orders `activity` carries.
    pub(crate) fn start(
        limits: ConnectionLimits,
        shutdown: watch::Receiver<bool>,
        activity: Rc<Activity>,
    ) -> Self {
        Self(tokio::task::spawn_local(supervise(
            limits, shutdown, activity,
        )))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.0.abort();
    }
}
