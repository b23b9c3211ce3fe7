//! Captures of bookinfo, asked as real Kialis asked them: the number of pages
//! found must be the number that was measured with Kiali and Jaeger.
use super::*;
use crate::mesh::pages::{self, Kind, Page, Question, Role};

const NS: &str = "bookinfo";
const GATEWAY: &str = "bookinfo-gateway-istio";

fn found(spans: &[Span], kiali: &Kiali, waypoint: Option<&str>) -> usize {
    let traces = spans
        .iter()
        .map(|s| &s.trace_id)
        .collect::<std::collections::HashSet<_>>()
        .len();
    pages::bookinfo(waypoint)
        .iter()
        .filter(|page| {
            let found = Question::new(kiali, "Kubernetes", page).finds(spans).len();
            assert!(
                found == 0 || found == traces,
                "{page:?} finds {found} of {traces}"
            );
            found == traces
        })
        .count()
}

const FORMS: [&str; 4] = [
    "ambient-istio-1.24",
    "ambient-istio-1.28",
    "ambient-istio-1.29",
    "ambient-istio-1.30",
];

/// As measured without a collector in between:
/// 2.7 on / off; newest with waypoint names on / off; newest by default on / off.
#[test]
fn as_emitted() {
    for (form, want) in FORMS.into_iter().zip([
        [13, 0, 13, 0, 4, 0],
        [2, 0, 2, 0, 11, 0],
        [2, 0, 2, 0, 11, 0],
        [13, 0, 14, 0, 4, 0],
    ]) {
        let spans = captured(form);
        let got = [
            kiali(7, true, false),
            kiali(7, false, false),
            kiali(30, true, true),
            kiali(30, false, true),
            kiali(30, true, false),
            kiali(30, false, false),
        ]
        .map(|kiali| found(&spans, &kiali, Some("waypoint")));
        assert_eq!(got, want, "{form}");
        let kiali_2_22 = found(&spans, &kiali(22, true, true), Some("waypoint"));
        assert_eq!(kiali_2_22, want[2].min(13), "{form}, Kiali 2.22");
    }
    let spans = captured("sidecar");
    for (minor, waypoint) in [(7, false), (30, true), (30, false)] {
        assert_eq!(found(&spans, &kiali(minor, true, waypoint), None), 11);
        assert_eq!(found(&spans, &kiali(minor, false, waypoint), None), 0);
    }
}

/// The same captures after the rules for the Kiali that asks.
#[test]
fn as_renamed() {
    for form in FORMS {
        let spans = captured(form);
        for (minor, selector, waypoint, want) in [
            (7, true, false, 13),
            (7, false, false, 13),
            (22, true, true, 13),
            (22, false, true, 13),
            (22, true, false, 11),
            (22, false, false, 11),
            (30, true, true, 14),
            (30, false, true, 14),
            (30, true, false, 11),
            (30, false, false, 11),
        ] {
            let settings = settings(minor, selector, waypoint);
            let renamed: Vec<Span> = spans.iter().map(|span| apply(span, &settings)).collect();
            let got = found(&renamed, &settings.kiali, Some("waypoint"));
            assert_eq!(got, want, "{form}, Kiali 2.{minor}, {selector}, {waypoint}");
        }
    }
    let spans = captured("sidecar");
    for (minor, waypoint) in [(7, false), (30, true), (30, false)] {
        for selector in [true, false] {
            let settings = settings(minor, selector, waypoint);
            let renamed: Vec<Span> = spans.iter().map(|span| apply(span, &settings)).collect();
            assert_eq!(
                found(&renamed, &settings.kiali, None),
                11,
                "2.{minor} {selector}"
            );
        }
    }
}

/// Istio's default: the gateway goes straight to the first service, whose
/// waypoint then emits nothing. The gateway's own tags still say who was called.
#[test]
fn gateway_past_the_waypoint() {
    for form in FORMS {
        let mut spans = captured(form);
        spans.retain(|span| {
            span.hop().class != Class::Waypoint || !span.name.starts_with("productpage.")
        });
        if form == "ambient-istio-1.28" {
            let raw = |waypoint| found(&spans, &kiali(30, true, waypoint), Some("waypoint"));
            assert_eq!((raw(true), raw(false)), (2, 8));
        }
        for (waypoint, selector, want) in [
            (true, true, 14),
            (true, false, 14),
            (false, true, 8),
            (false, false, 8),
        ] {
            let settings = settings(30, selector, waypoint);
            let renamed: Vec<Span> = spans.iter().map(|span| apply(span, &settings)).collect();
            let got = found(&renamed, &settings.kiali, Some("waypoint"));
            assert_eq!(got, want, "{form}, {waypoint}, {selector}");
        }
    }
}

