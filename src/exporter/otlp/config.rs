/*! The keys of `otlp_grpc` and `otlp_http`. */

use super::{Encoding, Grpc, Http, OtlpGrpc, OtlpHttp};
use crate::{
    config::{Field, Id, KeyReader, UnixAddress, Word, host_port},
    exporter::{
        ConfiguredExporter, Exporter, ExporterSettings,
        config::{
            INSECURE, checked, http_transport, needs_endpoint, retry, sending_queue, timeout,
        },
    },
    http::{
        Balancer, ClientSettings, ConnectOptions,
        config::{client, url},
    },
    pdata::Signal,
};
use std::{sync::Arc, time::Duration};

impl Word for Encoding {
    const WORDS: &'static [(&'static str, Self)] = &[("proto", Self::Proto), ("json", Self::Json)];
}

impl ExporterSettings for Grpc {
    fn destination(&self) -> Option<String> {
        let unix = self.client.unix.as_ref().map(UnixAddress::to_string);
        Some(unix.unwrap_or_else(|| self.client.url.clone()))
    }

    fn build(
        &self,
        configured: &ConfiguredExporter,
        options: ConnectOptions,
    ) -> Result<Exporter, String> {
        let sender = OtlpGrpc::build(&self.client, options)?;
        Ok(Exporter::new(configured, sender))
    }
}

impl ExporterSettings for Http {
    fn destination(&self) -> Option<String> {
        let mut urls: Vec<String> = self.endpoints.iter().map(|(_, url)| url.clone()).collect();
        urls.extend(self.has_base.then(|| self.client.url.clone()));
        Some(urls.join(", "))
    }

    fn lacks(&self, signal: Signal) -> Option<String> {
        let message = format!("has no endpoint for {signal}: set endpoint, or {signal}_endpoint");
        self.url(signal).is_none().then_some(message)
    }

    fn build(
        &self,
        configured: &ConfiguredExporter,
        options: ConnectOptions,
    ) -> Result<Exporter, String> {
        let url = |signal| self.url(signal);
        let sender = OtlpHttp::build(&self.client, url, self.encoding, options)?;
        Ok(Exporter::new(configured, sender))
    }
}

pub(crate) fn read_grpc(id: &Id, keys: &mut KeyReader<'_>) -> Option<ConfiguredExporter> {
    let endpoint: Field<String> = keys.get(
        "endpoint",
        "required",
        "`host:port`, `dns:///host:port`, `http://…` (plaintext), `https://…` (TLS), or `unix:///path` of a [unix socket](#unix-sockets)",
    );
    let client = client(keys);
    let timeout = timeout(keys, Duration::from_secs(5));
    let balancer: Field<String> = keys.get(
        "balancer_name",
        "`round_robin`",
        "`round_robin`: all addresses of the host in turns, or `pick_first`, the first that can be reached",
    );
    let queue = sending_queue(keys);
    let retry = retry(keys, queue.storage.is_some());
    keys.ignored(&[
        "keepalive",
        "wait_for_ready",
        "user_agent",
        "read_buffer_size",
        "write_buffer_size",
    ]);
    keys.refused(&["authority", "middlewares"]);
    keys.misplaced("insecure", INSECURE);

    let has_tls = !client.tls.insecure;
    let unix = endpoint.trimmed().and_then(UnixAddress::of_scheme);
    let url = checked(&endpoint, keys, |text| match &unix {
        Some(Err(message)) => Err(message.clone()),
        // As gRPC names what is behind a socket.
        Some(Ok(_)) if has_tls => Ok("https://localhost".to_owned()),
        Some(Ok(_)) => Ok("http://localhost".to_owned()),
        None => grpc_url(text, has_tls),
    });
    let is_encrypted = url.as_ref().is_some_and(|url| url.starts_with("https://"));
    if is_encrypted && !has_tls {
        let message = "has no effect: https:// in the endpoint asks for TLS";
        keys.reading().warn(client.tls.insecure_spot, message);
    }
    if url.is_none() {
        needs_endpoint(&endpoint, "jaeger-collector.istio-system:4317", keys);
    }
    let client = client.check(url, keys)?;
    if client.compression.of_grpc().is_none() {
        let message = "gRPC has gzip, zstd and snappy";
        keys.reading().error(keys.spot_of("compression"), message);
    }
    Some(ConfiguredExporter {
        id: id.clone(),
        settings: Arc::new(Grpc {
            client: ClientSettings {
                balancer: check_balancer(&balancer, keys),
                unix: unix.and_then(Result::ok),
                ..client
            },
        }),
        queue,
        retry,
        timeout,
    })
}

