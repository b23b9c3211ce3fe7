//! The main job: with wayspan between the mesh and Jaeger, Kiali finds the
//! traces of its pages; without it, the pages known to be lost are lost.
//!
//! Idea: each run has processes of its own (Envoys, wayspan, Jaeger), and every
//! expectation is a set of pages, so a failure names the page.

use crate::collector::naming;
use crate::envoy::{Collector, Export};
use crate::jaeger::Jaeger;
use crate::kiali::{self, GATEWAY_SERVICE, Kiali, Page};
use crate::mesh::{Form, Mesh};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use tempfile::TempDir;
use testkit::{Wayspan, free_port};

const REQUESTS: usize = 20;

type Pages = BTreeSet<String>;

/// A run's outcome: Jaeger with all its spans, and the traces sent.
struct Run {
    jaeger: Jaeger,
    traces: Vec<String>,
}

impl Run {
    fn new(dir: &Path, form: &Form, export: Export, kiali: Option<Kiali>) -> Self {
        let jaeger = Jaeger::start(dir);
        let wayspan = kiali.map(|kiali| Wayspan::start(naming(jaeger.otlp_grpc, &kiali)));
        let (grpc, http) = wayspan
            .as_ref()
            .map_or((jaeger.otlp_grpc, jaeger.otlp_http), |w| (w.grpc, w.http));
        let port = match export {
            Export::Grpc => grpc,
            Export::Http => http,
            Export::Zipkin => jaeger.zipkin,
        };
        Self::sent(dir, form, Collector { export, port }, jaeger)
    }

    /// Proxies send Zipkin's lists to wayspan, which sends OTLP, or Zipkin too.
    fn zipkin(dir: &Path, form: &Form, kiali: &Kiali, exporter: &str) -> Self {
        let jaeger = Jaeger::start(dir);
        let port = free_port();
        let to = format!("http://127.0.0.1:{}/api/v2/spans", jaeger.zipkin);
        let layer = json!({
            "receivers": {"zipkin": {"endpoint": format!("127.0.0.1:{port}")}},
            "exporters": {"zipkin": {"endpoint": to}},
            "service": {"pipelines": {"traces": {
                "receivers": ["otlp", "zipkin"],
                "exporters": [exporter],
            }}},
        });
        let setup = naming(jaeger.otlp_grpc, kiali).layer(layer.to_string());
        let _wayspan = Wayspan::start(setup);
        let export = Export::Zipkin;
        Self::sent(dir, form, Collector { export, port }, jaeger)
    }

    /// Sends requests through a mesh and waits for their spans.
    fn sent(dir: &Path, form: &Form, collector: Collector, jaeger: Jaeger) -> Self {
        let mesh = Mesh::start(dir, form, collector);
        let traces = mesh.send(REQUESTS);
        jaeger.wait_for_spans(&traces, form.spans());
        let opened = jaeger.trace_grpc(&traces[0]).unwrap().unwrap();
        assert_eq!(opened.spans.len(), form.spans(), "GetTrace over gRPC");
        Self { jaeger, traces }
    }

    fn found(&self, kiali: &Kiali, form: &Form) -> Pages {
        let found = kiali::found(&self.jaeger, kiali, form.ambient, &self.traces);
        // What Kiali's own diagnosis looks at.
        let services = self.jaeger.services_grpc().unwrap();
        for page in kiali::pages(form.ambient) {
            let known = services.contains(&kiali.asked(&page));
            assert!(
                known || !found.contains(&page.id()),
                "{} of no service",
                page.id()
            );
        }
        found
    }
}

/// All pages but the gateway's service.
fn most(form: &Form) -> Pages {
    let mut pages: Pages = kiali::pages(form.ambient).iter().map(Page::id).collect();
    pages.remove(GATEWAY_SERVICE);
    pages
}

fn without(mut pages: Pages, what: &[&str]) -> Pages {
    pages.retain(|id| !what.iter().any(|w| id.contains(w)));
    pages
}

fn only(mut pages: Pages, what: &[&str]) -> Pages {
    pages.retain(|id| what.iter().any(|w| id.contains(w)));
    pages
}

/// What a Kiali finds when nothing mends the names: Istio's and Kiali's agree
/// only for some pairs of releases, and never without the namespace.
fn expected_before(form: &Form, kiali: &Kiali) -> Pages {
    let most = most(form);
    if !kiali.namespace_selector {
        return Pages::new();
    }
    if !form.ambient {
        return most;
    }
    match (kiali.asks_hosts(), form.host_names) {
        // It asks for hosts and gets them, but nobody bears the waypoint's name.
        (true, true) if form.bypass => without(most, &[" waypoint", " productpage"]),
        (true, true) => without(most, &[" waypoint"]),
        (true, false) => only(most, &[" waypoint", " bookinfo-gateway"]),
        (false, true) => only(most, &[" bookinfo-gateway"]),
        (false, false) => {
            let mut pages = most;
            if form.peer_tags && kiali.reads_peer_tags() {
                pages.insert(GATEWAY_SERVICE.to_owned());
            }
            pages
        }
    }
}

