//! Requests made at random, from a fixed seed, out of words that rules look for.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{
        AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span},
};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng, seq::IndexedRandom};

const KEYS: [&str; 24] = [
    "http.method",
    "http.url",
    "http.status_code",
    "user.email",
    "card",
    "note",
    "n",
    "ratio",
    "flag",
    "list",
    "map",
    "bytes",
    "none",
    "deep",
    "node_id",
    "upstream_cluster",
    "peer.address",
    "sampling.priority",
    "a",
    "b",
    "a.b",
    "",
    "ключ",
    "db.statement",
];
const RESOURCE_KEYS: [&str; 10] = [
    "service.name",
    "service.namespace",
    "host.name",
    "k8s.pod.name",
    "k8s.namespace.name",
    "n",
    "list",
    "map",
    "cloud.region",
    "a",
];
const TEXTS: [&str; 22] = [
    "GET",
    "POST",
    "/api/v1/users/42",
    "https://u:p@example.com/a?token=abc#x",
    "jane@example.com",
    "4111111111111111",
    "",
    "42",
    "-7",
    "0.5",
    "true",
    "0123",
    "ünïcode ☃ 日本",
    "Bearer abc.def",
    "reviews.bookinfo",
    "outbound|9080||reviews.bookinfo.svc.cluster.local",
    "a b  c",
    "UPPER lower",
    "{\"a\": {\"b\": 1}}",
    "select * from t where id = 7",
    "10.244.0.9:8080",
    "line\nbreak\ttab",
];
const NAMES: [&str; 9] = [
    "GET /health",
    "reviews.bookinfo.svc.cluster.local:9080/*",
    "",
    "ingress",
    "SELECT",
    "op",
    "GET /api/v1/users/42",
    "ratings",
    "☃",
];
const STATES: [&str; 8] = [
    "",
    "vendor=x",
    "ot=th:8",
    "ot=rv:abcdef01234567",
    "ot=th:c;rv:d29d6a7215ced0",
    "ot=th:zz",
    "a=1,ot=rv:00000000000001,b=2",
    "not a state",
];
const INTS: [i64; 9] = [0, 1, 42, -1, 200, 404, 503, i64::MAX, i64::MIN];
const DOUBLES: [f64; 7] = [0.0, 0.5, -1.25, 42.0, 1e300, 1e21, 1e-7];

/// Requests of this seed: usual shapes, unusual values.
pub fn requests(seed: u64, count: usize) -> Vec<ExportTraceServiceRequest> {
    let mut random = StdRng::seed_from_u64(seed);
    let random = &mut random;
    let request = |random: &mut StdRng| ExportTraceServiceRequest {
        resource_spans: some(random, 1..4, resource_spans),
    };
    (0..count).map(|_| request(random)).collect()
}

fn pick<'a>(random: &mut StdRng, words: &[&'a str]) -> &'a str {
    words.choose(random).copied().unwrap_or_default()
}

fn some<T>(
    random: &mut StdRng,
    count: std::ops::Range<usize>,
    make: impl Fn(&mut StdRng) -> T,
) -> Vec<T> {
    let count = random.random_range(count);
    (0..count).map(|_| make(random)).collect()
}

fn resource_spans(random: &mut StdRng) -> ResourceSpans {
    let resource = |random: &mut StdRng| Resource {
        attributes: attributes(random, &RESOURCE_KEYS, 6),
        dropped_attributes_count: random.random_range(0..2),
        entity_refs: Vec::new(),
    };
    ResourceSpans {
        resource: random.random_bool(0.9).then(|| resource(random)),
        scope_spans: some(random, 1..4, scope_spans),
        schema_url: pick(random, &["", "", "https://opentelemetry.io/schemas/1.26.0"]).to_owned(),
    }
}

fn scope_spans(random: &mut StdRng) -> ScopeSpans {
    let scope = |random: &mut StdRng| InstrumentationScope {
        name: pick(random, &["", "io.opentelemetry.http", "envoy"]).to_owned(),
        version: pick(random, &["", "1.0.0"]).to_owned(),
        attributes: attributes(random, &KEYS, 3),
        dropped_attributes_count: random.random_range(0..2),
    };
    ScopeSpans {
        scope: random.random_bool(0.8).then(|| scope(random)),
        spans: some(random, 0..6, span),
        schema_url: pick(random, &["", "", "https://opentelemetry.io/schemas/1.20.0"]).to_owned(),
    }
}

