/*! The keys of `service.telemetry.metrics.readers[].periodic`. */

use super::{Protocol, PushReader};
use crate::{
    config::{Field, KeyReader, Pairs, Setting, UnixAddress, Word},
    exporter::config::checked,
    http::{
        ClientSettings, Compression,
        config::{headers, proxies, url},
    },
    telemetry::TemporalityPreference,
    tls::{ClientTls, Pem, ReloadedClientTls},
};
use std::time::Duration;

impl Word for Protocol {
    const WORDS: &'static [(&'static str, Self)] =
        &[("grpc", Self::Grpc), ("http/protobuf", Self::Http)];
}

impl Word for TemporalityPreference {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("cumulative", Self::Cumulative),
        ("delta", Self::Delta),
        ("lowmemory", Self::LowMemory),
    ];
}

/// The compressions that own metrics may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compressed {
    None,
    Gzip,
}

impl Word for Compressed {
    const WORDS: &'static [(&'static str, Self)] = &[("none", Self::None), ("gzip", Self::Gzip)];
}

/// Reads the keys. None when they are wrong, which has been reported, or when nothing is pushed.
pub(crate) fn read(keys: &mut KeyReader<'_>) -> Option<PushReader> {
    let interval = keys.or(
        "interval",
        60_000_u64,
        "milliseconds from one push to the next",
    );
    let timeout = keys.or(
        "timeout",
        30_000_u64,
        "milliseconds that a push may take, with all its attempts",
    );
    let (is_written, otlp) = keys.section("exporter", |keys| {
        let otlp = keys.section("otlp", |keys| {
            let is_there = keys.spot().is_some();
            let otlp = otlp(keys);
            is_there.then_some(otlp)
        });
        let is_written = otlp.is_some() || keys.spot_of("console").is_some();
        keys.ignored(&["console"]);
        (is_written, otlp.flatten())
    });
    let cx = keys.reading();
    if keys.spot().is_some() && !is_written {
        let message = "a periodic reader needs an exporter";
        let help = "write exporter: {otlp: {protocol: grpc, endpoint: …}}";
        cx.error_at_key(keys.spot(), message, help);
    }
    Some(PushReader {
        interval: milliseconds(&interval, keys)?,
        timeout: milliseconds(&timeout, keys)?,
        ..otlp?
    })
}

fn milliseconds(given: &Setting<u64>, keys: &KeyReader<'_>) -> Option<Duration> {
    let in_range = 1..=86_400_000;
    keys.reading().in_range(given.spot, given.value, &in_range);
    (in_range.contains(&given.value)).then(|| Duration::from_millis(given.value))
}

/// The files of a client's TLS, as this section calls them.
struct TlsFiles {
    ca: Field<String>,
    cert: Field<String>,
    key: Field<String>,
}

impl TlsFiles {
    fn read(keys: &mut KeyReader<'_>) -> Self {
        Self {
            ca: keys.get(
                "certificate",
                "the system's",
                "file of the certificate authorities to trust",
            ),
            cert: keys.get(
                "client_certificate",
                "none",
                "file of a client certificate chain",
            ),
            key: keys.get("client_key", "none", "file of its key"),
        }
    }

    /// The settings; files are looked at where the connection is encrypted.
    fn check(&self, is_encrypted: bool, keys: &KeyReader<'_>) -> Option<ClientTls> {
        let cx = keys.reading();
        let file = |field: &Field<String>| field.given().map(|path| Pem::File(path.into()));
        let tls = ClientTls {
            ca: file(&self.ca),
            cert: file(&self.cert),
            key: file(&self.key),
            ..ClientTls::default()
        };
        for (set, other, missing) in [
            (&self.cert, &tls.key, "client_key"),
            (&self.key, &tls.cert, "client_certificate"),
        ] {
            if set.given().is_some() && other.is_none() {
                cx.error(set.spot, &format!("needs {missing} beside it"));
            }
        }
        if !is_encrypted {
            return None;
        }
        let files = [
            ("tls.ca_file", self.ca.spot),
            ("tls.cert_file", self.cert.spot),
            ("tls.key_file", self.key.spot),
        ];
        cx.check_files(&files, keys.spot(), || {
            ReloadedClientTls::build("", Some(&tls), drop)
        });
        Some(tls)
    }
}

