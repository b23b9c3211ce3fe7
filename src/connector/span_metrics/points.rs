/*! The points of series, as OTLP bytes. */

use super::{
    series::{Durations, Exemplar, Series},
    settings::{Buckets, Settings},
};
use crate::{
    connector::request::RequestWriter,
    pdata::{
        metric::{
            HISTOGRAM_ATTRIBUTES, NUMBER_ATTRIBUTES, PointKind, put_double, put_int, put_metric,
            put_packed, put_times,
        },
        view::messages,
        wire::{put_bytes, put_fixed64, put_message, put_nonempty, put_number, put_varint},
    },
};

/// The name of the scope, which is the Collector's.
const SCOPE: &str = "spanmetricsconnector";

/// Points of one resource, by metric: encoded data points, each as field 1.
#[derive(Default)]
pub(super) struct Written {
    pub(super) calls: Vec<u8>,
    pub(super) durations: Vec<u8>,
    pub(super) events: Vec<u8>,
}

impl Written {
    /// How many bytes all have.
    pub(super) fn len(&self) -> usize {
        self.calls.len() + self.durations.len() + self.events.len()
    }

    /// Gives the metrics to `writer`, and forgets them.
    pub(super) fn give(
        &mut self,
        resource: &[u8],
        settings: &Settings,
        writer: &mut RequestWriter<'_>,
    ) {
        if self.len() == 0 {
            return;
        }
        let name = |name: &str| match settings.namespace.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", settings.namespace),
        };
        let temporality = settings.temporality;
        let mut metrics = Vec::with_capacity(self.len() + 256);
        for (what, points) in [("calls", &self.calls), ("events", &self.events)] {
            if !points.is_empty() {
                let name = name(what);
                let about = (&*name, "", "");
                put_metric(about, PointKind::Counter, temporality, points, &mut metrics);
            }
        }
        if !self.durations.is_empty() {
            let about = (&*name("duration"), "", settings.unit.symbol());
            let kind = match settings.buckets {
                Buckets::Explicit(_) => PointKind::Histogram,
                Buckets::Exponential(_) => PointKind::ExponentialHistogram,
            };
            put_metric(about, kind, temporality, &self.durations, &mut metrics);
        }
        let mut scope = Vec::new();
        put_nonempty(1, SCOPE.as_bytes(), &mut scope);
        writer.add(resource, &scope, &metrics);
        self.calls.clear();
        self.durations.clear();
        self.events.clear();
    }
}

/// Appends a point that counts.
pub(super) fn put_count(
    key: &[u8],
    times: (u64, u64),
    count: u64,
    series: &Series,
    out: &mut Vec<u8>,
) {
    put_message(1, out, |point| {
        put_times(times, point);
        put_int(count, point);
        put_exemplars(5, times.1, series, point);
        put_attributes(NUMBER_ATTRIBUTES, key, point);
    });
}

/// Appends a point of durations.
pub(super) fn put_durations(
    key: &[u8],
    times: (u64, u64),
    series: &Series,
    settings: &Settings,
    written: &mut Written,
) {
    let Some(durations) = &series.durations else {
        return;
    };
    put_message(1, &mut written.durations, |point| {
        put_times(times, point);
        put_fixed64(4, series.count, point);
        match durations {
            Durations::Explicit { sum, buckets } => {
                put_double(5, *sum, point);
                put_packed(6, buckets.iter().copied(), point);
                let bounds = settings.bounds().iter();
                put_packed(7, bounds.map(|bound| bound.to_bits()), point);
                put_exemplars(8, times.1, series, point);
                put_attributes(HISTOGRAM_ATTRIBUTES, key, point);
            }
            Durations::Exponential(histogram) => {
                put_double(5, histogram.sum, point);
                put_signed(6, histogram.shown_scale(), point);
                put_fixed64(7, histogram.zeros, point);
                put_message(8, point, |buckets| {
                    put_signed(1, histogram.offset, buckets);
                    put_message(2, buckets, |counts| {
                        for count in &histogram.buckets {
                            put_varint(*count, counts);
                        }
                    });
                });
                put_exemplars(11, times.1, series, point);
                if series.count > 0 {
                    put_double(12, histogram.min, point);
                    put_double(13, histogram.max, point);
                }
                put_attributes(1, key, point);
            }
        }
    });
}

fn put_attributes(number: u32, key: &[u8], point: &mut Vec<u8>) {
    for pair in messages(key, 1) {
        put_bytes(number, pair, point);
    }
}

fn put_exemplars(number: u32, time: u64, series: &Series, point: &mut Vec<u8>) {
    for Exemplar {
        trace_id,
        span_id,
        duration,
    } in &series.exemplars
    {
        put_message(number, point, |exemplar| {
            put_fixed64(2, time, exemplar);
            put_double(3, *duration, exemplar);
            put_bytes(4, span_id, exemplar);
            put_bytes(5, trace_id, exemplar);
        });
    }
}

/// Appends a zigzag integer.
fn put_signed(number: u32, value: i32, out: &mut Vec<u8>) {
    put_number(number, ((value << 1) ^ (value >> 31)) as u32 as u64, out);
}
