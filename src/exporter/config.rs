/*!
The keys that exporters with a queue have: `sending_queue`, `retry_on_failure`,
`timeout`; and what all with an endpoint share.
*/

use super::{Retry, SendingQueue};
use crate::{
    config::{Field, KeyReader, Setting, Word},
    http::{ClientSettings, Compression, HttpProxy, Proxies},
    queue::Storage,
};
use std::time::Duration;

/// In what the Collector counts a queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sizer {
    Requests,
    Items,
    Bytes,
}

impl Word for Sizer {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("requests", Self::Requests),
        ("items", Self::Items),
        ("bytes", Self::Bytes),
    ];
}

/// Where old Collectors had it.
pub(super) const INSECURE: &str = "belongs below tls: write tls: {insecure: true}";

/// The keys of an exporter over HTTP beside those of all clients.
pub(super) struct HttpTransportKeys {
    proxy: Field<String>,
    level: Field<i64>,
}

/// Reads what the Collector's HTTP clients have besides, of which wayspan has a part.
pub(super) fn http_transport(keys: &mut KeyReader<'_>) -> HttpTransportKeys {
    let proxy = keys.get(
        "proxy_url",
        "those of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`",
        "`http://host:port` of a [proxy](#proxies) that requests go through",
    );
    let level = keys.section("compression_params", |keys| {
        keys.get(
            "level",
            "`1`",
            "0 to 9 of `gzip`, `zlib` and `deflate`, 1 to 22 of `zstd`",
        )
    });
    keys.ignored(&[
        "read_buffer_size",
        "write_buffer_size",
        "max_idle_conns",
        "max_idle_conns_per_host",
        "max_conns_per_host",
        "idle_conn_timeout",
        "disable_keep_alives",
        "http2_read_idle_timeout",
        "http2_ping_timeout",
        "force_attempt_http2",
        "cookies",
    ]);
    keys.refused(&["middlewares"]);
    HttpTransportKeys { proxy, level }
}

impl HttpTransportKeys {
    /// `client` with these keys.
    pub(super) fn check(self, client: ClientSettings, keys: &KeyReader<'_>) -> ClientSettings {
        let cx = keys.reading();
        let proxies = self.proxy.trimmed().map(|url| HttpProxy::parse(url));
        let proxies = match proxies {
            Some(Ok(proxy)) => Proxies::all(proxy),
            Some(Err(message)) => {
                cx.error(self.proxy.spot, &message);
                Proxies::default()
            }
            None => client.proxies.clone(),
        };
        ClientSettings {
            proxies,
            compression_level: self.check_level(client.compression, keys),
            ..client
        }
    }

    fn check_level(&self, compression: Compression, keys: &KeyReader<'_>) -> Option<u32> {
        let cx = keys.reading();
        let given = self.level.value?;
        let Some(levels) = compression.levels() else {
            cx.warn(self.level.spot, "this compression has no levels; ignored");
            return None;
        };
        // Go's names for its default, which is 6, and for Huffman codes alone.
        let level = match given {
            -1 => 6,
            -2 => 1,
            given => u32::try_from(given).unwrap_or(u32::MAX),
        };
        if !levels.contains(&level) {
            let message = format!(
                "{given} is not between {} and {}",
                levels.start(),
                levels.end()
            );
            cx.error(self.level.spot, &message);
        }
        Some(level)
    }
}

/// What `check` makes of an endpoint that is there.
pub(super) fn checked(
    field: &Field<String>,
    keys: &KeyReader<'_>,
    check: impl Fn(&str) -> Result<String, String>,
) -> Option<String> {
    let checked = check(field.trimmed()?);
    let report = |message: String| keys.reading().error(field.spot, &message);
    checked.map_err(report).ok()
}

/// Reports that there is no endpoint, such as `example`.
pub(super) fn needs_endpoint(field: &Field<String>, example: &str, keys: &KeyReader<'_>) {
    let cx = keys.reading();
    // A value that is wrong has been reported already.
    if !(field.spot.is_some() && cx.has_errors()) {
        let message = "an exporter needs an endpoint";
        let help = format!("set endpoint, such as {example}");
        cx.error_at_key(field.spot.or(keys.spot()), message, &help);
    }
}

/// Reads `timeout`. 0 is "no timeout" in the Collector; a day is as good and
/// cannot overflow.
pub(super) fn timeout(keys: &mut KeyReader<'_>, default: Duration) -> Duration {
    let effect = "of one attempt at one address; 0: a day";
    match keys.or("timeout", default, effect).value {
        Duration::ZERO => Duration::from_secs(86_400),
        given => given,
    }
}

