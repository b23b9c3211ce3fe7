/*!
Which waypoint Kiali expects before a destination, from the label
`istio.io/use-waypoint` of the Service or of its Namespace.

Whether a gateway really sends requests through it
(`istio.io/ingress-use-waypoint`) is no part of its question.
*/

use super::directory::Labels;

/// The waypoint that Kiali expects before a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ExpectedWaypoint<'a> {
    /// The labels are not known.
    #[default]
    Unknown,
    /// There is none.
    Absent,
    /// The one of this name.
    Named(&'a str),
}

impl<'a> ExpectedWaypoint<'a> {
    /// Reads the labels of a Service and of its Namespace as Kiali does. A
    /// Service that is not known may have any.
    pub(super) fn of(service: Option<&'a Labels>, namespace: Option<&'a Labels>) -> Self {
        let Some(service) = service else {
            return Self::Unknown;
        };
        let waypoint = |labels: &'a Labels| {
            let name = labels.get("istio.io/use-waypoint").map(String::as_str);
            name.filter(|name| !name.is_empty())
        };
        match (waypoint(service), namespace) {
            (Some("none"), _) => Self::Absent,
            (Some(name), _) => Self::Named(name),
            (None, None) => Self::Unknown,
            (None, Some(namespace)) => match waypoint(namespace) {
                None | Some("none") => Self::Absent,
                Some(name) => Self::Named(name),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_waypoint_by_labels() {
        let labels = |waypoint: &str| -> Labels {
            let label = ("istio.io/use-waypoint".to_owned(), waypoint.to_owned());
            [label].into_iter().filter(|_| waypoint != "-").collect()
        };
        // "-": no such label; "?": not known.
        for (service, namespace, want) in [
            ("?", "wp", ExpectedWaypoint::Unknown),
            ("-", "?", ExpectedWaypoint::Unknown),
            ("-", "-", ExpectedWaypoint::Absent),
            ("-", "none", ExpectedWaypoint::Absent),
            ("none", "wp", ExpectedWaypoint::Absent),
            ("none", "?", ExpectedWaypoint::Absent),
            ("-", "wp", ExpectedWaypoint::Named("wp")),
            ("", "wp", ExpectedWaypoint::Named("wp")),
            ("own", "wp", ExpectedWaypoint::Named("own")),
            ("own", "none", ExpectedWaypoint::Named("own")),
            ("own", "?", ExpectedWaypoint::Named("own")),
        ] {
            let known = |text: &str| (text != "?").then(|| labels(text));
            let (service, namespace) = (known(service), known(namespace));
            let expected = ExpectedWaypoint::of(service.as_ref(), namespace.as_ref());
            assert_eq!(expected, want, "{service:?} {namespace:?}");
        }
    }
}
