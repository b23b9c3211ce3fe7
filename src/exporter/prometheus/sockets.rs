/*!
The sockets of all `prometheus` exporters of the process.

When the configuration is read again, the exporter that takes over is built while the other
still listens: it gets the same socket.
*/

use crate::net::listen::bind;
use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError, Weak},
};

static SOCKETS: Mutex<Vec<(SocketAddr, Weak<TcpListener>)>> = Mutex::new(Vec::new());

/// Returns the socket that listens on `address`, new or known.
///
/// # Errors
///
/// When it cannot be bound.
pub(super) fn listen(address: SocketAddr, what: &str) -> Result<Arc<TcpListener>, String> {
    // Whatever a panic left are sockets.
    let mut sockets = SOCKETS.lock().unwrap_or_else(PoisonError::into_inner);
    sockets.retain(|(_, socket)| socket.strong_count() > 0);
    let known = sockets.iter().find(|(known, _)| *known == address);
    if let Some(socket) = known.and_then(|(_, socket)| socket.upgrade()) {
        return Ok(socket);
    }
    let (socket, _) = bind(address, what).map_err(|error| error.to_string())?;
    let socket = Arc::new(socket);
    sockets.push((address, Arc::downgrade(&socket)));
    Ok(socket)
}
