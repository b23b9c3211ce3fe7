/*!
The rules: what a span's service name becomes, and what is added to it.

[`decide`] is pure, and deciding again about its own result changes nothing:
proxies are named from facts that it never touches (their id, Istio's tags, the
name as emitted), and an application's name is left alone once
`wayspan.original_service_name` says that it was handled. So is a proxy's span
without an id, unless its parent lends it one: the parent may be at hand in one
pass only. Markers are left alone. Tags are only added, never overwritten, and
never with an empty value: a present but wrong tag keeps Kiali from looking
further.
*/

use super::{
    Alias, Aliases, Attr, Class, Destination, Directory, Facts, Host, Knowledge, MeshSettings,
    Repairs, Scheme, agentgateway, alias, application,
    asked::{Asked, PeerTags},
    directory::AppLabels,
    facts::{key, value},
    known::Known,
    proxy, repair,
    rule::Rule,
    scheme::without_namespace,
    ztunnel::names,
};

/// What is to be done with a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict<'a> {
    /// The kind of hop that emitted it.
    pub(crate) class: Class,
    /// Where it went, on spans of proxies that say so.
    pub(crate) destination: Option<Destination<'a>>,
    /// The new `service.name`; `None` when it stays as it is.
    pub(crate) service_name: Option<String>,
    /// What decided the name, be it that it stays.
    pub(crate) rule: Rule,
    /// Attributes to add to the span, which lacks them.
    pub(crate) tags: Vec<(&'static str, String)>,
    /// Attributes to add to the resource, which lacks them. Holds
    /// [`key::ORIGINAL_SERVICE_NAME`] when the name changes for the first time,
    /// and on spans that are decided only once.
    pub(crate) resource_tags: Vec<(&'static str, String)>,
    /// The new name of the span; `None` when it stays as it is. The old one is
    /// to be kept as [`key::ORIGINAL_SPAN_NAME`].
    pub(crate) span_name: Option<String>,
    /// Is true when the status is to become ERROR. Its message stays.
    pub(crate) error: bool,
    /// Further names, for markers to carry.
    pub(crate) aliases: Vec<Alias>,
    /// Is true when the name of the span had a part in it, be it one that tells where
    /// it went.
    pub(crate) by_span_name: bool,
}

impl Verdict<'_> {
    /// Returns which repairs it makes.
    pub(crate) fn repairs(&self) -> Repairs {
        Repairs {
            status: self.error,
            node_id: self.tags.iter().any(|(key, _)| *key == key::NODE_ID),
            span_name: self.span_name.is_some(),
        }
    }

    fn add(&mut self, key: &'static str, present: Attr<'_>, text: Option<&str>) {
        if let (None, Some(text)) = (present, value(text)) {
            self.tags.push((key, text.to_owned()));
        }
    }

    fn add_destination(&mut self, facts: &Facts<'_>, known: &Known<'_>, scheme: &Scheme) {
        let Some(to) = self.destination else { return };
        self.add(key::DESTINATION_APP, facts.destination_app, Some(to.app));
        let service = facts.destination_canonical_service;
        let canonical = known.service.and_then(|s| match scheme.app_labels() {
            AppLabels::Canonical => s.canonical_of_pods,
            // Kiali compares it with its app's name, and links to that.
            AppLabels::Only(_) => s.app_of_pods.or(s.canonical_of_pods),
        });
        self.add(
            key::DESTINATION_CANONICAL_SERVICE,
            service,
            canonical.or(Some(to.service)),
        );
        // ztunnel knows better which it was.
        let workload = match value(facts.dst_workload) {
            Some(_) => None,
            None => known.service.and_then(|s| s.workload),
        };
        self.add(
            key::DESTINATION_WORKLOAD,
            facts.destination_workload,
            workload,
        );
        self.add(
            key::DESTINATION_NAMESPACE,
            facts.destination_namespace,
            to.namespace,
        );
    }

    fn add_source(&mut self, facts: &Facts<'_>) {
        let namespace = value(facts.namespace).or(facts.own_namespace());
        let canonical = facts.own_canonical_service();
        // Only together do they mean anything, and only together do they come.
        if canonical.is_none() || namespace.is_none() {
            return;
        }
        if facts.source_canonical_service.is_none() && facts.source_namespace.is_none() {
            self.add(key::SOURCE_CANONICAL_SERVICE, None, canonical);
            self.add(key::SOURCE_NAMESPACE, None, namespace);
        }
    }
}

/// Stands for the emitted name where there was none, as in OpenTelemetry: the
/// name given here must not be taken for an emitted one in another pass.
const NAMELESS: &str = "unknown_service";

