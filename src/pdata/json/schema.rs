/*!
The messages of an `ExportTraceServiceRequest` and an `ExportLogsServiceRequest`
as a table: JSON name, protobuf field number, type. From opentelemetry-proto's
`trace.proto`, `logs.proto`, `common.proto` and `resource.proto`.
*/

/// A field's type.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Bytes that JSON shows as hex (trace and span ids).
    Hex,
    /// Bytes that JSON shows as base64.
    Base64,
    /// `bool`.
    Bool,
    /// `uint32`, a varint.
    U32,
    /// `int32`, a varint.
    I32,
    /// `int64`, a varint.
    I64,
    /// `fixed32`.
    Fixed32,
    /// `fixed64`.
    Fixed64,
    /// `double`.
    Double,
    /// An enum, with its names; the position is the value.
    Enum(&'static [&'static str]),
    /// A message.
    Message(&'static Message),
}

/// How often a field may occur, and whether its default is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// At most once; a scalar's default means absent.
    One,
    /// A JSON array.
    Many,
    /// At most one of the message's fields with this label; defaults are written.
    OneOf,
}

/// A field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// lowerCamelCase.
    pub name: &'static str,
    /// snake_case, as in the .proto file.
    pub proto_name: &'static str,
    /// Field number.
    pub number: u32,
    /// Type.
    pub kind: Kind,
    /// Cardinality.
    pub label: Label,
}

/// A message type. Never more than 32 fields: the reader keeps a bit for each.
#[derive(Debug)]
pub struct Message {
    /// Its fields.
    pub fields: &'static [Field],
}

const fn one(name: &'static str, proto_name: &'static str, number: u32, kind: Kind) -> Field {
    Field {
        name,
        proto_name,
        number,
        kind,
        label: Label::One,
    }
}

const fn many(name: &'static str, proto_name: &'static str, number: u32, kind: Kind) -> Field {
    Field {
        name,
        proto_name,
        number,
        kind,
        label: Label::Many,
    }
}

const fn oneof(name: &'static str, proto_name: &'static str, number: u32, kind: Kind) -> Field {
    Field {
        name,
        proto_name,
        number,
        kind,
        label: Label::OneOf,
    }
}

