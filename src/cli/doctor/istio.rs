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

pub(super) use which_waypoint::{traced_services, waypoint_names};

use super::check::{Category, Check};

const fn check(
    id: &'static str,
    title: &'static str,
    follows_from: &'static [&'static str],
    run: fn(&super::facts::Facts) -> super::check::Verdict,
) -> Check {
    Check {
        id,
        category: Category::Istio,
        title,
        pre: true,
        follows_from,
        run,
    }
}

/// The checks, in the order of the chain.
pub(super) static CHECKS: &[Check] = &[
    check("istio-version", "istiod runs", &[], version::control_plane),
    check(
        "emitted-names",
        "all proxies name spans alike",
        &[],
        names::emitted,
    ),
    check(
        "mesh-members",
        "the namespaces are in the mesh",
        &[],
        mesh::members,
    ),
    check(
        "tracing-provider",
        "a tracing provider is defined",
        &[],
        provider::defined,
    ),
    check(
        "provider-service",
        "the provider's Service exists",
        &[],
        service::exists,
    ),
    check(
        "provider-port",
        "its port is there and known as gRPC",
        &["provider-service"],
        service::port,
    ),
    Check {
        pre: false,
        ..check(
            "provider-endpoints",
            "its endpoints are ready",
            &["provider-service"],
            service::endpoints,
        )
    },
    check(
        "telemetry-provider",
        "a Telemetry selects the provider",
        &["tracing-provider"],
        telemetry::selected,
    ),
    check(
        "telemetry-waypoint",
        "it reaches waypoints and gateways",
        &["tracing-provider", "telemetry-provider"],
        telemetry::reaches_proxies,
    ),
    check("sampling", "requests are sampled", &[], telemetry::sampling),
    check(
        "span-reporting",
        "spans are reported",
        &[],
        telemetry::reporting,
    ),
    check(
        "istio-tags",
        "Istio's tags are on",
        &[],
        telemetry::istio_tags,
    ),
    check(
        "context-propagation",
        "trace contexts are passed on",
        &[],
        telemetry::propagation,
    ),
    check(
        "waypoint-used",
        "ambient Services use a waypoint",
        &[],
        waypoint::used,
    ),
    check(
        "waypoint-ready",
        "waypoints are programmed and run",
        &[],
        waypoint::ready,
    ),
    check(
        "waypoint-canary",
        "no canary answers for a waypoint",
        &[],
        waypoint::canary,
    ),
    check(
        "agentgateway",
        "gateways and waypoints report spans",
        &[],
        waypoint::agentgateway,
    ),
];
