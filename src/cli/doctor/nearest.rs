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
use crate::mesh::pages::PageRole;

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
    /// It takes another label for the app than those who emitted the name.
    Label,
    /// It asks for a waypoint itself, whose spans are named after Services.
    OwnPage,
}

impl Mismatch {
    /// Returns a word for programs.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Case => "other_case",
            Self::Separator => "other_separator",
            Self::WithNamespace => "without_namespace",
            Self::WithoutNamespace => "with_namespace",
            Self::WaypointHeld | Self::OwnPage => "other_scheme",
            Self::HostHeld => "other_scheme",
            Self::Domain => "other_domain",
            Self::Label => "other_label",
        }
    }
}

/// What a page wants.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    name: &'a str,
    namespace: &'a str,
    /// The names that other labels would make.
    otherwise: &'a [String],
    is_waypoints: bool,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(asked: &'a Asked) -> Self {
        Self {
            name: asked.name(),
            namespace: &asked.page.namespace,
            otherwise: &asked.otherwise,
            is_waypoints: asked.page.role == PageRole::Waypoint,
        }
    }
}

/// Returns the nearest name that is held, and how it differs. `waypoints` are names that
/// waypoints of the namespace emit.
pub(super) fn nearest<'a>(
    wanted: Wanted<'_>,
    held: &[&'a str],
    waypoints: &[String],
) -> Option<(Mismatch, &'a str)> {
    let (name, namespace) = (wanted.name, wanted.namespace);
    let others = || held.iter().copied().filter(|one| *one != name);
    let find = |test: &dyn Fn(&str) -> bool| others().find(|one| test(one));
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', '.'], "");
    let app = name.split('.').next().unwrap_or(name);
    let with = format!("{app}.{namespace}");
    let is_host = |text: &str| text.contains(".svc.");
    let of_waypoint = |text: &str| waypoints.iter().any(|waypoint| waypoint == text);
    if let Some(found) = find(&|one| one.eq_ignore_ascii_case(name)) {
        return Some((Mismatch::Case, found));
    }
    if let Some(found) = find(&|one| wanted.otherwise.iter().any(|name| name == one)) {
        return Some((Mismatch::Label, found));
    }
    let of_namespace = |one: &str| is_host(one) && one.contains(&format!(".{namespace}.svc."));
    if is_host(name) {
        let prefix = format!("{with}.");
        let why = match name.starts_with(&prefix) {
            true => Mismatch::Domain,
            false => Mismatch::WithoutNamespace,
        };
        if let Some(found) = find(&|one| is_host(one) && one.starts_with(&prefix)) {
            return Some((why, found));
        }
        // Where others of the namespace have their hosts' names, this one has no spans.
        if find(&of_namespace).is_none()
            && let Some(found) = find(&of_waypoint)
        {
            return Some((Mismatch::WaypointHeld, found));
        }
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
    if of_waypoint(name)
        && let Some(found) = find(&of_namespace)
    {
        return match wanted.is_waypoints {
            true => Some((Mismatch::OwnPage, found)),
            false => Some((Mismatch::HostHeld, found)),
        };
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
                asked.title(),
                asked.name()
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
        Mismatch::Label => (
            "names are those of another label than the one that Kiali takes for the app",
            Fix::text(
                "Let spans pass wayspan, which finds each page's name by the labels, or give the labels \
                 app.kubernetes.io/name, app and service.istio.io/canonical-name of Pods and the app label in the \
                 Services' selectors one value (or set istio_labels.app_label_name in Kiali)",
            ),
        ),
        Mismatch::OwnPage => (
            "spans of waypoints are named after Services, so that their own pages find none",
            Fix::text(
                "Let spans pass wayspan with aliases (processors.mesh.aliases), or have names after the waypoint and \
                 use_waypoint_name in Kiali, by which both are found",
            ),
        ),
    };
    let is_small = why == Mismatch::OwnPage;
    let what = format!("{what}: {}", are_empty(pages.len()));
    match is_small {
        true => Problem::warning(what, some_of(&examples), fix),
        false => Problem::broken(what, some_of(&examples), fix),
    }
}

/// Returns `1 page is empty`, `2 pages are empty`.
pub(super) fn are_empty(pages: usize) -> String {
    let verb = if pages == 1 { "is" } else { "are" };
    format!("{} {verb} empty", count(pages, "page"))
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
            (
                "reviews.bookinfo",
                "shop-reviews.bookinfo",
                Some(Mismatch::Label),
            ),
            ("reviews.bookinfo", "ratings.bookinfo", None),
            ("reviews.bookinfo", "reviews.shop", None),
        ] {
            let wanted = Wanted {
                name,
                namespace: "bookinfo",
                otherwise: &["shop-reviews.bookinfo".to_owned()],
                is_waypoints: false,
            };
            let all = [held];
            let waypoints = ["waypoint.bookinfo".to_owned()];
            let found = nearest(wanted, &all, &waypoints);
            assert_eq!(found.map(|(why, _)| why), why, "{name} {held}");
        }
    }
    #[test]
    fn markers_of_a_waypoint_do_not_make_its_name_the_services() {
        let wanted = Wanted {
            name: "reviews.bookinfo.svc.cluster.local",
            namespace: "bookinfo",
            otherwise: &[],
            is_waypoints: false,
        };
        let waypoints = ["waypoint.bookinfo".to_owned()];
        let held = ["ratings.bookinfo.svc.cluster.local", "waypoint.bookinfo"];
        assert_eq!(nearest(wanted, &held, &waypoints), None);
        let own = Wanted {
            name: "waypoint.bookinfo",
            is_waypoints: true,
            ..wanted
        };
        let found = nearest(own, &held[..1], &waypoints);
        assert_eq!(found.map(|(why, _)| why), Some(Mismatch::OwnPage));
    }
}
