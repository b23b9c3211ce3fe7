/*! The keys of `service.telemetry`: wayspan's own logs and metrics. */

use super::{LogLevel, Telemetry};
use crate::config::{Field, KeyReader, Reading, Setting, Spot, Word, did_you_mean};
use std::net::SocketAddr;

const DEFAULT_PORT: u16 = 8888;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Console,
    Json,
}

impl Word for Encoding {
    const WORDS: &'static [(&'static str, Self)] =
        &[("console", Self::Console), ("json", Self::Json)];
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    None,
    Basic,
    Normal,
    Detailed,
}

impl Word for Level {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("basic", Self::Basic),
        ("normal", Self::Normal),
        ("detailed", Self::Detailed),
    ];
}

pub(crate) fn read(keys: &mut KeyReader<'_>) -> Telemetry {
    let (log_level, log_json) = keys.section("logs", logs);
    let (metrics, type_suffix) = keys.section("metrics", metrics);
    keys.ignored(&["traces", "resource"]);
    Telemetry {
        metrics,
        type_suffix,
        log_level,
        log_json,
    }
}

fn logs(keys: &mut KeyReader<'_>) -> (LogLevel, bool) {
    let level = keys.or(
        "level",
        "info".to_owned(),
        "`debug`, `info`, `warn` or `error`",
    );
    let encoding = keys.or("encoding", Encoding::Console, "how a line is written");
    keys.ignored(&[
        "development",
        "disable_caller",
        "disable_stacktrace",
        "disable_zap_resource",
        "sampling",
        "output_paths",
        "error_output_paths",
        "initial_fields",
        "processors",
    ]);
    let level = log_level(&level, keys.reading());
    (level, encoding.value == Encoding::Json)
}

/// zap's levels, in any case. Those above error are errors here.
fn log_level(level: &Setting<String>, cx: &Reading<'_>) -> LogLevel {
    match level.value.trim().to_ascii_lowercase().as_str() {
        "debug" => LogLevel::Debug,
        "info" => LogLevel::Info,
        "warn" | "warning" => LogLevel::Warn,
        "error" | "dpanic" | "panic" | "fatal" => LogLevel::Error,
        other => {
            let valid = ["debug", "info", "warn", "error"];
            let hint = did_you_mean(other, &valid);
            let message = format!("expected one of {}{hint}", valid.join(", "));
            cx.error(level.spot, &message);
            LogLevel::Info
        }
    }
}

/// A Prometheus reader, as written.
struct Prometheus {
    spot: Option<Spot>,
    host: Setting<String>,
    port: Setting<u16>,
    without_scope_info: Setting<bool>,
    without_units: Setting<bool>,
    without_type_suffix: Setting<bool>,
}

/// Where metrics are served, and whether counters end in `_total`.
fn metrics(keys: &mut KeyReader<'_>) -> (Option<SocketAddr>, bool) {
    let level = keys.or("level", Level::Normal, "`none`: no metrics");
    let readers = keys.sections("readers", |keys| {
        let prometheus = keys.section("pull", |keys| {
            keys.section("exporter", |keys| keys.section("prometheus", prometheus))
        });
        keys.ignored(&["periodic"]);
        prometheus
    });
    let address: Field<String> = keys.get(
        "address",
        "`localhost:8888`",
        "the old spelling of a reader's `host` and `port`, with a warning",
    );
    keys.ignored(&["views"]);
    let cx = keys.reading();
    if level.value == Level::None {
        return (None, false);
    }
    let instead = "readers[].pull.exporter.prometheus {host, port}";
    cx.warn(address.spot, &format!("the old spelling of {instead}"));
    if let Some(list) = readers.value {
        let mut pulls = list.into_iter().filter(|reader| reader.spot.is_some());
        let Some(first) = pulls.next() else {
            let message = "no reader serves Prometheus, so there are no metrics";
            cx.warn(readers.spot, message);
            return (None, false);
        };
        if let Some(second) = pulls.next() {
            cx.warn(second.spot, "only the first Prometheus reader is served");
        }
        return first.check(keys);
    }
    let text = address.trimmed().unwrap_or("localhost:8888");
    (cx.listen(text, keys.path(), address.spot), false)
}

fn prometheus(keys: &mut KeyReader<'_>) -> Prometheus {
    let read = Prometheus {
        spot: keys.spot(),
        host: keys.or("host", "localhost".to_owned(), "address to listen on"),
        port: keys.or("port", DEFAULT_PORT, "its port"),
        without_scope_info: keys.or("without_scope_info", true, "metrics have no scope labels"),
        without_units: keys.or("without_units", true, "names have no units as suffixes"),
        without_type_suffix: keys.or(
            "without_type_suffix",
            true,
            "`false`: counters end in `_total`",
        ),
    };
    keys.ignored(&["with_resource_constant_labels", "translation_strategy"]);
    read
}

impl Prometheus {
    fn check(self, keys: &KeyReader<'_>) -> (Option<SocketAddr>, bool) {
        let cx = keys.reading();
        for (setting, what) in [
            (&self.without_units, "units as suffixes"),
            (&self.without_scope_info, "scope labels"),
        ] {
            if !setting.value {
                let message = format!("wayspan's metrics have no {what}; ignored");
                cx.warn(setting.spot, &message);
            }
        }
        let host = match self.host.value {
            host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
            host => host,
        };
        let text = format!("{host}:{}", self.port.value);
        let address = cx.listen(&text, keys.path(), self.host.spot.or(self.spot));
        (address, !self.without_type_suffix.value)
    }
}
