/*! What a message and a field of the schema are. */

use crate::pdata::{signal::Signal, wire::WireType};

/// A message type of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SchemaMessage {
    /// `ExportTraceServiceRequest`, and `TracesData`.
    TracesRequest,
    /// `ResourceSpans`
    ResourceSpans,
    /// `ScopeSpans`
    ScopeSpans,
    /// `Span`
    Span,
    /// `Span.Event`
    Event,
    /// `Span.Link`
    Link,
    /// `Status`
    Status,
    /// `ExportMetricsServiceRequest`, and `MetricsData`.
    MetricsRequest,
    /// `ResourceMetrics`
    ResourceMetrics,
    /// `ScopeMetrics`
    ScopeMetrics,
    /// `Metric`
    Metric,
    /// `Gauge`
    Gauge,
    /// `Sum`
    Sum,
    /// `Histogram`
    Histogram,
    /// `ExponentialHistogram`
    ExponentialHistogram,
    /// `Summary`
    Summary,
    /// `NumberDataPoint`
    NumberDataPoint,
    /// `HistogramDataPoint`
    HistogramDataPoint,
    /// `ExponentialHistogramDataPoint`
    ExponentialHistogramDataPoint,
    /// `ExponentialHistogramDataPoint.Buckets`
    Buckets,
    /// `SummaryDataPoint`
    SummaryDataPoint,
    /// `SummaryDataPoint.ValueAtQuantile`
    ValueAtQuantile,
    /// `Exemplar`
    Exemplar,
    /// `ExportLogsServiceRequest`, and `LogsData`.
    LogsRequest,
    /// `ResourceLogs`
    ResourceLogs,
    /// `ScopeLogs`
    ScopeLogs,
    /// `LogRecord`
    LogRecord,
    /// `Resource`
    Resource,
    /// `EntityRef`
    EntityRef,
    /// `InstrumentationScope`
    Scope,
    /// `KeyValue`
    KeyValue,
    /// `AnyValue`
    AnyValue,
    /// `ArrayValue`
    ArrayValue,
    /// `KeyValueList`
    KeyValueList,
}

impl SchemaMessage {
    /// How many there are.
    pub(super) const COUNT: usize = Self::KeyValueList as usize + 1;

    /// The request of a signal.
    pub const fn request(signal: Signal) -> Self {
        match signal {
            Signal::Traces => Self::TracesRequest,
            Signal::Metrics => Self::MetricsRequest,
            Signal::Logs => Self::LogsRequest,
        }
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SchemaKind {
    /// `string`
    Text,
    /// `bytes` that JSON shows as hexadecimal digits: trace and span ids.
    Hex,
    /// `bytes` that JSON shows as base64.
    Base64,
    /// `bool`
    Bool,
    /// `uint32`
    U32,
    /// `uint64`
    U64,
    /// `int32`
    I32,
    /// `int64`
    I64,
    /// `sint32`, a varint in zigzag form.
    ZigZag32,
    /// `fixed32`
    Fixed32,
    /// `fixed64`
    Fixed64,
    /// `sfixed64`
    SignedFixed64,
    /// `double`
    Double,
    /// An enumeration, with its names: the position is the value.
    Enum(&'static [&'static str]),
    /// A message.
    Nested(SchemaMessage),
}

impl SchemaKind {
    /// The wire type of one value.
    pub(crate) const fn wire(self) -> WireType {
        match self {
            Self::Bool
            | Self::U32
            | Self::U64
            | Self::I32
            | Self::I64
            | Self::ZigZag32
            | Self::Enum(_) => WireType::Varint,
            Self::Fixed64 | Self::SignedFixed64 | Self::Double => WireType::Fixed64,
            Self::Fixed32 => WireType::Fixed32,
            Self::Text | Self::Hex | Self::Base64 | Self::Nested(_) => WireType::Len,
        }
    }
}

/// How often a field may occur, and whether its default differs from absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaLabel {
    /// At most once; the default means absent.
    One,
    /// At most once; the default is a value (`optional` in proto3).
    Optional,
    /// Any number of times. Scalars may be packed into one length and bytes.
    Many,
    /// At most one of the message's fields with this label; the default is a value.
    OneOf,
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub struct SchemaField {
    /// Field number, below 32.
    pub number: u32,
    /// The name in JSON, lowerCamelCase.
    pub(crate) json_name: &'static str,
    /// The name in the .proto file, snake_case.
    pub(crate) name: &'static str,
    /// `Message.field`, for error messages.
    pub(crate) path: &'static str,
    /// How often it may occur.
    pub label: SchemaLabel,
    /// What it holds.
    pub(crate) kind: SchemaKind,
}
