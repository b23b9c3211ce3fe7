/*!
Binding sockets, and accepting: each connection goes to the shard that
[`ShardLoads`] chooses.

A connection stays on its shard for life, so placement decides the balance: the
kernel's own spreading (SO_REUSEPORT) hashes badly over the few long-lived
connections a mesh keeps. Accepting is rare, so one thread does it for all.
*/

use super::{balance::ShardLoads, handover::AcceptedConnection};
use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    time::Duration,
};
use tokio::net::TcpListener;

/// Connections the kernel may hold for us before we accept them. A mesh's
/// proxies reconnect all at once when the pod is replaced.
const ACCEPT_BACKLOG: i32 = 1024;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {what}{}", remedy(source))]
pub(crate) struct BindError {
    /// The address.
    pub(crate) address: SocketAddr,
    /// What for.
    pub(crate) what: String,
    /// The system's answer.
    pub(crate) source: io::Error,
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            " (another process has the port, `ss -ltnp` shows which: stop it or change the endpoint)"
        }
        io::ErrorKind::PermissionDenied => {
            " (ports below 1024 need CAP_NET_BIND_SERVICE: use a higher port)"
        }
        io::ErrorKind::AddrNotAvailable => {
            " (the address is not one of this host's; 0.0.0.0 listens on all of them)"
        }
        _ => "",
    }
}

/// Binds one address and returns the real one.
pub(crate) fn bind(
    address: SocketAddr,
    what: &str,
) -> Result<(StdListener, SocketAddr), BindError> {
    let bind = || {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        // A restart must not wait for the old connections' TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(ACCEPT_BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = StdListener::from(socket);
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| BindError {
        address,
        what: what.to_owned(),
        source,
    })
}

/// Accepts on `socket` until cancelled and sends each connection to the shard
/// that [`ShardLoads::place`] chooses; `listener` is what the shard knows it by.
pub(crate) async fn accept(
    listener: usize,
    socket: StdListener,
    address: SocketAddr,
    balance: &ShardLoads,
) {
    let socket = match TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!("cannot accept on {}: {error}", address);
            return;
        }
    };
    loop {
        let (socket, peer) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::warn!(
                    "cannot accept a connection on {}: {error}; trying again (if this is \"too \
                     many open files\", raise the limit with ulimit -n)",
                    address
                );
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        // The socket leaves this thread's reactor for the shard's.
        let Ok(socket) = socket.into_std() else {
            continue;
        };
        if let Some(shard) = balance.place() {
            shard.serve(AcceptedConnection {
                listener,
                socket,
                peer,
            });
        }
    }
}

/// Errors that concern a connection that is already gone, not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