/// Applies the rules to a span.
pub(crate) fn decide<'a>(
    facts: &Facts<'a>,
    settings: &MeshSettings,
    knowledge: &'a Knowledge,
) -> Verdict<'a> {
    let scheme = &knowledge.scheme;
    let class = facts.class();
    let destination = match class {
        // Without an id it is a call of the waypoint's own.
        Class::Waypoint if facts.node_id.is_none() => None,
        Class::Waypoint => Destination::of_waypoint(facts),
        Class::Gateway => Destination::of_cluster(facts),
        Class::Sidecar if facts.is_client() => Destination::of_cluster(facts),
        Class::Ztunnel => ztunnel_destination(facts),
        _ => None,
    };
    let directory = knowledge.directory_of(facts);
    let known = directory
        .map(|directory| Known::of(facts, class, destination, settings, directory))
        .unwrap_or_default();
    let destination = destination.map(|to| with_label(to, &known));
    let mut verdict = Verdict {
        class,
        destination,
        service_name: None,
        rule: Rule::Nothing,
        tags: Vec::new(),
        resource_tags: Vec::new(),
        span_name: None,
        error: false,
        aliases: Vec::new(),
        by_span_name: class == Class::Waypoint && Destination::needs_span_name(facts),
    };
    if facts.is_marker() {
        verdict.rule = Rule::Marker;
        return verdict;
    }
    let repairs = settings.repairs;
    verdict.error = repairs.status && facts.unset_error;
    let without_id = facts.depends_on_kin();
    let emitted = value(facts.resource.service_name);
    if without_id && (facts.resource.original.is_some() || emitted.is_none()) {
        // Decided before, maybe in other company; or there is nothing to mark.
        if facts.resource.original.is_some() {
            verdict.rule = Rule::EarlierPass;
        }
        add_cluster_id(&mut verdict, facts, knowledge);
        return verdict;
    }
    let lent = (facts.kin.node_id)
        .filter(|_| repairs.node_id && without_id && class == Class::Gateway)
        .filter(|_| facts.kin.is_parent)
        .filter(|_| facts.node().is_some());
    verdict.add(key::NODE_ID, facts.node_id, lent);
    // With the id on it, no later pass depends on its kin.
    let once = without_id && lent.is_none();
    verdict.add_destination(facts, &known, scheme);
    match class {
        Class::Gateway if !facts.is_for_own_pod() => verdict.add_source(facts),
        Class::Sidecar if facts.is_client() => verdict.add_source(facts),
        Class::Sdk => add_own_end(&mut verdict, facts, settings, &known, scheme),
        Class::Ztunnel => add_ends(&mut verdict, facts, directory),
        _ => {}
    }
    add_cluster_id(&mut verdict, facts, knowledge);
    let named = match class {
        Class::Waypoint => waypoint_name(facts, destination, &known, scheme),
        Class::Gateway => gateway_name(facts, &known, scheme),
        Class::Sidecar => sidecar_name(facts, &known, scheme),
        Class::Ztunnel => ztunnel_name(facts, destination, &known, scheme),
        Class::Sdk => application::name(facts, settings, &known, scheme),
        Class::Agentgateway => agentgateway::name(facts, &known, scheme),
        Class::OtherProxy => {
            proxy::unknown_name(facts, directory, scheme).map(|name| (name, Rule::EmittedName))
        }
    };
    let (name, rule) = match named {
        Some((name, rule)) => (Some(name), rule),
        None if facts.resource.original.is_some() => (None, Rule::EarlierPass),
        None => (None, Rule::Nothing),
    };
    verdict.rule = rule;
    match class {
        Class::Agentgateway => {
            add_hostname(&mut verdict, facts, facts.resource.agentgateway_pod());
        }
        Class::Sdk => add_hostname(&mut verdict, facts, application::pod(facts, &known)),
        Class::Ztunnel => {
            add_hostname(
                &mut verdict,
                facts,
                facts.reporting_side().map(|(pod, _)| pod),
            );
        }
        _ => {}
    }
    if let Some(ip) = proxy::host_ip(facts, class).filter(|_| settings.host_ip) {
        verdict.resource_tags.push((key::HOST_IP, ip.to_owned()));
    }
    let own = facts.node().map(|node| proxy::workload(&known, node));
    let tags = PeerTags::with(facts, &verdict.tags);
    let asked = match (class, destination) {
        (Class::Waypoint, Some(to)) => {
            let waypoint = proxy::waypoint_asked_for(facts, &known);
            Asked::of_destination(facts, to, tags, &known, scheme, waypoint)
        }
        (Class::Gateway | Class::Sidecar, _) => {
            Asked::of_proxy(facts, class, &known, scheme, name.as_deref())
        }
        _ => Asked::default(),
    };
    verdict.by_span_name |= asked.by_name;
    let name = match settings.aliases {
        Aliases::Off => {
            let best = asked.best(name.clone());
            if best != name {
                verdict.rule = Rule::MostPages;
            }
            best
        }
        Aliases::Auto | Aliases::On => name,
    };
    let now = facts.resource.service_name.unwrap_or_default();
    let name = name.filter(|name| !name.is_empty() && name != now);
    if let (true, None) = (once || name.is_some(), facts.resource.original) {
        let emitted = emitted.unwrap_or(NAMELESS).to_owned();
        let mark = (key::ORIGINAL_SERVICE_NAME, emitted);
        verdict.resource_tags.push(mark);
    }
    verdict.service_name = name;
    let tells = match class {
        Class::Waypoint => true,
        Class::Gateway | Class::Sidecar => facts.is_client(),
        _ => false,
    };
    if tells && repairs.span_name {
        verdict.span_name = facts
            .upstream()
            .and_then(|cluster| repair::telling_name(facts.span_name, &cluster));
    }
    if settings.aliases != Aliases::Off {
        let named = verdict.service_name.as_deref().unwrap_or(now);
        let how = (scheme, settings.aliases);
        verdict.aliases = alias::aliases(facts, own, destination, named, how, &known, &asked);
        let of_application = application::aliases(facts, settings, &known, scheme, (named, tags));
        verdict.aliases.extend(of_application);
    }
    verdict
}

