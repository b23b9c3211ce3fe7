/*!
Istio's part: a provider, its Service, the Telemetry that selects it, and in
ambient mode the waypoint without which nobody reports a span.
*/

mod effective;
mod mesh;
mod names;
mod provider;
mod proxies;
mod service;
mod telemetry;
mod version;
mod waypoint;
mod which_waypoint;
mod workloads;

pub(super) use which_waypoint::{traced_services, waypoint_names};
pub(super) use workloads::{Workload, own_proxies, pods_by_namespace, traced_workloads};

use super::check::{Category, Check};

/// The checks, in the order of the chain.
pub(super) static CHECKS: &[Check] = &[
    Check::new(
        Category::Istio,
        "istio-version",
        "istiod runs",
        version::control_plane,
    ),
    Check::new(
        Category::Istio,
        "emitted-names",
        "all proxies name spans alike",
        names::emitted,
    ),
    Check::new(
        Category::Istio,
        "mesh-members",
        "the namespaces are in the mesh",
        mesh::members,
    ),
    Check::new(
        Category::Istio,
        "tracing-provider",
        "a tracing provider is defined",
        provider::defined,
    ),
    Check::new(
        Category::Istio,
        "provider-service",
        "the provider's Service exists",
        service::exists,
    ),
    Check::new(
        Category::Istio,
        "provider-port",
        "its port is there and known as gRPC",
        service::port,
    )
    .following(&["provider-service"]),
    Check::new(
        Category::Istio,
        "provider-endpoints",
        "its endpoints are ready",
        service::endpoints,
    )
    .once_installed()
    .following(&["provider-service"]),
    Check::new(
        Category::Istio,
        "telemetry-provider",
        "a Telemetry selects the provider",
        telemetry::selected,
    )
    .following(&["tracing-provider"]),
    Check::new(
        Category::Istio,
        "telemetry-waypoint",
        "it reaches waypoints and gateways",
        telemetry::reaches_proxies,
    )
    .following(&["tracing-provider", "telemetry-provider"]),
    Check::new(
        Category::Istio,
        "sampling",
        "requests are sampled",
        telemetry::sampling,
    ),
    Check::new(
        Category::Istio,
        "span-reporting",
        "spans are reported",
        telemetry::reporting,
    ),
    Check::new(
        Category::Istio,
        "istio-tags",
        "Istio's tags are on",
        telemetry::istio_tags,
    ),
    Check::new(
        Category::Istio,
        "context-propagation",
        "trace contexts are passed on",
        telemetry::propagation,
    ),
    Check::new(
        Category::Istio,
        "waypoint-used",
        "ambient Services use a waypoint",
        waypoint::used,
    ),
    Check::new(
        Category::Istio,
        "waypoint-ready",
        "waypoints are programmed and run",
        waypoint::ready,
    ),
    Check::new(
        Category::Istio,
        "waypoint-canary",
        "no canary answers for a waypoint",
        waypoint::canary,
    ),
    Check::new(
        Category::Istio,
        "agentgateway",
        "gateways and waypoints report spans",
        waypoint::agentgateway,
    ),
];
