/*!
The rules: what a span's service name becomes, and what is added to it.

[`decide`] is pure, and deciding again about its own result changes nothing:
proxies are named from facts that it never touches (their id, Istio's tags, the
name as emitted), and an application's name is left alone once
`wayspan.original_service_name` says that it was handled. So is a proxy's span
without an id: its parent, which has one, may be at hand in one pass only. Tags
are only added, never overwritten, and never with an empty value: a present but
wrong tag keeps Kiali from looking further.
*/

use super::{
    Attr, Case, Class, Destination, Facts, Host, Knowledge, Scheme, Settings,
    facts::{key, value},
    scheme::without_namespace,
    ztunnel::names,
};

/// What is to be done with a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// The kind of hop that emitted it.
    pub class: Class,
    /// Where it went, on spans of proxies that say so.
    pub destination: Option<Destination<'a>>,
    /// The new `service.name`; `None` when it stays as it is.
    pub service_name: Option<String>,
    /// Attributes to add to the span, which lacks them.
    pub tags: Vec<(&'static str, String)>,
    /// Attributes to add to the resource, which lacks them. Holds
    /// [`key::ORIGINAL_SERVICE_NAME`] when the name changes for the first time,
    /// and on spans that are decided only once.
    pub resource_tags: Vec<(&'static str, String)>,
}

impl Verdict<'_> {
    fn add(&mut self, key: &'static str, present: Attr<'_>, text: Option<&str>) {
        if let (None, Some(text)) = (present, value(text)) {
            self.tags.push((key, text.to_owned()));
        }
    }

    fn add_destination(&mut self, facts: &Facts<'_>) {
        let Some(to) = self.destination else { return };
        self.add(key::DESTINATION_APP, facts.destination_app, Some(to.app));
        let service = facts.destination_canonical_service;
        self.add(
            key::DESTINATION_CANONICAL_SERVICE,
            service,
            Some(to.service),
        );
        self.add(
            key::DESTINATION_NAMESPACE,
            facts.destination_namespace,
            to.namespace,
        );
    }

    fn add_source(&mut self, facts: &Facts<'_>) {
        let namespace = value(facts.namespace).or(facts.own_namespace());
        // Only together do they mean anything, and only together do they come.
        if value(facts.canonical_service).is_none() || namespace.is_none() {
            return;
        }
        if facts.source_canonical_service.is_none() && facts.source_namespace.is_none() {
            self.add(key::SOURCE_CANONICAL_SERVICE, None, facts.canonical_service);
            self.add(key::SOURCE_NAMESPACE, None, namespace);
        }
    }
}

/// Applies the rules to a span.
pub fn decide<'a>(facts: &Facts<'a>, settings: &Settings, knowledge: &Knowledge) -> Verdict<'a> {
    let scheme = &knowledge.scheme;
    let class = facts.class();
    let destination = match class {
        Class::Waypoint => Destination::of_waypoint(facts),
        Class::Gateway => Destination::of_cluster(facts),
        Class::Sidecar if is_client(facts) => Destination::of_cluster(facts),
        Class::Ztunnel => ztunnel_destination(facts),
        _ => None,
    };
    let mut verdict = Verdict {
        class,
        destination,
        service_name: None,
        tags: Vec::new(),
        resource_tags: Vec::new(),
    };
    let once = facts.depends_on_parent();
    let emitted = value(facts.resource.service_name);
    if once && (facts.resource.original.is_some() || emitted.is_none()) {
        // Decided before, maybe in other company; or there is nothing to mark.
        add_cluster_id(&mut verdict, facts, knowledge);
        return verdict;
    }
    verdict.add_destination(facts);
    match class {
        Class::Gateway => verdict.add_source(facts),
        Class::Sidecar if is_client(facts) => verdict.add_source(facts),
        Class::Ztunnel => add_ends(&mut verdict, facts),
        _ => {}
    }
    add_cluster_id(&mut verdict, facts, knowledge);
    let name = match class {
        Class::Waypoint => waypoint_name(facts, destination, scheme),
        Class::Gateway => gateway_name(facts, scheme),
        Class::Sidecar => sidecar_name(facts, scheme),
        Class::Ztunnel => ztunnel_name(facts, destination, scheme),
        Class::Sdk => sdk_name(facts, settings, scheme),
        Class::OtherProxy => None,
    };
    match class {
        Class::Sdk => add_hostname(&mut verdict, facts),
        Class::Ztunnel => add_pod(&mut verdict, facts),
        _ => {}
    }
    let now = facts.resource.service_name.unwrap_or_default();
    let name = name.filter(|name| !name.is_empty() && name != now);
    if let (true, None, Some(emitted)) = (once || name.is_some(), facts.resource.original, emitted)
    {
        verdict
            .resource_tags
            .push((key::ORIGINAL_SERVICE_NAME, emitted.to_owned()));
    }
    verdict.service_name = name;
    verdict
}

