/*!
What an instrumented application is called, and what its resource lacks.

The name is that of its workload's app, as Kiali asks for it. It comes from what
`rename` says, else from the application's Pod, else from its own name; and where it
has none (`unknown_service…`, or nothing at all), from the workload that the resource
names. Names stand for the app that they mean, if there is one.

An application is named once: `wayspan.original_service_name` says that it was.
*/

use super::{
    Alias, Aliases, Case, Class, Destination, Facts, Form, Host, MeshSettings, Scheme,
    asked::{Asked, PeerTags},
    directory::same_but_case,
    expected_waypoint::ExpectedWaypoint,
    facts::{ResourceFacts, value},
    known::Known,
    node_id::{is_hash, workload_of_pod},
    rule::Rule,
    scheme::without_namespace,
    ztunnel::names,
};

/// Returns the service name, and what it was taken from; `None` where it stays.
pub(super) fn name(
    facts: &Facts<'_>,
    settings: &MeshSettings,
    known: &Known<'_>,
    scheme: &Scheme,
) -> Option<(String, Rule)> {
    if facts.resource.original.is_some() {
        return None;
    }
    let resource = &facts.resource;
    // For want of labels, a workload's app is its name without a version.
    let own = resource
        .own_name()
        .or_else(|| resource.workload().map(names::app));
    let renamed = value(facts.resource.service_name).and_then(|name| settings.rename.get(name));
    // The label, but in the letter case that is to be preserved.
    let in_own_case = |app, namespace: Option<&str>| {
        let own = renamed.map(String::as_str).or(own);
        let own = own.filter(|_| settings.case == Case::Preserve);
        let base = || without_namespace(own?, namespace?);
        [own, base()]
            .into_iter()
            .flatten()
            .find(|name| same_but_case(name, app))
            .unwrap_or(app)
    };
    let namespace = known
        .pod
        .map(|pod| pod.namespace)
        .or(known.app.and_then(|app| app.namespace))
        .or(facts.resource.namespace());
    let (app, namespace) = match (renamed, known.app) {
        (Some(_), Some(app)) => {
            let namespace = app.namespace.or(namespace);
            (Some((app.name, Rule::Rename)), namespace)
        }
        (Some(_), None) => (None, namespace),
        (None, app) => {
            let of_pod = known.pod.and_then(|pod| Some((pod.app?, Rule::PodLabel)));
            let meant = app.map(|app| (app.name, Rule::KnownApp));
            (of_pod.or(meant), namespace)
        }
    };
    if let Some((app, rule)) = app {
        let name = in_own_case(app, namespace);
        let by_host = waypoint(known).is_some() && matches!(scheme.form, Form::Host { .. });
        let name = match namespace {
            Some(namespace) if by_host => scheme.waypoint_name("", name, namespace),
            Some(namespace) => scheme.app_name(name, namespace),
            None => name.to_owned(),
        };
        return Some((name, rule));
    }
    if let Some(renamed) = renamed {
        return Some((scheme.workload_name(renamed, namespace), Rule::Rename));
    }
    let own = own?;
    // A Service's host has its namespace already, and is what some Kialis ask for.
    if Host::parse_service(own).is_some() {
        return None;
    }
    let rule = match resource.own_name() {
        Some(_) => Rule::EmittedName,
        None => Rule::ResourceWorkload,
    };
    let name = match settings.case {
        Case::Lower => scheme.workload_name(&own.to_lowercase(), namespace),
        // No label is known that it could match.
        Case::Match | Case::Preserve => scheme.workload_name(own, namespace),
    };
    Some((name, rule))
}

/// Returns the waypoint that stands before the application, as far as Kiali knows. Its spans
/// need not be there: pages ask by its name, or by a host, all the same.
fn waypoint<'a>(known: &Known<'a>) -> Option<&'a str> {
    match known.expected_waypoint {
        ExpectedWaypoint::Named(waypoint) => Some(waypoint),
        ExpectedWaypoint::Unknown | ExpectedWaypoint::Absent => None,
    }
}

