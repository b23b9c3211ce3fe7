/*! Requests of metrics. */

use super::{attributes, double, enumeration, id, resource, scope, text};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{
        Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
        HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
        SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric::Data,
        number_data_point, summary_data_point::ValueAtQuantile,
    },
};
use proptest::{collection::vec, option, prelude::*};

prop_compose! {
    fn exemplar()(
        filtered_attributes in attributes(2),
        time_unix_nano: u64,
        value in option::of(prop_oneof![
            double().prop_map(exemplar::Value::AsDouble),
            any::<i64>().prop_map(exemplar::Value::AsInt),
        ]),
        span_id in id(8),
        trace_id in id(16),
    ) -> Exemplar {
        Exemplar { filtered_attributes, time_unix_nano, value, span_id, trace_id }
    }
}

fn exemplars() -> impl Strategy<Value = Vec<Exemplar>> {
    vec(exemplar(), 0..2)
}

prop_compose! {
    fn number()(
        attributes in attributes(3),
        times: [u64; 2],
        value in option::of(prop_oneof![
            double().prop_map(number_data_point::Value::AsDouble),
            any::<i64>().prop_map(number_data_point::Value::AsInt),
        ]),
        exemplars in exemplars(),
        flags: u32,
    ) -> NumberDataPoint {
        NumberDataPoint {
            attributes,
            start_time_unix_nano: times[0],
            time_unix_nano: times[1],
            exemplars,
            flags,
            value,
        }
    }
}

prop_compose! {
    fn histogram()(
        attributes in attributes(3),
        numbers: [u64; 3],
        statistics in [option::of(double()), option::of(double()), option::of(double())],
        bucket_counts in vec(any::<u64>(), 0..5),
        explicit_bounds in vec(double(), 0..5),
        exemplars in exemplars(),
        flags: u32,
    ) -> HistogramDataPoint {
        let [sum, min, max] = statistics;
        HistogramDataPoint {
            attributes,
            start_time_unix_nano: numbers[0],
            time_unix_nano: numbers[1],
            count: numbers[2],
            sum,
            bucket_counts,
            explicit_bounds,
            exemplars,
            flags,
            min,
            max,
        }
    }
}

prop_compose! {
    fn buckets()(offset: i32, bucket_counts in vec(any::<u64>(), 0..5)) -> Buckets {
        Buckets { offset, bucket_counts }
    }
}

prop_compose! {
    fn exponential()(
        attributes in attributes(3),
        numbers: [u64; 4],
        statistics in [option::of(double()), option::of(double()), option::of(double())],
        scale: i32,
        buckets in [option::of(buckets()), option::of(buckets())],
        exemplars in exemplars(),
        flags: u32,
        zero_threshold in double(),
    ) -> ExponentialHistogramDataPoint {
        let [sum, min, max] = statistics;
        let [positive, negative] = buckets;
        ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano: numbers[0],
            time_unix_nano: numbers[1],
            count: numbers[2],
            sum,
            scale,
            zero_count: numbers[3],
            positive,
            negative,
            flags,
            exemplars,
            min,
            max,
            zero_threshold,
        }
    }
}

prop_compose! {
    fn summary()(
        attributes in attributes(3),
        numbers: [u64; 3],
        sum in double(),
        quantiles in vec((double(), double()), 0..3),
        flags: u32,
    ) -> SummaryDataPoint {
        let quantile_values = quantiles.into_iter();
        SummaryDataPoint {
            attributes,
            start_time_unix_nano: numbers[0],
            time_unix_nano: numbers[1],
            count: numbers[2],
            sum,
            quantile_values: quantile_values
                .map(|(quantile, value)| ValueAtQuantile { quantile, value })
                .collect(),
            flags,
        }
    }
}

fn data() -> impl Strategy<Value = Data> {
    prop_oneof![
        vec(number(), 0..4).prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (vec(number(), 0..4), enumeration(), any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic,
            })
        ),
        (vec(histogram(), 0..3), enumeration()).prop_map(
            |(data_points, aggregation_temporality)| Data::Histogram(Histogram {
                data_points,
                aggregation_temporality,
            })
        ),
        (vec(exponential(), 0..3), enumeration()).prop_map(
            |(data_points, aggregation_temporality)| {
                Data::ExponentialHistogram(ExponentialHistogram {
                    data_points,
                    aggregation_temporality,
                })
            }
        ),
        vec(summary(), 0..3).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ]
}

prop_compose! {
    fn metric()(
        name in text(),
        description in text(),
        unit in text(),
        metadata in attributes(2),
        data in option::weighted(0.95, data()),
    ) -> Metric {
        Metric { name, description, unit, metadata, data }
    }
}

prop_compose! {
    fn scope_metrics()(
        scope in option::of(scope()),
        metrics in vec(metric(), 0..4),
        schema_url in text(),
    ) -> ScopeMetrics {
        ScopeMetrics { scope, metrics, schema_url }
    }
}

prop_compose! {
    fn resource_metrics()(
        resource in option::of(resource()),
        scope_metrics in vec(scope_metrics(), 0..3),
        schema_url in text(),
    ) -> ResourceMetrics {
        ResourceMetrics { resource, scope_metrics, schema_url }
    }
}

pub fn request() -> impl Strategy<Value = ExportMetricsServiceRequest> {
    vec(resource_metrics(), 0..3)
        .prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
}