fn add_cluster_id(verdict: &mut Verdict<'_>, facts: &Facts<'_>, knowledge: &Knowledge) {
    if facts.resource.cluster_id.is_none() {
        verdict.add(
            key::CLUSTER_ID,
            facts.cluster_id,
            Some(&knowledge.cluster_id),
        );
    }
}

/// `SPAN_KIND_CLIENT`.
fn is_client(facts: &Facts<'_>) -> bool {
    facts.kind == 3
}

fn waypoint_name(
    facts: &Facts<'_>,
    to: Option<Destination<'_>>,
    scheme: &Scheme,
) -> Option<String> {
    let node = facts.node()?;
    let waypoint = node.workload();
    Some(match to.and_then(|to| Some((to.app, to.namespace?))) {
        Some((app, namespace)) => scheme.waypoint_name(waypoint, app, namespace),
        // No page but the waypoint's own can be meant.
        None => scheme.workload_name(waypoint, Some(node.namespace)),
    })
}

fn gateway_name(facts: &Facts<'_>, scheme: &Scheme) -> Option<String> {
    let namespace = facts.own_namespace();
    let label = || emitted_base(facts, namespace);
    let base = match facts.node() {
        Some(node) if scheme.asks_gateway_workload() => node.workload(),
        Some(node) => label().unwrap_or(node.workload()),
        // A spawned span that came without its parent: Istio's own name for
        // the workload is better than its canonical service.
        None => label().or(value(facts.canonical_service))?,
    };
    Some(scheme.workload_name(base, namespace))
}

fn sidecar_name(facts: &Facts<'_>, scheme: &Scheme) -> Option<String> {
    let namespace = facts.own_namespace();
    let base = emitted_base(facts, namespace)
        // Istio's own name is the `app` label's, if there is one.
        .filter(|_| scheme.asks_app_label())
        .or(value(facts.canonical_service))
        .or_else(|| emitted_base(facts, namespace))
        .or_else(|| {
            facts
                .resource
                .emitted_name()
                .filter(|name| !is_unknown(name))
        })
        .or_else(|| facts.node().map(|node| node.workload()))?;
    Some(scheme.workload_name(base, namespace))
}

/// The emitted name without its namespace, if it has that.
fn emitted_base<'a>(facts: &Facts<'a>, namespace: Option<&str>) -> Option<&'a str> {
    without_namespace(facts.resource.emitted_name()?, namespace?)
}

/// What OpenTelemetry exporters write for want of a name.
fn is_unknown(name: &str) -> bool {
    name.starts_with("unknown_service")
}

/// The service a connection was meant for. `dst.namespace` is not its
/// namespace: behind a waypoint of another one it is the waypoint's.
fn ztunnel_destination<'a>(facts: &Facts<'a>) -> Option<Destination<'a>> {
    match value(facts.dst_service).and_then(Host::parse)? {
        Host::Service { name, namespace } => Some(Destination {
            app: value(facts.destination_canonical_service).unwrap_or(name),
            service: name,
            namespace: Some(namespace),
        }),
        Host::External(host) => Some(Destination {
            app: host,
            service: host,
            namespace: None,
        }),
    }
}

