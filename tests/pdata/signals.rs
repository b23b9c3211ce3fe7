/*!
What prost makes of a request of any signal, compared with the verdict and the
index. Shared with `tests/fuzz`.
*/

use super::oracle::keys;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest as Logs,
        metrics::v1::ExportMetricsServiceRequest as Metrics,
    },
    common::v1::InstrumentationScope,
    logs::v1::LogRecord,
    metrics::v1::{Metric, metric::Data},
    resource::v1::Resource,
};
use prost::Message as _;
use std::fmt::Debug;
use wayspan::pdata::{
    Index, ItemEntry, RequestLimits, Signal, admit, canon, split, validate, wire::WireFields,
};

/// A signal's request as prost decodes it.
pub trait Model: prost::Message + Default + PartialEq + Debug {
    const SIGNAL: Signal;
    type Item: prost::Message + Default + PartialEq + Debug;

    fn groups(&self) -> Vec<Group<'_, Self::Item>>;

    /// Compares what only the signal's items have.
    fn check_item(bytes: &[u8], index: &Index, ours: &ItemEntry, theirs: &Self::Item);
}

/// A resource with what is below it.
pub struct Group<'a, I> {
    pub resource: Option<&'a Resource>,
    pub schema_url: &'a str,
    pub scopes: Vec<ScopeGroup<'a, I>>,
}

/// A scope with its items.
pub struct ScopeGroup<'a, I> {
    pub scope: Option<&'a InstrumentationScope>,
    pub schema_url: &'a str,
    pub items: &'a [I],
}

impl Model for Metrics {
    const SIGNAL: Signal = Signal::Metrics;
    type Item = Metric;

    fn groups(&self) -> Vec<Group<'_, Metric>> {
        let groups = self.resource_metrics.iter().map(|group| Group {
            resource: group.resource.as_ref(),
            schema_url: &group.schema_url,
            scopes: group
                .scope_metrics
                .iter()
                .map(|scope| ScopeGroup {
                    scope: scope.scope.as_ref(),
                    schema_url: &scope.schema_url,
                    items: &scope.metrics,
                })
                .collect(),
        });
        groups.collect()
    }

    fn check_item(_: &[u8], _: &Index, ours: &ItemEntry, theirs: &Metric) {
        let points = match &theirs.data {
            None => 0,
            Some(Data::Gauge(data)) => data.data_points.len(),
            Some(Data::Sum(data)) => data.data_points.len(),
            Some(Data::Histogram(data)) => data.data_points.len(),
            Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
            Some(Data::Summary(data)) => data.data_points.len(),
        };
        assert_eq!(ours.count as usize, points);
        assert_eq!(ours.fault, None);
    }
}

impl Model for Logs {
    const SIGNAL: Signal = Signal::Logs;
    type Item = LogRecord;

    fn groups(&self) -> Vec<Group<'_, LogRecord>> {
        let groups = self.resource_logs.iter().map(|group| Group {
            resource: group.resource.as_ref(),
            schema_url: &group.schema_url,
            scopes: group
                .scope_logs
                .iter()
                .map(|scope| ScopeGroup {
                    scope: scope.scope.as_ref(),
                    schema_url: &scope.schema_url,
                    items: &scope.log_records,
                })
                .collect(),
        });
        groups.collect()
    }

    fn check_item(_: &[u8], _: &Index, ours: &ItemEntry, _: &LogRecord) {
        assert_eq!((ours.count, ours.fault), (1, None));
    }
}

/// Fails where the messages differ. NaN equals NaN, by its bits.
#[track_caller]
pub fn same<M: prost::Message + PartialEq + Debug>(ours: &M, theirs: &M) {
    let same = ours == theirs || ours.encode_to_vec() == theirs.encode_to_vec();
    assert!(same, "{ours:#?}\nis not\n{theirs:#?}");
}

