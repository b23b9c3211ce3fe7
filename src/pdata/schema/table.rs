/*!
The table: every message with its fields, in the order in which JSON shows them.

`number name: label kind`, where names are those of the .proto files; JSON's names
are made from them.
*/

use super::types::{
    SchemaField,
    SchemaKind::{self, *},
    SchemaLabel, SchemaMessage as M,
};

/// A message's name in the .proto files, and its fields.
pub(super) struct MessageSchema {
    message: M,
    name: &'static str,
    pub(super) fields: &'static [SchemaField],
}

impl M {
    /// Its name in the .proto files.
    pub const fn name(self) -> &'static str {
        SCHEMA[self as usize].name
    }

    /// Its fields, in the order in which JSON shows them; at most 32.
    pub const fn fields(self) -> &'static [SchemaField] {
        SCHEMA[self as usize].fields
    }

    /// `Message.field` of a field number, or the message's name where the number
    /// is unknown.
    pub(crate) fn path(self, number: u32) -> &'static str {
        let field = self.fields().iter().find(|field| field.number == number);
        field.map_or(self.name(), |field| field.path)
    }
}

macro_rules! schema {
    ($($message:ident = $name:literal {
        $($number:literal $field:ident: $label:ident $kind:expr,)*
    })*) => {
        &[$(MessageSchema {
            message: M::$message,
            name: $name,
            fields: &[$(SchemaField {
                number: $number,
                json_name: {
                    const NAME: &([u8; 32], usize) = &lower_camel_case(stringify!($field));
                    as_str(NAME)
                },
                name: stringify!($field),
                path: concat!($name, ".", stringify!($field)),
                label: SchemaLabel::$label,
                kind: $kind,
            },)*],
        },)*]
    };
}

