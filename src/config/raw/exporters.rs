//! `exporters`: `otlp_grpc`, `otlp_http`, `debug`.

use super::security::{Auth, ClientTls};
use crate::config::{
    de::{Field, Ignored, Refused},
    scalar::GoDuration,
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use std::fmt;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct OtlpGrpc {
    pub(in crate::config) endpoint: Field<String>,
    pub(in crate::config) tls: ClientTls,
    pub(in crate::config) headers: Field<Headers>,
    pub(in crate::config) compression: Field<Compression>,
    pub(in crate::config) timeout: Field<GoDuration>,
    keepalive: Ignored,
    pub(in crate::config) balancer_name: Field<String>,
    wait_for_ready: Ignored,
    authority: Refused,
    user_agent: Ignored,
    pub(in crate::config) auth: Field<Auth>,
    read_buffer_size: Ignored,
    write_buffer_size: Ignored,
    middlewares: Refused,
    pub(in crate::config) sending_queue: SendingQueue,
    pub(in crate::config) retry_on_failure: Retry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct OtlpHttp {
    pub(in crate::config) endpoint: Field<String>,
    pub(in crate::config) traces_endpoint: Field<String>,
    metrics_endpoint: Ignored,
    logs_endpoint: Ignored,
    profiles_endpoint: Ignored,
    pub(in crate::config) encoding: Field<Encoding>,
    pub(in crate::config) timeout: Field<GoDuration>,
    pub(in crate::config) compression: Field<Compression>,
    compression_params: Ignored,
    pub(in crate::config) headers: Field<Headers>,
    proxy_url: Refused,
    read_buffer_size: Ignored,
    write_buffer_size: Ignored,
    max_idle_conns: Ignored,
    max_idle_conns_per_host: Ignored,
    max_conns_per_host: Ignored,
    idle_conn_timeout: Ignored,
    disable_keep_alives: Ignored,
    http2_read_idle_timeout: Ignored,
    http2_ping_timeout: Ignored,
    force_attempt_http2: Ignored,
    cookies: Ignored,
    pub(in crate::config) tls: ClientTls,
    pub(in crate::config) auth: Field<Auth>,
    middlewares: Refused,
    pub(in crate::config) sending_queue: SendingQueue,
    pub(in crate::config) retry_on_failure: Retry,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(in crate::config) enum Compression {
    #[serde(rename = "none")]
    None,
    #[serde(rename = "gzip")]
    Gzip,
    #[serde(rename = "zstd")]
    Zstd,
    #[serde(rename = "")]
    Empty,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Encoding {
    Proto,
    Json,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct SendingQueue {
    pub(in crate::config) enabled: Field<bool>,
    pub(in crate::config) num_consumers: Field<u32>,
    pub(in crate::config) queue_size: Field<u64>,
    pub(in crate::config) sizer: Field<Sizer>,
    pub(in crate::config) block_on_overflow: Field<bool>,
    pub(in crate::config) wait_for_result: Field<bool>,
    pub(in crate::config) storage: Field<String>,
    batch: Ignored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Sizer {
    Requests,
    Items,
    Bytes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Retry {
    pub(in crate::config) enabled: Field<bool>,
    pub(in crate::config) initial_interval: Field<GoDuration>,
    pub(in crate::config) randomization_factor: Field<f64>,
    pub(in crate::config) multiplier: Field<f64>,
    pub(in crate::config) max_interval: Field<GoDuration>,
    pub(in crate::config) max_elapsed_time: Field<GoDuration>,
}

/// Also `logging`, its old name, with `loglevel` instead of `verbosity`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Debug {
    pub(in crate::config) verbosity: Field<Verbosity>,
    pub(in crate::config) loglevel: Field<LogLevel>,
    sampling_initial: Ignored,
    sampling_thereafter: Ignored,
    use_internal_logger: Ignored,
    output_paths: Ignored,
    sending_queue: Ignored,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Verbosity {
    Basic,
    Normal,
    Detailed,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// A map of names to values, or the newer list of `{name, value}`.
#[derive(Debug, Default)]
pub(in crate::config) struct Headers(pub(in crate::config) Vec<(String, Field<String>)>);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Header {
    name: String,
    value: Field<String>,
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadersVisitor).map(Self)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Vec<(String, Field<String>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of header names to values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut headers = Vec::new();
        while let Some(entry) = map.next_entry()? {
            headers.push(entry);
        }
        Ok(headers)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut headers = Vec::new();
        while let Some(Header { name, value }) = list.next_element()? {
            headers.push((name, value));
        }
        Ok(headers)
    }
}
