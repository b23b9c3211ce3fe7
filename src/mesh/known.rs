/*!
What the [`Directory`] says about a span: the Pod that emitted it, and the
Service that it went to.

A proxy says itself which Pod it is in. An application may, in its resource;
else it is known by the address it sends from. That address is the weakest
word: behind a collector or a gateway every application has the same. So a Pod
that passes on what others send (by its labels, or because the span's own name
means another app) is never taken for the sender; and once anything in the
resource speaks of a Pod or host, the address is not asked.
*/

use super::{
    Attr, Class, Destination, Directory, Facts, Host, MeshSettings,
    directory::{App, PodView, ServiceView},
    expected_waypoint::ExpectedWaypoint,
    facts::value,
};

/// What the directory says about a span.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known<'a> {
    /// The Pod that emitted it.
    pub(crate) pod: Option<PodView<'a>>,
    /// The app that an application's own name means, or what that is renamed to.
    pub(crate) app: Option<App<'a>>,
    /// The workload of an application whose Pod is not known.
    pub(crate) workload: Option<&'a str>,
    /// The Service it went to.
    pub(crate) service: Option<ServiceView<'a>>,
    /// The waypoint that Kiali expects before that Service; before an application itself.
    pub(crate) expected_waypoint: ExpectedWaypoint<'a>,
    /// All else that is known of the span's cluster.
    pub(crate) directory: Option<&'a Directory>,
}

impl<'a> Known<'a> {
    /// Looks everything up.
    pub(crate) fn of(
        facts: &Facts<'_>,
        class: Class,
        destination: Option<Destination<'_>>,
        settings: &MeshSettings,
        directory: &'a Directory,
    ) -> Self {
        // Where only some namespaces are watched, another of the same name may be
        // in those that are not.
        let whole = settings.kubernetes.namespaces.is_empty();
        let to = destination.and_then(|to| Some((to.namespace?, to.service)));
        let renamed = value(facts.resource.service_name).and_then(|name| settings.rename.get(name));
        let own_name = renamed
            .map(String::as_str)
            .or(facts.resource.own_name())
            .or_else(|| facts.resource.workload())
            .filter(|_| class == Class::Sdk);
        let app = own_name.and_then(|name| app_by_name(facts, name, whole, directory));
        let pod = match class {
            Class::Sdk => pod_of_application(facts, app, whole, directory),
            Class::Agentgateway => {
                let pod = facts.resource.agentgateway_pod();
                pod.and_then(|pod| directory.pod(facts.agentgateway_namespace()?, pod))
            }
            Class::Ztunnel => facts
                .reporting_side()
                .and_then(|(pod, namespace)| directory.pod(namespace?, pod)),
            _ => facts
                .node()
                .and_then(|node| directory.pod(node.namespace, node.pod)),
        };
        // Its Pod's namespace is the nearest to look into.
        let near = || directory.app(Some(pod?.namespace), own_name?);
        let app = match class {
            Class::Sdk => near().or(app),
            _ => None,
        };
        let service = to.and_then(|(namespace, name)| directory.service(namespace, name));
        let namespace = service.and_then(|s| directory.namespace_labels(s.namespace));
        let expected_waypoint = match class {
            Class::Sdk => waypoint_before(pod, app, directory),
            _ => ExpectedWaypoint::of(service.map(|s| s.labels), namespace),
        };
        Self {
            pod,
            app,
            workload: app
                .filter(|_| pod.is_none())
                .and_then(|app| only_workload(facts, app, directory)),
            service,
            expected_waypoint,
            directory: Some(directory),
        }
    }
}

impl Facts<'_> {
    /// Returns true if the address an application sends from is asked which Pod
    /// it is: only where nothing else tells, and only once.
    pub(crate) fn asks_peer(&self) -> bool {
        self.class() == Class::Sdk
            && self.resource.original.is_none()
            && self.hints().into_iter().all(|hint| value(hint).is_none())
    }

    /// Returns what in the resource may say which Pod it is.
    fn hints(&self) -> [Attr<'_>; 4] {
        let resource = &self.resource;
        [
            resource.k8s_pod,
            resource.k8s_pod_ip,
            resource.hostname,
            resource.host_name,
        ]
    }
}

