/*!
The keys that servers of any protocol have, and how their values are read.
*/

use crate::config::{Field, KeyReader, ListenAddress, Setting, UnixAddress, Word, host_port};
use std::time::Duration;

pub(crate) const MIB: u64 = 1 << 20;
/// The specification's recommendation; the Collector's own are 4 and 20 MiB.
pub(crate) const DEFAULT_BODY: u64 = 64 * MIB;
/// A request is held in memory whole, so that this is a limit of the machine's.
const MAX_BODY: u64 = 1024 * MIB;
pub(crate) const DEFAULT_HEADERS: u32 = 16 << 10;

pub(crate) const HEADER_BYTES: &str =
    "limit of a request's headers (wayspan's own key); 0: the default";
pub(crate) const ADDRESS: &str =
    "address to listen on: `HOST:PORT`, or the path of a [unix socket](#unix-sockets)";

/// `transport`: of TCP the address says which.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Tcp4,
    Tcp6,
    Unix,
}

impl Word for Transport {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("tcp", Self::Tcp),
        ("tcp4", Self::Tcp4),
        ("tcp6", Self::Tcp6),
        ("unix", Self::Unix),
    ];
}

/// Reads `transport`.
pub(crate) fn transport(keys: &mut KeyReader<'_>) -> Setting<Transport> {
    let effect = "`unix`: the endpoint is the path of a socket; of TCP the address decides which, whatever this says";
    keys.or("transport", Transport::Tcp, effect)
}

/// The address to listen on, and takes it. None, and reported, when it cannot be one.
pub(crate) fn address(
    endpoint: &Setting<String>,
    transport: &Setting<Transport>,
    keys: &KeyReader<'_>,
) -> Option<ListenAddress> {
    let text = endpoint.value.trim();
    let is_unix = transport.value == Transport::Unix;
    let unix = match UnixAddress::of_scheme(text) {
        Some(unix) => unix,
        None if is_unix || text.starts_with('/') => UnixAddress::parse(text),
        None => return keys.listen(endpoint).map(ListenAddress::Tcp),
    };
    let cx = keys.reading();
    if !endpoint.is_set {
        let message = "a unix socket needs an endpoint, such as /run/wayspan/otlp.sock";
        cx.error(transport.spot, message);
        return None;
    }
    if is_unix && host_port(text).is_ok() {
        let message = "with transport: unix this is the path of a socket, below the working \
            directory, and nobody listens on a port; for TCP leave transport out";
        cx.warn(endpoint.spot, message);
    }
    keys.listen_unix(unix, endpoint).map(ListenAddress::Unix)
}

/// None unless a pipeline uses the receiver.
pub(crate) fn served(keys: &KeyReader<'_>) -> Option<()> {
    keys.is_used().then_some(())
}

/// `given`, where 0 means the default, as in Go.
pub(crate) fn or_default(given: u32, default: u32) -> u32 {
    match given {
        0 => default,
        given => given,
    }
}

/// Reads how old a connection may become, and its grace after that. None: it may be of
/// any age.
pub(crate) fn connection_age(keys: &mut KeyReader<'_>) -> (Option<Duration>, Duration) {
    let age = keys.get(
        "max_connection_age",
        "never",
        "close connections at this age, so that senders spread over replicas; `0s`: never",
    );
    let grace = keys.or(
        "max_connection_age_grace",
        Duration::from_secs(30),
        "how long requests in flight may then take",
    );
    (not_zero(&age), grace.value)
}

/// A time where 0 means never.
pub(crate) fn not_zero(field: &Field<Duration>) -> Option<Duration> {
    field.value.filter(|given| !given.is_zero())
}

/// A time where 0 means `default`.
pub(crate) fn wait(
    setting: &Setting<Duration>,
    default: Duration,
    keys: &KeyReader<'_>,
) -> Duration {
    let given = setting.value;
    if given.is_zero() {
        return default;
    }
    if given < Duration::from_millis(10) && keys.is_used() {
        let message = "less than 10ms would only keep the machine busy";
        keys.reading().error(setting.spot, message);
    }
    given
}

pub(crate) fn body_limit<T>(bytes: u64, written: &Setting<T>, keys: &KeyReader<'_>) -> usize {
    if bytes > MAX_BODY {
        let message = "at most 1 GiB: a request is held in memory whole";
        keys.reading().error(written.spot, message);
    }
    let bytes = if bytes == 0 { DEFAULT_BODY } else { bytes };
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
