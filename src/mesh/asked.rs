/*!
By which names Kiali's pages ask for a hop, and which of them its span bears.

A hop concerns the pages of an app, of Services and of a workload, and where
labels disagree each asks by another name: the label in the Service's selector,
the Pods' own, the Service's host, a gateway's Deployment. [`Asked`] lists these
questions, as far as labels or the span itself tell them; what is not known is
not listed, but for the emitted name: it may be asked for, so it counts as
such unless labels say otherwise.

A question is answered by a service name and often by the name of some span of
the trace besides, which must begin with what the page is about ([`Ask::about`]).
The rules of both are Kiali's, read as in [`super::pages`].
*/

use super::{
    Class, Destination, Facts, Form, Scheme,
    directory::{ServiceView, waypoint_label},
    facts::{key, value},
    known::Known,
    scheme::without_namespace,
};

/// A page's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// The service name that it searches for.
    pub(crate) name: String,
    /// What a marker that answers it is named after: an app or a Service.
    pub(crate) about: String,
    /// Is true when the span passes the page's filter as it goes out; else some other
    /// span of the trace must be named after `about`.
    pub(crate) passes: bool,
    /// Is true when the span answers it as it was emitted.
    pub(crate) found: bool,
}

/// The questions that a span concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(crate) all: Vec<Ask>,
    /// Is true when the span's name had a part in it.
    pub(crate) by_name: bool,
}

/// What a span says of its destination once the tags are added.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PeerTags<'a> {
    canonical: Option<&'a str>,
    workload: bool,
}

impl<'a> PeerTags<'a> {
    /// As emitted. Where an earlier pass has renamed the span, its tags may be that pass's,
    /// and the span was renamed since the emitted ones answered nothing.
    fn emitted(facts: &Facts<'a>) -> Self {
        match facts.resource.original {
            Some(_) => Self::default(),
            None => Self::present(facts),
        }
    }

    fn present(facts: &Facts<'a>) -> Self {
        Self {
            canonical: value(facts.destination_canonical_service),
            workload: facts.destination_workload.is_some(),
        }
    }

