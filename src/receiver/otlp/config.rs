/*! The keys of `otlp`. */

use super::{GrpcServer, HttpServer, Otlp, ServerKeepalive, http_protocol};
use crate::{
    auth,
    config::{Field, Id, KeyReader, Setting, Word},
    receiver::http::cors::Cors,
    receiver::{ConfiguredReceiver, ListenerSettings, Protocol, ReceiverSettings},
    tls,
};
use std::{sync::Arc, time::Duration};

const MIB: u64 = 1 << 20;
/// The specification's recommendation; the Collector's own are 4 and 20 MiB.
const DEFAULT_BODY: u64 = 64 * MIB;
/// A request is held in memory whole, so that this is a limit of the machine's.
const MAX_BODY: u64 = 1024 * MIB;
const DEFAULT_HEADERS: u32 = 16 << 10;
const DEFAULT_STREAMS: u32 = 256;

const HEADER_BYTES: &str = "limit of a request's headers (wayspan's own key); 0: the default";
const ADDRESS: &str = "address to listen on";

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

impl ReceiverSettings for Otlp {
    fn listeners(&self) -> Vec<ListenerSettings> {
        let grpc = self.grpc.iter().map(|grpc| ListenerSettings {
            transport: "grpc",
            name: "OTLP/gRPC",
            address: grpc.endpoint,
            protocol: Protocol::Grpc(grpc.clone()),
        });
        let http = self.http.iter().map(|http| ListenerSettings {
            transport: "http",
            name: "OTLP/HTTP",
            address: http.endpoint,
            protocol: http_protocol(http.clone()),
        });
        grpc.chain(http).collect()
    }
}

pub(crate) fn read(id: &Id, keys: &mut KeyReader<'_>) -> Option<ConfiguredReceiver> {
    let at = keys.spot();
    const BELOW: &str = "an otlp receiver has an endpoint for each protocol: write protocols: {grpc: {endpoint: \
         \"0.0.0.0:4317\"}, http: {endpoint: \"0.0.0.0:4318\"}}";
    let is_misplaced = keys.misplaced("endpoint", BELOW);
    let (spot, grpc, http) = keys.section("protocols", |keys| {
        let grpc = keys.section("grpc", |keys| (keys.spot(), grpc(keys)));
        let http = keys.section("http", |keys| (keys.spot(), http(keys)));
        (keys.spot(), grpc, http)
    });
    if grpc.0.is_none() && http.0.is_none() && !is_misplaced {
        let help = "name at least one of protocols.grpc and protocols.http: write protocols: {grpc: {endpoint: \"0.0.0.0:4317\"}}";
        keys.reading()
            .error_at_key(spot.or(at), "serves no protocol", help);
    }
    Some(ConfiguredReceiver {
        id: id.clone(),
        settings: Arc::new(Otlp {
            grpc: grpc.1,
            http: http.1,
        }),
    })
}

fn grpc(keys: &mut KeyReader<'_>) -> Option<GrpcServer> {
    let endpoint = keys.or("endpoint", "localhost:4317".to_owned(), ADDRESS);
    let transport = transport(keys);
    let tls = tls::config::server(keys);
    let mib = keys.or(
        "max_recv_msg_size_mib",
        (DEFAULT_BODY / MIB) as u32,
        "largest request after inflating, in MiB, at most 1024; 0: the default",
    );
    let streams = keys.or(
        "max_concurrent_streams",
        DEFAULT_STREAMS,
        "requests in flight per connection; 0: the default",
    );
    let header_bytes = keys.or("max_header_bytes", DEFAULT_HEADERS, HEADER_BYTES);
    keys.ignored(&["read_buffer_size", "write_buffer_size"]);
    let keepalive = keys.section("keepalive", |keys| {
        keys.ignored(&["enforcement_policy"]);
        keys.section("server_parameters", keepalive)
    });
    let auth = auth::config::server(keys);
    keys.ignored(&["include_metadata"]);
    keys.refused(&["middlewares"]);
    served(keys)?;
    transport?;
    Some(GrpcServer {
        endpoint: keys.listen(&endpoint)?,
        max_message_bytes: body_limit(u64::from(mib.value) * MIB, &mib, keys),
        max_concurrent_streams: or_default(streams.value, DEFAULT_STREAMS),
        max_header_bytes: or_default(header_bytes.value, DEFAULT_HEADERS),
        keepalive,
        tls,
        auth,
    })
}

fn keepalive(keys: &mut KeyReader<'_>) -> ServerKeepalive {
    const TIME: Duration = Duration::from_secs(30);
    const TIMEOUT: Duration = Duration::from_secs(10);
    keys.ignored(&["max_connection_idle"]);
    let age: Field<Duration> = keys.get(
        "max_connection_age",
        "never",
        "close connections at this age, so that senders spread over replicas; `0s`: never",
    );
    let grace = keys.or(
        "max_connection_age_grace",
        Duration::from_secs(30),
        "how long requests in flight may then take",
    );
    let time = keys.or(
        "time",
        TIME,
        "ping a quiet connection after this long; `0s`: the default",
    );
    let timeout = keys.or(
        "timeout",
        TIMEOUT,
        "close it when the answer takes longer; `0s`: the default",
    );
    ServerKeepalive {
        max_connection_age: not_zero(&age),
        max_connection_age_grace: grace.value,
        time: wait(&time, TIME, keys),
        timeout: wait(&timeout, TIMEOUT, keys),
    }
}

