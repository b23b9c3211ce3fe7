/*!
The keys that exporters with a queue have: `sending_queue`, `retry_on_failure`,
`timeout`; and what all with an endpoint share.
*/

use super::{Retry, SendingQueue};
use crate::{
    config::{Field, KeyReader, Setting, Word},
    http::{ClientSettings, Compression, HttpProxy, Proxies},
    pipeline::{BatchSettings, QueueBatch},
    queue::{QueueSize, Sizer, Storage},
};
use std::time::Duration;

impl Word for Sizer {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("requests", Self::Requests),
        ("items", Self::Items),
        ("bytes", Self::Bytes),
    ];
}

/// The least bytes to limit batches to.
const LEAST_BATCH: u64 = 4096;

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
            "0 to 9 of `gzip`, `zlib` and `deflate`, 1 to 19 of `zstd`",
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
        let proxies = self.proxy.trimmed().map(HttpProxy::parse);
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
            given => given,
        };
        let levels = i64::from(*levels.start())..=i64::from(*levels.end());
        cx.in_range(self.level.spot, level, &levels);
        u32::try_from(level).ok()
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
        default.size.limit as u64,
        "how much may wait in memory, as `sizer` counts it",
    );
    let sizer = keys.or(
        "sizer",
        default.size.sizer,
        "`requests`: batches; `items`: spans, data points, log records; `bytes`: of the batches",
    );
    let blocks = keys.or(
        "block_on_overflow",
        false,
        "senders wait up to 10s for room in a full queue, and their connections with them; else they are refused at once",
    );
    let waits = keys.or(
        "wait_for_result",
        false,
        "senders are answered once the backend has their items, and hear if it never will; not with `storage`",
    );
    let storage: Field<String> = keys.get(
        "storage",
        "none",
        "a [`file_storage`](#the-segment-log): what is accepted is written to its log before its sender is answered, and waits there while the backend is away",
    );
    let batch = keys.section("batch", |keys| {
        let batch = batch_keys(keys);
        keys.has_value().then_some(batch)
    });

    let cx = keys.reading();
    if !enabled.value {
        let message = "wayspan always queues batches for an exporter; ignored";
        cx.warn(enabled.spot, message);
    }
    if waits.value && storage.given().is_some() {
        let message =
            "a queue with a storage answers once its items are stored: leave one of both out";
        cx.error(waits.spot, message);
    }
    let in_range = |setting: Setting<u64>, most: u64, default: usize| {
        cx.in_range(setting.spot, setting.value, &(1..=most));
        usize::try_from(setting.value).unwrap_or(default)
    };
    let most = match sizer.value {
        Sizer::Requests => 1_000_000,
        Sizer::Items | Sizer::Bytes => 1 << 40,
    };
    let named = storage.given().filter(|_| keys.is_used()).zip(storage.spot);
    SendingQueue {
        consumers: in_range(consumers, 1000, default.consumers),
        size: QueueSize {
            sizer: sizer.value,
            limit: in_range(size, most, default.size.limit),
        },
        blocks: blocks.value,
        waits: waits.value,
        batch,
        storage: named.and_then(|(reference, spot)| {
            let (at, _) = cx.offer::<Storage>(Storage::OFFER, reference, spot)?;
            Some(at)
        }),
    }
}

fn batch_keys(keys: &mut KeyReader<'_>) -> QueueBatch {
    let default = BatchSettings::default();
    let timeout = keys.or(
        "flush_timeout",
        default.timeout,
        "send at this age, unless the pipeline has a `batch` processor, which decides then",
    );
    let min = keys.or(
        "min_size",
        default.items as u64,
        "the same at so much; of several exporters of a pipeline, the least counts",
    );
    let max = keys.or(
        "max_size",
        0_u64,
        "never more than this in a request; 0: no limit",
    );
    let sizer = keys.or(
        "sizer",
        Sizer::Items,
        "in what both sizes are counted: `items` or `bytes`",
    );
    keys.ignored(&["partition"]);

    let cx = keys.reading();
    if sizer.value == Sizer::Requests {
        cx.error(sizer.spot, "a batch is counted in items or in bytes");
    }
    if timeout.value.is_zero() {
        cx.error(timeout.spot, "more than 0s, or batches would never be sent");
    }
    if max.value > 0 && max.value < min.value {
        let message = format!(
            "{} is less than min_size, which is {}",
            max.value, min.value
        );
        cx.error(max.spot, &message);
    }
    let in_bytes = sizer.value == Sizer::Bytes;
    if in_bytes && max.value > 0 && max.value < LEAST_BATCH {
        cx.error(max.spot, "less than 4096 bytes");
    }
    let size = |setting: &Setting<u64>| usize::try_from(setting.value).unwrap_or(usize::MAX);
    QueueBatch {
        timeout: timeout.value,
        min: size(&min),
        max: size(&max),
        in_bytes,
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
