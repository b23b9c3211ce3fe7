/*! `service.pipelines`: what is connected to what. */

use super::{
    Pipeline,
    section::{Reference, Section},
};
use crate::{
    config::{Diagnostic, Field, Id, KeyReader, Node, Reading, Spot, did_you_mean, keys},
    connector, exporter,
    pdata::Signal,
    pipeline::BatchSettings,
    processor::{self, ProcessorRole},
    receiver,
};

/// A pipeline as written: references not yet resolved.
pub(super) struct Draft {
    pub(super) id: Id,
    pub(super) signal: Signal,
    pub(super) spot: Spot,
    pub(super) receivers: Vec<Reference>,
    pub(super) processors: Vec<Reference>,
    pub(super) exporters: Vec<Reference>,
    /// What a pipeline of metrics or logs names and is run without.
    pub(super) without: Vec<String>,
}

/// The components that pipelines may name, and what became of each: an index into
/// those of the configuration.
pub(super) struct Components<'s, 'n> {
    pub(super) receivers: NamedComponents<'s, 'n, receiver::ConfiguredReceiver, usize>,
    pub(super) processors: NamedComponents<'s, 'n, ProcessorRole, ProcessorRole>,
    pub(super) exporters: NamedComponents<'s, 'n, exporter::ConfiguredExporter, usize>,
    pub(super) connectors: NamedComponents<'s, 'n, connector::ConfiguredConnector, usize>,
    pub(super) settings: &'s [exporter::ConfiguredExporter],
}

impl Components<'_, '_> {
    /// The connector that `name` names, unless it is wrong.
    pub(super) fn find_connector(&self, name: &str) -> Option<usize> {
        let at = self.connectors.section.find(name)?;
        self.connectors.built(at).copied()
    }

    /// Adds the connector that `name` names to `list`. Returns false if none does.
    fn connector(&self, name: &str, list: &mut Vec<usize>, complete: &mut bool) -> bool {
        let Some(at) = self.connectors.section.find(name) else {
            return false;
        };
        push(list, self.connectors.built(at).copied(), complete);
        true
    }
}

/// A section, and what became of each of its components; None: nothing.
pub(super) struct NamedComponents<'s, 'n, T: 'static, U> {
    pub(super) section: &'s Section<'n, T>,
    pub(super) built: Vec<Option<U>>,
}

impl<'s, 'n, T> NamedComponents<'s, 'n, T, usize> {
    /// Keeps what was built of the components of `section`, and where each is.
    pub(super) fn new(section: &'s Section<'n, T>, read: Vec<Option<T>>) -> (Self, Vec<T>) {
        let mut kept = Vec::new();
        let mut index = |value: Option<T>| {
            value.map(|value| {
                kept.push(value);
                kept.len() - 1
            })
        };
        let built = read.into_iter().map(&mut index).collect();
        (Self { section, built }, kept)
    }
}

impl<T, U> NamedComponents<'_, '_, T, U> {
    fn built(&self, at: usize) -> Option<&U> {
        self.built.get(at)?.as_ref()
    }
}

/// Reads the pipelines; warns of those of signals that wayspan does not have.
pub(super) fn drafts<'n>(pipelines: Option<&'n Node>, cx: &'n Reading<'n>) -> Vec<Draft> {
    let Some(pipelines) = pipelines else {
        return Vec::new();
    };
    if !pipelines.is_map() && !pipelines.is_null() {
        let found = pipelines.describe();
        let message = format!("service.pipelines: expected a map, found {found}");
        cx.report().error(Diagnostic::at(pipelines.place, message));
    }
    let mut drafts: Vec<Draft> = Vec::new();
    for (key, node) in pipelines.entries() {
        let path = format!("service.pipelines.{key}");
        let spot = cx.report().spot(node.place, &path);
        let Some((id, signal)) = signal(key, spot, cx) else {
            continue;
        };
        let read = |keys: &mut KeyReader<'n>| draft(id, signal, spot, keys);
        let Some(draft) = keys::read(node, (&path, spot), true, cx, read) else {
            continue;
        };
        if drafts.iter().any(|d| d.id == draft.id) {
            cx.error_at_key(Some(spot), "this pipeline is defined twice", "");
        }
        drafts.push(draft);
    }
    drafts
}