fn http(keys: &mut KeyReader<'_>) -> Option<HttpServer> {
    const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
    let endpoint = keys.or("endpoint", "localhost:4318".to_owned(), ADDRESS);
    let transport = transport(keys);
    let tls = tls::config::server(keys);
    let cors = keys.section("cors", cors);
    let auth = auth::config::server(keys);
    let size = keys.or(
        "max_request_body_size",
        DEFAULT_BODY,
        "largest request after inflating, in bytes, at most 1 GiB; 0: the default",
    );
    let header_bytes = keys.or("max_header_bytes", DEFAULT_HEADERS, HEADER_BYTES);
    keys.ignored(&[
        "include_metadata",
        "response_headers",
        "compression_algorithms",
        "read_timeout",
    ]);
    let header_timeout = keys.or(
        "read_header_timeout",
        HEADER_TIMEOUT,
        "time for a request's headers; `0s`: the default",
    );
    keys.ignored(&["write_timeout"]);
    let idle: Field<Duration> = keys.get(
        "idle_timeout",
        "never",
        "close a connection unused for so long; `0s`: never",
    );
    keys.ignored(&["keep_alives_enabled"]);
    keys.refused(&["middlewares"]);
    let mut path = |key, default: &str, effect| keys.or(key, default.to_owned(), effect);
    let paths = [
        (
            path("traces_url_path", "/v1/traces", "path of the export call"),
            "/v1/traces",
        ),
        (
            path("metrics_url_path", "/v1/metrics", "the same for metrics"),
            "/v1/metrics",
        ),
        (
            path("logs_url_path", "/v1/logs", "the same for logs"),
            "/v1/logs",
        ),
    ];
    keys.ignored(&["profiles_url_path"]);
    served(keys)?;
    transport?;
    let [traces_path, metrics_path, logs_path] =
        paths.map(|(path, default)| url_path(path, default, keys));
    Some(HttpServer {
        endpoint: keys.listen(&endpoint)?,
        max_body_bytes: body_limit(size.value, &size, keys),
        traces_path,
        metrics_path,
        logs_path,
        max_header_bytes: or_default(header_bytes.value, DEFAULT_HEADERS),
        header_timeout: wait(&header_timeout, HEADER_TIMEOUT, keys),
        idle_timeout: not_zero(&idle),
        cors,
        tls,
        auth,
    })
}

/// Reads `cors`. None where it is not there, or allows nobody.
fn cors(keys: &mut KeyReader<'_>) -> Option<Cors> {
    type Texts = Field<Vec<Field<String>>>;
    let origins: Texts = keys.get(
        "allowed_origins",
        "none",
        "origins whose pages may send from a browser; each may have one `*`",
    );
    let headers: Texts = keys.get(
        "allowed_headers",
        "none",
        "request headers besides `Accept`, `Content-Type` and `X-Requested-With`; `*` is all",
    );
    let exposed: Texts = keys.get(
        "exposed_headers",
        "none",
        "headers of answers that pages may read",
    );
    let max_age = keys.or(
        "max_age",
        0_u64,
        "seconds for which a browser need not ask again; 0: as it likes",
    );
    let texts = |list: &Texts| -> Vec<String> {
        let items = list.value.iter().flatten();
        items
            .filter_map(|item| item.trimmed().map(str::to_owned))
            .collect()
    };
    let lower = |list: &Texts| -> Vec<String> {
        let texts = texts(list).into_iter();
        texts.map(|text| text.to_ascii_lowercase()).collect()
    };
    if !keys.has_value() || !keys.is_used() {
        return None;
    }
    let cx = keys.reading();
    let exposed_value = match http::HeaderValue::from_str(&texts(&exposed).join(", ")) {
        Ok(value) => Some(value).filter(|value| !value.is_empty()),
        Err(_) => {
            cx.error(exposed.spot, "not names that headers can have");
            None
        }
    };
    let cors = Cors {
        origins: lower(&origins),
        headers: lower(&headers),
        exposed: exposed_value,
        max_age: Some(max_age.value).filter(|seconds| *seconds > 0),
    };
    if cors.origins.is_empty() {
        let message = "allows nobody without allowed_origins; ignored";
        cx.warn(keys.spot(), message);
        return None;
    }
    Some(cors)
}

/// Reads `transport`. None, and reported, when it is none that is served.
fn transport(keys: &mut KeyReader<'_>) -> Option<()> {
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

/// None unless the protocol is served: it is named, with or without settings,
/// and a pipeline uses the receiver.
fn served(keys: &KeyReader<'_>) -> Option<()> {
    (keys.spot().is_some() && keys.is_used()).then_some(())
}

/// The path of an export call.
fn url_path(path: Setting<String>, default: &str, keys: &KeyReader<'_>) -> String {
    let given = match path.value.starts_with('/') {
        true => path.value,
        // As the Collector does.
        false => format!("/{}", path.value),
    };
    if given.parse::<http::uri::PathAndQuery>().is_err() {
        let message = format!("not a path such as {default}");
        keys.reading().error(path.spot, &message);
    }
    given
}

/// `given`, where 0 means the default, as in Go.
fn or_default(given: u32, default: u32) -> u32 {
    match given {
        0 => default,
        given => given,
    }
}

/// A time where 0 means never.
fn not_zero(field: &Field<Duration>) -> Option<Duration> {
    field.value.filter(|given| !given.is_zero())
}

/// A time where 0 means `default`.
fn wait(setting: &Setting<Duration>, default: Duration, keys: &KeyReader<'_>) -> Duration {
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

fn body_limit<T>(bytes: u64, written: &Setting<T>, keys: &KeyReader<'_>) -> usize {
    if bytes > MAX_BODY {
        let message = "at most 1 GiB: a request is held in memory whole";
        keys.reading().error(written.spot, message);
    }
    let bytes = if bytes == 0 { DEFAULT_BODY } else { bytes };
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
