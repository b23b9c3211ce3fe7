//! `extensions`, of which `health_check` and `zpages` are served; authenticators
//! are read by `auth`, storages by `storage`.

use super::{Component, Context, Section};
use crate::config::{
    checked::HealthCheck,
    de::Field,
    raw::{extensions as raw, security::ServerTls},
};
use std::net::SocketAddr;

/// Extensions of the Collector's that a file may enable without effect here.
/// What would be unsafe to leave out (an authenticator, a storage) is refused
/// where a component asks for it.
const NOT_SERVED: [&str; 18] = [
    "pprof",
    "memory_ballast",
    "memory_limiter",
    "oauth2client",
    "oidc",
    "asapclient",
    "headers_setter",
    "sigv4auth",
    "googleclientauth",
    "azureauth",
    "db_storage",
    "redis_storage",
    "k8s_observer",
    "host_observer",
    "docker_observer",
    "opamp",
    "http_forwarder",
    "k8s_leader_elector",
];
const SERVED: [&str; 6] = [
    "health_check",
    "healthcheckv2",
    "file_storage",
    "zpages",
    "bearertokenauth",
    "basicauth",
];

/// What `service.extensions` enables here.
#[derive(Default)]
pub(super) struct Served {
    pub(super) health_check: Option<HealthCheck>,
    pub(super) zpages: Option<SocketAddr>,
}

/// Reads what `service.extensions` enables.
pub(super) fn check<'n>(
    section: &Section<'n>,
    enabled: Field<Vec<Field<String>>>,
    cx: &Context<'n>,
) -> Served {
    for field in enabled.value.unwrap_or_default() {
        let (Some(reference), Some(spot)) = (field.value, field.spot) else {
            continue;
        };
        let found = section.resolve(&reference, spot, cx);
        if let Some(component) = found.and_then(|i| section.components.get(i)) {
            component.used.set(true);
        }
    }
    let mut served = Served::default();
    for component in &section.components {
        let found = match component.id.kind.as_str() {
            "health_check" => health_check(component, cx),
            "healthcheckv2" => health_check_v2(component, cx),
            // Read elsewhere, where it is told what is wrong with them.
            "bearertokenauth" | "basicauth" | "file_storage" => None,
            "zpages" => {
                let found = zpages(component, cx);
                served.zpages = served.zpages.or(found);
                None
            }
            kind if NOT_SERVED.contains(&kind) => {
                cx.report
                    .warn_at(component.spot, "this extension is not served; ignored");
                None
            }
            _ if component.used.get() => {
                component.unsupported("extension", &SERVED, "", cx);
                None
            }
            _ => {
                let message = "service.extensions does not enable this extension; ignored";
                cx.report.warn_at(component.spot, message);
                None
            }
        };
        if let Some(found) = found.filter(|_| component.used.get()) {
            if served.health_check.is_some() {
                cx.report
                    .warn_at(component.spot, "a second health check; not served");
            } else {
                served.health_check = Some(found);
            }
        }
    }
    served
}

fn zpages<'n>(component: &Component<'n>, cx: &Context<'n>) -> Option<SocketAddr> {
    let raw: raw::Zpages = component.read(cx)?;
    if !component.used.get() {
        return None;
    }
    cx.listener(
        &raw.endpoint,
        "localhost:55679",
        (&component.path, Some(component.spot)),
    )
}

fn health_check<'n>(component: &Component<'n>, cx: &Context<'n>) -> Option<HealthCheck> {
    let raw: raw::HealthCheck = component.read(cx)?;
    let page = (raw.path, "/");
    finish(component, &raw.endpoint, page, raw.tls, cx)
}

fn health_check_v2<'n>(component: &Component<'n>, cx: &Context<'n>) -> Option<HealthCheck> {
    let raw: raw::HealthCheckV2 = component.read(cx)?;
    let http = raw.http;
    if http.endpoint.spot.is_some() {
        let page = (http.status.path, "/status");
        finish(component, &http.endpoint, page, http.tls, cx)
    } else {
        let page = (raw.path, "/");
        finish(component, &raw.endpoint, page, raw.tls, cx)
    }
}

fn finish(
    component: &Component<'_>,
    endpoint: &Field<String>,
    (path, default_path): (Field<String>, &str),
    tls: Field<ServerTls>,
    cx: &Context<'_>,
) -> Option<HealthCheck> {
    if !component.used.get() {
        return None;
    }
    if let (Some(spot), Some(given)) = (path.spot, path.as_ref())
        && !given.starts_with('/')
    {
        cx.report
            .error_at(spot, &format!("\"{given}\" does not begin with /"));
    }
    let owner = (&*component.path, Some(component.spot));
    Some(HealthCheck {
        endpoint: cx.listener(endpoint, "localhost:13133", owner)?,
        path: path.or(default_path.to_owned()),
        tls: super::tls::server(tls, cx),
    })
}
