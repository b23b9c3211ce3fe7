/*! The keys of `otlp`. */

use super::{GrpcServer, Otlp, OtlpHttpServer, ServerKeepalive, http_protocol};
use crate::{
    auth,
    config::{Id, KeyReader, Setting},
    receiver::{
        ConfiguredReceiver, ListenerSettings, Protocol, ReceiverSettings,
        config::{
            ADDRESS, DEFAULT_BODY, DEFAULT_HEADERS, HEADER_BYTES, MIB, address, body_limit,
            connection_age, not_zero, or_default, served, transport, wait,
        },
        http::config::http_server,
    },
    tls,
};
use std::{sync::Arc, time::Duration};

const DEFAULT_STREAMS: u32 = 256;

impl ReceiverSettings for Otlp {
    fn listeners(&self) -> Vec<ListenerSettings> {
        let grpc = self.grpc.iter().map(|grpc| ListenerSettings {
            transport: "grpc",
            name: "OTLP/gRPC",
            address: grpc.endpoint.clone(),
            protocol: Protocol::Grpc(grpc.clone()),
        });
        let http = self.http.iter().map(|http| ListenerSettings {
            transport: "http",
            name: "OTLP/HTTP",
            address: http.server.endpoint.clone(),
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
    keys.spot()?;
    served(keys)?;
    Some(GrpcServer {
        endpoint: address(&endpoint, &transport, keys)?,
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
    let idle = keys.get(
        "max_connection_idle",
        "never",
        "close a connection without requests for so long; `0s`: never",
    );
    let (age, grace) = connection_age(keys);
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
        max_connection_age: age,
        max_connection_age_grace: grace,
        max_connection_idle: not_zero(&idle),
        time: wait(&time, TIME, keys),
        timeout: wait(&timeout, TIMEOUT, keys),
    }
}

fn http(keys: &mut KeyReader<'_>) -> Option<OtlpHttpServer> {
    let server = http_server(keys, "localhost:4318");
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
    // It is served where it is named, with or without settings.
    keys.spot()?;
    let server = server.check(keys)?;
    let [traces_path, metrics_path, logs_path] =
        paths.map(|(path, default)| url_path(path, default, keys));
    Some(OtlpHttpServer {
        server,
        traces_path,
        metrics_path,
        logs_path,
    })
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
