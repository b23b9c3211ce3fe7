/*!
One connection: TCP or a unix socket, a proxy's tunnel and TLS where they are wanted, and
HTTP on top.

A connection counts as made when the peer has shown that it speaks: with HTTP/2
its first frame is waited for, since a proxy (a sidecar, a load balancer)
accepts connections for a backend that is gone. HTTP/1.1 servers speak only when
asked.

gRPC speaks HTTP/2 only; OTLP over HTTP speaks what TLS negotiates, HTTP/1.1 in
plaintext. A peer that has vanished without a word is noticed by TCP's user
timeout and by HTTP/2 pings while requests are open; there are none on an idle
connection, which grpc-go's servers would punish.
*/

use super::{
    connection::{HttpConnection, RequestSender},
    no_answer::{self, NoAnswer},
    protocol::ClientProtocol,
    resolve::Target,
    route::Route,
    sniff::{FirstBytes, PeerProtocol, SniffedStream},
};
use crate::{config::UnixAddress, tls};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use std::{error::Error, fmt, io, net::SocketAddr, os::fd::OwnedFd, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    select,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

/// Ping while requests are open and nothing arrives for this long.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Close when a ping is not answered for this long.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Close when sent bytes are not acknowledged for this long.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// Longest wait for a TCP connection.
const TCP: Duration = Duration::from_secs(5);
/// Longest wait for a connection on which requests can be sent.
const ALL: Duration = Duration::from_secs(10);

type BoxError = Box<dyn Error + Send + Sync>;

/// Makes connections to the addresses of one target.
pub(super) struct Connector {
    protocol: ClientProtocol,
    /// `host:port`, or the unix socket.
    authority: String,
    route: Route,
    tls: Option<Tls>,
    limit: Duration,
}

struct Tls {
    config: tls::ReloadedClientTls<TlsConnector>,
    name: ServerName<'static>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// Builds from checked settings (None: plaintext). `timeout` is the time of a
    /// whole attempt: connecting is given up a little earlier, so that the error
    /// can say that there was no connection.
    ///
    /// # Errors
    ///
    /// Says which setting is wrong.
    pub(super) fn build(
        target: &Target,
        route: Route,
        tls: Option<&crate::tls::ClientTls>,
        protocol: ClientProtocol,
        timeout: Duration,
    ) -> Result<Self, String> {
        let authority = match &route {
            Route::Unix(address) => address.to_string(),
            _ => target.to_string(),
        };
        let tls = tls.map(|settings| -> Result<Tls, String> {
            let name = match settings.server_name_override.as_deref() {
                Some(name) => tls::server_name(name)?,
                None => ServerName::try_from(target.host.clone()).map_err(|_| {
                    format!(
                        "endpoint: no certificate can be for {:?}: set tls.server_name_override",
                        target.host
                    )
                })?,
            };
            let what = format!("TLS to {authority}");
            let config = tls::ReloadedClientTls::build(what, Some(settings), move |mut config| {
                config.alpn_protocols = protocol.alpn().iter().map(|name| name.to_vec()).collect();
                TlsConnector::from(Arc::new(config))
            })?;
            Ok(Tls { config, name })
        });
        Ok(Self {
            protocol,
            tls: tls.transpose()?,
            authority,
            route,
            limit: (timeout / 5 * 4).min(ALL),
        })
    }

    /// `host:port`, or the unix socket.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// Connects to one of the target's addresses, with what the settings' files
    /// hold at this moment.
    ///
    /// # Errors
    ///
    /// Why there is no connection.
    pub(super) async fn connect(&self, address: SocketAddr) -> Result<HttpConnection, NoAnswer> {
        let seen = FirstBytes::default();
        let failed = |error: BoxError| self.diagnose(&*error, seen.get());
        let end = Instant::now() + self.limit;
        let connected = timeout(self.limit.min(TCP), self.socket(address)).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let mut socket = connected.map_err(|error| match self.route.proxy() {
            None => failed(error.into()),
            Some(proxy) => NoAnswer::passing(format!(
                "no connection to the proxy {proxy} before {}: {error}",
                self.authority
            )),
        })?;
        if let Route::Tunnel(proxy) = &self.route {
            let tunnel = timeout_at(end, proxy.tunnel(&mut socket, &self.authority)).await;
            tunnel.unwrap_or_else(|_| {
                Err(NoAnswer::passing(format!(
                    "the proxy {proxy} does not say whether it connects to {}",
                    self.authority
                )))
            })?;
        }
        match timeout_at(end, self.handshake(socket, &seen)).await {
            Ok(connected) => connected.map_err(failed),
            Err(_) => Err(NoAnswer::passing(format!(
                "{} takes connections but does not begin to speak {}: does the backend hang, or \
                 does a proxy answer for one that is not there?",
                self.authority,
                if self.tls.is_some() {
                    "TLS or HTTP"
                } else {
                    "HTTP/2"
                }
            ))),
        }
    }

    async fn socket(&self, address: SocketAddr) -> io::Result<TcpStream> {
        match &self.route {
            Route::Unix(address) => unix(address),
            _ => tcp(address).await,
        }
    }

    async fn handshake(
        &self,
        socket: TcpStream,
        seen: &FirstBytes,
    ) -> Result<HttpConnection, BoxError> {
        let http2 = self.protocol.is_http2();
        let Some(tls) = &self.tls else {
            let connection = speak(socket, seen, http2).await?;
            return Ok(match &self.route {
                Route::Forward(proxy) => connection.forwarded_by(proxy),
                _ => connection,
            });
        };
        let connector = tls.config.for_connection();
        let stream = connector.connect(tls.name.clone(), socket).await?;
        let negotiated = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        speak(stream, seen, http2 || negotiated).await
    }

    /// Finds out what a failure on a connection to this target means.
    pub(super) fn diagnose(&self, error: &(dyn Error + 'static), seen: PeerProtocol) -> NoAnswer {
        let expected = no_answer::ExpectedPeer {
            authority: &self.authority,
            protocol: self.protocol,
            tls: self.tls.is_some(),
        };
        no_answer::diagnose(error, seen, expected)
    }
}

async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(stream)
}

/// Connects to a unix socket, which needs no waiting. What comes of it is a stream of TCP
/// by its type, as in [`crate::net`]: it reads and writes by the same calls.
fn unix(address: &UnixAddress) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&address.to_system()?)?;
    TcpStream::from_std(OwnedFd::from(socket).into())
}

/// Begins HTTP on a stream. A task does the connection's own work and ends with it.
async fn speak<T>(stream: T, seen: &FirstBytes, http2: bool) -> Result<HttpConnection, BoxError>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = SniffedStream::new(TokioIo::new(stream), seen.clone());
    let http = if http2 {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .handshake(stream)
            .await?;
        let ended = tokio::spawn(connection);
        let early = async {
            let speaks = seen.first().await;
            // What else there is cannot be read as a frame, which ends it.
            if matches!(speaks, PeerProtocol::Http1 | PeerProtocol::Tls) {
                std::future::pending::<()>().await;
            }
        };
        select! {
            () = early => RequestSender::Two(sender),
            ended = ended => {
                ended??;
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    } else {
        let (sender, connection) = http1::handshake(stream).await?;
        tokio::spawn(connection);
        RequestSender::One(sender)
    };
    Ok(HttpConnection::new(http, seen.clone()))
}
