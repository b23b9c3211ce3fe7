/*! The keys of `prometheus`. */

use super::{Prometheus, Settings, sockets};
use crate::{
    config::{Field, Id, KeyReader, Pairs, Setting, Word},
    exporter::{ConfiguredExporter, Exporter, ExporterSettings, Retry, config::sending_queue},
    http::ConnectOptions,
    net::page,
    pdata::Signal,
    prometheus::names,
    tls,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// How names are translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strategy {
    Unset,
    WithSuffixes,
    WithoutSuffixes,
    /// Names keep letters that only new versions of Prometheus know.
    Utf8WithSuffixes,
    None,
}

impl Word for Strategy {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("UnderscoreEscapingWithSuffixes", Self::WithSuffixes),
        ("UnderscoreEscapingWithoutSuffixes", Self::WithoutSuffixes),
        ("NoUTF8EscapingWithSuffixes", Self::Utf8WithSuffixes),
        ("NoTranslation", Self::None),
        ("", Self::Unset),
    ];
}

impl ExporterSettings for Settings {
    fn destination(&self) -> Option<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Some(format!(
            "serves {scheme}://{}{}",
            self.endpoint,
            super::PATH
        ))
    }

    fn lacks(&self, signal: Signal) -> Option<String> {
        let message = format!("Prometheus takes metrics, and not {signal}");
        (signal != Signal::Metrics).then_some(message)
    }

    fn build(
        &self,
        configured: &ConfiguredExporter,
        _: ConnectOptions,
    ) -> Result<Exporter, String> {
        let what = format!("exporter {}", configured.id);
        let prometheus = Prometheus {
            guards: page::guards(&what, self.tls.as_ref())?,
            socket: sockets::listen(self.endpoint, &what)?,
            endpoint: format!("{}{}", self.endpoint, super::PATH),
            store: Arc::<Mutex<_>>::default(),
            settings: Arc::new(self.clone()),
        };
        Ok(Exporter::new(configured, prometheus))
    }
}

/// Reads a `prometheus` exporter.
pub(crate) fn read(id: &Id, keys: &mut KeyReader<'_>) -> Option<ConfiguredExporter> {
    let endpoint: Field<String> = keys.get(
        "endpoint",
        "required",
        "address to listen on; metrics are at `/metrics`",
    );
    let tls = tls::config::server(keys);
    let namespace: Setting<String> = keys.or("namespace", String::new(), "names begin with it");
    let const_labels: Field<Pairs> =
        keys.get("const_labels", "none", "labels that all series have");
    let has_timestamps = keys.or(
        "send_timestamps",
        false,
        "samples have the time of their points",
    );
    let expiration = keys.or(
        "metric_expiration",
        Duration::from_secs(300),
        "how long a series is served after its last point",
    );
    let (resource_labels, service_labels) =
        keys.section("resource_to_telemetry_conversion", |keys| {
            let enabled = keys.or("enabled", false, "resource attributes are labels");
            let excludes = keys.or(
                "exclude_service_attributes",
                false,
                "but not those that make `job` and `instance`",
            );
            (enabled.value, !excludes.value)
        });
    let has_open_metrics = keys.or(
        "enable_open_metrics",
        false,
        "who asks for OpenMetrics gets it, with exemplars",
    );
    let without_scope = keys.or(
        "without_scope_info",
        false,
        "series have no labels of their scope",
    );
    let suffixes = keys.or(
        "add_metric_suffixes",
        true,
        "names end in their unit, and counters in `_total`",
    );
    let strategy = keys.or(
        "translation_strategy",
        Strategy::Unset,
        "takes the place of `add_metric_suffixes`; the last two are served as the first, with a warning",
    );
    let queue = sending_queue(keys);
    keys.refused(&["auth"]);
    keys.ignored(&[
        "cors",
        "max_request_body_size",
        "include_metadata",
        "response_headers",
        "compression_algorithms",
        "read_timeout",
        "read_header_timeout",
        "write_timeout",
        "idle_timeout",
        "keep_alives_enabled",
        "transport",
    ]);

    let cx = keys.reading();
    if matches!(strategy.value, Strategy::Utf8WithSuffixes | Strategy::None) {
        let message = "names are escaped with underscores, and have suffixes";
        cx.warn(strategy.spot, message);
    }
    let mut labels = Vec::new();
    let given = const_labels.value.unwrap_or_default();
    for (name, value) in given.0 {
        match names::label(&name) {
            Some(name) => labels.push((name, value.value.unwrap_or_default())),
            None => {
                let message = format!("\"{name}\" is no name of a label");
                cx.error(value.spot, &message);
            }
        }
    }
    let Some(text) = endpoint.trimmed() else {
        if !(endpoint.spot.is_some() && cx.has_errors()) {
            let message = "an address to listen on is needed";
            let help = "set endpoint, such as 0.0.0.0:8889";
            cx.error_at_key(endpoint.spot.or(keys.spot()), message, help);
        }
        return None;
    };
    if !keys.is_used() {
        return None;
    }
    let endpoint = cx.listen(text, keys.path(), endpoint.spot)?;
    Some(ConfiguredExporter {
        id: id.clone(),
        settings: Arc::new(Settings {
            endpoint,
            tls,
            namespace: namespace.value,
            has_suffixes: match strategy.value {
                Strategy::Unset => suffixes.value,
                strategy => strategy != Strategy::WithoutSuffixes,
            },
            const_labels: labels,
            resource_labels,
            service_labels,
            scope_labels: !without_scope.value,
            has_timestamps: has_timestamps.value,
            expiration: expiration.value,
            has_open_metrics: has_open_metrics.value,
        }),
        queue,
        retry: Retry::default(),
        timeout: Duration::from_secs(5),
    })
}
