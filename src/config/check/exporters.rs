//! `exporters`.

use super::{Component, Context, auth::Authenticators, storage::Storages, tls};
use crate::config::{
    checked::{
        self, Balancer, Client, Compression, Debug, Encoding, Exporter, ExporterKind, Retry,
        SendingQueue, Verbosity,
    },
    de::Field,
    raw::{
        exporters as raw,
        security::{Auth, ClientTls},
    },
    scalar::{GoDuration, host_port},
};
use std::time::Duration;

const SUPPORTED: [&str; 3] = ["otlp_grpc", "otlp_http", "debug"];

pub(super) fn check<'n>(
    component: &Component<'n>,
    authenticators: &Authenticators<'_, 'n>,
    storages: &Storages<'_, 'n>,
    cx: &Context<'n>,
) -> Option<Exporter> {
    let (kind, queue, retry, timeout) = match component.id.kind.as_str() {
        "otlp_grpc" => {
            let raw: raw::OtlpGrpc = component.read(cx)?;
            let (tls, enabled) = (tls::client(&raw.tls, cx), !insecure(&raw.tls));
            let url = endpoint(&raw.endpoint, component, cx, |text| grpc_url(text, enabled));
            inspect(&url, &tls, &raw.tls, component, cx);
            let guards = (tls, raw.auth, authenticators);
            let client = client(url, guards, raw.headers, raw.compression, cx);
            let balancer = balancer(&raw.balancer_name, cx);
            let client = client.map(|client| Client { balancer, ..client });
            let timeout = timeout(raw.timeout, 5);
            (
                client.map(ExporterKind::OtlpGrpc),
                raw.sending_queue,
                raw.retry_on_failure,
                timeout,
            )
        }
        "otlp_http" => {
            let raw: raw::OtlpHttp = component.read(cx)?;
            let tls = tls::client(&raw.tls, cx);
            let url = match raw.traces_endpoint.spot {
                Some(_) => endpoint(&raw.traces_endpoint, component, cx, http_url),
                None => endpoint(&raw.endpoint, component, cx, |text| {
                    http_url(text).map(|url| format!("{}/v1/traces", url.trim_end_matches('/')))
                }),
            };
            inspect(&url, &tls, &raw.tls, component, cx);
            let encoding = match raw.encoding.or(raw::Encoding::Proto) {
                raw::Encoding::Proto => Encoding::Proto,
                raw::Encoding::Json => Encoding::Json,
            };
            let guards = (tls, raw.auth, authenticators);
            let client = client(url, guards, raw.headers, raw.compression, cx);
            let kind = client.map(|client| ExporterKind::OtlpHttp(client, encoding));
            (
                kind,
                raw.sending_queue,
                raw.retry_on_failure,
                timeout(raw.timeout, 30),
            )
        }
        "debug" => {
            let verbosity = verbosity(&component.read(cx)?, cx);
            let kind = Some(ExporterKind::Debug(Debug { verbosity }));
            let defaults = (raw::SendingQueue::default(), raw::Retry::default());
            (kind, defaults.0, defaults.1, Duration::from_secs(5))
        }
        other => {
            let help = match other {
                "zipkin" | "jaeger" | "jaeger_thrift" => {
                    "Jaeger takes OTLP: use otlp_grpc with endpoint jaeger-collector:4317"
                }
                _ => "",
            };
            component.unsupported("exporter", &SUPPORTED, help, cx);
            return None;
        }
    };
    let queue = sending_queue(queue, component.used.get(), storages, cx);
    let retry = check_retry(retry, queue.storage.is_some(), cx);
    Some(Exporter {
        id: component.id.clone(),
        kind: kind?,
        queue,
        retry,
        timeout,
    })
}

/// Has the files of `tls` looked at, where the exporter will read them.
fn inspect(
    url: &Option<String>,
    tls: &checked::ClientTls,
    raw: &ClientTls,
    component: &Component<'_>,
    cx: &Context<'_>,
) {
    let encrypted = url.as_ref().is_some_and(|url| url.starts_with("https://"));
    if encrypted && component.used.get() {
        tls::inspect(tls, raw, component.spot, cx);
    }
}

