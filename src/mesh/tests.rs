//! Tests that join the parts: the rules, deciding twice, and Kiali's pages.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bookinfo;
mod known;
mod pages;
mod rules;
mod schemes;
mod sweep;
mod traps;
mod twice;
mod watched;

use super::{
    MeshSettings,
    facts::key,
    model::{self, Relative, Span},
    *,
};

/// What the processor makes of decoded spans: the same, and their markers.
fn apply_all(spans: &[Span], settings: &MeshSettings) -> Vec<Span> {
    apply_all_with(spans, settings, &Knowledge::of(settings))
}

/// The same, with what is known besides.
fn apply_all_with(spans: &[Span], settings: &MeshSettings, knowledge: &Knowledge) -> Vec<Span> {
    let both = |span: &Span| {
        let mut all = vec![apply_with(span, settings, knowledge)];
        all.extend(markers_with(span, settings, knowledge));
        all
    };
    spans.iter().flat_map(both).collect()
}

/// The markers of a span, without their ids.
fn markers(span: &Span, settings: &MeshSettings) -> Vec<Span> {
    markers_with(span, settings, &Knowledge::of(settings))
}

/// The same, with what is known besides.
fn markers_with(span: &Span, settings: &MeshSettings, knowledge: &Knowledge) -> Vec<Span> {
    let facts = span.facts();
    let parent = apply_with(span, settings, knowledge);
    let markers = decide(&facts, settings, knowledge).markers_of(&parent);
    for marker in &markers {
        let is_other = marker.service_name() != parent.service_name() || marker.name != parent.name;
        assert!(is_other, "{marker:?} says nothing new");
    }
    markers
}

/// Does to a decoded span what the processor does to its bytes.
fn apply(span: &Span, settings: &MeshSettings) -> Span {
    apply_with(span, settings, &Knowledge::of(settings))
}

/// The same, with what is known besides.
fn apply_with(span: &Span, settings: &MeshSettings, knowledge: &Knowledge) -> Span {
    let verdict_of = span.facts();
    let verdict = decide(&verdict_of, settings, knowledge);
    for (key, text) in &verdict.tags {
        assert_eq!(span.tag(key), None, "{key} is overwritten");
        assert!(
            !text.is_empty() && text != "-",
            "{key} is written without a value"
        );
    }
    for (key, _) in &verdict.resource_tags {
        assert_eq!(span.resource_tag(key), None, "{key} is overwritten");
    }
    assert!(!verdict.error || span.status == 0);
    verdict.applied_to(span)
}

/// What is known of a span's proxy from a parent with this `node_id`.
fn parent(node_id: &str) -> Option<Relative> {
    Some(Relative {
        node_id: node_id.to_owned(),
        canonical_service: None,
        is_parent: true,
    })
}

fn kiali(minor: u16, selector: bool, waypoint: bool) -> Kiali {
    Kiali {
        version: Version::new(2, minor),
        namespace_selector: selector,
        use_waypoint_name: waypoint,
        ..Kiali::default()
    }
}

fn settings(minor: u16, selector: bool, waypoint: bool) -> MeshSettings {
    MeshSettings {
        kiali: kiali(minor, selector, waypoint),
        ..MeshSettings::default()
    }
}

fn span(service: &str, name: &str, kind: u8, tags: &[(&str, &str)]) -> Span {
    let own = |(key, text): (&str, &str)| (key.to_owned(), text.to_owned());
    Span {
        name: name.to_owned(),
        kind,
        resource: vec![own((key::SERVICE_NAME, service))],
        attributes: tags.iter().copied().map(own).collect(),
        ..Span::default()
    }
}

/// Every captured span of a folder of `tests/fixtures`.
fn captured(folder: &str) -> Vec<Span> {
    use prost::Message;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let spans: Vec<Span> = files
        .iter()
        .filter(|file| file.extension().is_some_and(|ext| ext == "pb"))
        .flat_map(|file| {
            let bytes = std::fs::read(file).unwrap();
            let request =
                opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest::decode(
                    &bytes[..],
                )
                .unwrap();
            model::spans(&request)
        })
        .collect();
    assert!(spans.len() >= 100, "{folder} holds twenty requests");
    spans
}