/// Returns the destination with the app that Kiali finds in the labels: those
/// of the Service's selector, which its page asks for, else of the Pods behind
/// it.
fn with_label<'a>(to: Destination<'a>, known: &Known<'a>) -> Destination<'a> {
    let app = known
        .service
        .and_then(|s| s.app.or(s.app_of_pods).or(s.canonical_of_pods));
    Destination {
        app: app.unwrap_or(to.app),
        ..to
    }
}

/// An application's own end of a request, where a waypoint's span may not tell it.
fn add_own_end(
    verdict: &mut Verdict<'_>,
    facts: &Facts<'_>,
    settings: &MeshSettings,
    known: &Known<'_>,
    scheme: &Scheme,
) {
    let end = application::received(facts, settings, known, scheme);
    let Some((app, workload, namespace)) = end else {
        return;
    };
    let told = facts.destination_canonical_service;
    verdict.add(key::DESTINATION_CANONICAL_SERVICE, told, Some(app));
    verdict.add(
        key::DESTINATION_WORKLOAD,
        facts.destination_workload,
        workload,
    );
    verdict.add(
        key::DESTINATION_NAMESPACE,
        facts.destination_namespace,
        Some(namespace),
    );
}

fn add_cluster_id(verdict: &mut Verdict<'_>, facts: &Facts<'_>, knowledge: &Knowledge) {
    if facts.resource.cluster_id.is_none() {
        verdict.add(
            key::CLUSTER_ID,
            facts.cluster_id,
            Some(knowledge.cluster_of(facts)),
        );
    }
}

fn waypoint_name(
    facts: &Facts<'_>,
    to: Option<Destination<'_>>,
    known: &Known<'_>,
    scheme: &Scheme,
) -> Option<(String, Rule)> {
    let node = facts.node()?;
    let waypoint = proxy::waypoint_asked_for(facts, known)?;
    Some(match to.and_then(|to| Some((to.app, to.namespace?))) {
        Some((app, namespace)) => {
            let name = scheme.waypoint_name(waypoint, app, namespace);
            (name, Rule::Destination)
        }
        // No page but the waypoint's own can be meant.
        None => {
            let workload = proxy::workload(known, node);
            let name = scheme.workload_name(workload, Some(node.namespace));
            (name, Rule::Workload)
        }
    })
}

fn gateway_name(facts: &Facts<'_>, known: &Known<'_>, scheme: &Scheme) -> Option<(String, Rule)> {
    let namespace = facts.own_namespace();
    let label = || {
        let of_pod = known.pod.and_then(|pod| Some((pod.app?, Rule::PodLabel)));
        let emitted = || Some((emitted_base(facts, namespace)?, Rule::EmittedName));
        of_pod.or_else(emitted)
    };
    let of_node = |node| (proxy::workload(known, node), Rule::Workload);
    let (base, rule) = match facts.node() {
        Some(node) if scheme.asks_gateway_workload() => of_node(node),
        Some(node) => label().unwrap_or(of_node(node)),
        // A spawned span that came without its parent: Istio's own name for
        // the workload is better than its canonical service.
        None => match label() {
            Some(label) => label,
            None => (facts.own_canonical_service()?, Rule::CanonicalService),
        },
    };
    Some((scheme.workload_name(base, namespace), rule))
}

