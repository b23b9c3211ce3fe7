//! `receivers`.

use super::{Component, Context, auth::Authenticators, tls};
use crate::config::{
    checked::{GrpcServer, HttpServer, Receiver, ServerKeepalive},
    de::Field,
    diagnostic::Spot,
    raw::receivers::{Grpc, Http, Otlp},
    scalar::GoDuration,
};
use std::time::Duration;

const MIB: usize = 1 << 20;
/// The specification's recommendation; the Collector's own are 4 and 20 MiB.
const DEFAULT_BODY: usize = 64 * MIB;
const DEFAULT_HEADERS: u32 = 16 << 10;
const DEFAULT_STREAMS: u32 = 256;
/// A request is held in memory whole, so that this is a limit of the machine's.
const MAX_BODY: usize = 1024 * MIB;

pub(super) fn check<'n>(
    component: &Component<'n>,
    authenticators: &Authenticators<'_, 'n>,
    cx: &Context<'n>,
) -> Option<Receiver> {
    let help = match component.id.kind.as_str() {
        "otlp" => return otlp(component, authenticators, cx),
        // Warned of where a pipeline names it.
        "opencensus" => return None,
        "jaeger" | "zipkin" => {
            "Istio sends OTLP through an `opentelemetry` extension provider: remove this receiver"
        }
        _ => "",
    };
    component.unsupported("receiver", &["otlp"], help, cx);
    None
}

fn otlp<'n>(
    component: &Component<'n>,
    authenticators: &Authenticators<'_, 'n>,
    cx: &Context<'n>,
) -> Option<Receiver> {
    let raw: Otlp = component.read(cx)?;
    let protocols = raw.protocols.value.unwrap_or_default();
    if protocols.grpc.spot.is_none() && protocols.http.spot.is_none() {
        let message = "serves no protocol";
        let help = "name at least one of protocols.grpc and protocols.http";
        cx.report
            .error_at_key(raw.protocols.spot.unwrap_or(component.spot), message, help);
    }
    if !component.used.get() {
        return None;
    }
    let path = format!("{}.protocols", component.path);
    let (at_grpc, at_http) = (protocols.grpc.spot, protocols.http.spot);
    Some(Receiver {
        id: component.id.clone(),
        grpc: protocols.grpc.value.and_then(|raw| {
            let owner = (&*format!("{path}.grpc"), at_grpc);
            grpc(raw, owner, authenticators, cx)
        }),
        http: protocols.http.value.and_then(|raw| {
            let owner = (&*format!("{path}.http"), at_http);
            http(raw, owner, authenticators, cx)
        }),
    })
}

fn grpc(
    raw: Grpc,
    owner: (&str, Option<Spot>),
    authenticators: &Authenticators<'_, '_>,
    cx: &Context<'_>,
) -> Option<GrpcServer> {
    let mib = raw.max_recv_msg_size_mib;
    let spot = mib.spot;
    let max_message_bytes = body_limit(
        mib.value.map(|n| (n as usize).saturating_mul(MIB)),
        spot,
        cx,
    );
    let keepalive = raw.keepalive.server_parameters;
    let positive = |field: Field<GoDuration>, default: u64| duration(field, default, cx);
    Some(GrpcServer {
        endpoint: cx.listener(&raw.endpoint, "localhost:4317", owner)?,
        max_message_bytes,
        max_concurrent_streams: some(raw.max_concurrent_streams).unwrap_or(DEFAULT_STREAMS),
        max_header_bytes: some(raw.max_header_bytes).unwrap_or(DEFAULT_HEADERS),
        keepalive: ServerKeepalive {
            max_connection_age: age(keepalive.max_connection_age),
            max_connection_age_grace: keepalive
                .max_connection_age_grace
                .value
                .map_or(Duration::from_secs(30), |d| d.0),
            time: positive(keepalive.time, 30),
            timeout: positive(keepalive.timeout, 10),
        },
        tls: tls::server(raw.tls, cx),
        auth: authenticators.of_receiver(raw.auth, cx),
    })
}

fn http(
    raw: Http,
    owner: (&str, Option<Spot>),
    authenticators: &Authenticators<'_, '_>,
    cx: &Context<'_>,
) -> Option<HttpServer> {
    let limit = raw.max_request_body_size;
    let bytes = limit
        .value
        .map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    Some(HttpServer {
        endpoint: cx.listener(&raw.endpoint, "localhost:4318", owner)?,
        max_body_bytes: body_limit(bytes, limit.spot, cx),
        traces_path: url_path(raw.traces_url_path, "/v1/traces", cx),
        logs_path: url_path(raw.logs_url_path, "/v1/logs", cx),
        max_header_bytes: some(raw.max_header_bytes).unwrap_or(DEFAULT_HEADERS),
        header_timeout: duration(raw.read_header_timeout, 60, cx),
        idle_timeout: age(raw.idle_timeout),
        tls: tls::server(raw.tls, cx),
        auth: authenticators.of_receiver(raw.auth, cx),
    })
}

/// The path of an export call.
fn url_path(given: Field<String>, default: &str, cx: &Context<'_>) -> String {
    if let Some(spot) = given.spot.filter(|_| {
        let given = given.as_ref().map_or("/", |p| p.as_str());
        !given.starts_with('/') || given.parse::<http::uri::PathAndQuery>().is_err()
    }) {
        cx.report
            .error_at(spot, &format!("not a path such as {default}"));
    }
    given.or(default.to_owned())
}

/// The value, where 0 means the default, as in Go.
fn some(field: Field<u32>) -> Option<u32> {
    field.value.filter(|&n| n > 0)
}

/// A time where 0 means never.
fn age(field: Field<GoDuration>) -> Option<Duration> {
    field.value.map(|d| d.0).filter(|d| !d.is_zero())
}

/// A time where 0 means the default of so many seconds.
fn duration(field: Field<GoDuration>, default: u64, cx: &Context<'_>) -> Duration {
    let Some(GoDuration(given)) = field.value.filter(|d| !d.0.is_zero()) else {
        return Duration::from_secs(default);
    };
    if let Some(spot) = field.spot.filter(|_| given < Duration::from_millis(10)) {
        cx.report
            .error_at(spot, "less than 10ms would only keep the machine busy");
    }
    given
}

fn body_limit(
    given: Option<usize>,
    spot: Option<crate::config::diagnostic::Spot>,
    cx: &Context<'_>,
) -> usize {
    let bytes = given.filter(|&n| n > 0).unwrap_or(DEFAULT_BODY);
    if let Some(spot) = spot.filter(|_| bytes > MAX_BODY) {
        cx.report
            .error_at(spot, "at most 1 GiB: a request is held in memory whole");
    }
    bytes
}
