/*!
Why Jaeger has no spans under the name that a page asks for: what the nearest name that it has
differs in, and what to do about that.
*/

use super::{
    asked::Asked,
    check::{Fix, Problem, count, some_of},
    facts::kiali::KialiConfig,
    kiali_fix::set,
};

/// Why a name is not there, by the nearest that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mismatch {
    Case,
    Separator,
    /// Kiali asks with the namespace, and names lack it.
    WithNamespace,
    /// The reverse.
    WithoutNamespace,
    /// Kiali asks for the Service's host, and spans are named after the waypoint.
    WaypointHeld,
    /// The reverse.
    HostHeld,
    /// It asks for the host with another domain.
    Domain,
}

/// Returns the nearest name that is held, and how it differs. `waypoints` are names that
/// waypoints of the namespace emit.
pub(super) fn nearest<'a>(
    asked: &Asked,
    held: &'a [String],
    waypoints: &[String],
) -> Option<(Mismatch, &'a str)> {
    let name = asked.name.as_str();
    let namespace = asked.namespace.as_str();
    let find = |test: &dyn Fn(&str) -> bool| held.iter().map(String::as_str).find(|one| test(one));
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', '.'], "");
    let app = name.split('.').next().unwrap_or(name);
    let with = format!("{app}.{namespace}");
    let is_host = |text: &str| text.contains(".svc.");
    let of_waypoint = |text: &str| waypoints.iter().any(|waypoint| waypoint == text);
    if let Some(found) = find(&|one| one.eq_ignore_ascii_case(name)) {
        return Some((Mismatch::Case, found));
    }
    if is_host(name) {
        let prefix = format!("{with}.");
        let why = match name.starts_with(&prefix) {
            true => Mismatch::Domain,
            false => Mismatch::WithoutNamespace,
        };
        if let Some(found) = find(&|one| is_host(one) && one.starts_with(&prefix)) {
            return Some((why, found));
        }
        if let Some(found) = find(&of_waypoint) {
            return Some((Mismatch::WaypointHeld, found));
        }
    }
    if of_waypoint(name)
        && let Some(found) =
            find(&|one| is_host(one) && one.contains(&format!(".{namespace}.svc.")))
    {
        return Some((Mismatch::HostHeld, found));
    }
    if name == with
        && let Some(found) = find(&|one| one == app)
    {
        return Some((Mismatch::WithNamespace, found));
    }
    if name == app
        && let Some(found) = find(&|one| one == with)
    {
        return Some((Mismatch::WithoutNamespace, found));
    }
    find(&|one| plain(one) == plain(name)).map(|found| (Mismatch::Separator, found))
}

/// Returns what to say of pages whose names differ in one way, each with the name that is held.
pub(super) fn problem(config: &KialiConfig, why: Mismatch, pages: &[(&Asked, &str)]) -> Problem {
    let examples: Vec<String> = pages
        .iter()
        .map(|(asked, near)| {
            format!(
                "{} asks for {}, Jaeger holds {near}",
                asked.page, asked.name
            )
        })
        .collect();
    // wayspan makes names fit whatever Kiali asks for.
    let or_wayspan = |yaml: String| {
        let mut fix = set(config, &yaml);
        fix.text
            .push_str("\nor let spans pass wayspan, which names them as this Kiali asks");
        fix
    };
    let tracing = |key: &str, value: bool| {
        or_wayspan(format!(
            "external_services: {{tracing: {{{key}: {value}}}}}"
        ))
    };
    let (what, fix) = match why {
        Mismatch::Case => (
            "names differ from those Kiali asks for in upper and lower case",
            Fix::text(
                "Let spans pass wayspan, which takes the case of the labels, or give the labels the case of the \
                 names: Jaeger compares to the letter",
            ),
        ),
        Mismatch::Separator => (
            "names differ from those Kiali asks for in their separators",
            Fix::text(
                "Rename them in wayspan (processors.mesh.service_name.rename), or give the app labels these names",
            ),
        ),
        Mismatch::WithNamespace => (
            "Kiali asks for names with their namespace, and spans are named without",
            tracing("namespace_selector", false),
        ),
        Mismatch::WithoutNamespace => (
            "Kiali asks for names without their namespace, and spans are named with it",
            tracing("namespace_selector", true),
        ),
        Mismatch::WaypointHeld => (
            "Kiali asks for the Service's host, and spans are named after the waypoint",
            tracing("use_waypoint_name", true),
        ),
        Mismatch::HostHeld => (
            "Kiali asks for the waypoint, and spans are named after the Service's host",
            tracing("use_waypoint_name", false),
        ),
        Mismatch::Domain => (
            "Kiali asks for hosts with another domain than spans have",
            or_wayspan(
                "external_services: {istio: {istio_identity_domain: svc.cluster.local}}".to_owned(),
            ),
        ),
    };
    Problem::broken(
        format!("{what}: {} are empty", count(pages.len(), "page"))
            .replace("1 page are", "1 page is"),
        some_of(&examples),
        fix,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_says_why() {
        for (name, held, why) in [
            ("reviews.bookinfo", "Reviews.bookinfo", Some(Mismatch::Case)),
            ("reviews.bookinfo", "reviews", Some(Mismatch::WithNamespace)),
            (
                "reviews",
                "reviews.bookinfo",
                Some(Mismatch::WithoutNamespace),
            ),
            (
                "reviews.bookinfo.svc.cluster.local",
                "waypoint.bookinfo",
                Some(Mismatch::WaypointHeld),
            ),
            (
                "waypoint.bookinfo",
                "reviews.bookinfo.svc.cluster.local",
                Some(Mismatch::HostHeld),
            ),
            (
                "reviews.bookinfo.svc.corp",
                "reviews.bookinfo.svc.cluster.local",
                Some(Mismatch::Domain),
            ),
            (
                "order-api.bookinfo",
                "order_api.bookinfo",
                Some(Mismatch::Separator),
            ),
            ("reviews.bookinfo", "ratings.bookinfo", None),
            ("reviews.bookinfo", "reviews.shop", None),
        ] {
            let asked = Asked {
                page: String::new(),
                namespace: "bookinfo".to_owned(),
                name: name.to_owned(),
                tags: Vec::new(),
            };
            let all = [held.to_owned()];
            let found = nearest(&asked, &all, &["waypoint.bookinfo".to_owned()]);
            assert_eq!(found.map(|(why, _)| why), why, "{name} {held}");
        }
    }
}
