/*!
Sockets that connections are accepted on, of TCP and of unix.

An accepted connection is a [`TcpStream`], whichever it came on: that type reads,
writes and peeks by calls that mean the same for both, so that all that serves a
connection is compiled once, and TCP pays nothing for the other. What only TCP has,
such as its addresses and options, fails on the other; so the peer's address is kept
beside the stream, and is unspecified on a unix socket.

The file of a unix socket goes with the last copy of the socket. One that a killed
process left is replaced; one that somebody listens on is not.
*/

use crate::config::{ListenAddress, UnixAddress};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener as StdTcpListener, TcpStream as StdTcpStream},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt, MetadataExt},
            net::UnixListener as StdUnixListener,
        },
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::net::{TcpListener, TcpStream, UnixListener};

/// Connections the kernel may hold for us before we accept them. A mesh's
/// proxies reconnect all at once when the pod is replaced.
const ACCEPT_BACKLOG: i32 = 4096;

/// How long a connection is silent before the kernel asks whether its peer is
/// there, how often it asks again, and how many times. HTTP/1.1 has no ping of its
/// own, and a peer that vanished would hold a descriptor for ever.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);

/// The address of every peer on a unix socket.
const UNIX_PEER: (Ipv4Addr, u16) = (Ipv4Addr::UNSPECIFIED, 0);

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {what}{}", remedy(address, source))]
pub(crate) struct BindError {
    /// The address.
    pub(crate) address: ListenAddress,
    /// What for.
    pub(crate) what: String,
    /// The system's answer.
    pub(crate) source: io::Error,
}

fn remedy(address: &ListenAddress, error: &io::Error) -> &'static str {
    match (address, error.kind()) {
        (ListenAddress::Tcp(_), io::ErrorKind::AddrInUse) => {
            " (another process has the port, `ss -ltnp` shows which: stop it or change the endpoint)"
        }
        (ListenAddress::Tcp(_), io::ErrorKind::PermissionDenied) => {
            " (ports below 1024 need CAP_NET_BIND_SERVICE: use a higher port)"
        }
        (ListenAddress::Tcp(_), io::ErrorKind::AddrNotAvailable) => {
            " (the address is not one of this host's; 0.0.0.0 listens on all of them)"
        }
        (ListenAddress::Unix(_), io::ErrorKind::AddrInUse) => {
            " (another process listens there, `ss -lxp` shows which, or it is no socket: stop it \
             or change the endpoint)"
        }
        (ListenAddress::Unix(_), io::ErrorKind::PermissionDenied) => {
            " (the socket's directory must be one that this user may write to)"
        }
        (ListenAddress::Unix(_), io::ErrorKind::NotFound) => " (the socket's directory must exist)",
        _ => "",
    }
}

/// A socket that is listened on.
#[derive(Debug)]
pub(crate) enum ListeningSocket {
    /// Of TCP.
    Tcp(StdTcpListener),
    /// Of unix, with its file, unless it is abstract.
    Unix(StdUnixListener, Option<Arc<SocketFile>>),
}

/// Binds an address, and returns the real one: with a port where 0 was asked.
///
/// # Errors
///
/// When the system refuses it.
pub(crate) fn listen(
    address: &ListenAddress,
    what: &str,
) -> Result<(ListeningSocket, ListenAddress), BindError> {
    match address {
        ListenAddress::Tcp(address) => {
            let (socket, address) = bind(*address, what)?;
            Ok((ListeningSocket::Tcp(socket), address.into()))
        }
        ListenAddress::Unix(unix) => match bind_unix(unix) {
            Ok(socket) => Ok((socket, address.clone())),
            Err(source) => Err(BindError {
                address: address.clone(),
                what: what.to_owned(),
                source,
            }),
        },
    }
}

/// The same for an address of TCP.
///
/// # Errors
///
/// When the system refuses it.
pub(crate) fn bind(
    address: SocketAddr,
    what: &str,
) -> Result<(StdTcpListener, SocketAddr), BindError> {
    let bind = || {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the old connections' TIME_WAIT.
        socket.set_reuse_address(true)?;
        // Accepted sockets have this from the listening one.
        let (after, every, times) = KEEPALIVE;
        let keepalive = TcpKeepalive::new().with_time(after);
        socket.set_tcp_keepalive(&keepalive.with_interval(every).with_retries(times))?;
        socket.bind(&address.into())?;
        socket.listen(ACCEPT_BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = StdTcpListener::from(socket);
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| BindError {
        address: address.into(),
        what: what.to_owned(),
        source,
    })
}

fn bind_unix(address: &UnixAddress) -> io::Result<ListeningSocket> {
    let name = address.to_system()?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    match (socket.bind(&name), address.path()) {
        (Err(error), Some(path)) if error.kind() == io::ErrorKind::AddrInUse => {
            if !is_abandoned(path, &name) {
                return Err(error);
            }
            fs::remove_file(path)?;
            socket.bind(&name)?;
        }
        (bound, _) => bound?,
    }
    let file = address.path().map(SocketFile::of).transpose()?;
    socket.listen(ACCEPT_BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(ListeningSocket::Unix(socket.into(), file.map(Arc::new)))
}

/// Returns true if a socket is there that nobody listens on.
fn is_abandoned(path: &Path, name: &socket2::SockAddr) -> bool {
    let is_socket = |file: fs::Metadata| file.file_type().is_socket();
    let refuses = || -> io::Result<bool> {
        let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // Whoever listens with a full backlog would keep this waiting.
        probe.set_nonblocking(true)?;
        let connected = probe.connect(name);
        Ok(connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
    };
    fs::symlink_metadata(path).is_ok_and(is_socket) && refuses().unwrap_or(false)
}

impl ListeningSocket {
    /// The same socket once more: both accept, until one is dropped.
    ///
    /// # Errors
    ///
    /// When the system has no descriptor for it.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(socket) => Self::Tcp(socket.try_clone()?),
            Self::Unix(socket, file) => Self::Unix(socket.try_clone()?, file.clone()),
        })
    }

    /// Registers it with the runtime of this thread.
    ///
    /// # Errors
    ///
    /// When the system refuses that.
    pub(super) fn register(self) -> io::Result<RegisteredSocket> {
        Ok(match self {
            Self::Tcp(socket) => RegisteredSocket::Tcp(TcpListener::from_std(socket)?),
            Self::Unix(socket, file) => {
                RegisteredSocket::Unix(UnixListener::from_std(socket)?, file)
            }
        })
    }
}

