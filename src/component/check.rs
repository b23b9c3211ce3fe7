/*!
From a merged and expanded tree to the checked configuration.

Pipelines come first: they say which components are used. A component that no
pipeline uses is still read, so that its mistakes show, but nothing is built from
it and what wayspan lacks may stand in it.
*/

use super::{
    Config, Loading,
    added::AddedProcessor,
    connectors, extensions,
    fingerprint::Fingerprints,
    joined,
    pipelines::{self, Components, NamedComponents},
    plan::Sections,
    section::{Section, Usage},
    service::{self, ServiceSection},
    table::Tables,
    wrapped,
};
use crate::{
    config::{Diagnostic, KeyReader, Node, Place, Reading, keys},
    processor::{ProcessorRole, memory_limiter},
};

const SECTIONS: [&str; 6] = [
    "receivers",
    "processors",
    "exporters",
    "connectors",
    "extensions",
    "service",
];

/// Checks a tree. None when it cannot be used; the report then has errors. It may
/// have errors with a value too.
pub(super) fn check<'n>(
    root: &'n Node,
    tables: &'static Tables,
    loading: Loading,
    cx: &'n Reading<'n>,
) -> Option<Config> {
    if wrapped::is_wrapped(root, cx) {
        return None;
    }
    keys::refuse_unknown(root.entries(), "", &SECTIONS, cx.report());
    let service = read_service(root, cx);
    let receivers = Section::read(&tables.receivers, root, cx);
    let processors = Section::read(&tables.processors, root, cx);
    let exporters = Section::read(&tables.exporters, root, cx);
    let extensions = Section::read(&tables.extensions, root, cx);
    let connectors = Section::read(&tables.connectors, root, cx);

    let sections = Sections {
        receivers: &receivers,
        processors: &processors,
        exporters: &exporters,
        connectors: &connectors,
    };
    let plan = sections.plan(pipelines::drafts(service.pipelines, cx), cx);
    if loading.adds_mesh {
        processors.mark(tables.mesh, Usage::Used);
    }
    let (extensions, served) = extensions::check(&extensions, &service.extensions, cx);
    let unused = |what| format!("no pipeline uses this {what}; ignored");
    let read = receivers.read_all(&unused("receiver"), cx);
    let (named_receivers, receivers_built) = NamedComponents::new(&receivers, read);
    let roles = processors.read_all(&unused("processor"), cx);
    let added = match loading.adds_mesh {
        true => AddedProcessor::new(tables.mesh, &processors, &roles, cx),
        false => None,
    };
    let read = exporters.read_all(&unused("exporter"), cx);
    let (named_exporters, exporters_built) = NamedComponents::new(&exporters, read);
    let read = connectors.read_all(&unused("connector"), cx);
    let (named_connectors, connectors_built) = NamedComponents::new(&connectors, read);
    let telemetry = section(
        service.telemetry,
        "service.telemetry",
        cx,
        service::telemetry,
    );

    let memory_limit = roles.iter().flatten().filter_map(|role| match role {
        ProcessorRole::Memory(bytes) => Some(*bytes),
        ProcessorRole::Item(_) | ProcessorRole::Batch(_) => None,
    });
    let memory_limit = memory_limit.min();
    let all = Components {
        receivers: named_receivers,
        processors: NamedComponents {
            section: &processors,
            built: roles,
        },
        exporters: named_exporters,
        connectors: named_connectors,
        settings: &exporters_built,
    };
    let resolved = plan.run.iter().filter_map(|draft| draft.resolve(&all, cx));
    let pipelines = connectors::check(&plan, &all, &connectors_built, resolved.collect(), cx);
    let mut pipelines = match cx.has_errors() {
        true => pipelines,
        false => joined::join(pipelines, &connectors_built).unwrap_or_else(|| {
            let at = service.pipelines.unwrap_or(root);
            let message = "connectors lead in too many ways from receivers to exporters";
            cx.report().error(Diagnostic::at(at.place, message));
            Vec::new()
        }),
    };
    for pipeline in &mut pipelines {
        let draft = plan.run.iter().find(|draft| draft.id == pipeline.id);
        if let (Some(added), Some(draft)) = (&added, draft.or(plan.run.first())) {
            added.add_to(pipeline, draft.spot, cx);
        }
    }
    if pipelines.is_empty() && !cx.has_errors() {
        let at = service.pipelines.or(root.get("service")).unwrap_or(root);
        cx.report().error(no_pipeline(at.place));
    }
    let mut fingerprints = Fingerprints::default();
    let named = root.get("extensions");
    receivers.fingerprint(&mut fingerprints, named);
    exporters.fingerprint(&mut fingerprints, named);
    processors.fingerprint(&mut fingerprints, named);
    connectors.fingerprint(&mut fingerprints, named);
    let storages = cx.taken(crate::queue::Storage::OFFER);
    let wayspan = section(service.wayspan, "service.wayspan", cx, |keys| {
        service::wayspan(keys, !storages.is_empty())
    });
    let (telemetry, pushes) = telemetry?;
    Some(Config {
        receivers: receivers_built,
        exporters: exporters_built,
        connectors: connectors_built,
        pipelines,
        extensions,
        health_check: served.health_check,
        zpages: served.zpages,
        storages,
        telemetry,
        pushes,
        memory_limit: memory_limit.unwrap_or_else(memory_limiter::config::default_limit),
        shards: wayspan.as_ref()?.shards,
        gather: wayspan.as_ref()?.gather,
        drain_timeout: wayspan.as_ref()?.drain_timeout,
        max_connections: wayspan.as_ref()?.max_connections,
        max_connections_per_peer: wayspan.as_ref()?.max_connections_per_peer,
        fingerprints,
        files: Vec::new(),
        warnings: Vec::new(),
    })
}

fn read_service<'n>(root: &'n Node, cx: &'n Reading<'n>) -> ServiceSection<'n> {
    section(root.get("service"), "service", cx, service::read).unwrap_or_default()
}

/// Reads a section that may be missing. None when it is no map.
fn section<'n, T>(
    node: Option<&'n Node>,
    path: &str,
    cx: &'n Reading<'n>,
    read: impl FnOnce(&mut KeyReader<'n>) -> T,
) -> Option<T> {
    match node {
        Some(node) => {
            let spot = cx.report().spot(node.place, path);
            keys::read(node, (path, spot), true, cx, read)
        }
        None => Some(keys::read_nothing(path, cx, read)),
    }
}

fn no_pipeline(at: Place) -> Diagnostic {
    let message = "service.pipelines has no pipeline of traces, nor another that wayspan serves, so there is \
         nothing to run";
    Diagnostic::at_key(at, message)
        .help("add service.pipelines.traces with receivers, processors and exporters")
}
