/*! The keys of `service.telemetry`: wayspan's own logs and metrics. */

use super::{LogLevel, Resource, ResourceValue, Selection, Style, Telemetry};
use crate::config::{
    Field, KeyReader, Pairs, RawValue, Reading, Setting, Spot, Word, did_you_mean,
};
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

/// Reads the keys. `push` reads those of a reader that pushes; what it gives is in the list.
pub(crate) fn read<'n, P>(
    keys: &mut KeyReader<'n>,
    push: impl Fn(&mut KeyReader<'n>) -> Option<P>,
) -> (Telemetry, Vec<P>) {
    let logs = keys.section("logs", logs);
    let (metrics, pushes) = keys.section("metrics", |keys| metrics(keys, push));
    let resource = resource(keys);
    keys.ignored(&["traces"]);
    let telemetry = Telemetry {
        metrics,
        resource,
        log_level: logs.level,
        log_json: logs.is_json,
        log_resource: logs.has_resource,
    };
    (telemetry, pushes)
}

/// `logs`.
struct Logs {
    level: LogLevel,
    is_json: bool,
    has_resource: bool,
}

fn logs(keys: &mut KeyReader<'_>) -> Logs {
    let level = keys.or(
        "level",
        "info".to_owned(),
        "`debug`, `info`, `warn` or `error`",
    );
    let encoding = keys.or("encoding", Encoding::Console, "how a line is written");
    let without_resource = keys.or(
        "disable_zap_resource",
        false,
        "lines in JSON do not have `resource`",
    );
    keys.ignored(&[
        "development",
        "disable_caller",
        "disable_stacktrace",
        "sampling",
        "output_paths",
        "error_output_paths",
        "initial_fields",
        "processors",
    ]);
    Logs {
        level: log_level(&level, keys.reading()),
        is_json: encoding.value == Encoding::Json,
        has_resource: !without_resource.value,
    }
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

/// The attributes of own metrics and logs: those of the file laid over the defaults.
fn resource(keys: &mut KeyReader<'_>) -> Resource {
    let node = keys.node(
        "resource",
        ("map, or map of a list", "name, version and an id"),
        "attributes of own metrics and logs: names and texts, or `attributes`, a list of `{name, value}`. Null takes away `service.name`, `service.version` or `service.instance.id`, which are there else",
    );
    let mut resource = Resource::default();
    if node.is_some_and(|node| node.get("attributes").is_some()) {
        keys.section("resource", |keys| listed(keys, &mut resource));
        return resource;
    }
    let pairs = keys.read_as::<Pairs>("resource").value.unwrap_or_default();
    for (name, field) in pairs.0 {
        match field.value {
            // What belongs to a list that is not there.
            Some(_) if name == "schema_url" => {}
            Some(text) => drop(resource.0.insert(name, ResourceValue::Text(text))),
            None => drop(resource.0.remove(&name)),
        }
    }
    resource
}

/// `resource`, written as OpenTelemetry's declarative configuration has it.
fn listed(keys: &mut KeyReader<'_>, resource: &mut Resource) {
    let attributes = keys.sections("attributes", |keys| {
        let name: Field<String> = keys.get("name", "required", "");
        let value: Field<RawValue> = keys.get("value", "none", "");
        // A value of YAML has its type already.
        let _: Field<String> = keys.get("type", "that of the value", "");
        let cx = keys.reading();
        if name.given().is_none() {
            cx.error_at_key(keys.spot(), "an attribute needs a name", "");
        }
        let read = match value.value {
            None | Some(RawValue::Null) => None,
            Some(RawValue::Text(text)) => Some(ResourceValue::Text(text)),
            Some(RawValue::Bool(value)) => Some(ResourceValue::Bool(value)),
            Some(RawValue::Int(value)) => Some(ResourceValue::Int(value)),
            Some(RawValue::Float(value)) => Some(ResourceValue::Double(value)),
            Some(RawValue::List(_) | RawValue::Map(_)) => {
                cx.warn(value.spot, "neither a text nor a number: left out");
                None
            }
        };
        (name.value, read)
    });
    keys.ignored(&["schema_url", "detectors"]);
    keys.refused(&["attributes_list"]);
    for (name, value) in attributes.value.into_iter().flatten() {
        match (name, value) {
            (Some(name), Some(value)) => drop(resource.0.insert(name, value)),
            (Some(name), None) => drop(resource.0.remove(&name)),
            (None, _) => {}
        }
    }
}

/// A Prometheus reader, as written.
struct Prometheus {
    spot: Option<Spot>,
    host: Setting<String>,
    port: Setting<u16>,
    style: Style,
}

/// One reader, as written.
struct Reader<P> {
    spot: Option<Spot>,
    /// That it is pulled, and how, unless that is wrong.
    pull: Option<Option<Prometheus>>,
    /// The same where it pushes.
    push: Option<Option<P>>,
}

/// Where metrics are served, and where they are pushed to.
fn metrics<'n, P>(
    keys: &mut KeyReader<'n>,
    push: impl Fn(&mut KeyReader<'n>) -> Option<P>,
) -> (Vec<(SocketAddr, Style)>, Vec<P>) {
    let level = keys.or("level", Level::Normal, "`none`: no metrics");
    let readers = keys.sections("readers", |keys| {
        let pull = keys.section("pull", |keys| {
            let prometheus = keys.section("exporter", |keys| {
                keys.section("prometheus", |keys| {
                    let is_there = keys.spot().is_some();
                    let prometheus = prometheus(keys);
                    is_there.then_some(prometheus)
                })
            });
            let is_there = keys.spot().is_some();
            if is_there && prometheus.is_none() {
                let message = "a reader that is pulled needs exporter: {prometheus: …}";
                keys.reading().error_at_key(keys.spot(), message, "");
            }
            is_there.then_some(prometheus)
        });
        let push = keys.section("periodic", |keys| {
            let is_there = keys.spot().is_some();
            let push = push(keys);
            is_there.then_some(push)
        });
        Reader {
            spot: keys.spot(),
            pull,
            push,
        }
    });
    let address: Field<String> = keys.get(
        "address",
        "`localhost:8888`",
        "the old spelling of a reader's `host` and `port`, with a warning",
    );
    keys.ignored(&["views"]);
    let cx = keys.reading();
    if level.value == Level::None {
        return (Vec::new(), Vec::new());
    }
    let instead = "readers[].pull.exporter.prometheus {host, port}";
    cx.warn(address.spot, &format!("the old spelling of {instead}"));
    let Some(list) = readers.value else {
        let text = address.trimmed().unwrap_or("localhost:8888");
        let address = cx.listen(text, keys.path(), address.spot);
        return (
            address
                .map(|at| (at, Style::default()))
                .into_iter()
                .collect(),
            Vec::new(),
        );
    };
    if list.is_empty() {
        cx.warn(
            readers.spot,
            "there are no readers, so there are no metrics",
        );
    }
    let (mut pulls, mut pushes) = (Vec::new(), Vec::new());
    for reader in list {
        match (reader.pull, reader.push) {
            (Some(_), Some(_)) => {
                let message = "a reader is pulled or pushes: make two of them";
                cx.error_at_key(reader.spot, message, "");
            }
            (None, None) => {
                let message = "a reader needs pull or periodic";
                cx.error_at_key(reader.spot, message, "");
            }
            (Some(pull), None) => pulls.extend(pull.and_then(|prometheus| prometheus.check(keys))),
            (None, Some(push)) => pushes.extend(push),
        }
    }
    (pulls, pushes)
}

fn prometheus(keys: &mut KeyReader<'_>) -> Prometheus {
    let host = keys.or("host", "localhost".to_owned(), "address to listen on");
    let port = keys.or("port", DEFAULT_PORT, "its port");
    let without_scopes = keys.or(
        "without_scope_info",
        true,
        "`false`: series have labels `otel_scope_…`",
    );
    const SUFFIXES: &str = "`false`, here or in the other `without_`: names end in units, those of counters in `_total`";
    let without_units = keys.or("without_units", true, SUFFIXES);
    let without_type_suffix = keys.or("without_type_suffix", true, SUFFIXES);
    let resource = keys.section("with_resource_constant_labels", |keys| {
        let included: Field<Vec<Field<String>>> = keys.get(
            "included",
            "all",
            "attributes of the resource that are labels of every series",
        );
        let excluded: Field<Vec<Field<String>>> =
            keys.get("excluded", "none", "those that are not");
        keys.has_value().then(|| {
            let selection = Selection {
                included: texts(included),
                excluded: texts(excluded),
            };
            let is_twice = |name: &String| selection.excluded.contains(name);
            if let Some(name) = selection.included.iter().find(|name| is_twice(name)) {
                let message = format!("{name} is both included and excluded");
                keys.reading().error_at_key(keys.spot(), &message, "");
            }
            selection
        })
    });
    keys.ignored(&["translation_strategy"]);
    Prometheus {
        spot: keys.spot(),
        host,
        port,
        style: Style {
            suffixes: !(without_units.value && without_type_suffix.value),
            scopes: !without_scopes.value,
            resource,
        },
    }
}

fn texts(list: Field<Vec<Field<String>>>) -> Vec<String> {
    let items = list.value.into_iter().flatten();
    items.filter_map(|item| item.value).collect()
}

impl Prometheus {
    fn check(self, keys: &KeyReader<'_>) -> Option<(SocketAddr, Style)> {
        let cx = keys.reading();
        let host = match self.host.value {
            host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
            host => host,
        };
        let text = format!("{host}:{}", self.port.value);
        let address = cx.listen(&text, keys.path(), self.host.spot.or(self.spot))?;
        Some((address, self.style))
    }
}
