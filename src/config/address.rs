/*!
Addresses to listen on: of TCP, or of a unix socket.
*/

use std::{fmt, io, net::SocketAddr, path::Path};

/// The longest name of a unix socket that systems take (108 bytes, one of which
/// ends it).
const LONGEST: usize = 107;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// Address and port.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(UnixAddress),
}

impl ListenAddress {
    /// Returns the address of TCP, if it is one.
    pub(crate) fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// Returns true if both cannot be listened on at once.
    pub(super) fn is_taken_by(&self, other: &Self) -> bool {
        match (self, other) {
            // Port 0 is a different port every time.
            (Self::Tcp(own), Self::Tcp(other)) => {
                own.port() != 0
                    && other.port() == own.port()
                    && (other.ip() == own.ip()
                        || other.ip().is_unspecified()
                        || own.ip().is_unspecified())
                    && other.is_ipv4() == own.is_ipv4()
            }
            (own, other) => own == other,
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(address) => address.fmt(f),
        }
    }
}

/// The name of a unix socket: a path, or `@name` in the abstract namespace of Linux,
/// which has no files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixAddress(String);

impl UnixAddress {
    /// Takes a path, or `@name`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            Err(format!(
                "\"{name}\" is not the path of a unix socket: {why}"
            ))
        };
        match name {
            "" | "@" => wrong("it is empty"),
            _ if name.contains('\0') => wrong("it has a NUL"),
            _ if name.len() > LONGEST => wrong("it has more than 107 bytes, which no system takes"),
            _ => Ok(Self(name.to_owned())),
        }
    }

    /// The socket that gRPC's names for one mean: `unix:path`, `unix:///path` and
    /// `unix-abstract:name`. None: `text` is of another scheme.
    pub(crate) fn of_scheme(text: &str) -> Option<Result<Self, String>> {
        if let Some(name) = text.strip_prefix("unix-abstract:") {
            return Some(Self::parse(&format!("@{name}")));
        }
        let name = text.strip_prefix("unix:")?;
        Some(Self::parse(name.strip_prefix("//").unwrap_or(name)))
    }

    /// Returns its file; None: it is abstract.
    pub(crate) fn path(&self) -> Option<&Path> {
        (!self.0.starts_with('@')).then(|| Path::new(&self.0))
    }

    /// As the system takes it.
    ///
    /// # Errors
    ///
    /// When the system does not take it.
    pub(crate) fn to_system(&self) -> io::Result<socket2::SockAddr> {
        match self.0.strip_prefix('@') {
            // A NUL in front tells the abstract namespace.
            Some(name) => socket2::SockAddr::unix(format!("\0{name}")),
            None => socket2::SockAddr::unix(&self.0),
        }
    }
}

impl fmt::Display for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix:{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn unix_sockets_have_a_path_or_an_abstract_name() {
        let file = UnixAddress::parse("/run/otlp.sock").unwrap();
        assert_eq!(file.path(), Some(Path::new("/run/otlp.sock")));
        assert_eq!(file.to_string(), "unix:/run/otlp.sock");
        let hidden = UnixAddress::parse("@otlp").unwrap();
        assert_eq!(hidden.path(), None);
        assert!(hidden.to_system().is_ok());
        assert!(UnixAddress::parse(&"x".repeat(107)).is_ok());
        for bad in ["", "@", "/a\0b", &"x".repeat(108)] {
            assert!(UnixAddress::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn schemes_of_grpc() {
        for (text, name) in [
            ("unix:///run/x.sock", "unix:/run/x.sock"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
            ("unix:x.sock", "unix:x.sock"),
            ("unix-abstract:x", "unix:@x"),
        ] {
            let address = UnixAddress::of_scheme(text).unwrap().unwrap();
            assert_eq!(address.to_string(), name, "{text}");
        }
        assert!(UnixAddress::of_scheme("unix:").unwrap().is_err());
        for other in ["/run/x.sock", "unixhost:4317"] {
            assert!(UnixAddress::of_scheme(other).is_none(), "{other}");
        }
    }

    #[test]
    fn addresses_that_exclude_each_other() {
        let at = |text: &str| match text.parse::<SocketAddr>() {
            Ok(address) => ListenAddress::Tcp(address),
            Err(_) => ListenAddress::Unix(UnixAddress::parse(text).unwrap()),
        };
        for (one, other, taken) in [
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("127.0.0.2:1", "127.0.0.1:1", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("[::]:1", "0.0.0.0:1", false),
            ("/a", "/a", true),
            ("/a", "@a", false),
            ("/a", "127.0.0.1:1", false),
        ] {
            assert_eq!(at(one).is_taken_by(&at(other)), taken, "{one} {other}");
            assert_eq!(at(other).is_taken_by(&at(one)), taken, "{one} {other}");
        }
    }
}
