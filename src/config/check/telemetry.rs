//! `service.telemetry`: wayspan's own logs and metrics.

use super::Context;
use crate::config::{
    checked::{LogLevel, Telemetry},
    de::Field,
    diagnostic::did_you_mean,
    raw::service as raw,
    scalar::listen_address,
};
use std::net::SocketAddr;

const DEFAULT_PORT: u16 = 8888;

pub(super) fn check(raw: raw::Telemetry, cx: &Context<'_>) -> Telemetry {
    let (metrics, type_suffix) = metrics(raw.metrics, cx);
    Telemetry {
        metrics,
        type_suffix,
        log_level: log_level(&raw.logs.level, cx),
        log_json: raw.logs.encoding.or(raw::LogEncoding::Console) == raw::LogEncoding::Json,
    }
}

fn log_level(field: &Field<String>, cx: &Context<'_>) -> LogLevel {
    let (Some(text), Some(spot)) = (field.as_ref(), field.spot) else {
        return LogLevel::Info;
    };
    match text.trim().to_ascii_lowercase().as_str() {
        "debug" => LogLevel::Debug,
        "info" => LogLevel::Info,
        "warn" | "warning" => LogLevel::Warn,
        "error" | "dpanic" | "panic" | "fatal" => LogLevel::Error,
        other => {
            let valid = ["debug", "info", "warn", "error"];
            let hint = did_you_mean(other, &valid);
            cx.report
                .error_at(spot, &format!("expected one of {}{hint}", valid.join(", ")));
            LogLevel::Info
        }
    }
}

/// Where metrics are served, and whether counters end in `_total`.
fn metrics(raw: raw::Metrics, cx: &Context<'_>) -> (Option<SocketAddr>, bool) {
    const PATH: &str = "service.telemetry.metrics";
    if raw.level.value == Some(raw::Level::None) {
        return (None, false);
    }
    if let Some(spot) = raw.address.spot {
        let instead = "readers[].pull.exporter.prometheus {host, port}";
        cx.report
            .warn_at(spot, &format!("the old spelling of {instead}"));
    }
    if let Some(readers) = raw.readers.value {
        let mut pulls = readers.into_iter().filter_map(|reader| {
            let exporter = reader.value?.pull.exporter;
            exporter
                .prometheus
                .spot
                .map(|spot| (spot, exporter.prometheus.value.unwrap_or_default()))
        });
        let Some((spot, prometheus)) = pulls.next() else {
            if let Some(spot) = raw.readers.spot {
                let message = "no reader serves Prometheus, so there are no metrics";
                cx.report.warn_at(spot, message);
            }
            return (None, false);
        };
        if let Some((second, _)) = pulls.next() {
            cx.report
                .warn_at(second, "only the first Prometheus reader is served");
        }
        for (field, what) in [
            (&prometheus.without_units, "units as suffixes"),
            (&prometheus.without_scope_info, "scope labels"),
        ] {
            if let (Some(false), Some(spot)) = (field.value, field.spot) {
                cx.report
                    .warn_at(spot, &format!("wayspan's metrics have no {what}; ignored"));
            }
        }
        let type_suffix = prometheus.without_type_suffix.value == Some(false);
        let host = prometheus
            .host
            .value
            .unwrap_or_else(|| "localhost".to_owned());
        let host = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]")
        } else {
            host
        };
        let port = prometheus.port.value.unwrap_or(DEFAULT_PORT);
        return match listen_address(&format!("{host}:{port}"), cx.env) {
            Ok(address) => {
                cx.listen(address, PATH, Some(spot));
                (Some(address), type_suffix)
            }
            Err(message) => {
                cx.report
                    .error_at(prometheus.host.spot.unwrap_or(spot), &message);
                (None, type_suffix)
            }
        };
    }
    let default = format!("localhost:{DEFAULT_PORT}");
    (cx.listener(&raw.address, &default, (PATH, None)), false)
}