/// Every message, by its number in [`M`].
pub(super) const SCHEMA: &[MessageSchema; M::COUNT] = schema! {
    TracesRequest = "ExportTraceServiceRequest" {
        1 resource_spans: Many Nested(M::ResourceSpans),
    }
    ResourceSpans = "ResourceSpans" {
        1 resource: One Nested(M::Resource),
        2 scope_spans: Many Nested(M::ScopeSpans),
        3 schema_url: One Text,
    }
    ScopeSpans = "ScopeSpans" {
        1 scope: One Nested(M::Scope),
        2 spans: Many Nested(M::Span),
        3 schema_url: One Text,
    }
    Span = "Span" {
        1 trace_id: One Hex,
        2 span_id: One Hex,
        3 trace_state: One Text,
        4 parent_span_id: One Hex,
        16 flags: One Fixed32,
        5 name: One Text,
        6 kind: One SPAN_KIND,
        7 start_time_unix_nano: One Fixed64,
        8 end_time_unix_nano: One Fixed64,
        9 attributes: Many Nested(M::KeyValue),
        10 dropped_attributes_count: One U32,
        11 events: Many Nested(M::Event),
        12 dropped_events_count: One U32,
        13 links: Many Nested(M::Link),
        14 dropped_links_count: One U32,
        15 status: One Nested(M::Status),
    }
    Event = "Span.Event" {
        1 time_unix_nano: One Fixed64,
        2 name: One Text,
        3 attributes: Many Nested(M::KeyValue),
        4 dropped_attributes_count: One U32,
    }
    Link = "Span.Link" {
        1 trace_id: One Hex,
        2 span_id: One Hex,
        3 trace_state: One Text,
        4 attributes: Many Nested(M::KeyValue),
        5 dropped_attributes_count: One U32,
        6 flags: One Fixed32,
    }
    Status = "Status" {
        2 message: One Text,
        3 code: One STATUS_CODE,
    }

    MetricsRequest = "ExportMetricsServiceRequest" {
        1 resource_metrics: Many Nested(M::ResourceMetrics),
    }
    ResourceMetrics = "ResourceMetrics" {
        1 resource: One Nested(M::Resource),
        2 scope_metrics: Many Nested(M::ScopeMetrics),
        3 schema_url: One Text,
    }
    ScopeMetrics = "ScopeMetrics" {
        1 scope: One Nested(M::Scope),
        2 metrics: Many Nested(M::Metric),
        3 schema_url: One Text,
    }
    Metric = "Metric" {
        1 name: One Text,
        2 description: One Text,
        3 unit: One Text,
        5 gauge: OneOf Nested(M::Gauge),
        7 sum: OneOf Nested(M::Sum),
        9 histogram: OneOf Nested(M::Histogram),
        10 exponential_histogram: OneOf Nested(M::ExponentialHistogram),
        11 summary: OneOf Nested(M::Summary),
        12 metadata: Many Nested(M::KeyValue),
    }
    Gauge = "Gauge" {
        1 data_points: Many Nested(M::NumberDataPoint),
    }
    Sum = "Sum" {
        1 data_points: Many Nested(M::NumberDataPoint),
        2 aggregation_temporality: One TEMPORALITY,
        3 is_monotonic: One Bool,
    }
    Histogram = "Histogram" {
        1 data_points: Many Nested(M::HistogramDataPoint),
        2 aggregation_temporality: One TEMPORALITY,
    }
    ExponentialHistogram = "ExponentialHistogram" {
        1 data_points: Many Nested(M::ExponentialHistogramDataPoint),
        2 aggregation_temporality: One TEMPORALITY,
    }
    Summary = "Summary" {
        1 data_points: Many Nested(M::SummaryDataPoint),
    }
    NumberDataPoint = "NumberDataPoint" {
        7 attributes: Many Nested(M::KeyValue),
        2 start_time_unix_nano: One Fixed64,
        3 time_unix_nano: One Fixed64,
        4 as_double: OneOf Double,
        6 as_int: OneOf SignedFixed64,
        5 exemplars: Many Nested(M::Exemplar),
        8 flags: One U32,
    }
    HistogramDataPoint = "HistogramDataPoint" {
        9 attributes: Many Nested(M::KeyValue),
        2 start_time_unix_nano: One Fixed64,
        3 time_unix_nano: One Fixed64,
        4 count: One Fixed64,
        5 sum: Optional Double,
        6 bucket_counts: Many Fixed64,
        7 explicit_bounds: Many Double,
        8 exemplars: Many Nested(M::Exemplar),
        10 flags: One U32,
        11 min: Optional Double,
        12 max: Optional Double,
    }
    ExponentialHistogramDataPoint = "ExponentialHistogramDataPoint" {
        1 attributes: Many Nested(M::KeyValue),
        2 start_time_unix_nano: One Fixed64,
        3 time_unix_nano: One Fixed64,
        4 count: One Fixed64,
        5 sum: Optional Double,
        6 scale: One ZigZag32,
        7 zero_count: One Fixed64,
        8 positive: One Nested(M::Buckets),
        9 negative: One Nested(M::Buckets),
        10 flags: One U32,
        11 exemplars: Many Nested(M::Exemplar),
        12 min: Optional Double,
        13 max: Optional Double,
        14 zero_threshold: One Double,
    }
    Buckets = "ExponentialHistogramDataPoint.Buckets" {
        1 offset: One ZigZag32,
        2 bucket_counts: Many U64,
    }
    SummaryDataPoint = "SummaryDataPoint" {
        7 attributes: Many Nested(M::KeyValue),
        2 start_time_unix_nano: One Fixed64,
        3 time_unix_nano: One Fixed64,
        4 count: One Fixed64,
        5 sum: One Double,
        6 quantile_values: Many Nested(M::ValueAtQuantile),
        8 flags: One U32,
    }
    ValueAtQuantile = "SummaryDataPoint.ValueAtQuantile" {
        1 quantile: One Double,
        2 value: One Double,
    }
    Exemplar = "Exemplar" {
        7 filtered_attributes: Many Nested(M::KeyValue),
        2 time_unix_nano: One Fixed64,
        3 as_double: OneOf Double,
        6 as_int: OneOf SignedFixed64,
        4 span_id: One Hex,
        5 trace_id: One Hex,
    }

    LogsRequest = "ExportLogsServiceRequest" {
        1 resource_logs: Many Nested(M::ResourceLogs),
    }
    ResourceLogs = "ResourceLogs" {
        1 resource: One Nested(M::Resource),
        2 scope_logs: Many Nested(M::ScopeLogs),
        3 schema_url: One Text,
    }
    ScopeLogs = "ScopeLogs" {
        1 scope: One Nested(M::Scope),
        2 log_records: Many Nested(M::LogRecord),
        3 schema_url: One Text,
    }
    LogRecord = "LogRecord" {
        1 time_unix_nano: One Fixed64,
        11 observed_time_unix_nano: One Fixed64,
        2 severity_number: One SEVERITY,
        3 severity_text: One Text,
        5 body: One Nested(M::AnyValue),
        6 attributes: Many Nested(M::KeyValue),
        7 dropped_attributes_count: One U32,
        8 flags: One Fixed32,
        9 trace_id: One Hex,
        10 span_id: One Hex,
        12 event_name: One Text,
    }

    Resource = "Resource" {
        1 attributes: Many Nested(M::KeyValue),
        2 dropped_attributes_count: One U32,
        3 entity_refs: Many Nested(M::EntityRef),
    }
    EntityRef = "EntityRef" {
        1 schema_url: One Text,
        2 type: One Text,
        3 id_keys: Many Text,
        4 description_keys: Many Text,
    }
    Scope = "InstrumentationScope" {
        1 name: One Text,
        2 version: One Text,
        3 attributes: Many Nested(M::KeyValue),
        4 dropped_attributes_count: One U32,
    }
    KeyValue = "KeyValue" {
        1 key: One Text,
        2 value: One Nested(M::AnyValue),
        3 key_strindex: One I32,
    }
    AnyValue = "AnyValue" {
        1 string_value: OneOf Text,
        2 bool_value: OneOf Bool,
        3 int_value: OneOf I64,
        4 double_value: OneOf Double,
        5 array_value: OneOf Nested(M::ArrayValue),
        6 kvlist_value: OneOf Nested(M::KeyValueList),
        7 bytes_value: OneOf Base64,
        8 string_value_strindex: OneOf I32,
    }
    ArrayValue = "ArrayValue" {
        1 values: Many Nested(M::AnyValue),
    }
    KeyValueList = "KeyValueList" {
        1 values: Many Nested(M::KeyValue),
    }
};