fn otlp(keys: &mut KeyReader<'_>) -> Option<PushReader> {
    let protocol: Field<Protocol> = keys.get("protocol", "required", "what the backend takes");
    let endpoint: Field<String> = keys.get(
        "endpoint",
        "the protocol's port on localhost",
        "`http(s)://host:port`; of `http/protobuf` with a path, unless it is `/v1/metrics`. Without a scheme `insecure` decides",
    );
    let insecure = keys.or(
        "insecure",
        false,
        "plaintext, where `endpoint` has no scheme",
    );
    let tls = TlsFiles::read(keys);
    let own: Field<Pairs> = keys.get("headers", "none", "sent with each request");
    let listed: Field<String> = keys.get(
        "headers_list",
        "none",
        "more of them: `NAME=VALUE,…`; those in `headers` go before",
    );
    let compression = keys.or("compression", Compressed::None, "of requests");
    let timeout = keys.or("timeout", 10_000_u64, "milliseconds of one attempt");
    let preference = keys.or(
        "temporality_preference",
        TemporalityPreference::Cumulative,
        "what points count from: the start, or the push before (`lowmemory`: but for the process's figures)",
    );
    keys.ignored(&["default_histogram_aggregation"]);

    let cx = keys.reading();
    let Some(protocol) = protocol.value else {
        if keys.spot().is_some() && protocol.spot.is_none() {
            let help = "write protocol: grpc, or protocol: http/protobuf";
            cx.error_at_key(keys.spot(), "a reader needs a protocol", help);
        }
        return None;
    };
    let default = match protocol {
        Protocol::Grpc => "localhost:4317",
        Protocol::Http => "localhost:4318",
    };
    let endpoint = Field {
        value: Some(endpoint.trimmed().unwrap_or(default).to_owned()),
        ..endpoint
    };
    let url = checked(&endpoint, keys, |text| {
        url_of(text, protocol, insecure.value)
    })?;
    let is_encrypted = url.starts_with("https://");
    let mut pairs = own.value.unwrap_or_default();
    for (name, value) in pairs_of(&listed) {
        if !pairs.0.iter().any(|(known, _)| *known == name) {
            pairs.0.push((name, value));
        }
    }
    Some(PushReader {
        protocol,
        client: ClientSettings {
            tls: tls.check(is_encrypted, keys),
            headers: headers(pairs, cx),
            compression: match compression.value {
                Compressed::None => Compression::None,
                Compressed::Gzip => Compression::Gzip,
            },
            proxies: proxies(keys),
            url,
            ..ClientSettings::default()
        },
        attempt: milliseconds(&timeout, keys)?,
        interval: Duration::ZERO,
        timeout: Duration::ZERO,
        preference: preference.value,
    })
}

/// What an endpoint means, as the Collector completes it.
fn url_of(text: &str, protocol: Protocol, insecure: bool) -> Result<String, String> {
    if UnixAddress::of_scheme(text).is_some() {
        return Err("own metrics are pushed over TCP alone".to_owned());
    }
    let has_scheme = text.starts_with("http://") || text.starts_with("https://");
    let scheme = match (has_scheme, insecure) {
        (true, _) => "",
        (false, true) => "http://",
        (false, false) => "https://",
    };
    let url = url(&format!("{scheme}{text}"))?;
    let (_, rest) = url.split_once("://").unwrap_or_default();
    match (protocol, rest.split_once('/')) {
        (Protocol::Grpc, Some((_, path))) if !path.is_empty() => {
            Err(format!("\"{text}\": an OTLP/gRPC endpoint has no path"))
        }
        (Protocol::Grpc, _) => Ok(url.trim_end_matches('/').to_owned()),
        (Protocol::Http, Some(_)) => Ok(url),
        (Protocol::Http, None) => Ok(format!("{url}/v1/metrics")),
    }
}

/// The pairs of `headers_list`.
fn pairs_of(listed: &Field<String>) -> Vec<(String, Field<String>)> {
    let pairs = listed.given().unwrap_or_default().split(',');
    let pairs = pairs.filter_map(|pair| pair.split_once('='));
    let pair = |(name, value): (&str, &str)| {
        let value = Field {
            spot: listed.spot,
            value: Some(value.trim().to_owned()),
        };
        (name.trim().to_owned(), value)
    };
    pairs.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_completed_as_the_collector_does() {
        let url = |text, protocol, insecure| url_of(text, protocol, insecure);
        for (text, protocol, insecure, expected) in [
            ("c:4317", Protocol::Grpc, false, Some("https://c:4317")),
            ("c:4317", Protocol::Grpc, true, Some("http://c:4317")),
            (
                "https://c:4317/",
                Protocol::Grpc,
                true,
                Some("https://c:4317"),
            ),
            ("http://c:4317/x", Protocol::Grpc, true, None),
            (
                "http://c:4318",
                Protocol::Http,
                false,
                Some("http://c:4318/v1/metrics"),
            ),
            (
                "c:4318",
                Protocol::Http,
                false,
                Some("https://c:4318/v1/metrics"),
            ),
            (
                "http://c/otlp",
                Protocol::Http,
                false,
                Some("http://c/otlp"),
            ),
            ("http://c/", Protocol::Http, false, Some("http://c/")),
            ("", Protocol::Http, false, None),
            ("unix:///s", Protocol::Grpc, true, None),
        ] {
            assert_eq!(
                url(text, protocol, insecure).ok().as_deref(),
                expected,
                "{text}"
            );
        }
    }
}