/// Checks that `index` describes `bytes` as prost decodes them.
pub fn check_index<M: Model>(bytes: &[u8], index: &Index, model: &M) {
    let (mut scope_at, mut item_at) = (0usize, 0usize);
    let groups = model.groups();
    assert_eq!(index.resources.len(), groups.len());
    for (at, (ours, theirs)) in index.resources.iter().zip(&groups).enumerate() {
        decodes_to(ours.resource.of(bytes), theirs.resource);
        assert_eq!(ours.schema_url.of(bytes), theirs.schema_url.as_bytes());
        assert_eq!(ours.first_item as usize, item_at);
        for theirs in &theirs.scopes {
            let ours = &index.scopes[scope_at];
            assert_eq!(ours.has_scope, theirs.scope.is_some());
            decodes_to(ours.scope.of(bytes), theirs.scope);
            assert_eq!(ours.schema_url.of(bytes), theirs.schema_url.as_bytes());
            for theirs in theirs.items {
                let ours = &index.items[item_at];
                let place = (ours.resource as usize, ours.scope as usize);
                assert_eq!(place, (at, scope_at));
                same(&M::Item::decode(ours.bytes.of(bytes)).unwrap(), theirs);
                M::check_item(bytes, index, ours, theirs);
                item_at += 1;
            }
            scope_at += 1;
        }
        assert_eq!(ours.end_item as usize, item_at);
    }
    assert_eq!(index.scopes.len(), scope_at);
    assert_eq!(index.items.len(), item_at);
}

#[track_caller]
fn decodes_to<M: prost::Message + Default + PartialEq + Clone + Debug>(
    ours: &[u8],
    theirs: Option<&M>,
) {
    same(
        &M::decode(ours).unwrap(),
        &theirs.cloned().unwrap_or_default(),
    );
}

/// Validates and decodes `bytes` and compares the verdicts, and then all that
/// follows from them.
pub fn agree<M: Model>(bytes: &[u8]) {
    let (keys, _) = keys();
    let mut index = Index::default();
    let theirs = M::decode(bytes);
    match (validate(M::SIGNAL, bytes, &keys, &mut index), theirs) {
        (Ok(()), Ok(model)) => {
            if !index.needs_repair {
                check_index(bytes, &index, &model);
            }
            let admitted = admit(M::SIGNAL, bytes, &keys, &mut index).unwrap();
            assert_eq!(admitted.utf8_replaced, 0);
            assert!(!index.needs_repair);
            check_index(&admitted.bytes, &index, &model);
            let counted: u64 = index.items.iter().map(|item| u64::from(item.count)).sum();
            assert_eq!(split::count(M::SIGNAL, &admitted.bytes) as u64, counted);
            same(&M::decode(&*admitted.bytes).unwrap(), &model);
            check_kept::<M>(bytes, &admitted.bytes);
        }
        (Ok(()), Err(error)) => {
            assert!(
                error.to_string().contains("UTF-8"),
                "we accept, prost says: {error}"
            );
            assert!(index.needs_repair);
            let admitted = admit(M::SIGNAL, bytes, &keys, &mut index).unwrap();
            assert!(!index.needs_repair);
            let model = M::decode(&*admitted.bytes).unwrap();
            check_index(&admitted.bytes, &index, &model);
            check_kept::<M>(bytes, &admitted.bytes);
        }
        (Err(malformed), Ok(_)) => panic!("prost accepts, we say: {malformed}"),
        (Err(malformed), Err(_)) => assert!(malformed.offset <= bytes.len()),
    }
}

/// Nothing that takes a request's bytes panics, whatever they are.
pub fn survive<M: Model>(bytes: &[u8]) {
    let _ = canon::repair(M::SIGNAL, bytes, &RequestLimits::MOST);
    split::halve(M::SIGNAL, bytes);
    split::select(M::SIGNAL, bytes, 1..3);
}

/// Log records, and the data of metrics, stay byte for byte, but where their text
/// is not UTF-8.
fn check_kept<M: Model>(before: &[u8], after: &[u8]) {
    let (before, after) = (items(before), items(after));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.into_iter().zip(after) {
        if M::Item::decode(before).is_err() {
            continue;
        }
        match M::SIGNAL {
            Signal::Traces => {}
            Signal::Logs => assert_eq!(before, after),
            Signal::Metrics => {
                if let Some(before) = data(before) {
                    assert_eq!(Some(before), data(after));
                }
            }
        }
    }
}

/// Payloads of the length-delimited fields `number`.
pub fn inside(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> + Clone {
    let fields = WireFields::new(message).filter(move |field| field.number == number);
    fields.filter_map(|field| field.bytes())
}

fn items(request: &[u8]) -> Vec<&[u8]> {
    let scopes = inside(request, 1).flat_map(|group| inside(group, 2));
    scopes.flat_map(|group| inside(group, 2)).collect()
}

/// The data of a metric that has it in one piece.
fn data(metric: &[u8]) -> Option<&[u8]> {
    let mut all = [5, 7, 9, 10, 11]
        .into_iter()
        .flat_map(|number| inside(metric, number));
    all.next().filter(|_| all.next().is_none())
}