/// Form by form, with markers: the waypoint's pages and the first service's are
/// found by host names too. What is left is the gateway's service, for which
/// Kiali asks with an empty app label.
#[test]
fn with_aliases() {
    for form in FORMS {
        let all = captured(form);
        let mut past = all.clone();
        past.retain(|span| {
            span.hop().class != Class::Waypoint || !span.name.starts_with("productpage.")
        });
        assert_ne!(all.len(), past.len());
        for spans in [all, past] {
            for (minor, waypoint, want) in [
                (7, false, 13),
                (22, true, 13),
                (22, false, 13),
                (26, true, 14),
                (30, true, 14),
                (30, false, 13),
            ] {
                for selector in [true, false] {
                    let settings = Settings {
                        aliases: true,
                        ..settings(minor, selector, waypoint)
                    };
                    let delivered = apply_all(&spans, &settings);
                    let got = found(&delivered, &settings.kiali, Some("waypoint"));
                    assert_eq!(got, want, "{form}, Kiali 2.{minor}, {selector}, {waypoint}");
                }
            }
        }
    }
    let spans = captured("sidecar");
    for (minor, waypoint) in [(7, false), (30, true), (30, false)] {
        for selector in [true, false] {
            let settings = Settings {
                aliases: true,
                ..settings(minor, selector, waypoint)
            };
            let delivered = apply_all(&spans, &settings);
            assert_eq!(found(&delivered, &settings.kiali, None), 11, "{minor}");
        }
    }
}

/// A workload without traffic shows none where its spans tell workloads apart.
#[test]
fn idle_workloads_show_nothing_where_tags_tell() {
    let idle = Page::plain(
        Kind::Workload,
        "reviews-v2",
        "reviews",
        NS,
        Some("waypoint"),
    );
    for (form, aliases, want) in [
        ("ambient-istio-1.24", false, 20),
        ("ambient-istio-1.30", false, 0),
        // A marker has its span's tags, or it would bring the trace back.
        ("ambient-istio-1.29", true, 0),
        ("ambient-istio-1.30", true, 0),
    ] {
        let settings = Settings {
            aliases,
            ..settings(30, true, !aliases)
        };
        let spans = apply_all(&captured(form), &settings);
        // Istio before 1.29 says nothing of workloads: false, but Kiali's own doing.
        let found = Question::new(&settings.kiali, "Kubernetes", &idle)
            .finds(&spans)
            .len();
        assert!(
            if want == 0 { found == 0 } else { found > 0 },
            "{form}: {found}"
        );
    }
}

#[test]
fn questions() {
    let ask = |kiali: &Kiali, page: &Page| Question::new(kiali, "c1", page).service_name;
    let service = Page::plain(Kind::Service, "reviews", "reviews", NS, Some("waypoint"));
    let plain = Page::plain(Kind::Service, "reviews", "reviews", NS, None);
    for (kiali, behind, bare) in [
        (kiali(4, true, true), "reviews.bookinfo", "reviews.bookinfo"),
        (
            kiali(7, true, false),
            "waypoint.bookinfo",
            "reviews.bookinfo",
        ),
        (kiali(7, false, false), "waypoint", "reviews"),
        (
            kiali(30, true, true),
            "waypoint.bookinfo",
            "reviews.bookinfo",
        ),
        (
            kiali(30, true, false),
            "reviews.bookinfo.svc.cluster.local",
            "reviews.bookinfo",
        ),
        (
            kiali(30, false, false),
            "reviews.svc.cluster.local",
            "reviews",
        ),
    ] {
        assert_eq!(ask(&kiali, &service), behind, "{kiali:?}");
        assert_eq!(ask(&kiali, &plain), bare, "{kiali:?}");
    }
    let gateway = Page::proxy(Kind::Service, Role::Gateway, GATEWAY, NS, Some("waypoint"));
    assert_eq!(
        ask(&kiali(30, true, false), &gateway),
        ".bookinfo.svc.cluster.local"
    );
    assert_eq!(
        Question::new(&kiali(4, true, false), "c1", &plain)
            .tags
            .len(),
        1
    );
    assert_eq!(
        Question::new(&kiali(3, true, false), "c1", &plain)
            .tags
            .len(),
        0
    );
}
