/*! Metrics, written as OTLP bytes. */

use super::wire::{
    WireType, put_fixed64, put_message, put_nonempty, put_number, put_tag, put_varint,
};

/// Whether points tell of all since their start, or of what came since the points before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temporality {
    Delta = 1,
    Cumulative = 2,
}

/// What the points of a metric are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PointKind {
    Gauge,
    /// A sum that may fall.
    Sum,
    /// A sum that only grows.
    Counter,
    Histogram,
    ExponentialHistogram,
}

impl PointKind {
    /// The field of a metric that has such points.
    fn field(self) -> u32 {
        match self {
            Self::Gauge => 5,
            Self::Sum | Self::Counter => 7,
            Self::Histogram => 9,
            Self::ExponentialHistogram => 10,
        }
    }
}

/// Fields of a data point of a sum or a gauge.
pub(crate) const NUMBER_ATTRIBUTES: u32 = 7;
/// Fields of a data point of a histogram.
pub(crate) const HISTOGRAM_ATTRIBUTES: u32 = 9;
const START: u32 = 2;
const TIME: u32 = 3;
const AS_DOUBLE: u32 = 4;
const AS_INT: u32 = 6;

/// Appends a metric to those of a scope: its name, description and unit, and its encoded `points`.
/// Gauges have no temporality.
pub(crate) fn put_metric(
    (name, description, unit): (&str, &str, &str),
    kind: PointKind,
    temporality: Temporality,
    points: &[u8],
    out: &mut Vec<u8>,
) {
    put_message(2, out, |metric| {
        put_nonempty(1, name.as_bytes(), metric);
        put_nonempty(2, description.as_bytes(), metric);
        put_nonempty(3, unit.as_bytes(), metric);
        put_message(kind.field(), metric, |data| {
            data.extend_from_slice(points);
            if kind != PointKind::Gauge {
                put_number(2, temporality as u64, data);
            }
            if kind == PointKind::Counter {
                put_number(3, 1, data);
            }
        });
    });
}

/// Appends start and time of a data point, of which all kinds have the same fields.
pub(crate) fn put_times((start, time): (u64, u64), out: &mut Vec<u8>) {
    put_fixed64(START, start, out);
    put_fixed64(TIME, time, out);
}

/// Appends the value of a data point of a sum or a gauge.
pub(crate) fn put_int(value: u64, out: &mut Vec<u8>) {
    put_fixed64(AS_INT, value, out);
}

/// The same where it is no whole number.
pub(crate) fn put_fraction(value: f64, out: &mut Vec<u8>) {
    put_double(AS_DOUBLE, value, out);
}

/// Appends a double.
pub(crate) fn put_double(number: u32, value: f64, out: &mut Vec<u8>) {
    put_fixed64(number, value.to_bits(), out);
}

/// Appends a packed list of eight bytes each.
pub(crate) fn put_packed(
    number: u32,
    values: impl ExactSizeIterator<Item = u64>,
    out: &mut Vec<u8>,
) {
    put_tag(number, WireType::Len, out);
    put_varint(8 * values.len() as u64, out);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}