fn pod_of_application<'a>(
    facts: &Facts<'_>,
    app: Option<App<'_>>,
    whole: bool,
    directory: &'a Directory,
) -> Option<PodView<'a>> {
    if facts.asks_peer() {
        let pod = directory.pod_at(facts.peer?)?;
        let is_elsewhere =
            value(facts.resource.k8s_namespace).is_some_and(|ns| ns != pod.namespace);
        let is_another = is_elsewhere || app.is_some_and(|app| pod.app != Some(app.name));
        return (!is_another && !passes_on(&pod)).then_some(pod);
    }
    let resource = &facts.resource;
    let named = |hint| {
        let name = value(hint)?;
        match value(resource.k8s_namespace) {
            Some(namespace) => directory.pod(namespace, name),
            None => directory.pod_named(name).filter(|_| whole),
        }
    };
    let at = |hint| directory.pod_at(value(hint)?.parse().ok()?);
    named(resource.k8s_pod)
        .or_else(|| at(resource.k8s_pod_ip))
        .or_else(|| named(resource.hostname))
        .or_else(|| named(resource.host_name))
}

/// Returns the app that `name` means. `service.namespace` need not be a namespace of
/// Kubernetes: then the whole mesh is looked through, and so it is without any.
fn app_by_name<'a>(
    facts: &Facts<'_>,
    name: &str,
    whole: bool,
    directory: &'a Directory,
) -> Option<App<'a>> {
    let of_kubernetes = |namespace: &&str| directory.has_namespace(namespace);
    let namespace = value(facts.resource.k8s_namespace)
        .or_else(|| value(facts.resource.service_namespace).filter(of_kubernetes));
    // `orders.shop`: maybe it has its namespace already.
    let split = || {
        let (base, own) = name.rsplit_once('.')?;
        let fits = namespace.map_or_else(|| directory.has_namespace(own), |ns| ns == own);
        fits.then(|| directory.app(Some(own), base))?
    };
    // `orders.shop.svc.cluster.local`: a Service says whose it is.
    let host = || match Host::parse_service(name)? {
        Host::Service { name, namespace } => directory.app(Some(namespace), name),
        Host::External(_) => None,
    };
    let found = directory.app(namespace, name);
    found
        .filter(|_| whole || namespace.is_some())
        .or_else(split)
        .or_else(host)
}

/// Returns the waypoint that Kiali expects before an application: its Pod's label says it,
/// else its only Service's, else its Namespace's. Where only the app is known, it is asked
/// as the Service of that name.
fn waypoint_before<'a>(
    pod: Option<PodView<'a>>,
    app: Option<App<'_>>,
    directory: &'a Directory,
) -> ExpectedWaypoint<'a> {
    let Some(pod) = pod else {
        let service = app.and_then(|app| directory.service(app.namespace?, app.name));
        let namespace = service.and_then(|s| directory.namespace_labels(s.namespace));
        return ExpectedWaypoint::of(service.map(|s| s.labels), namespace);
    };
    let namespace = directory.namespace_labels(pod.namespace);
    match ExpectedWaypoint::of(Some(pod.labels), None) {
        ExpectedWaypoint::Unknown => {
            let services = directory.services_before(pod);
            let nearest = match services[..] {
                [only] => only.labels,
                _ => pod.labels,
            };
            ExpectedWaypoint::of(Some(nearest), namespace)
        }
        known => known,
    }
}

/// Returns the workload of an app in the namespace that the resource names.
/// Once it is handled, a name may mean more than the emitted one did.
fn only_workload<'a>(facts: &Facts<'_>, app: App<'_>, directory: &'a Directory) -> Option<&'a str> {
    let namespace = value(facts.resource.k8s_namespace)?;
    let is_first = facts.resource.original.is_none() && app.namespace == Some(namespace);
    let workload = || directory.workload(namespace, app.name);
    is_first.then(workload)?
}

/// Returns true if a Pod sends on what others sent to it: a gateway, or a
/// collector by one of its usual names.
fn passes_on(pod: &PodView<'_>) -> bool {
    const WORDS: [&str; 7] = [
        "collector",
        "opentelemetry",
        "otel",
        "otelcol",
        "wayspan",
        "alloy",
        "jaeger",
    ];
    let is_word = |part: &str| WORDS.iter().any(|word| part.eq_ignore_ascii_case(word));
    let named = |name: &str| {
        name.split(|c: char| !c.is_ascii_alphanumeric())
            .any(is_word)
    };
    let is_gateway = |label: &&str| pod.labels.contains_key(*label);
    [
        "gateway.networking.k8s.io/gateway-name",
        "gateway.istio.io/managed",
    ]
    .iter()
    .any(is_gateway)
        || named(pod.canonical)
        || named(pod.workload)
}
