//! `service.pipelines`: what is connected to what.

use super::{Built, Context, Section, parse_id, processors::Checked};
use crate::{
    config::{
        checked::{Batch, Exporter, Id, Pipeline, Receiver},
        de,
        diagnostic::{Diagnostic, Spot, did_you_mean},
        node::Node,
        raw,
    },
    pdata::Signal,
};

/// A pipeline as written: references not yet resolved.
pub(super) struct Draft {
    id: Id,
    signal: Signal,
    spot: Spot,
    pub(super) receivers: Vec<(String, Spot)>,
    pub(super) processors: Vec<(String, Spot)>,
    pub(super) exporters: Vec<(String, Spot)>,
}

/// Reads the pipelines; warns of those of signals that wayspan does not have.
pub(super) fn drafts<'n>(pipelines: Option<&'n Node>, cx: &Context<'n>) -> Vec<Draft> {
    let Some(pipelines) = pipelines else {
        return Vec::new();
    };
    if pipelines.entries().is_empty() && !pipelines.is_null() {
        let message = format!(
            "service.pipelines: expected a map, found {}",
            pipelines.describe()
        );
        cx.report.error(Diagnostic::at(pipelines.place, message));
    }
    let mut drafts: Vec<Draft> = Vec::new();
    for (key, node) in pipelines.entries() {
        let path = format!("service.pipelines.{key}");
        let spot = cx.report.spot(node.place, &path);
        let id = match parse_id(key) {
            Ok(id) => id,
            Err(message) => {
                cx.report.error_at_key(spot, &message, "");
                continue;
            }
        };
        let known = Signal::ALL.map(Signal::as_str);
        let signal = match (
            Signal::ALL.into_iter().find(|s| s.as_str() == id.kind),
            &*id.kind,
        ) {
            (Some(signal), _) => signal,
            (None, "profiles") => {
                let message = "wayspan handles traces, metrics and logs only; ignored";
                cx.report.warn_at(spot, message);
                continue;
            }
            (None, other) => {
                let hint = did_you_mean(other, &known);
                let message = format!("unknown signal \"{other}\"{hint}");
                let help = "pipelines are called traces, metrics or logs, or SIGNAL/NAME";
                cx.report.error_at_key(spot, &message, help);
                continue;
            }
        };
        let Some(raw) = de::read::<raw::service::Pipeline>(node, &path, true, cx.report) else {
            continue;
        };
        let references = |field: de::Field<Vec<de::Field<String>>>| {
            let items = field.value.unwrap_or_default();
            items
                .into_iter()
                .filter_map(|f| Some((f.value?, f.spot?)))
                .collect::<Vec<_>>()
        };
        let (no_receivers, no_exporters) = (raw.receivers.spot, raw.exporters.spot);
        let draft = Draft {
            id,
            signal,
            spot,
            receivers: references(raw.receivers),
            processors: references(raw.processors),
            exporters: references(raw.exporters),
        };
        for (list, what, at) in [
            (&draft.receivers, "receivers", no_receivers),
            (&draft.exporters, "exporters", no_exporters),
        ] {
            if list.is_empty() {
                let help = format!("write {what}: [ID], with an id defined below {what}:");
                let message = format!("a pipeline needs {what}");
                cx.report.error_at_key(at.unwrap_or(spot), &message, &help);
            }
        }
        if drafts.iter().any(|d| d.id == draft.id) {
            cx.report
                .error_at_key(spot, "this pipeline is defined twice", "");
        }
        drafts.push(draft);
    }
    drafts
}

impl Draft {
    /// Resolves the references. None when one of them failed; that is reported,
    /// here or where the component was checked.
    pub(super) fn resolve(
        &self,
        receivers: (&Section<'_>, &[Built<Receiver>]),
        processors: (&Section<'_>, &[Built<Checked>]),
        exporters: (&Section<'_>, &[Built<Exporter>]),
        cx: &Context<'_>,
    ) -> Option<Pipeline> {
        let mut listening = Vec::new();
        let mut complete = true;
        for (name, spot) in &self.receivers {
            match receivers.0.resolve(name, *spot, cx) {
                // Envoy's OpenTelemetry provider has replaced it, and Istio's
                // sample still names it: nobody is served worse without it.
                Some(i) if is_kind(receivers.0, i, "opencensus") => {
                    cx.report
                        .warn_at(*spot, "the opencensus receiver is not served");
                }
                Some(i) => push(&mut listening, built(receivers.1, i), &mut complete),
                None => complete = false,
            }
        }
        if complete && listening.is_empty() && !self.receivers.is_empty() {
            cx.report.error_at_key(
                self.spot,
                "no receiver is left that wayspan serves",
                "use otlp",
            );
        }
        let mut sending = Vec::new();
        for (name, spot) in &self.exporters {
            match exporters.0.resolve(name, *spot, cx) {
                Some(i) => push(&mut sending, built(exporters.1, i), &mut complete),
                None => complete = false,
            }
        }
        let mut deciding = Vec::new();
        let mut batch: Option<Batch> = None;
        let mut memory_limiter = None;
        let mut seen = Vec::new();
        for (name, spot) in &self.processors {
            let component = processors.0.resolve(name, *spot, cx);
            if component.is_some() && seen.contains(&component) {
                cx.report
                    .error_at_key(*spot, "this processor is listed twice", "");
                complete = false;
                continue;
            }
            seen.push(component);
            let found = component.and_then(|i| built(processors.1, i));
            match found.and_then(|i| processors.1.get(i)).map(|b| &b.value) {
                Some(Checked::Span(_)) if self.signal != Signal::Traces => {
                    let message = format!(
                        "this processor is for traces, and {} is of {}",
                        self.id, self.signal
                    );
                    let help = "remove it from this pipeline";
                    cx.report.error_at_help(*spot, &message, help);
                    complete = false;
                }
                Some(Checked::Span(processor)) => {
                    if batch.is_some() {
                        cx.report.warn_at(
                            *spot,
                            "listed after batch, and runs before it: batch always comes last in wayspan",
                        );
                    }
                    deciding.push(processor.as_ref().clone());
                }
                Some(Checked::Batch(found)) => {
                    if batch.replace(found.clone()).is_some() {
                        cx.report
                            .warn_at(*spot, "a second batch processor; only the last counts");
                    }
                }
                Some(Checked::MemoryLimiter(_)) => {
                    let named = component.and_then(|i| processors.0.components.get(i));
                    memory_limiter = named.map(|component| component.id.clone());
                }
                None => complete = false,
            }
        }
        complete.then(|| Pipeline {
            id: self.id.clone(),
            signal: self.signal,
            receivers: listening,
            processors: deciding,
            memory_limiter,
            batch: batch.unwrap_or_else(super::processors::default_batch),
            exporters: sending,
        })
    }
}

fn is_kind(section: &Section<'_>, component: usize, kind: &str) -> bool {
    section
        .components
        .get(component)
        .is_some_and(|c| c.id.kind == kind)
}

/// Where the component with this index ended up among the built ones.
fn built<T>(built: &[Built<T>], component: usize) -> Option<usize> {
    built.iter().position(|b| b.component == component)
}

/// Adds an index once: an id listed twice would send everything twice.
fn push(list: &mut Vec<usize>, index: Option<usize>, complete: &mut bool) {
    match index {
        Some(index) if !list.contains(&index) => list.push(index),
        Some(_) => {}
        None => *complete = false,
    }
}
