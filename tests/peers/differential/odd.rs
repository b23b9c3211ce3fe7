//! Requests that are unusual in one way each.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{
        AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span},
};

/// One plain span.
pub fn one() -> ExportTraceServiceRequest {
    of_span(span(1))
}

pub fn requests() -> Vec<ExportTraceServiceRequest> {
    let with = |n, change: &dyn Fn(&mut Span)| {
        let mut span = span(n);
        change(&mut span);
        of_span(span)
    };
    vec![
        ExportTraceServiceRequest::default(),
        // Resources and scopes without spans.
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans::default(); 2],
        },
        of(
            Some(Resource::default()),
            Some(InstrumentationScope::default()),
            vec![],
        ),
        // Neither resource nor scope.
        of(None, None, vec![span(2)]),
        of(
            Some(Resource::default()),
            Some(InstrumentationScope::default()),
            vec![span(3)],
        ),
        with(4, &|span| span.kind = 17),
        with(5, &|span| span.kind = -1),
        with(6, &|span| {
            span.status = Some(Status {
                code: 9,
                message: "no such code".to_owned(),
            });
        }),
        with(7, &|span| {
            span.start_time_unix_nano = u64::MAX;
            span.end_time_unix_nano = 1;
        }),
        with(8, &|span| {
            *span = Span {
                trace_id: span.trace_id.clone(),
                span_id: span.span_id.clone(),
                ..Span::default()
            };
        }),
        with(9, &|span| {
            let numbered = |n: i64| attribute(&format!("key {n}"), Value::IntValue(n));
            span.attributes.extend((0..300).map(numbered));
        }),
        with(10, &|span| {
            span.attributes.push(attribute("deep", deep(30)))
        }),
        with(11, &|span| {
            let text = Value::StringValue("x".repeat(100_000));
            span.attributes.push(attribute("long", text));
        }),
        with(12, &|span| {
            span.attributes.push(KeyValue {
                key: "no value at all".to_owned(),
                ..KeyValue::default()
            });
        }),
        with(13, &|span| {
            for (name, value) in [
                ("nan", f64::NAN),
                ("most", f64::INFINITY),
                ("below", -0.0),
                ("small", 5e-324),
            ] {
                span.attributes
                    .push(attribute(name, Value::DoubleValue(value)));
            }
        }),
        with(14, &|span| span.flags = u32::MAX),
        with(15, &|span| {
            span.trace_state = "ot=rv:1234,".repeat(60);
            span.dropped_attributes_count = u32::MAX;
            span.dropped_events_count = u32::MAX;
            span.dropped_links_count = u32::MAX;
        }),
        with(16, &|span| {
            span.events = vec![span::Event::default(); 3];
            span.links = vec![span::Link::default(); 3];
        }),
        // The same span twice, under resources that are alike but for their order.
        ExportTraceServiceRequest {
            resource_spans: [false, true]
                .iter()
                .flat_map(|turned| {
                    let mut resource = resource();
                    if *turned {
                        resource.attributes.reverse();
                    }
                    of(Some(resource), None, vec![span(17)]).resource_spans
                })
                .collect(),
        },
    ]
}

/// Two attributes of one key, which OTLP forbids and senders do.
pub fn keys_twice() -> Vec<ExportTraceServiceRequest> {
    let twice = |first: &str, second: &str| {
        [first, second]
            .map(|text| attribute("a", Value::StringValue(text.to_owned())))
            .to_vec()
    };
    let mut in_span = span(20);
    in_span.attributes.extend(twice("first", "second"));
    let mut in_event = span(21);
    in_event.events = vec![span::Event {
        attributes: twice("GET", "POST"),
        ..span::Event::default()
    }];
    let in_resource = Resource {
        attributes: [twice("1", "2"), resource().attributes, twice("3", "4")].concat(),
        ..Resource::default()
    };
    vec![
        of_span(in_span),
        of_span(in_event),
        of(Some(in_resource), None, vec![span(22)]),
    ]
}