/// The URL made of an endpoint that must be there.
fn endpoint(
    field: &Field<String>,
    component: &Component<'_>,
    cx: &Context<'_>,
    url: impl Fn(&str) -> Result<String, String>,
) -> Option<String> {
    let Some(text) = field.as_ref().map(|t| t.trim()).filter(|t| !t.is_empty()) else {
        // A value of the wrong shape has been reported already.
        let message = "an exporter needs an endpoint";
        let help = "set endpoint, such as jaeger-collector.istio-system:4317";
        if !(field.spot.is_some() && cx.report.has_errors()) {
            cx.report
                .error_at_key(field.spot.unwrap_or(component.spot), message, help);
        }
        return None;
    };
    match (url(text), field.spot) {
        (Ok(url), _) => return Some(url),
        (Err(message), Some(spot)) => cx.report.error_at(spot, &message),
        (Err(_), None) => {}
    }
    None
}

/// `host:port`, `dns:///host:port`, or a URL. A scheme decides about TLS, else `tls` does.
fn grpc_url(text: &str, tls: bool) -> Result<String, String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        let url = http_url(text)?;
        let authority = url.split_once("://").map_or("", |(_, rest)| rest);
        return match authority.trim_end_matches('/').contains('/') {
            true => Err(format!("\"{text}\": an OTLP/gRPC endpoint has no path")),
            false => Ok(url.trim_end_matches('/').to_owned()),
        };
    }
    let target = text
        .strip_prefix("dns:///")
        .or_else(|| text.strip_prefix("passthrough:///"))
        .unwrap_or(text);
    if target.contains("://") || target.starts_with("unix:") {
        return Err(format!(
            "\"{text}\": expected HOST:PORT, http://HOST:PORT or https://HOST:PORT"
        ));
    }
    let (host, port) = host_port(target)?;
    let host = match host {
        "" => "localhost".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    if port == 0 {
        return Err(format!("\"{text}\": port 0 cannot be connected to"));
    }
    http_url(&format!(
        "{}://{host}:{port}",
        if tls { "https" } else { "http" }
    ))
}

/// A URL that the HTTP client will take.
pub(super) fn http_url(text: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("\"{text}\" is not a URL such as http://jaeger:4318: {why}");
    let uri: http::Uri = text
        .parse()
        .map_err(|e: http::uri::InvalidUri| wrong(&e.to_string()))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it begins with neither http:// nor https://"));
    }
    let authority = uri
        .authority()
        .ok_or_else(|| wrong("the host is missing"))?;
    if authority.host().is_empty() {
        return Err(wrong("the host is missing"));
    }
    if authority.as_str().contains('@') {
        return Err("put credentials into headers, not into the URL".to_owned());
    }
    if authority.as_str() != authority.host() && authority.port_u16().is_none() {
        return Err(wrong("the port is not a number up to 65535"));
    }
    Ok(text.to_owned())
}

fn insecure(tls: &ClientTls) -> bool {
    tls.insecure.value.unwrap_or(false)
}

fn client(
    url: Option<String>,
    (tls, auth, authenticators): (checked::ClientTls, Field<Auth>, &Authenticators<'_, '_>),
    headers: Field<raw::Headers>,
    compression: Field<raw::Compression>,
    cx: &Context<'_>,
) -> Option<Client> {
    let headers = check_headers(headers, cx);
    let auth_spot = auth.spot;
    let auth = authenticators.of_exporter(auth, cx);
    let url = url?;
    if let (Some(spot), Some(_), true) = (auth_spot, &auth, url.starts_with("http://")) {
        cx.report.warn_at(
            spot,
            "credentials are sent in plaintext: set tls, unless the mesh encrypts the connection",
        );
    }
    let tls = url.starts_with("https://").then_some(tls);
    let compression = match compression.or(raw::Compression::None) {
        raw::Compression::None | raw::Compression::Empty => Compression::None,
        raw::Compression::Gzip => Compression::Gzip,
        raw::Compression::Zstd => Compression::Zstd,
    };
    Some(Client {
        url,
        tls,
        auth,
        headers,
        compression,
        balancer: Balancer::default(),
    })
}