/// Entries stand where [`M`] counts them.
const _: () = {
    let mut at = 0;
    while at < SCHEMA.len() {
        assert!(SCHEMA[at].message as usize == at);
        at += 1;
    }
};

/// The kinds of spans, by their number.
pub(crate) const SPAN_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

const SPAN_KIND: SchemaKind = Enum(&SPAN_KINDS);

const STATUS_CODE: SchemaKind = Enum(&["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"]);

const TEMPORALITY: SchemaKind = Enum(&[
    "AGGREGATION_TEMPORALITY_UNSPECIFIED",
    "AGGREGATION_TEMPORALITY_DELTA",
    "AGGREGATION_TEMPORALITY_CUMULATIVE",
]);

const SEVERITY: SchemaKind = Enum(&[
    "SEVERITY_NUMBER_UNSPECIFIED",
    "SEVERITY_NUMBER_TRACE",
    "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",
    "SEVERITY_NUMBER_TRACE4",
    "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",
    "SEVERITY_NUMBER_DEBUG3",
    "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",
    "SEVERITY_NUMBER_INFO2",
    "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",
    "SEVERITY_NUMBER_WARN",
    "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",
    "SEVERITY_NUMBER_WARN4",
    "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",
    "SEVERITY_NUMBER_ERROR3",
    "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",
    "SEVERITY_NUMBER_FATAL2",
    "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4",
]);

/// protobuf's JSON name of a field, with its length.
const fn lower_camel_case(name: &str) -> ([u8; 32], usize) {
    let name = name.as_bytes();
    let (mut camel, mut len, mut at) = ([0; 32], 0, 0);
    while at < name.len() {
        let after_underscore = at > 0 && name[at - 1] == b'_';
        if name[at] != b'_' {
            camel[len] = if after_underscore {
                name[at].to_ascii_uppercase()
            } else {
                name[at]
            };
            len += 1;
        }
        at += 1;
    }
    (camel, len)
}

const fn as_str((bytes, len): &'static ([u8; 32], usize)) -> &'static str {
    match std::str::from_utf8(bytes.split_at(*len).0) {
        Ok(name) => name,
        Err(_) => panic!("a field name is ASCII"),
    }
}