/// Ids of other lengths, and of zeros.
pub fn faulty_ids() -> Vec<ExportTraceServiceRequest> {
    let with = |trace_id: &[u8], span_id: &[u8]| {
        of_span(Span {
            trace_id: trace_id.to_vec(),
            span_id: span_id.to_vec(),
            ..span(30)
        })
    };
    vec![
        with(&[0; 16], &[1; 8]),
        with(&[1; 16], &[0; 8]),
        with(&[], &[]),
    ]
}

/// Many traces with what samplers read: ids, trace state, a priority.
pub fn sampled() -> Vec<ExportTraceServiceRequest> {
    let states = [
        "",
        "",
        "ot=th:8",
        "ot=th:0",
        "ot=th:c;rv:d29d6a7215ced0",
        "ot=rv:abcdef01234567",
        "ot=rv:00000000000000",
        "ot=th:zz",
        "ot=rv:12",
        "ot=th:ffffffffffffff;x:y",
        "a=1,ot=rv:90000000000001;z:1,b=2",
        "not a state",
        "ot=",
    ];
    let priorities = [
        None,
        Some(Value::IntValue(0)),
        Some(Value::IntValue(1)),
        Some(Value::IntValue(-5)),
        Some(Value::DoubleValue(0.0)),
        Some(Value::DoubleValue(0.7)),
        Some(Value::StringValue("0".to_owned())),
        Some(Value::StringValue("1.5".to_owned())),
        Some(Value::StringValue("x".to_owned())),
        Some(Value::BoolValue(true)),
    ];
    let spans = (0..1300_u64).map(|n| {
        let mut span = span(n + 1000);
        // Bits of each id are as random as samplers think they are.
        let mixed = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        span.trace_id[..8].copy_from_slice(&mixed.rotate_left(17).to_be_bytes());
        span.trace_id[8..].copy_from_slice(&mixed.to_be_bytes());
        span.trace_state = states[(n % 13) as usize].to_owned();
        let priority = match n % 7 {
            0 => priorities[(n / 7 % 10) as usize].clone(),
            _ => None,
        };
        let priority = priority.map(|value| attribute("sampling.priority", value));
        span.attributes.extend(priority);
        span
    });
    let spans: Vec<_> = spans.collect();
    spans
        .chunks(50)
        .map(|spans| of(Some(resource()), None, spans.to_vec()))
        .collect()
}

fn of_span(span: Span) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope {
        name: "test".to_owned(),
        ..InstrumentationScope::default()
    };
    of(Some(resource()), Some(scope), vec![span])
}

fn of(
    resource: Option<Resource>,
    scope: Option<InstrumentationScope>,
    spans: Vec<Span>,
) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource,
            scope_spans: vec![ScopeSpans {
                scope,
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

fn resource() -> Resource {
    let text = |key: &str, text: &str| attribute(key, Value::StringValue(text.to_owned()));
    Resource {
        attributes: vec![text("service.name", "reviews"), text("host.name", "node-1")],
        ..Resource::default()
    }
}

fn span(n: u64) -> Span {
    Span {
        trace_id: (u128::from(n) << 64 | 7).to_be_bytes().to_vec(),
        span_id: n.to_be_bytes().to_vec(),
        name: format!("span {n}"),
        kind: 2,
        start_time_unix_nano: 1_760_000_000_000_000_000,
        end_time_unix_nano: 1_760_000_000_100_000_000,
        ..Span::default()
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// Lists in maps in lists.
fn deep(levels: u32) -> Value {
    match levels {
        0 => Value::BoolValue(true),
        n if n % 2 == 0 => Value::ArrayValue(ArrayValue {
            values: vec![AnyValue {
                value: Some(deep(n - 1)),
            }],
        }),
        n => Value::KvlistValue(KeyValueList {
            values: vec![attribute("in", deep(n - 1))],
        }),
    }
}