pub(crate) fn read_http(id: &Id, keys: &mut KeyReader<'_>) -> Option<ConfiguredExporter> {
    let endpoint: Field<String> = keys.get(
        "endpoint",
        "required, unless each signal has its own",
        "a URL, to which `/v1/traces`, `/v1/metrics` or `/v1/logs` is added",
    );
    const AS_IT_IS: &str = "where this signal is sent instead, as it is";
    let own: [(Signal, Field<String>); 3] = [
        (
            Signal::Traces,
            keys.get("traces_endpoint", "below `endpoint`", AS_IT_IS),
        ),
        (
            Signal::Metrics,
            keys.get("metrics_endpoint", "below `endpoint`", AS_IT_IS),
        ),
        (
            Signal::Logs,
            keys.get("logs_endpoint", "below `endpoint`", AS_IT_IS),
        ),
    ];
    let encoding = keys.or("encoding", Encoding::Proto, "of a request's body");
    let client = client(keys);
    let timeout = timeout(keys, Duration::from_secs(30));
    let queue = sending_queue(keys);
    let retry = retry(keys, queue.storage.is_some());
    keys.ignored(&["profiles_endpoint"]);
    let transport = http_transport(keys);
    keys.misplaced("insecure", INSECURE);

    let endpoints: Vec<(Signal, String)> = own
        .iter()
        .filter_map(|(signal, field)| Some((*signal, checked(field, keys, url)?)))
        .collect();
    let base = checked(&endpoint, keys, url);
    if let Some(path) = base.as_ref().and_then(|base| ends_in_own_path(base)) {
        let message = format!(
            "{path} is added to endpoint, and stands in it already: leave it out here, or use \
             traces_endpoint"
        );
        keys.reading().warn(endpoint.spot, &message);
    }
    let has_base = base.is_some();
    let any = base.or_else(|| endpoints.first().map(|(_, url)| url.clone()));
    if any.is_none() {
        let written = own.iter().map(|(_, field)| field);
        let written = written
            .chain([&endpoint])
            .find(|field| field.spot.is_some());
        let any = written.unwrap_or(&endpoint);
        needs_endpoint(any, "jaeger-collector.istio-system:4317", keys);
    }
    let client = transport.check(client.check(any, keys)?, keys);
    Some(ConfiguredExporter {
        id: id.clone(),
        settings: Arc::new(Http {
            client,
            encoding: encoding.value,
            endpoints,
            has_base,
        }),
        queue,
        retry,
        timeout,
    })
}

/// The path of a signal that a base URL ends in.
fn ends_in_own_path(base: &str) -> Option<&'static str> {
    let base = base.trim_end_matches('/');
    let paths = ["/v1/traces", "/v1/metrics", "/v1/logs"];
    paths.into_iter().find(|path| base.ends_with(path))
}

/// gRPC's names. Others are those of balancers that Go programs may register.
fn check_balancer(field: &Field<String>, keys: &KeyReader<'_>) -> Balancer {
    match field.given() {
        Some("pick_first") => Balancer::PickFirst,
        Some("round_robin") | None => Balancer::RoundRobin,
        Some(_) => {
            let message = "neither round_robin nor pick_first; round_robin is used";
            keys.reading().warn(field.spot, message);
            Balancer::RoundRobin
        }
    }
}

/// `host:port`, `dns:///host:port`, or a URL. A scheme decides about TLS, else `tls` does.
fn grpc_url(text: &str, tls: bool) -> Result<String, String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        let url = url(text)?;
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
    if target.contains("://") {
        return Err(format!(
            "\"{text}\": expected HOST:PORT, http://HOST:PORT or https://HOST:PORT"
        ));
    }
    let (host, port) = match host_port(target) {
        Ok(found) => found,
        // As in Go's gRPC: 443, unless the text is of another kind.
        Err(_) if is_host(target) => (target, 443),
        Err(wrong) => return Err(wrong),
    };
    let host = match host {
        "" => "localhost".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    if port == 0 {
        return Err(format!("\"{text}\": port 0 cannot be connected to"));
    }
    let scheme = if tls { "https" } else { "http" };
    url(&format!("{scheme}://{host}:{port}"))
}

/// Returns true for a name or an IPv4 address without a port, and not for a port alone.
fn is_host(text: &str) -> bool {
    let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.chars().all(of_name) && text.contains(|c: char| c.is_ascii_alphabetic() || c == '.')
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
        assert_eq!(
            url("ingest.example.com", true),
            "https://ingest.example.com:443"
        );
        for bad in [
            "4317",
            "$JAEGER",
            "jaeger:x",
            "http://j:1/v1",
            "a b:1",
            "j:0",
            "ftp://j:1",
        ] {
            assert!(grpc_url(bad, true).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_endpoint_panics(text in "\\PC{0,30}|(http://|dns:///)?[\\[\\]a-z0-9:/@.]{0,20}") {
            let _ = grpc_url(&text, true);
        }
    }
}
