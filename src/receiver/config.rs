/*!
The keys that servers of any protocol have, and how their values are read.
*/

use crate::config::{Field, KeyReader, Setting, Word};
use std::time::Duration;

pub(crate) const MIB: u64 = 1 << 20;
/// The specification's recommendation; the Collector's own are 4 and 20 MiB.
pub(crate) const DEFAULT_BODY: u64 = 64 * MIB;
/// A request is held in memory whole, so that this is a limit of the machine's.
const MAX_BODY: u64 = 1024 * MIB;
pub(crate) const DEFAULT_HEADERS: u32 = 16 << 10;

pub(crate) const HEADER_BYTES: &str =
    "limit of a request's headers (wayspan's own key); 0: the default";
pub(crate) const ADDRESS: &str = "address to listen on";

/// `transport`: of TCP the address says which.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
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

/// Reads `transport`. None, and reported, when it is none that is served.
pub(crate) fn transport(keys: &mut KeyReader<'_>) -> Option<()> {
    let effect = "of TCP; the address decides which, whatever this says. `unix` is an error";
    let transport = keys.or("transport", Transport::Tcp, effect);
    if transport.value != Transport::Unix {
        return Some(());
    }
    if keys.is_used() {
        let message =
            "wayspan does not listen on unix sockets: use tcp, with an endpoint HOST:PORT";
        keys.reading().error(transport.spot, message);
    }
    None
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