/// Returns the app, the workload and the namespace that a span was sent to: the
/// application's own, where it received a request through a waypoint. Without them
/// Kiali does not know whom a trace without the waypoint's span is about.
pub(super) fn received<'a>(
    facts: &Facts<'_>,
    settings: &MeshSettings,
    known: &Known<'a>,
    scheme: &Scheme,
) -> Option<(&'a str, Option<&'a str>, &'a str)> {
    const RECEIVERS: [u8; 2] = [2, 5];
    // Else no page finds it by these.
    let is_asked_for = match scheme.form {
        Form::App => false,
        Form::Waypoint => settings.aliases == Aliases::On,
        Form::Host { .. } => true,
    };
    let is_first = facts.resource.original.is_none();
    waypoint(known).filter(|_| is_first && is_asked_for && RECEIVERS.contains(&facts.kind))?;
    let of_pod = || {
        let pod = known.pod?;
        Some((pod.app?, Some(pod.workload), pod.namespace))
    };
    let of_app = || {
        let app = known.app?;
        let namespace = app.namespace?;
        let only = || known.directory?.workload(namespace, app.name);
        Some((app.name, known.workload.or_else(only), namespace))
    };
    of_pod().or_else(of_app)
}

/// Returns the names by which pages ask for an application behind a waypoint, where its
/// span, called `named`, does not answer them: as they ask for the Services before it.
pub(super) fn aliases(
    facts: &Facts<'_>,
    settings: &MeshSettings,
    known: &Known<'_>,
    scheme: &Scheme,
    (named, tags): (&str, PeerTags<'_>),
) -> Vec<Alias> {
    let wanted = facts.class() == Class::Sdk && settings.aliases == Aliases::On;
    let received = received(facts, settings, known, scheme).filter(|_| wanted);
    let Some((app, _, namespace)) = received else {
        return Vec::new();
    };
    let services = known.directory.map(|all| match known.pod {
        Some(pod) => all.services_before(pod),
        None => all.services_of_app(namespace, app),
    });
    let mut services: Vec<_> = services.into_iter().flatten().map(Some).collect();
    if services.is_empty() {
        services.push(None);
    }
    let mut all: Vec<Alias> = Vec::new();
    for service in services {
        let to = Destination {
            app,
            service: service.map_or(app, |service| service.name),
            namespace: Some(namespace),
        };
        let of_service = Known { service, ..*known };
        let waypoint = waypoint(known);
        let asked = Asked::of_destination(facts, to, tags, &of_service, scheme, waypoint);
        let others = asked.others(named);
        // A waypoint's span is named after the Service; this one passes by its tags alone.
        let by_tags = scheme.reads_peer_tags() && to.service == app;
        let is_told = by_tags || others.iter().any(|(_, about)| *about == to.service);
        let of_name = (!is_told).then_some((named, to.service));
        for (name, about) in others.iter().copied().chain(of_name) {
            let alias = Alias {
                service_name: name.to_owned(),
                span_name: format!("{about}.{namespace}.svc.cluster.local"),
                node_id: None,
            };
            if !all.contains(&alias) {
                all.push(alias);
            }
        }
    }
    all
}

/// Returns the Pod that `hostname` is to name, by which Kiali finds a workload's own
/// spans; it does not read OpenTelemetry's keys.
pub(super) fn pod<'a>(facts: &Facts<'a>, known: &Known<'a>) -> Option<&'a str> {
    let resource = &facts.resource;
    known
        .pod
        .map(|pod| pod.name)
        .or(value(resource.k8s_pod))
        .or_else(|| value(resource.host_name).filter(|_| resource.namespace().is_some()))
        // Kiali wants what begins with the workload's name.
        .or(known.workload)
}

/// Returns true if `name` is what OpenTelemetry exporters write for want of a
/// name.
pub(super) fn is_unknown(name: &str) -> bool {
    name.starts_with("unknown_service")
}

impl<'a> ResourceFacts<'a> {
    /// Returns what an application calls itself.
    pub(super) fn own_name(&self) -> Option<&'a str> {
        value(self.service_name).filter(|name| !is_unknown(name))
    }

    /// Returns the workload that it names: of the kinds of OpenTelemetry's
    /// conventions the one that owns the others, else that of the Pod.
    pub(super) fn workload(&self) -> Option<&'a str> {
        let owner = [
            self.k8s_deployment,
            self.k8s_statefulset,
            self.k8s_daemonset,
            self.k8s_cronjob,
            self.k8s_job,
        ]
        .into_iter()
        .find_map(value);
        // In Kubernetes a host's name is a Pod's, unless the Pod has its node's.
        let of_host = || {
            value(self.k8s_namespace)?;
            let host = value(self.hostname).or(value(self.host_name))?;
            Some(names::workload(host)).filter(|workload| *workload != host)
        };
        let of_set = || {
            let (deployment, hash) = value(self.k8s_replicaset)?.rsplit_once('-')?;
            (!deployment.is_empty() && is_hash(hash)).then_some(deployment)
        };
        let of_pod = || value(self.k8s_pod).map(workload_of_pod);
        owner.or_else(of_set).or_else(of_pod).or_else(of_host)
    }
}