/// gRPC's names. Others are those of balancers that Go programs may register.
fn balancer(field: &Field<String>, cx: &Context<'_>) -> Balancer {
    match (field.value.as_deref(), field.spot) {
        (Some("pick_first"), _) => Balancer::PickFirst,
        (Some("round_robin" | "") | None, _) => Balancer::RoundRobin,
        (Some(_), spot) => {
            if let Some(spot) = spot {
                let message = "neither round_robin nor pick_first; round_robin is used";
                cx.report.warn_at(spot, message);
            }
            Balancer::RoundRobin
        }
    }
}

fn check_headers(field: Field<raw::Headers>, cx: &Context<'_>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for (name, value) in field.value.unwrap_or_default().0 {
        let Some(spot) = value.spot else { continue };
        let value = value.value.unwrap_or_default();
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            cx.report
                .error_at_key(spot, "not a name that a header can have", "");
        } else if http::HeaderValue::from_str(&value).is_err() {
            // The value may be a secret: it is not shown.
            cx.report
                .error_at_key(spot, "the value has characters that no header can have", "");
        } else {
            headers.push((name.to_ascii_lowercase(), value));
        }
    }
    headers
}

/// 0 is "no timeout" in the Collector; a day is as good and cannot overflow.
fn timeout(field: Field<GoDuration>, default: u64) -> Duration {
    match field.value {
        Some(GoDuration(given)) if given.is_zero() => Duration::from_secs(86_400),
        Some(GoDuration(given)) => given,
        None => Duration::from_secs(default),
    }
}

fn sending_queue(
    raw: raw::SendingQueue,
    used: bool,
    storages: &Storages<'_, '_>,
    cx: &Context<'_>,
) -> SendingQueue {
    const DEFAULT: (usize, usize) = (10, 1000);
    if let (Some(false), Some(spot)) = (raw.enabled.value, raw.enabled.spot) {
        cx.report.warn_at(
            spot,
            "wayspan always queues batches for an exporter; ignored",
        );
    }
    if let (Some(true), Some(spot)) = (raw.block_on_overflow.value, raw.block_on_overflow.spot) {
        cx.report.warn_at(
            spot,
            "a full queue refuses senders and does not block them; ignored",
        );
    }
    if let (Some(true), Some(spot)) = (raw.wait_for_result.value, raw.wait_for_result.spot) {
        cx.report
            .error_at(spot, "not supported by wayspan yet; remove it");
    }
    let in_range = |field: Field<u64>, most: u64, default: usize| {
        let (Some(given), Some(spot)) = (field.value, field.spot) else {
            return default;
        };
        if !(1..=most).contains(&given) {
            cx.report
                .error_at(spot, &format!("{given} is not between 1 and {most}"));
        }
        usize::try_from(given).unwrap_or(default)
    };
    let consumers = Field {
        spot: raw.num_consumers.spot,
        value: raw.num_consumers.value.map(u64::from),
    };
    let batches = match (raw.sizer.value, raw.sizer.spot) {
        (Some(raw::Sizer::Items | raw::Sizer::Bytes), Some(spot)) => {
            let message = format!(
                "the queue is counted in batches; queue_size is {}",
                DEFAULT.1
            );
            cx.report.warn_at(spot, &message);
            DEFAULT.1
        }
        _ => in_range(raw.queue_size, 1_000_000, DEFAULT.1),
    };
    SendingQueue {
        consumers: in_range(consumers, 1000, DEFAULT.0),
        batches,
        storage: storages.of_queue(raw.storage, used, cx),
    }
}