/// What it must find with wayspan: for every form the same pages.
fn expected_after(form: &Form, kiali: &Kiali) -> Pages {
    let most = most(form);
    match (form.ambient && kiali.asks_hosts(), form.bypass) {
        (true, true) => without(most, &[" waypoint", " productpage"]),
        (true, false) => without(most, &[" waypoint"]),
        (false, _) => most,
    }
}

/// One line of the table that the tests leave behind.
fn row(form: &Form, export: Export, kiali: &Kiali, before: &Pages, after: &Pages) {
    println!(
        "{:37} {:4}  {:51}  without wayspan {:2}, with it {:2} of {} pages",
        form.label,
        export.label(),
        kiali.label(),
        before.len(),
        after.len(),
        kiali::pages(form.ambient).len(),
    );
}

fn check(form: &Form, kiali: &Kiali, how: &str, found: &Pages, expected: &Pages) {
    let lost: Vec<_> = expected.difference(found).collect();
    let extra: Vec<_> = found.difference(expected).collect();
    assert!(
        lost.is_empty() && extra.is_empty(),
        "{}, {}, {how} wayspan: missing {lost:?}, not expected {extra:?}",
        form.label,
        kiali.label(),
    );
}

/// A workload without traffic shows no traces where spans say who was called.
fn check_idle(run: &Run, form: &Form, kiali: &Kiali) {
    if form.ambient && form.peer_tags && kiali.reads_peer_tags() {
        let shown = kiali.show(&run.jaeger, &Page::idle_workload());
        assert!(shown.is_empty(), "{}: {shown:?}", kiali.label());
    }
}

fn before_and_after(form: &Form, export: Export) {
    let dir = TempDir::new().unwrap();
    let run = Run::new(dir.path(), form, export, None);
    let before = Kiali::ALL.map(|kiali| {
        let found = run.found(&kiali, form);
        check(
            form,
            &kiali,
            "without",
            &found,
            &expected_before(form, &kiali),
        );
        check_idle(&run, form, &kiali);
        found
    });
    drop(run);
    for (kiali, before) in Kiali::ALL.iter().zip(&before) {
        let dir = TempDir::new().unwrap();
        let run = Run::new(dir.path(), form, export, Some(*kiali));
        let after = run.found(kiali, form);
        row(form, export, kiali, before, &after);
        // More than promised where a span says that the gateway was the source.
        let promised = without(after, &[GATEWAY_SERVICE]);
        check(form, kiali, "with", &promised, &expected_after(form, kiali));
        check_idle(&run, form, kiali);
    }
}

#[test]
fn istio_1_24_over_grpc() {
    before_and_after(&Form::ISTIO_1_24, Export::Grpc);
}

#[test]
fn istio_1_28_over_grpc() {
    before_and_after(&Form::ISTIO_1_28, Export::Grpc);
}

#[test]
fn istio_1_29_over_grpc() {
    before_and_after(&Form::ISTIO_1_29, Export::Grpc);
}

#[test]
fn istio_1_30_over_grpc() {
    before_and_after(&Form::ISTIO_1_30, Export::Grpc);
}

#[test]
fn istio_1_24_over_http() {
    before_and_after(&Form::ISTIO_1_24, Export::Http);
}

#[test]
fn istio_1_28_over_http() {
    before_and_after(&Form::ISTIO_1_28, Export::Http);
}

#[test]
fn istio_1_29_over_http() {
    before_and_after(&Form::ISTIO_1_29, Export::Http);
}

#[test]
fn istio_1_30_over_http() {
    before_and_after(&Form::ISTIO_1_30, Export::Http);
}

/// Istio's default ingress path.
#[test]
fn gateway_past_the_waypoint() {
    before_and_after(&Form::ISTIO_1_28.past_the_waypoint(), Export::Grpc);
}

#[test]
fn sidecars_over_grpc() {
    before_and_after(&Form::SIDECARS, Export::Grpc);
}

#[test]
fn sidecars_over_http() {
    before_and_after(&Form::SIDECARS, Export::Http);
}

/// What Envoy's Zipkin tracer says of a mesh is named as what its OTLP tracer says, and
/// found over OTLP and over Zipkin.
fn zipkin_is_named_alike(form: &Form, exporter: &str) {
    for kiali in [Kiali::ALL.first().unwrap(), Kiali::ALL.last().unwrap()] {
        let dir = TempDir::new().unwrap();
        let run = Run::zipkin(dir.path(), form, kiali, exporter);
        let promised = without(run.found(kiali, form), &[GATEWAY_SERVICE]);
        check(form, kiali, "with", &promised, &expected_after(form, kiali));
        check_idle(&run, form, kiali);
    }
}

#[test]
fn zipkin_from_waypoints() {
    zipkin_is_named_alike(&Form::ISTIO_1_30, "otlp_grpc");
}

#[test]
fn zipkin_from_sidecars_and_to_jaeger() {
    zipkin_is_named_alike(&Form::SIDECARS, "zipkin");
}