/// Both ends of a connection, as ztunnel knows them. A workload comes only with
/// its own namespace.
fn add_ends(verdict: &mut Verdict<'_>, facts: &Facts<'_>) {
    let own = value(facts.dst_namespace);
    let of_service = verdict.destination.and_then(|to| to.namespace);
    let told = value(facts.destination_namespace).or(of_service).or(own);
    if of_service.is_none() {
        verdict.add(key::DESTINATION_NAMESPACE, facts.destination_namespace, own);
    }
    if own.is_none() || own == told {
        let workload = value(facts.dst_workload).map(names::workload);
        verdict.add(
            key::DESTINATION_WORKLOAD,
            facts.destination_workload,
            workload,
        );
    }
    let workload = value(facts.src_workload).map(names::workload);
    verdict.add(key::SOURCE_WORKLOAD, facts.source_workload, workload);
    verdict.add(
        key::SOURCE_NAMESPACE,
        facts.source_namespace,
        facts.src_namespace,
    );
}

/// Whether the destination's ztunnel reports the connection.
fn is_inbound(facts: &Facts<'_>) -> bool {
    match value(facts.direction) {
        Some("inbound") => true,
        Some("outbound") => false,
        _ => !is_client(facts) && value(facts.dst_workload).is_some(),
    }
}

/// The app of the side that reports: at the destination its service tells,
/// else the workload's name has to.
fn ztunnel_name(facts: &Facts<'_>, to: Option<Destination<'_>>, scheme: &Scheme) -> Option<String> {
    if !is_inbound(facts) {
        let app = names::app(names::workload(value(facts.src_workload)?));
        return Some(scheme.workload_name(app, value(facts.src_namespace)));
    }
    let workload = names::app(names::workload(value(facts.dst_workload)?));
    let own = value(facts.dst_namespace);
    let of_service =
        to.filter(|to| to.namespace.is_some() && (own.is_none() || own == to.namespace));
    let app = of_service.map_or(workload, |to| to.app);
    let namespace = own.or(of_service.and_then(|to| to.namespace));
    Some(scheme.workload_name(app, namespace))
}

/// The Pod on the side that reports: by `hostname` Kiali finds a workload's own.
fn add_pod(verdict: &mut Verdict<'_>, facts: &Facts<'_>) {
    let pod = match is_inbound(facts) {
        true => facts.dst_workload,
        false => facts.src_workload,
    };
    if let (None, Some(pod)) = (facts.resource.hostname, value(pod)) {
        verdict.resource_tags.push((key::HOSTNAME, pod.to_owned()));
    }
}

fn sdk_name(facts: &Facts<'_>, settings: &Settings, scheme: &Scheme) -> Option<String> {
    if facts.resource.original.is_some() {
        return None;
    }
    let emitted = value(facts.resource.service_name).filter(|name| !is_unknown(name))?;
    let lowered;
    let app = match (settings.rename.get(emitted), settings.case) {
        (Some(renamed), _) => renamed,
        (None, Case::Lower) => {
            lowered = emitted.to_lowercase();
            &lowered
        }
        // Without a directory of labels there is nothing to match.
        (None, Case::Match | Case::Preserve) => emitted,
    };
    Some(scheme.workload_name(app, facts.resource.namespace()))
}

/// Kiali finds a workload's own spans by `hostname`, not by OpenTelemetry's keys.
fn add_hostname(verdict: &mut Verdict<'_>, facts: &Facts<'_>) {
    let resource = &facts.resource;
    let pod = value(resource.k8s_pod)
        .or_else(|| value(resource.host_name).filter(|_| resource.namespace().is_some()));
    if let (None, Some(pod)) = (resource.hostname, pod) {
        verdict.resource_tags.push((key::HOSTNAME, pod.to_owned()));
    }
}