    /// With those that are to be `added`.
    pub(crate) fn with(facts: &Facts<'a>, added: &'a [(&'static str, String)]) -> Self {
        let find = |key| added.iter().find(|(name, _)| *name == key);
        let present = Self::present(facts);
        let canonical = find(key::DESTINATION_CANONICAL_SERVICE);
        Self {
            canonical: present.canonical.or(canonical.map(|(_, text)| &**text)),
            workload: present.workload || find(key::DESTINATION_WORKLOAD).is_some(),
        }
    }
}

impl Asked {
    /// Returns the questions about the proxy itself that emitted a span; `usual` is
    /// what it is called by where labels agree.
    pub(crate) fn of_proxy(
        facts: &Facts<'_>,
        class: Class,
        known: &Known<'_>,
        scheme: &Scheme,
        usual: Option<&str>,
    ) -> Self {
        let mut asked = Self::default();
        let Some(node) = facts.node() else {
            return asked;
        };
        let emitted = facts.resource.emitted_name();
        let is_gateway = class == Class::Gateway;
        let by_workload = is_gateway && scheme.asks_gateway_workload();
        let mut add = |name: String, about: &str, passes: bool, filtered: bool| {
            let found = !filtered && emitted == Some(&*name);
            asked.all.push(Ask {
                name,
                about: about.to_owned(),
                passes,
                found,
            });
        };
        let Some(pod) = known.pod else {
            if let Some(usual) = usual {
                let about = without_namespace(usual, node.namespace).unwrap_or(usual);
                let pages = if by_workload { 1 } else { 2 };
                for _ in 0..pages {
                    add(usual.to_owned(), about, true, false);
                }
            }
            let may_be_asked = emitted
                .filter(|name| scheme.namespace_selector && Some(*name) != usual)
                .and_then(|name| Some((name, without_namespace(name, node.namespace)?)));
            if let Some((name, about)) = may_be_asked {
                add(name.to_owned(), about, true, false);
            }
            return asked;
        };
        if by_workload {
            let name = scheme.workload_name(pod.workload, Some(pod.namespace));
            add(name, pod.workload, true, false);
        }
        if let Some(app) = pod.app {
            let pages = if by_workload { 1 } else { 2 };
            for _ in 0..pages {
                add(scheme.app_name(app, pod.namespace), app, true, false);
            }
        }
        let services = known.directory.map(|all| all.services_before(pod));
        let services = services.unwrap_or_default();
        // Of several Services that lead to a proxy, only its span's name tells which
        // one a request came by.
        let is_client = facts.is_client();
        let by_name = !is_gateway && !is_client && services.len() > 1;
        for service in services {
            let Some(app) = service.app else { continue };
            let name = scheme.app_name(app, pod.namespace);
            let filtered = app != service.name;
            let came = match class {
                Class::Gateway => {
                    let says = scheme.reads_peer_tags()
                        && value(facts.canonical_service) == Some(service.name);
                    add(name, service.name, !filtered || says, filtered);
                    continue;
                }
                _ if is_client => false,
                _ => !by_name || names(facts.span_name, service.name, pod.namespace),
            };
            let is_emitted = emitted == Some(&*name);
            if came || (is_emitted && !filtered) {
                add(name, service.name, true, filtered && !came);
            }
        }
        asked.by_name = by_name;
        asked
    }

    /// Returns the questions about where a request went, if that is in Kubernetes:
    /// through the waypoint whose workload is `waypoint`, or straight.
    pub(crate) fn of_destination(
        facts: &Facts<'_>,
        to: Destination<'_>,
        tags: PeerTags<'_>,
        known: &Known<'_>,
        scheme: &Scheme,
        waypoint: Option<&str>,
    ) -> Self {
        let mut asked = Self::default();
        let Some(namespace) = to.namespace else {
            return asked;
        };
        let emitted = facts.resource.emitted_name();
        let name = |of: &str| match waypoint {
            Some(waypoint) => scheme.waypoint_name(waypoint, of, namespace),
            None => scheme.app_name(of, namespace),
        };
        let filtered = waypoint.is_some() && scheme.form != Form::App;
        let by_host = waypoint.is_some() && matches!(scheme.form, Form::Host { .. });
        // Kiali's `operationSpanFilter` and `spanMatchesWorkload`.
        let meets = |about: &str, tags: PeerTags<'_>, of_workload: bool| {
            let tagged = || tags.canonical == Some(about) && (tags.workload || !of_workload);
            about == to.service || (scheme.reads_peer_tags() && tagged())
        };
        let mut add = |name: String, about: &str, filtered: bool, of_workload: bool| {
            let passes = |tags| !filtered || meets(about, tags, of_workload);
            asked.all.push(Ask {
                passes: passes(tags),
                found: emitted == Some(&*name) && passes(PeerTags::emitted(facts)),
                name,
                about: about.to_owned(),
            });
        };
        let own = known.service;
        let guessed = [to.app.into()];
        let apps = match own {
            Some(service) if service.workloads > 0 => service.apps,
            _ => &guessed[..],
        };
        // What the Service's page asks for comes first: it is what the span is
        // usually called by.
        let selected = own.map_or(Some(to.app), |service| service.app);
        let by_waypoint = filtered && scheme.form == Form::Waypoint;
        if let Some(app) = selected.or(by_waypoint.then_some(to.app)) {
            add(name(app), to.service, filtered || app != to.service, false);
        }
        if own.is_none() && to.app != to.service {
            // Its selector may have either.
            add(name(to.service), to.service, filtered, false);
        }
        for app in apps {
            let services = own.zip(known.directory);
            let services = services.map(|(_, all)| all.services_of_app(namespace, app));
            let services = services.unwrap_or_default();
            let others = match own.filter(|_| by_waypoint) {
                Some(service) => waypoints(service, services.len(), known),
                None => Vec::new(),
            };
            for waypoint in &others {
                add(
                    scheme.waypoint_name(waypoint, app, namespace),
                    app,
                    true,
                    true,
                );
                add(
                    scheme.waypoint_name(waypoint, app, namespace),
                    app,
                    true,
                    false,
                );
            }
            if !others.is_empty() {
                continue;
            }
            add(name(app), app, filtered, true);
            if !by_host {
                add(name(app), app, filtered, false);
                continue;
            }
            for service in services.iter().map(|s| s.name) {
                add(name(service), app, filtered, false);
            }
            if services.is_empty() {
                add(name(to.service), app, filtered, false);
            }
        }
        asked
    }

    /// Returns the one name that a span gets which has no other: one that loses no
    /// page, and of these the one that most pages find it by.
    pub(crate) fn best(&self, usual: Option<String>) -> Option<String> {
        if let Some(ask) = self.all.iter().find(|ask| ask.found) {
            return Some(ask.name.clone());
        }
        let served = |name: &str| {
            let asks = self.all.iter();
            asks.filter(|ask| ask.passes && ask.name == name).count()
        };
        let mut best = usual;
        for ask in &self.all {
            if served(&ask.name) > best.as_deref().map_or(0, served) {
                best = Some(ask.name.clone());
            }
        }
        best
    }

    /// Returns the names that markers have to bear where the span is called `named`,
    /// each with what the marker is to be named after.
    pub(crate) fn others<'a>(&'a self, named: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut others: Vec<(&str, &str)> = Vec::new();
        let is_about = |others: &[(&str, &str)], ask: &Ask| {
            others.iter().any(|(_, about)| *about == ask.about)
        };
        for ask in self.all.iter().filter(|ask| ask.name != named) {
            if others.iter().any(|(name, _)| *name == ask.name) {
                continue;
            }
            let same = || self.all.iter().filter(|other| other.name == ask.name);
            let wanting = same().find(|ask| !ask.passes && !is_about(&others, ask));
            others.push((&ask.name, &wanting.unwrap_or(ask).about));
        }
        for ask in self.all.iter().filter(|ask| !ask.passes) {
            if !is_about(&others, ask) {
                others.push((named, &ask.about));
            }
        }
        others
    }
}

/// Returns the waypoints that Kiali expects before the workloads behind a Service,
/// where these may be others than the Service's own: by their labels, else, where `before`
/// says that several Services stand before them, by the Namespace's.
fn waypoints<'a>(service: ServiceView<'a>, before: usize, known: &Known<'a>) -> Vec<&'a str> {
    if !service.waypoints.is_empty() || before < 2 {
        return service.waypoints.iter().map(|name| &**name).collect();
    }
    let all = known.directory;
    let labels = all.and_then(|all| all.namespace_labels(service.namespace));
    labels.and_then(waypoint_label).into_iter().collect()
}

/// Returns true if a span's name begins with a Service's.
fn names(span_name: &str, service: &str, namespace: &str) -> bool {
    span_name
        .strip_prefix(service)
        .and_then(|rest| rest.strip_prefix('.')?.strip_prefix(namespace))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':', '/']))
}