fn sidecar_name(facts: &Facts<'_>, known: &Known<'_>, scheme: &Scheme) -> Option<(String, Rule)> {
    if let Some((pod, app)) = known.pod.and_then(|pod| Some((pod, pod.app?))) {
        return Some((scheme.app_name(app, pod.namespace), Rule::PodLabel));
    }
    let namespace = facts.own_namespace();
    let emitted = emitted_base(facts, namespace);
    // Istio's own name is the `app` label's, if there is one.
    let of_label = emitted.filter(|_| scheme.asks_app_label());
    let canonical = facts.own_canonical_service();
    let unsuffixed = facts.resource.emitted_name();
    let unsuffixed = unsuffixed.filter(|name| !application::is_unknown(name));
    let (base, rule) = [
        (of_label, Rule::EmittedName),
        (canonical, Rule::CanonicalService),
        (emitted, Rule::EmittedName),
        (unsuffixed, Rule::EmittedName),
        (facts.node().map(|node| node.workload()), Rule::Workload),
    ]
    .into_iter()
    .find_map(|(base, rule)| Some((base?, rule)))?;
    Some((scheme.workload_name(base, namespace), rule))
}

/// Returns the emitted name without its namespace, if it has that.
fn emitted_base<'a>(facts: &Facts<'a>, namespace: Option<&str>) -> Option<&'a str> {
    without_namespace(facts.resource.emitted_name()?, namespace?)
}

/// Returns the service a connection was meant for. `dst.namespace` is not its
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
fn add_ends(verdict: &mut Verdict<'_>, facts: &Facts<'_>, directory: Option<&Directory>) {
    let (from, to) = (value(facts.src_namespace), value(facts.dst_namespace));
    let workload = |name: Attr<'_>, namespace: Option<&str>| {
        let name = value(name)?;
        let pod = namespace.and_then(|namespace| directory?.pod(namespace, name));
        Some(
            pod.map_or(names::workload(name), |pod| pod.workload)
                .to_owned(),
        )
    };
    let of_service = verdict.destination.and_then(|to| to.namespace);
    let told = value(facts.destination_namespace).or(of_service).or(to);
    if of_service.is_none() {
        verdict.add(key::DESTINATION_NAMESPACE, facts.destination_namespace, to);
    }
    if to.is_none() || to == told {
        verdict.add(
            key::DESTINATION_WORKLOAD,
            facts.destination_workload,
            workload(facts.dst_workload, to).as_deref(),
        );
    }
    verdict.add(
        key::SOURCE_WORKLOAD,
        facts.source_workload,
        workload(facts.src_workload, from).as_deref(),
    );
    verdict.add(key::SOURCE_NAMESPACE, facts.source_namespace, from);
}

/// Returns the app of the side that reports: its Pod's, where that is known.
/// Else its service tells it at the destination, and at the source the
/// workload's name has to.
fn ztunnel_name(
    facts: &Facts<'_>,
    to: Option<Destination<'_>>,
    known: &Known<'_>,
    scheme: &Scheme,
) -> Option<(String, Rule)> {
    let (name, own) = facts.reporting_side()?;
    if let Some((pod, app)) = known.pod.and_then(|pod| Some((pod, pod.app?))) {
        return Some((scheme.app_name(app, pod.namespace), Rule::PodLabel));
    }
    let of_service = to
        .filter(|_| facts.is_inbound())
        .filter(|to| to.namespace.is_some() && (own.is_none() || own == to.namespace));
    let (app, rule) = match of_service {
        Some(to) => (to.app, Rule::Service),
        None => (names::app(names::workload(name)), Rule::Workload),
    };
    let namespace = own.or(of_service.and_then(|to| to.namespace));
    Some((scheme.workload_name(app, namespace), rule))
}

/// Kiali finds a workload's own spans by `hostname`.
fn add_hostname(verdict: &mut Verdict<'_>, facts: &Facts<'_>, pod: Option<&str>) {
    if let (None, Some(pod)) = (facts.resource.hostname, pod) {
        verdict.resource_tags.push((key::HOSTNAME, pod.to_owned()));
    }
}