fn check_retry(raw: raw::Retry, stored: bool, cx: &Context<'_>) -> Retry {
    let error = |spot: Option<_>, message: &str| {
        if let Some(spot) = spot {
            cx.report.error_at(spot, message);
        }
    };
    let initial_interval = raw
        .initial_interval
        .value
        .map_or(Duration::from_secs(1), |d| d.0);
    let max_interval = raw
        .max_interval
        .value
        .map_or(Duration::from_secs(30), |d| d.0);
    let randomization_factor = raw.randomization_factor.value.unwrap_or(0.5);
    let multiplier = raw.multiplier.value.unwrap_or(1.5);
    if initial_interval < Duration::from_millis(1) {
        error(
            raw.initial_interval.spot,
            "at least 1ms, or retries keep the machine busy",
        );
    }
    if max_interval < initial_interval {
        let spot = raw.max_interval.spot.or(raw.initial_interval.spot);
        error(spot, "initial_interval is more than max_interval");
    }
    if !(0.0..=1.0).contains(&randomization_factor) {
        error(raw.randomization_factor.spot, "not between 0 and 1");
    }
    if !(1.0..=100.0).contains(&multiplier) {
        error(raw.multiplier.spot, "not between 1 and 100");
    }
    let max_elapsed = match raw.max_elapsed_time.value {
        Some(GoDuration(given)) => Some(given).filter(|d| !d.is_zero()),
        // What is in the log costs nothing by waiting.
        None if stored => None,
        None => Some(Duration::from_secs(300)),
    };
    Retry {
        enabled: raw.enabled.or(true),
        initial_interval,
        randomization_factor,
        multiplier,
        max_interval,
        max_elapsed,
    }
}

fn verbosity(raw: &raw::Debug, cx: &Context<'_>) -> Verbosity {
    if let Some(spot) = raw.loglevel.spot {
        cx.report
            .warn_at(spot, "loglevel is the old name of verbosity");
    }
    match (raw.verbosity.value, raw.loglevel.value) {
        (Some(raw::Verbosity::Basic), _) => Verbosity::Basic,
        (Some(raw::Verbosity::Normal), _) => Verbosity::Normal,
        (Some(raw::Verbosity::Detailed), _) | (None, Some(raw::LogLevel::Debug)) => {
            Verbosity::Detailed
        }
        (None, Some(raw::LogLevel::Info)) => Verbosity::Normal,
        (None, Some(raw::LogLevel::Warn | raw::LogLevel::Error) | None) => Verbosity::Basic,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grpc_endpoints() {
        let url = |text: &str, tls: bool| grpc_url(text, tls).unwrap();
        assert_eq!(url("jaeger:4317", false), "http://jaeger:4317");
        assert_eq!(url("jaeger:4317", true), "https://jaeger:4317");
        assert_eq!(url("http://jaeger:4317/", true), "http://jaeger:4317");
        assert_eq!(url("https://tempo", false), "https://tempo");
        assert_eq!(
            url("dns:///jaeger.istio-system:4317", false),
            "http://jaeger.istio-system:4317"
        );
        assert_eq!(url("[::1]:4317", false), "http://[::1]:4317");
        assert_eq!(url(":4317", false), "http://localhost:4317");
        for bad in [
            "jaeger",
            "jaeger:x",
            "http://j:1/v1",
            "unix:///x",
            "a b:1",
            "j:0",
            "ftp://j:1",
        ] {
            assert!(grpc_url(bad, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn http_endpoints() {
        assert!(http_url("http://jaeger:4318").is_ok());
        assert!(http_url("https://[::1]:4318/x?y=z").is_ok());
        for bad in [
            "jaeger:4318",
            "http://",
            "http://j:x",
            "http://j:99999",
            "http://u:p@j",
            "//j",
        ] {
            assert!(http_url(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_endpoint_panics(text in "\\PC{0,30}|(http://|dns:///)?[\\[\\]a-z0-9:/@.]{0,20}") {
            let _ = grpc_url(&text, true);
            let _ = http_url(&text);
        }
    }
}