fn signal(key: &str, spot: Spot, cx: &Reading<'_>) -> Option<(Id, Signal)> {
    let report = |message: String| cx.error_at_key(Some(spot), &message, "");
    let id = Id::parse(key).map_err(report).ok()?;
    let known = Signal::ALL.map(Signal::as_str);
    if let Some(signal) = Signal::ALL.into_iter().find(|s| s.as_str() == id.kind) {
        return Some((id, signal));
    }
    match id.kind.as_str() {
        "profiles" => {
            let message = "wayspan handles traces, metrics and logs only; ignored";
            cx.warn(Some(spot), message);
        }
        other => {
            let hint = did_you_mean(other, &known);
            let help = "pipelines are called traces, metrics or logs, or SIGNAL/NAME";
            cx.error_at_key(
                Some(spot),
                &format!("unknown signal \"{other}\"{hint}"),
                help,
            );
        }
    }
    None
}

type List = Field<Vec<Field<String>>>;

/// Declares the keys of a pipeline, for the manual.
pub(super) fn describe(keys: &mut KeyReader<'_>) {
    lists(keys);
}

fn lists(keys: &mut KeyReader<'_>) -> [List; 3] {
    [
        keys.get("receivers", "required", "ids of receivers and connectors"),
        keys.get("processors", "none", "ids of processors, in their order"),
        keys.get("exporters", "required", "ids of exporters and connectors"),
    ]
}

/// Reads the keys of a pipeline.
fn draft(id: Id, signal: Signal, spot: Spot, keys: &mut KeyReader<'_>) -> Draft {
    let [receivers, processors, exporters] = lists(keys);
    let cx = keys.reading();
    // Of another signal it is not run, with a warning.
    if signal == Signal::Traces {
        need_ends(&receivers, &exporters, spot, cx);
    }
    Draft {
        id,
        signal,
        spot,
        receivers: references(&receivers),
        processors: references(&processors),
        exporters: references(&exporters),
        without: Vec::new(),
    }
}

/// Reports a pipeline that has no receivers or no exporters: once, if it has nothing.
fn need_ends(receivers: &List, exporters: &List, spot: Spot, cx: &Reading<'_>) {
    if receivers.spot.is_none() && exporters.spot.is_none() {
        let help = "write receivers: [ID] and exporters: [ID], with ids defined below receivers: and exporters:";
        return cx.error_at_key(Some(spot), "a pipeline needs receivers and exporters", help);
    }
    for (field, what) in [(receivers, "receivers"), (exporters, "exporters")] {
        if references(field).is_empty() {
            let help = format!("write {what}: [ID], with an id defined below {what}:");
            let message = format!("a pipeline needs {what}");
            cx.error_at_key(field.spot.or(Some(spot)), &message, &help);
        }
    }
}

/// The ids of a list, each with its place.
pub(super) fn references(field: &Field<Vec<Field<String>>>) -> Vec<Reference> {
    let items = field.value.iter().flatten();
    items
        .filter_map(|item| Some((item.value.clone()?, item.spot?)))
        .collect()
}

impl Draft {
    /// Resolves the references. None when one of them failed, or when the pipeline
    /// is not run; that is reported, here or where the component was checked.
    pub(super) fn resolve(&self, all: &Components<'_, '_>, cx: &Reading<'_>) -> Option<Pipeline> {
        let mut pipeline = Pipeline {
            id: self.id.clone(),
            signal: self.signal,
            receivers: Vec::new(),
            fed_by: Vec::new(),
            processors: Vec::new(),
            memory_limiter: None,
            batch: BatchSettings::default(),
            exporters: Vec::new(),
            feeds: Vec::new(),
        };
        // Each reports what is wrong with its own list.
        let mut has_batch = false;
        let complete = [
            self.resolve_receivers(all, &mut pipeline, cx),
            self.resolve_exporters(all, &mut pipeline, cx),
            self.resolve_processors(&all.processors, &mut pipeline, &mut has_batch, cx),
        ];
        let queues = pipeline.exporters.iter();
        let queues = queues.filter_map(|&at| all.settings.get(at)?.queue.batch.as_ref());
        pipeline.batch = pipeline.batch.for_queues(queues, has_batch);
        if !complete.iter().all(|ok| *ok) {
            return None;
        }
        if !self.without.is_empty() {
            let without = self.without.join(", ");
            let message = format!("runs without {without}, which wayspan does not serve");
            cx.warn(Some(self.spot), &message);
        }
        Some(pipeline)
    }

