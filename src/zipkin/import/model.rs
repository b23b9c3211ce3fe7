/*!
A span of version 2, as both of its encodings say it.

One is used for all spans of a list, so that its vectors are allocated once.
*/

use crate::pdata::number::ShowHex;
use std::{borrow::Cow, net::IpAddr};

/// Text of the body, which need not be UTF-8.
pub(super) type Text<'a> = Cow<'a, [u8]>;

/// How many tags, and how many annotations, a span may have: a short text makes more
/// bytes of memory than it has.
const MOST: usize = 1 << 16;

/// Appends a tag or an annotation of a span.
///
/// # Errors
///
/// When there are too many.
pub(super) fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), &'static str> {
    if list.len() == MOST {
        return Err("a span may have 65536 of these");
    }
    list.push(item);
    Ok(())
}

/// A span of version 2.
#[derive(Debug, Default)]
pub(super) struct SpanV2<'a> {
    pub(super) trace_id: [u8; 16],
    pub(super) id: [u8; 8],
    pub(super) parent: [u8; 8],
    pub(super) name: Text<'a>,
    pub(super) kind: Kind,
    /// Microseconds since 1970; None: there is no timestamp.
    pub(super) timestamp: Option<u64>,
    /// Microseconds.
    pub(super) duration: u64,
    pub(super) local: Endpoint<'a>,
    pub(super) remote: Endpoint<'a>,
    pub(super) annotations: Vec<Annotation<'a>>,
    /// In the order of the body; of several with one name the last counts.
    pub(super) tags: Vec<(Text<'a>, Text<'a>)>,
}

/// Which side of a call or message a span is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Undetermined,
    Client,
    Server,
    Producer,
    Consumer,
}

impl Kind {
    /// Returns the number that OTLP has for it.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Undetermined => 0,
            Self::Server => 2,
            Self::Client => 3,
            Self::Producer => 4,
            Self::Consumer => 5,
        }
    }
}

/// One end of a connection.
#[derive(Debug, Default)]
pub(super) struct Endpoint<'a> {
    pub(super) service: Text<'a>,
    pub(super) ipv4: Address<'a>,
    pub(super) ipv6: Address<'a>,
    pub(super) port: u16,
}

/// An address of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Address<'a> {
    #[default]
    None,
    Ip(IpAddr),
    /// Octets of no address.
    Odd(&'a [u8]),
}

impl std::fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => Ok(()),
            // An IPv4 address in the form of IPv6 is shown as what it is.
            Self::Ip(ip) => write!(f, "{}", ip.to_canonical()),
            Self::Odd(octets) => {
                f.write_str("?")?;
                write!(f, "{}", ShowHex(octets))
            }
        }
    }
}

impl Endpoint<'_> {
    /// Returns the address that counts.
    pub(super) fn address(&self) -> Address<'_> {
        match self.ipv6 {
            Address::None => self.ipv4,
            ipv6 => ipv6,
        }
    }
}

/// A moment in a span's life.
#[derive(Debug, Default)]
pub(super) struct Annotation<'a> {
    /// Microseconds since 1970.
    pub(super) timestamp: u64,
    pub(super) value: Text<'a>,
}

impl SpanV2<'_> {
    /// Empties it for the next span.
    pub(super) fn clear(&mut self) {
        let (mut annotations, mut tags) = (
            std::mem::take(&mut self.annotations),
            std::mem::take(&mut self.tags),
        );
        annotations.clear();
        tags.clear();
        *self = Self {
            annotations,
            tags,
            ..Self::default()
        };
    }
}