/// Reads `sending_queue`.
pub(super) fn sending_queue(keys: &mut KeyReader<'_>) -> SendingQueue {
    keys.section("sending_queue", queue_keys)
}

fn queue_keys(keys: &mut KeyReader<'_>) -> SendingQueue {
    let default = SendingQueue::default();
    let enabled = keys.or(
        "enabled",
        true,
        "a queue is always there, whatever this says",
    );
    let consumers = keys.or(
        "num_consumers",
        default.consumers as u64,
        "requests in flight at once",
    );
    let size = keys.or(
        "queue_size",
        default.batches as u64,
        "batches that may wait in memory",
    );
    let sizer = keys.or(
        "sizer",
        Sizer::Requests,
        "with others, `queue_size` is the default",
    );
    let blocks = keys.or(
        "block_on_overflow",
        false,
        "a full queue refuses, whatever this says",
    );
    let waits = keys.or("wait_for_result", false, "`true` is refused");
    let storage: Field<String> = keys.get(
        "storage",
        "none",
        "a [`file_storage`](#the-segment-log): what is accepted is written to its log before its sender is answered, and waits there while the backend is away",
    );
    keys.ignored(&["batch"]);

    let cx = keys.reading();
    if !enabled.value {
        let message = "wayspan always queues batches for an exporter; ignored";
        cx.warn(enabled.spot, message);
    }
    if blocks.value {
        let message = "a full queue refuses senders and does not block them; ignored";
        cx.warn(blocks.spot, message);
    }
    if waits.value {
        cx.error(waits.spot, "not supported by wayspan yet; remove it");
    }
    let in_range = |setting: Setting<u64>, most: u64, default: usize| {
        let given = setting.value;
        if !(1..=most).contains(&given) {
            let message = format!("{given} is not between 1 and {most}");
            cx.error(setting.spot, &message);
        }
        usize::try_from(given).unwrap_or(default)
    };
    let batches = match sizer.value {
        Sizer::Requests => in_range(size, 1_000_000, default.batches),
        Sizer::Items | Sizer::Bytes => {
            let batches = default.batches;
            let message = format!("the queue is counted in batches; queue_size is {batches}");
            cx.warn(sizer.spot, &message);
            batches
        }
    };
    let named = storage.given().filter(|_| keys.is_used()).zip(storage.spot);
    SendingQueue {
        consumers: in_range(consumers, 1000, default.consumers),
        batches,
        storage: named.and_then(|(reference, spot)| {
            let (at, _) = cx.offer::<Storage>(Storage::OFFER, reference, spot)?;
            Some(at)
        }),
    }
}

/// Reads `retry_on_failure`. `is_stored`: what waits is in a segment log.
pub(super) fn retry(keys: &mut KeyReader<'_>, is_stored: bool) -> Retry {
    keys.section("retry_on_failure", |keys| retry_keys(keys, is_stored))
}

fn retry_keys(keys: &mut KeyReader<'_>, is_stored: bool) -> Retry {
    let default = Retry::default();
    let enabled = keys.or(
        "enabled",
        default.enabled,
        "`false`: one attempt at each address",
    );
    let initial = keys.or(
        "initial_interval",
        default.initial_interval,
        "first wait; the Collector's is 5 s",
    );
    let randomization = keys.or(
        "randomization_factor",
        default.randomization_factor,
        "how much a wait differs at random",
    );
    let multiplier = keys.or("multiplier", default.multiplier, "how fast waits grow");
    let most = keys.or("max_interval", default.max_interval, "longest wait");
    let elapsed: Field<Duration> = keys.get(
        "max_elapsed_time",
        "`5m`; `0s` where the queue has a storage",
        "give up after this long; `0s`: never",
    );

    let cx = keys.reading();
    if initial.value < Duration::from_millis(1) {
        let message = "at least 1ms, or retries keep the machine busy";
        cx.error(initial.spot, message);
    }
    if most.value < initial.value {
        let message = "initial_interval is more than max_interval";
        cx.error(most.spot.or(initial.spot), message);
    }
    if !(0.0..=1.0).contains(&randomization.value) {
        cx.error(randomization.spot, "not between 0 and 1");
    }
    if !(1.0..=100.0).contains(&multiplier.value) {
        cx.error(multiplier.spot, "not between 1 and 100");
    }
    Retry {
        enabled: enabled.value,
        initial_interval: initial.value,
        randomization_factor: randomization.value,
        multiplier: multiplier.value,
        max_interval: most.value,
        max_elapsed: match elapsed.value {
            Some(given) => Some(given).filter(|given| !given.is_zero()),
            // What is in the log costs nothing by waiting.
            None if is_stored => None,
            None => default.max_elapsed,
        },
    }
}