    fn resolve_receivers(
        &self,
        all: &Components<'_, '_>,
        pipeline: &mut Pipeline,
        cx: &Reading<'_>,
    ) -> bool {
        let mut complete = true;
        for (name, spot) in &self.receivers {
            if all.connector(name, &mut pipeline.fed_by, &mut complete) {
                continue;
            }
            match all.receivers.section.resolve(name, *spot, cx) {
                Some(at) => {
                    let built = all.receivers.built(at).copied();
                    push(&mut pipeline.receivers, built, &mut complete);
                }
                None => complete = false,
            }
        }
        complete
    }

    fn resolve_exporters(
        &self,
        all: &Components<'_, '_>,
        pipeline: &mut Pipeline,
        cx: &Reading<'_>,
    ) -> bool {
        let mut complete = true;
        for (name, spot) in &self.exporters {
            if all.connector(name, &mut pipeline.feeds, &mut complete) {
                continue;
            }
            let at = all.exporters.section.resolve(name, *spot, cx);
            let built = at.and_then(|at| all.exporters.built(at)).copied();
            let settings = built.and_then(|at| all.settings.get(at));
            if let Some(message) = settings.and_then(|s| s.settings.lacks(self.signal)) {
                cx.error(Some(*spot), &message);
                complete = false;
            }
            push(&mut pipeline.exporters, built, &mut complete);
        }
        complete
    }

    fn resolve_processors(
        &self,
        processors: &NamedComponents<'_, '_, ProcessorRole, ProcessorRole>,
        pipeline: &mut Pipeline,
        has_batch: &mut bool,
        cx: &Reading<'_>,
    ) -> bool {
        let mut complete = true;
        let mut seen = Vec::new();
        for (name, spot) in &self.processors {
            let at = processors.section.resolve(name, *spot, cx);
            if at.is_some() && seen.contains(&at) {
                cx.error_at_key(Some(*spot), "this processor is listed twice", "");
                complete = false;
                continue;
            }
            seen.push(at);
            let component = at.and_then(|at| processors.section.components.get(at));
            let role = at.and_then(|at| processors.built(at));
            let (Some(component), Some(role)) = (component, role) else {
                complete = false;
                continue;
            };
            match role {
                ProcessorRole::Item(settings) if !settings.signals().contains(&self.signal) => {
                    let of = settings.signals().iter().map(|s| s.as_str());
                    let of = of.collect::<Vec<_>>().join(" and ");
                    if self.signal == Signal::Traces {
                        let message =
                            format!("this processor is for {of}, and {} is of traces", self.id);
                        cx.error(Some(*spot), &message);
                    } else if complete {
                        // Without the processor more might leave than the file lets out.
                        let message = format!(
                            "{} is not run: this processor is for {of} in wayspan",
                            self.id
                        );
                        cx.warn(Some(*spot), &message);
                    }
                    complete = false;
                }
                ProcessorRole::Item(settings) => {
                    if *has_batch {
                        let message = "listed after batch, and runs before it: batch always comes last in wayspan";
                        cx.warn(Some(*spot), message);
                    }
                    pipeline.processors.push(processor::ConfiguredProcessor {
                        id: component.id.clone(),
                        settings: settings.clone(),
                    });
                }
                ProcessorRole::Batch(batch) => {
                    if *has_batch {
                        let message = "a second batch processor; only the last counts";
                        cx.warn(Some(*spot), message);
                    }
                    *has_batch = true;
                    pipeline.batch = batch.clone();
                }
                ProcessorRole::Memory(_) => pipeline.memory_limiter = Some(component.id.clone()),
            }
        }
        complete
    }
}

/// Adds an index once: an id listed twice would send everything twice.
fn push(list: &mut Vec<usize>, index: Option<usize>, complete: &mut bool) {
    match index {
        Some(index) if !list.contains(&index) => list.push(index),
        Some(_) => {}
        None => *complete = false,
    }
}