/// A [`ListeningSocket`] that a runtime waits on.
#[derive(Debug)]
pub(super) enum RegisteredSocket {
    Tcp(TcpListener),
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "goes with the socket")] Option<Arc<SocketFile>>,
    ),
}

impl RegisteredSocket {
    /// Waits for a connection; returns it with the address of its peer.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self {
            Self::Tcp(socket) => socket.accept().await,
            Self::Unix(socket, _) => {
                let (stream, _) = socket.accept().await?;
                let stream = StdTcpStream::from(OwnedFd::from(stream.into_std()?));
                Ok((TcpStream::from_std(stream)?, UNIX_PEER.into()))
            }
        }
    }
}

/// The file of a unix socket, which is removed with this unless it is another's by then.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            id: identity(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|id| id == self.id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!("cannot remove the socket {}: {error}", self.path.display());
        }
    }
}

/// Device and inode.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use std::{
        io::{Read, Write},
        os::unix::net::UnixStream,
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn unix(path: &Path) -> ListenAddress {
        ListenAddress::Unix(UnixAddress::parse(path.to_str().unwrap()).unwrap())
    }

    #[test]
    fn accepted_sockets_are_kept_alive() {
        let (listener, address) = bind("127.0.0.1:0".parse().unwrap(), "a test").unwrap();
        let _client = StdTcpStream::connect(address).unwrap();
        listener.set_nonblocking(false).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let accepted = socket2::SockRef::from(&accepted);
        assert!(accepted.keepalive().unwrap());
        assert_eq!(accepted.tcp_keepalive_time().unwrap(), KEEPALIVE.0);
    }

    #[tokio::test]
    async fn a_connection_of_a_unix_socket_reads_writes_and_is_peeked_at() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let (socket, address) = listen(&unix(&path), "a test").unwrap();
        assert_eq!(address, unix(&path));
        let socket = socket.register().unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"ping").unwrap();
        let (mut accepted, peer) = socket.accept().await.unwrap();
        assert!(peer.ip().is_unspecified());
        let mut bytes = [0; 4];
        assert_eq!(accepted.peek(&mut bytes).await.unwrap(), 4);
        accepted.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ping");
        accepted.write_all(b"pong").await.unwrap();
        client.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"pong");
        accepted.shutdown().await.unwrap();
        assert_eq!(client.read(&mut bytes).unwrap(), 0);
    }

    #[test]
    fn the_file_goes_with_the_last_copy_and_is_replaced_where_nobody_listens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let (socket, _) = listen(&unix(&path), "a test").unwrap();
        let copy = socket.try_clone().unwrap();
        drop(socket);
        let taken = listen(&unix(&path), "a test").unwrap_err();
        assert!(
            taken.to_string().contains("another process listens there"),
            "{taken}"
        );
        drop(copy);
        assert!(!path.exists());

        // As a killed process leaves it.
        drop(StdUnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let (socket, _) = listen(&unix(&path), "a test").unwrap();
        UnixStream::connect(&path).unwrap();

        // Another's by now.
        fs::remove_file(&path).unwrap();
        let _other = StdUnixListener::bind(&path).unwrap();
        drop(socket);
        assert!(path.exists());
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        fs::write(&path, "precious").unwrap();
        assert!(listen(&unix(&path), "a test").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let missing = listen(&unix(&dir.path().join("no/s")), "a test").unwrap_err();
        assert!(
            missing.to_string().contains("directory must exist"),
            "{missing}"
        );
    }

    #[test]
    fn abstract_names_have_no_file() {
        let name = format!("@wayspan-test-{}", std::process::id());
        let address = ListenAddress::Unix(UnixAddress::parse(&name).unwrap());
        let (_socket, _) = listen(&address, "a test").unwrap();
        assert!(listen(&address, "a test").is_err());
        assert!(!Path::new(&name).exists());
    }
}
