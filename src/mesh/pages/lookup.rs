/*!
The names that Kiali looks a page up by: its `models.TracingName`.

Kiali never reads `WaypointNamespace`: the namespace appended to a waypoint's
name is the page's, so a waypoint of another namespace is asked for where it
is not.
*/

use super::{Page, PageKind, PageRole};
use crate::mesh::{
    Form, Kiali, Scheme,
    scheme::{HAS_SWITCH, KNOWS_WAYPOINTS},
};

/// What Kiali starts from.
pub(super) struct Lookup {
    /// `TracingName.Lookup`, before the namespace.
    pub(super) name: String,
    /// `TracingName.App`: what a workload's page filters by.
    pub(super) app: String,
    /// A host with its identity domain: no namespace is appended.
    is_host: bool,
    /// Is true when `TracingName.WaypointName` is set, be it to a host.
    pub(super) through_waypoint: bool,
}

impl Lookup {
    /// `business/apps.go:GetAppTracingName`,
    /// `business/services.go:GetServiceTracingName`,
    /// `business/workloads.go:GetWorkloadTracingName`.
    pub(super) fn of(kiali: &Kiali, page: &Page) -> Self {
        let knows = kiali.version >= KNOWS_WAYPOINTS;
        let is_proxy = match page.kind {
            PageKind::Workload => page.role != PageRole::Plain,
            PageKind::Service => page.role == PageRole::Waypoint,
            PageKind::App => false,
        };
        if knows && is_proxy {
            // "Waypoints and Gateways doesn't have an app label"
            return Self::plain(&page.name, &page.name);
        }
        let app = match page.kind {
            PageKind::App => &page.name,
            PageKind::Service | PageKind::Workload => &page.app,
        };
        let waypoint = match page.kind {
            // The loop over an app's workloads ends at the first one with a
            // waypoint since 2.22; before, the last one had the last word.
            PageKind::App if kiali.version < HAS_SWITCH => page.waypoints.last(),
            _ => page.waypoints.first(),
        };
        let Some(waypoint) = waypoint.filter(|_| knows) else {
            return Self::plain(app, app);
        };
        let scheme = Scheme::new(kiali);
        if !matches!(scheme.form, Form::Host { .. }) {
            return Self {
                through_waypoint: true,
                ..Self::plain(waypoint, app)
            };
        }
        let host_of = match page.kind {
            PageKind::App => page.first_service.as_deref(),
            // Even an empty label is made a host.
            PageKind::Service => Some(page.app.as_str()),
            PageKind::Workload => Some(page.app.as_str()).filter(|app| !app.is_empty()),
        };
        match host_of {
            Some(host_of) => Self {
                is_host: true,
                through_waypoint: true,
                ..Self::plain(
                    &scheme.waypoint_name(waypoint, host_of, &page.namespace),
                    app,
                )
            },
            None => Self::plain(app, app),
        }
    }

    fn plain(name: &str, app: &str) -> Self {
        Self {
            name: name.to_owned(),
            app: app.to_owned(),
            is_host: false,
            through_waypoint: false,
        }
    }

    /// Returns the service name that Jaeger is asked for:
    /// `tracing/client.go:BuildTracingServiceName`, from 2.26
    /// `business/tracing.go:tracingServiceName`. Both spare a name from 2.22 on
    /// that contains the identity domain, which a host does.
    pub(super) fn service_name(&self, kiali: &Kiali, namespace: &str) -> String {
        match kiali.namespace_selector && !self.is_host {
            true => format!("{}.{namespace}", self.name),
            false => self.name.clone(),
        }
    }
}