fn span(random: &mut StdRng) -> Span {
    let begin = 1_760_000_000_000_000_000 + random.random_range(0..1_000_000_000_000);
    Span {
        trace_id: id(random, 16),
        span_id: id(random, 8),
        parent_span_id: if random.random_bool(0.6) {
            id(random, 8)
        } else {
            Vec::new()
        },
        trace_state: pick(random, &STATES).to_owned(),
        flags: *[0, 0, 1, 0x101, 0x301].choose(random).unwrap(),
        name: pick(random, &NAMES).to_owned(),
        kind: random.random_range(0..6),
        start_time_unix_nano: if random.random_bool(0.95) { begin } else { 0 },
        end_time_unix_nano: begin + random.random_range(0..2_000_000_000),
        attributes: attributes(random, &KEYS, 9),
        dropped_attributes_count: random.random_range(0..3),
        events: some(random, 0..3, event),
        dropped_events_count: random.random_range(0..2),
        links: some(random, 0..2, link),
        dropped_links_count: random.random_range(0..2),
        status: random.random_bool(0.7).then(|| Status {
            code: random.random_range(0..3),
            message: pick(random, &["", "", "deadline exceeded"]).to_owned(),
        }),
    }
}

fn event(random: &mut StdRng) -> span::Event {
    span::Event {
        time_unix_nano: 1_760_000_000_000_000_000 + random.random_range(0..1_000_000_000),
        name: pick(random, &["exception", "message", ""]).to_owned(),
        attributes: attributes(random, &KEYS, 4),
        dropped_attributes_count: random.random_range(0..2),
    }
}

fn link(random: &mut StdRng) -> span::Link {
    span::Link {
        trace_id: id(random, 16),
        span_id: id(random, 8),
        trace_state: pick(random, &STATES).to_owned(),
        attributes: attributes(random, &KEYS, 3),
        dropped_attributes_count: random.random_range(0..2),
        flags: *[0, 1, 0x101].choose(random).unwrap(),
    }
}

/// An id that is not zero.
fn id(random: &mut StdRng, length: usize) -> Vec<u8> {
    let mut id = vec![1; length];
    random.fill_bytes(&mut id[1..]);
    id
}

/// Attributes of different keys.
fn attributes(random: &mut StdRng, keys: &[&str], most: usize) -> Vec<KeyValue> {
    let count = random.random_range(0..=most);
    let keys: Vec<_> = keys.choose_multiple(random, count).collect();
    let attribute = |key: &&&str| KeyValue {
        key: (**key).to_owned(),
        value: Some(value(random, 3)),
        key_strindex: 0,
    };
    keys.iter().map(attribute).collect()
}

/// A value with at most so many levels. Text is the most frequent kind, as in the field.
fn value(random: &mut StdRng, levels: u32) -> AnyValue {
    let nested = |random: &mut StdRng| value(random, levels - 1);
    let kinds = if levels > 0 { 14 } else { 12 };
    let value = match random.random_range(0..kinds) {
        0..6 => Value::StringValue(pick(random, &TEXTS).to_owned()),
        6 => Value::StringValue("long ".repeat(60)),
        7 => Value::BoolValue(random.random()),
        8 => Value::IntValue(*INTS.choose(random).unwrap()),
        9 => Value::DoubleValue(*DOUBLES.choose(random).unwrap()),
        // Never none: Go takes no bytes for nil, in JSON and in comparisons.
        10 => Value::BytesValue([pick(random, &TEXTS).as_bytes(), b"\0"].concat()),
        11 => return AnyValue { value: None },
        12 => Value::ArrayValue(ArrayValue {
            values: some(random, 0..4, nested),
        }),
        _ => Value::KvlistValue(KeyValueList {
            values: ["a", "b", "card", "http.method"]
                .iter()
                .map(|key| KeyValue {
                    key: (*key).to_owned(),
                    value: Some(nested(random)),
                    key_strindex: 0,
                })
                .collect(),
        }),
    };
    AnyValue { value: Some(value) }
}