const SPAN_KINDS: &[&str] = &[
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

const SEVERITIES: &[&str] = &[
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
];

const STATUS_CODES: &[&str] = &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

/// `ExportTraceServiceRequest` (and `TracesData`).
pub static REQUEST: Message = Message {
    fields: &[many(
        "resourceSpans",
        "resource_spans",
        1,
        Kind::Message(&RESOURCE_SPANS),
    )],
};

static RESOURCE_SPANS: Message = Message {
    fields: &[
        one("resource", "resource", 1, Kind::Message(&RESOURCE)),
        many("scopeSpans", "scope_spans", 2, Kind::Message(&SCOPE_SPANS)),
        one("schemaUrl", "schema_url", 3, Kind::Text),
    ],
};

/// `ExportLogsServiceRequest` (and `LogsData`).
pub static LOGS_REQUEST: Message = Message {
    fields: &[many(
        "resourceLogs",
        "resource_logs",
        1,
        Kind::Message(&RESOURCE_LOGS),
    )],
};

static RESOURCE_LOGS: Message = Message {
    fields: &[
        one("resource", "resource", 1, Kind::Message(&RESOURCE)),
        many("scopeLogs", "scope_logs", 2, Kind::Message(&SCOPE_LOGS)),
        one("schemaUrl", "schema_url", 3, Kind::Text),
    ],
};

static SCOPE_LOGS: Message = Message {
    fields: &[
        one("scope", "scope", 1, Kind::Message(&SCOPE)),
        many("logRecords", "log_records", 2, Kind::Message(&LOG_RECORD)),
        one("schemaUrl", "schema_url", 3, Kind::Text),
    ],
};

static LOG_RECORD: Message = Message {
    fields: &[
        one("timeUnixNano", "time_unix_nano", 1, Kind::Fixed64),
        one(
            "observedTimeUnixNano",
            "observed_time_unix_nano",
            11,
            Kind::Fixed64,
        ),
        one(
            "severityNumber",
            "severity_number",
            2,
            Kind::Enum(SEVERITIES),
        ),
        one("severityText", "severity_text", 3, Kind::Text),
        one("body", "body", 5, Kind::Message(&ANY_VALUE)),
        many("attributes", "attributes", 6, Kind::Message(&KEY_VALUE)),
        one(
            "droppedAttributesCount",
            "dropped_attributes_count",
            7,
            Kind::U32,
        ),
        one("flags", "flags", 8, Kind::Fixed32),
        one("traceId", "trace_id", 9, Kind::Hex),
        one("spanId", "span_id", 10, Kind::Hex),
        one("eventName", "event_name", 12, Kind::Text),
    ],
};

static RESOURCE: Message = Message {
    fields: &[
        many("attributes", "attributes", 1, Kind::Message(&KEY_VALUE)),
        one(
            "droppedAttributesCount",
            "dropped_attributes_count",
            2,
            Kind::U32,
        ),
        many("entityRefs", "entity_refs", 3, Kind::Message(&ENTITY_REF)),
    ],
};

static ENTITY_REF: Message = Message {
    fields: &[
        one("schemaUrl", "schema_url", 1, Kind::Text),
        one("type", "type", 2, Kind::Text),
        many("idKeys", "id_keys", 3, Kind::Text),
        many("descriptionKeys", "description_keys", 4, Kind::Text),
    ],
};

static SCOPE_SPANS: Message = Message {
    fields: &[
        one("scope", "scope", 1, Kind::Message(&SCOPE)),
        many("spans", "spans", 2, Kind::Message(&SPAN)),
        one("schemaUrl", "schema_url", 3, Kind::Text),
    ],
};

static SCOPE: Message = Message {
    fields: &[
        one("name", "name", 1, Kind::Text),
        one("version", "version", 2, Kind::Text),
        many("attributes", "attributes", 3, Kind::Message(&KEY_VALUE)),
        one(
            "droppedAttributesCount",
            "dropped_attributes_count",
            4,
            Kind::U32,
        ),
    ],
};

static SPAN: Message = Message {
    fields: &[
        one("traceId", "trace_id", 1, Kind::Hex),
        one("spanId", "span_id", 2, Kind::Hex),
        one("traceState", "trace_state", 3, Kind::Text),
        one("parentSpanId", "parent_span_id", 4, Kind::Hex),
        one("flags", "flags", 16, Kind::Fixed32),
        one("name", "name", 5, Kind::Text),
        one("kind", "kind", 6, Kind::Enum(SPAN_KINDS)),
        one(
            "startTimeUnixNano",
            "start_time_unix_nano",
            7,
            Kind::Fixed64,
        ),
        one("endTimeUnixNano", "end_time_unix_nano", 8, Kind::Fixed64),
        many("attributes", "attributes", 9, Kind::Message(&KEY_VALUE)),
        one(
            "droppedAttributesCount",
            "dropped_attributes_count",
            10,
            Kind::U32,
        ),
        many("events", "events", 11, Kind::Message(&EVENT)),
        one("droppedEventsCount", "dropped_events_count", 12, Kind::U32),
        many("links", "links", 13, Kind::Message(&LINK)),
        one("droppedLinksCount", "dropped_links_count", 14, Kind::U32),
        one("status", "status", 15, Kind::Message(&STATUS)),
    ],
};

static EVENT: Message = Message {
    fields: &[
        one("timeUnixNano", "time_unix_nano", 1, Kind::Fixed64),
        one("name", "name", 2, Kind::Text),
        many("attributes", "attributes", 3, Kind::Message(&KEY_VALUE)),
        one(
            "droppedAttributesCount",
            "dropped_attributes_count",
            4,
            Kind::U32,
        ),
    ],
};

static LINK: Message = Message {
    fields: &[
        one("traceId", "trace_id", 1, Kind::Hex),
        one("spanId", "span_id", 2, Kind::Hex),
        one("traceState", "trace_state", 3, Kind::Text),
        many("attributes", "attributes", 4, Kind::Message(&KEY_VALUE)),
        one(
            "droppedAttributesCount",
            "dropped_attributes_count",
            5,
            Kind::U32,
        ),
        one("flags", "flags", 6, Kind::Fixed32),
    ],
};

static STATUS: Message = Message {
    fields: &[
        one("message", "message", 2, Kind::Text),
        one("code", "code", 3, Kind::Enum(STATUS_CODES)),
    ],
};

static KEY_VALUE: Message = Message {
    fields: &[
        one("key", "key", 1, Kind::Text),
        one("value", "value", 2, Kind::Message(&ANY_VALUE)),
        one("keyStrindex", "key_strindex", 3, Kind::I32),
    ],
};

/// `AnyValue`: the one message that may stand as `null` inside an array.
pub static ANY_VALUE: Message = Message {
    fields: &[
        oneof("stringValue", "string_value", 1, Kind::Text),
        oneof("boolValue", "bool_value", 2, Kind::Bool),
        oneof("intValue", "int_value", 3, Kind::I64),
        oneof("doubleValue", "double_value", 4, Kind::Double),
        oneof("arrayValue", "array_value", 5, Kind::Message(&ARRAY)),
        oneof("kvlistValue", "kvlist_value", 6, Kind::Message(&KV_LIST)),
        oneof("bytesValue", "bytes_value", 7, Kind::Base64),
        oneof("stringValueStrindex", "string_value_strindex", 8, Kind::I32),
    ],
};

static ARRAY: Message = Message {
    fields: &[many("values", "values", 1, Kind::Message(&ANY_VALUE))],
};

static KV_LIST: Message = Message {
    fields: &[many("values", "values", 1, Kind::Message(&KEY_VALUE))],
};

/// Protobuf wire type: varint.
pub const VARINT: u32 = 0;
/// Protobuf wire type: 8 bytes.
pub const I64: u32 = 1;
/// Protobuf wire type: length-delimited.
pub const LEN: u32 = 2;
/// Protobuf wire type: 4 bytes.
pub const I32: u32 = 5;

impl Kind {
    /// The type's wire type.
    pub fn wire_type(self) -> u32 {
        match self {
            Kind::Bool | Kind::U32 | Kind::I32 | Kind::I64 | Kind::Enum(_) => VARINT,
            Kind::Fixed64 | Kind::Double => I64,
            Kind::Text | Kind::Hex | Kind::Base64 | Kind::Message(_) => LEN,
            Kind::Fixed32 => I32,
        }
    }
}
