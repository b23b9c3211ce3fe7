/*! Metrics and logs: accepted as prost accepts them, indexed, repaired and split. */

use crate::accept::damage;
use crate::odd::{Oddities, odd_of};
use crate::signals::{Model, agree, same};
use crate::{cases, generate};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest},
    metrics::v1::{Metric, metric::Data},
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};
use wayspan::pdata::{Index, Keys, RequestLimits, canon::repair, split, validate, wire};

fn odd_encodings<M: Model>(model: &M, seed: u64) {
    let bytes = model.encode_to_vec();
    agree::<M>(&bytes);
    for oddities in Oddities::each()
        .into_iter()
        .chain([Oddities::VALID, Oddities::ALL])
    {
        let odd = odd_of(M::SIGNAL, &bytes, oddities, seed);
        agree::<M>(&odd);
        repaired::<M>(&odd);
    }
}

/// Repair keeps the meaning and reaches a fixed point.
fn repaired<M: Model>(bytes: &[u8]) {
    let once = repair(M::SIGNAL, bytes, &RequestLimits::MOST).unwrap();
    let mut index = Index::default();
    validate(M::SIGNAL, &once.bytes, &Keys::default(), &mut index).unwrap();
    assert!(!index.needs_repair, "repaired bytes need repair");
    let twice = repair(M::SIGNAL, &once.bytes, &RequestLimits::MOST).unwrap();
    assert_eq!(twice.bytes, once.bytes);
    assert_eq!(twice.utf8_replaced, 0);
    if let Ok(model) = M::decode(bytes) {
        same(&M::decode(&*once.bytes).unwrap(), &model);
    }
}

fn damaged<M: Model>(model: &M, seed: u64) {
    let original = odd_of(M::SIGNAL, &model.encode_to_vec(), Oddities::ALL, seed);
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..6 {
        let mut bytes = original.clone();
        for _ in 0..rng.random_range(1..3) {
            damage(&mut bytes, &mut rng);
        }
        agree::<M>(&bytes);
    }
}

/// Halves hold half of the units each, in order; a single unit stands alone.
fn halved<M: Model>(model: &M) {
    let bytes = model.encode_to_vec();
    let total = split::count(M::SIGNAL, &bytes);
    for at in 0..total {
        let one = split::select(M::SIGNAL, &bytes, at..at + 1);
        assert_eq!(split::count(M::SIGNAL, &one), 1);
    }
    let Some((first, second)) = split::halve(M::SIGNAL, &bytes) else {
        assert!(total < 2);
        return;
    };
    assert_eq!(split::count(M::SIGNAL, &first), total / 2);
    let first = split_units(&M::decode(&*first).unwrap());
    let second = split_units(&M::decode(&*second).unwrap());
    assert_eq!([first, second].concat(), split_units(model));
}

/// Every unit of a request, alone in its item.
fn split_units<M: Model>(model: &M) -> Vec<Vec<u8>> {
    use prost::Message as _;
    let groups = model.groups();
    let items = groups
        .iter()
        .flat_map(|group| &group.scopes)
        .flat_map(|scope| scope.items);
    let units = items.flat_map(|item| match Metric::decode(&*item.encode_to_vec()) {
        Ok(metric) if M::SIGNAL == wayspan::pdata::Signal::Metrics => {
            points(&metric).iter().map(Metric::encode_to_vec).collect()
        }
        _ => vec![item.encode_to_vec()],
    });
    units.collect()
}

/// Each data point of a metric, in a metric of its own.
fn points(metric: &Metric) -> Vec<Metric> {
    macro_rules! each {
        ($data:expr, $variant:path) => {
            $data
                .data_points
                .iter()
                .map(|point| {
                    let mut data = $data.clone();
                    data.data_points = vec![point.clone()];
                    Metric {
                        data: Some($variant(data)),
                        ..metric.clone()
                    }
                })
                .collect()
        };
    }
    match &metric.data {
        None => Vec::new(),
        Some(Data::Gauge(data)) => each!(data, Data::Gauge),
        Some(Data::Sum(data)) => each!(data, Data::Sum),
        Some(Data::Histogram(data)) => each!(data, Data::Histogram),
        Some(Data::ExponentialHistogram(data)) => each!(data, Data::ExponentialHistogram),
        Some(Data::Summary(data)) => each!(data, Data::Summary),
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn odd_metrics(model in generate::metrics::request(), seed in any::<u64>()) {
        odd_encodings(&model, seed);
    }

    #[test]
    fn odd_logs(model in generate::logs::request(), seed in any::<u64>()) {
        odd_encodings(&model, seed);
    }

    #[test]
    fn damaged_metrics(model in generate::metrics::request(), seed in any::<u64>()) {
        damaged(&model, seed);
    }

    #[test]
    fn damaged_logs(model in generate::logs::request(), seed in any::<u64>()) {
        damaged(&model, seed);
    }

    #[test]
    fn metrics_split_between_data_points(model in generate::metrics::request()) {
        halved(&model);
    }

    #[test]
    fn logs_split_between_records(model in generate::logs::request()) {
        halved(&model);
    }

    /// Few distinct bytes, all of them tags and small lengths of the schemas.
    #[test]
    fn likely_garbage(bytes in prop::collection::vec(
        prop::sample::select(&[0x0a_u8, 0x12, 0x1a, 0x2a, 0x3a, 0x32, 0x31, 0x4a, 0x08, 0x00, 1, 2, 4, 9, 30, 0x80][..]),
        0..60,
    )) {
        agree::<ExportMetricsServiceRequest>(&bytes);
        agree::<ExportLogsServiceRequest>(&bytes);
    }
}

/// A gauge between two pieces of a sum is discarded by the second.
#[test]
fn the_last_kind_of_data_counts() {
    let point = |out: &mut Vec<u8>| wire::put_bytes(1, &[], out);
    let mut metric = Vec::new();
    wire::put_message(7, &mut metric, point);
    wire::put_message(5, &mut metric, point);
    for _ in 0..2 {
        wire::put_message(7, &mut metric, point);
    }
    let mut bytes = metric;
    for number in [2, 2, 1] {
        let mut outer = Vec::new();
        wire::put_bytes(number, &bytes, &mut outer);
        bytes = outer;
    }
    agree::<ExportMetricsServiceRequest>(&bytes);
    let repaired = repair(
        ExportMetricsServiceRequest::SIGNAL,
        &bytes,
        &RequestLimits::MOST,
    )
    .unwrap();
    assert_eq!(
        split::count(ExportMetricsServiceRequest::SIGNAL, &repaired.bytes),
        2
    );
}
