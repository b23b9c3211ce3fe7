//! `span_metrics`, from a request to the metrics that it makes.

use super::{Through, attributes, span};
use crate::pdata::Signal;
use allocation_counter::measure;
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::InstrumentationScope,
    metrics::v1::{Exemplar, metric::Data, number_data_point::Value as Number},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event},
};
use prost::Message;
use serde_json::{Value, json};

const START: u64 = 1_700_000_000_000_000_000;

fn connector(keys: &str) -> Through {
    Through::feeding(Signal::Traces, "span_metrics", keys)
}

/// A span of so many milliseconds.
fn lasting(milliseconds: u64, of: Span) -> Span {
    Span {
        kind: 2,
        start_time_unix_nano: START,
        end_time_unix_nano: START + milliseconds * 1_000_000,
        ..of
    }
}

fn request(resource: &Value, spans: Vec<Span>) -> Vec<u8> {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: attributes(resource),
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "lib".to_owned(),
                    version: "1.2".to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec()
}

/// The points of requests, a line each, sorted; the dimensions that all series have are left
/// out where they say nothing new, and so is the id of this process.
fn points(requests: &[ExportMetricsServiceRequest]) -> Vec<String> {
    let mut lines = Vec::new();
    for resource in requests
        .iter()
        .flat_map(|request| &request.resource_metrics)
    {
        let scope = &resource.scope_metrics[0];
        assert_eq!(scope.scope.as_ref().unwrap().name, "spanmetricsconnector");
        for metric in &scope.metrics {
            let name = metric.name.trim_start_matches("traces.span.metrics.");
            let mut line = |attributes: &[_], text: String, exemplars: &[Exemplar]| {
                let pairs = super::through::shown(attributes);
                let pairs = pairs.as_array().unwrap().iter();
                let pairs = pairs.filter(|pair| {
                    let usual = ["SPAN_KIND_SERVER", "STATUS_CODE_UNSET"];
                    let key = pair[0].as_str().unwrap();
                    key != "collector.instance.id"
                        && !usual.contains(&pair[1].as_str().unwrap_or(""))
                });
                let shown = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
                let pairs: Vec<_> = pairs
                    .map(|p| format!("{}={}", shown(&p[0]), shown(&p[1])))
                    .collect();
                let of: Vec<_> = exemplars
                    .iter()
                    .map(|e| format!(" #{}", e.span_id[0]))
                    .collect();
                lines.push(format!("{name} {} {text}{}", pairs.join(" "), of.concat()));
            };
            match metric.data.as_ref().unwrap() {
                Data::Sum(sum) => {
                    assert!(sum.is_monotonic);
                    for point in &sum.data_points {
                        assert!(point.start_time_unix_nano <= point.time_unix_nano);
                        let Some(Number::AsInt(count)) = point.value else {
                            panic!("{point:?}")
                        };
                        line(&point.attributes, count.to_string(), &point.exemplars);
                    }
                }
                Data::Histogram(histogram) => {
                    for point in &histogram.data_points {
                        let buckets = point.bucket_counts.iter();
                        let buckets =
                            buckets.zip(point.explicit_bounds.iter().chain([&f64::INFINITY]));
                        let buckets = buckets.filter(|(count, _)| **count > 0);
                        let buckets: Vec<_> = buckets.map(|(n, b)| format!("{b}:{n}")).collect();
                        let (count, sum) = (point.count, point.sum.unwrap());
                        let text = format!("{count} {sum}{} {}", metric.unit, buckets.join(","));
                        line(&point.attributes, text, &point.exemplars);
                    }
                }
                Data::ExponentialHistogram(histogram) => {
                    for point in &histogram.data_points {
                        let positive = point.positive.as_ref().unwrap();
                        let text = format!(
                            "{} {} scale {} zero {} from {} {:?} in {}..{}",
                            point.count,
                            point.sum.unwrap(),
                            point.scale,
                            point.zero_count,
                            positive.offset,
                            positive.bucket_counts,
                            point.min.unwrap(),
                            point.max.unwrap(),
                        );
                        line(&point.attributes, text, &point.exemplars);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }
    lines.sort();
    lines
}

/// What is made of spans the second time: the first time counters begin at 0.
fn made(keys: &str, resource: &Value, spans: Vec<Span>) -> Vec<String> {
    let through = connector(keys);
    through.take(&request(resource, spans));
    through.made();
    points(&through.made())
}

#[test]
fn spans_become_the_collectors_series() {
    let shop = json!([["service.name", "shop"], ["zone", "a"]]);
    let error = Status {
        code: 2,
        ..Status::default()
    };
    let spans = || {
        vec![
            lasting(3, span("get", json!([["http.method", "GET"]]))),
            lasting(
                120,
                Span {
                    span_id: vec![7; 8],
                    ..span("get", json!([["http.method", "GET"]]))
                },
            ),
            lasting(
                0,
                Span {
                    status: Some(error.clone()),
                    ..span("get", json!([["http.method", 5]]))
                },
            ),
            // It ends before it begins, and has an odd kind.
            Span {
                kind: 3,
                end_time_unix_nano: 1,
                ..lasting(9, span("", json!([["zone", "b"]])))
            },
        ]
    };
    for (keys, expected) in [
        (
            "{}",
            vec![
                "calls service.name=shop span.name= span.kind=SPAN_KIND_CLIENT 1",
                "calls service.name=shop span.name=get 2",
                "calls service.name=shop span.name=get status.code=STATUS_CODE_ERROR 1",
                "duration service.name=shop span.name= span.kind=SPAN_KIND_CLIENT 1 0ms 2:1",
                "duration service.name=shop span.name=get 2 123ms 4:1,200:1",
                "duration service.name=shop span.name=get status.code=STATUS_CODE_ERROR 1 0ms 2:1",
            ],
        ),
        (
            "{namespace: '', exclude_dimensions: [span.name, span.kind, status.code, service.name], \
             dimensions: [{name: zone}, {name: http.method, default: none}], \
             histogram: {unit: s, explicit: {buckets: [1ms, 100ms]}}, exemplars: {enabled: true}}",
            vec![
                "calls zone=a http.method=5 1",
                "calls zone=a http.method=GET 2",
                "calls zone=b http.method=none 1",
                "duration zone=a http.method=5 1 0s 0.001:1",
                "duration zone=a http.method=GET 2 0.123s 0.1:1,inf:1",
                "duration zone=b http.method=none 1 0s 0.001:1",
            ],
        ),
        (
            "{exclude_dimensions: [span.name, span.kind, status.code], calls_dimensions: [{name: zone}], \
             histogram: {dimensions: [{name: http.method}]}, include_instrumentation_scope: [lib], \
             enable_metrics_sampling_method: true}",
            vec![
                "calls service.name=shop sampling.method=counted span.instrumentation.scope.name=lib span.instrumentation.scope.version=1.2 zone=a 3",
                "calls service.name=shop sampling.method=counted span.instrumentation.scope.name=lib span.instrumentation.scope.version=1.2 zone=b 1",
                "duration service.name=shop sampling.method=counted span.instrumentation.scope.name=lib span.instrumentation.scope.version=1.2 1 0ms 2:1",
                "duration service.name=shop sampling.method=counted span.instrumentation.scope.name=lib span.instrumentation.scope.version=1.2 http.method=5 1 0ms 2:1",
                "duration service.name=shop sampling.method=counted span.instrumentation.scope.name=lib span.instrumentation.scope.version=1.2 http.method=GET 2 123ms 4:1,200:1",
            ],
        ),
        (
            "{exclude_dimensions: [span.name, span.kind, status.code], histogram: {exponential: {max_size: 4}}}",
            vec![
                "calls service.name=shop 4",
                "duration service.name=shop 4 123 scale -1 zero 2 from 0 [1, 0, 0, 1] in 0..120",
            ],
        ),
        (
            "{exclude_dimensions: [span.name, span.kind, status.code, collector.instance.id], \
             histogram: {disable: true}}",
            vec!["calls service.name=shop 4"],
        ),
    ] {
        assert_eq!(made(keys, &shop, spans()), expected, "{keys}");
    }
    let nobody = made("{}", &json!([["zone", "a"]]), spans());
    assert_eq!(nobody, [""; 0], "without a service name nothing is counted");
}

#[test]
fn events_are_counted_by_their_attributes_and_those_of_span_and_resource() {
    let event = |pairs| Event {
        attributes: attributes(&pairs),
        ..Event::default()
    };
    let spans = vec![Span {
        events: vec![
            event(json!([["exception.type", "E"], ["zone", "of the event"]])),
            event(json!([["exception.type", "E"]])),
            event(json!([])),
        ],
        ..lasting(1, span("a", json!([])))
    }];
    let keys = "{exclude_dimensions: [span.name], histogram: {disable: true}, \
                events: {enabled: true, dimensions: [{name: exception.type}, {name: zone}]}}";
    let made = made(keys, &json!([["service.name", "s"], ["zone", "z"]]), spans);
    let expected = [
        "calls service.name=s 1",
        "events service.name=s exception.type=E zone=of the event 1",
        "events service.name=s exception.type=E zone=z 1",
        "events service.name=s zone=z 1",
    ];
    assert_eq!(made, expected);
}

#[test]
fn counters_begin_at_0_and_deltas_say_what_is_new() {
    let resource = json!([["service.name", "s"]]);
    let spans = || request(&resource, vec![lasting(3, span("a", json!([])))]);
    let keys = |more: &str| {
        format!(
            "{{histogram: {{explicit: {{buckets: [1s]}}}}, exclude_dimensions: [span.name]{more}}}"
        )
    };
    let cumulative = connector(&keys(""));
    let delta = connector(&keys(
        ", aggregation_temporality: AGGREGATION_TEMPORALITY_DELTA",
    ));
    let step = |through: &Through| points(&through.made());
    cumulative.take(&spans());
    delta.take(&spans());
    assert_eq!(
        step(&cumulative),
        [
            "calls service.name=s 0",
            "duration service.name=s 1 3ms 1000:1"
        ]
    );
    assert_eq!(
        step(&delta),
        [
            "calls service.name=s 1",
            "duration service.name=s 1 3ms 1000:1"
        ]
    );
    cumulative.take(&spans());
    assert_eq!(
        step(&cumulative),
        [
            "calls service.name=s 2",
            "duration service.name=s 2 6ms 1000:2"
        ]
    );
    assert_eq!(step(&delta), [""; 0]);
    delta.take(&spans());
    let requests = delta.made();
    assert_eq!(
        points(&requests),
        [
            "calls service.name=s 1",
            "duration service.name=s 1 3ms 1000:1"
        ]
    );
    assert_eq!(step(&cumulative).len(), 2, "they go on without spans");
}

#[test]
fn exemplars_are_of_this_interval() {
    let resource = json!([["service.name", "s"]]);
    let spans = |ids: std::ops::Range<u8>| {
        let spans = ids.map(|id| Span {
            span_id: vec![id; 8],
            ..lasting(3, span("a", json!([])))
        });
        request(&resource, spans.collect())
    };
    let through = connector(
        "{exclude_dimensions: [span.name], exemplars: {enabled: true, max_per_data_point: 2}, \
         histogram: {disable: true}}",
    );
    through.take(&spans(1..4));
    assert_eq!(points(&through.made()), ["calls service.name=s 0 #1 #2"]);
    through.take(&spans(5..6));
    assert_eq!(points(&through.made()), ["calls service.name=s 4 #5"]);
    assert_eq!(points(&through.made()), ["calls service.name=s 4"]);
}

#[test]
fn resources_are_one_by_the_attributes_that_count() {
    let keys = |key: &str| {
        format!(
            "{{resource_metrics_key_attributes: [{key}], resource_metrics_cache_size: 2, histogram: {{disable: true}}}}"
        )
    };
    let send = |through: &Through| {
        for pod in 0..5 {
            let resource = json!([["service.name", "s"], ["pod", pod]]);
            through.take(&request(&resource, vec![lasting(3, span("a", json!([])))]));
        }
        through
            .made()
            .into_iter()
            .flat_map(|request| request.resource_metrics)
            .count()
    };
    assert_eq!(send(&connector(&keys("service.name"))), 1);
    let all = connector(&keys(""));
    assert_eq!(send(&all), 5);
    assert_eq!(
        all.made()[0].resource_metrics.len(),
        2,
        "the others made way"
    );
}

#[test]
fn spans_of_a_sampler_stand_for_those_that_it_dropped() {
    let sampled = |state: &str| Span {
        trace_state: state.to_owned(),
        ..lasting(10, span("a", json!([])))
    };
    let spans = vec![
        sampled("x=y,ot=th:8;rv:ffffffffffffff"),
        sampled("ot=th:c"),
        sampled("ot=th:zz"),
        sampled(""),
    ];
    let keys = "{exclude_dimensions: [span.name], enable_metrics_sampling_method: true, histogram: {explicit: {buckets: [1s]}}}";
    assert_eq!(
        made(keys, &json!([["service.name", "s"]]), spans),
        [
            "calls service.name=s sampling.method=counted 2",
            "calls service.name=s sampling.method=extrapolated 6",
            "duration service.name=s sampling.method=counted 2 20ms 1000:2",
            "duration service.name=s sampling.method=extrapolated 6 60ms 1000:6",
        ]
    );
    // Each stands for 3 1/3, which is rounded up or down.
    let through = connector("{histogram: {disable: true}}");
    let resource = json!([["service.name", "s"]]);
    for _ in 0..30 {
        let spans = (0..100).map(|_| sampled("ot=th:b333333333333"));
        through.take(&request(&resource, spans.collect()));
    }
    through.made();
    let count = count(&points(&through.made())[0]);
    assert!((9_800..=10_200).contains(&count), "{count}");
}

#[test]
fn beyond_the_limits_spans_are_counted_in_one_series() {
    let resource = json!([["service.name", "s"]]);
    let spans = |names: std::ops::Range<u32>, long: usize| {
        let name = |n: u32| format!("{n}{}", "x".repeat(long));
        let spans = names.map(|n| lasting(3, span(&name(n), json!([]))));
        request(&resource, spans.collect())
    };
    let through = connector("{aggregation_cardinality_limit: 2, histogram: {disable: true}}");
    through.take(&spans(0..4, 0));
    through.made();
    let expected = [
        "calls otel.metric.overflow=true 2",
        "calls service.name=s span.name=0 1",
        "calls service.name=s span.name=1 1",
    ];
    assert_eq!(points(&through.made()), expected);

    // A sender of names without end.
    let through = connector("{}");
    through.register_connector();
    for n in 0..100 {
        through.take(&spans(n * 200..(n + 1) * 200, 2000));
        if n % 20 == 0 {
            through.made();
        }
    }
    through.made();
    let points = points(&through.made());
    let calls: Vec<_> = points
        .iter()
        .filter(|line| line.starts_with("calls"))
        .collect();
    let counted = calls.iter().map(|line| count(line)).sum::<u64>();
    assert_eq!(counted, 20_000);
    let overflow = calls.iter().find(|line| line.contains("overflow"));
    let overflowed = count(overflow.unwrap());
    let name = "wayspan_connector_overflowed_spans{connector=\"span_metrics\"}";
    let shown = through.metrics();
    assert!(shown.contains(&format!("{name} {overflowed}")), "{shown}");
    assert!((4_000..16_000).contains(&calls.len()), "{}", calls.len());
}

#[test]
fn resources_without_end_are_counted_as_one() {
    let through = connector("{histogram: {disable: true}}");
    let long = "x".repeat(2000);
    for n in 0..6000 {
        let resource = json!([["service.name", format!("{n}{long}")]]);
        through.take(&request(&resource, vec![lasting(3, span("a", json!([])))]));
    }
    through.made();
    let points = points(&through.made());
    assert_eq!(points.iter().map(|line| count(line)).sum::<u64>(), 6000);
    assert!((500..1500).contains(&points.len()), "{}", points.len());
}

/// The number at the end of a line of [`points`].
fn count(line: &str) -> u64 {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_span_allocates_nothing_once_its_series_is_known() {
    let keys = "{dimensions: [{name: http.method}, {name: zone, default: x}]}";
    let through = connector(keys);
    let resource = json!([["service.name", "s"], ["zone", "a"]]);
    let spans = (1..6).map(|id| Span {
        span_id: vec![id; 8],
        ..lasting(u64::from(id), span("a", json!([["http.method", "GET"]])))
    });
    let request = request(&resource, spans.collect());
    (0..200).for_each(|_| through.take(&request));
    let quiet = (0..50).filter(|_| measure(|| through.take(&request)).count_total == 0);
    // A batch that grows allocates now and then.
    let quiet = quiet.count();
    assert!(quiet >= 48, "{quiet} of 50");
}
