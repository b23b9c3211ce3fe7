/*!
Cutting a batch into records.

[`by_group`] deals the spans of a request out to groups, by trace, and makes a request of each group:
resources and scopes are repeated around its spans, and stay in their order. One walk reads the
request, down to the ids of traces; every span is copied once.
*/

use super::{
    partitioner::key,
    settings::{RecordPer, Spread},
};
use crate::pdata::{
    Signal, split,
    wire::{WireFields, put_message},
};
use bytes::Bytes;
use std::collections::HashMap;

/// Field of a request that holds a resource group, of a group that holds the groups or items in
/// it, and of a span that holds its trace's id.
const RESOURCE_GROUP: u32 = 1;
const INNER: u32 = 2;
const TRACE_ID: u32 = 1;

/// A record to be: a request, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedRecord {
    /// None: any.
    pub(super) partition: Option<usize>,
    pub(super) key: Option<Bytes>,
    /// A request in protobuf.
    pub(super) request: Bytes,
    pub(super) items: u64,
    /// Bytes of the smallest record refused as too large of which this is a part.
    pub(super) refused: Option<usize>,
}

impl PlannedRecord {
    /// Cuts it in two; None if it has fewer than two items.
    pub(super) fn halve(&self, signal: Signal) -> Option<[Self; 2]> {
        let (first, second) = split::halve(signal, &self.request)?;
        Some([first, second].map(|request| Self {
            items: split::count(signal, &request) as u64,
            request: request.into(),
            ..self.clone()
        }))
    }
}

/// What decides which records a batch becomes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) record_per: RecordPer,
    pub(super) spread: Spread,
    /// How many the topic has.
    pub(super) partitions: usize,
}

impl Plan {
    /// The records of a request. `turn` is the partition whose turn it is.
    pub(super) fn records(
        self,
        signal: Signal,
        request: &Bytes,
        mut turn: impl FnMut() -> usize,
    ) -> Vec<PlannedRecord> {
        let groups = match self.record_per {
            _ if signal != Signal::Traces => Vec::new(),
            RecordPer::Batch => Vec::new(),
            RecordPer::Partition => self.by_partition(request),
            RecordPer::Trace => by_trace(request),
        };
        let whole = || Group {
            items: split::count(signal, request) as u64,
            request: request.clone(),
            trace: None,
            partition: None,
        };
        let groups = match groups.is_empty() {
            true => vec![whole()],
            false => groups,
        };
        let records = groups.into_iter().map(|group| {
            let key = group.trace.map(|trace| key(&trace));
            let partition = match (self.spread, &key) {
                (Spread::Turns, _) => Some(turn() % self.partitions.max(1)),
                (Spread::Key(hasher), Some(key)) => Some(hasher.partition(key, self.partitions)),
                (Spread::Key(_), None) => group.partition,
            };
            PlannedRecord {
                partition,
                key: key.map(Bytes::from),
                request: group.request,
                items: group.items,
                refused: None,
            }
        });
        records.collect()
    }

    fn by_partition(self, request: &[u8]) -> Vec<Group> {
        let Spread::Key(hasher) = self.spread else {
            return Vec::new();
        };
        let mut written = Vec::new();
        by_group(request, &mut written, |_, trace| {
            hasher.partition(&key(trace), self.partitions)
        });
        let groups = written.into_iter().enumerate();
        let groups = groups.filter(|(_, group)| group.items > 0);
        groups
            .map(|(partition, group)| Group {
                request: group.bytes.into(),
                items: group.items,
                trace: None,
                partition: Some(partition),
            })
            .collect()
    }
}

/// Spans that share a record.
struct Group {
    request: Bytes,
    items: u64,
    trace: Option<Vec<u8>>,
    partition: Option<usize>,
}

/// A trace whose spans are in several scopes makes several, as in a Collector.
fn by_trace(request: &[u8]) -> Vec<Group> {
    let mut numbers: HashMap<(usize, &[u8]), usize> = HashMap::new();
    let mut traces: Vec<&[u8]> = Vec::new();
    let mut written = Vec::new();
    by_group(request, &mut written, |scope, trace| {
        *numbers.entry((scope, trace)).or_insert_with(|| {
            traces.push(trace);
            traces.len() - 1
        })
    });
    let groups = written.into_iter().zip(traces);
    groups
        .map(|(group, trace)| Group {
            request: group.bytes.into(),
            items: group.items,
            trace: Some(trace.to_vec()),
            partition: None,
        })
        .collect()
}

/// What is written of a group.
#[derive(Clone, Debug, Default)]
struct WrittenGroup {
    bytes: Vec<u8>,
    items: u64,
}

/// A span of a resource group, and where it goes.
struct DealtSpan<'a> {
    group: usize,
    /// Which of the resource group's scope groups it is in.
    scope: usize,
    /// Its field, whole.
    field: &'a [u8],
}

/// Appends each span of a request to the group that `group_of` says, from the number of its scope
/// group in the request and the id of its trace.
fn by_group<'a>(
    request: &'a [u8],
    groups: &mut Vec<WrittenGroup>,
    mut group_of: impl FnMut(usize, &'a [u8]) -> usize,
) {
    let mut number = 0;
    let mut scopes = Vec::new();
    let mut spans = Vec::new();
    for resource in inside(request, RESOURCE_GROUP) {
        scopes.clear();
        spans.clear();
        for (_, scope) in payloads(resource, INNER) {
            for (field, span) in payloads(scope, INNER) {
                let mut ids = payloads(span, TRACE_ID);
                let trace = ids.next().map_or(&b""[..], |(_, id)| id);
                spans.push(DealtSpan {
                    group: group_of(number, trace),
                    scope: scopes.len(),
                    field,
                });
            }
            scopes.push(scope);
            number += 1;
        }
        // Stable: spans of a group stay in their order.
        spans.sort_by_key(|span| span.group);
        for dealt in spans.chunk_by(|a, b| a.group == b.group) {
            let Some(first) = dealt.first() else { continue };
            if groups.len() <= first.group {
                groups.resize_with(first.group + 1, WrittenGroup::default);
            }
            let Some(group) = groups.get_mut(first.group) else {
                continue;
            };
            group.items += dealt.len() as u64;
            put_message(RESOURCE_GROUP, &mut group.bytes, |out| {
                put_around(resource, out, |out| {
                    for spans in dealt.chunk_by(|a, b| a.scope == b.scope) {
                        let scope = spans.first().and_then(|span| scopes.get(span.scope));
                        put_message(INNER, out, |out| {
                            put_around(scope.copied().unwrap_or_default(), out, |out| {
                                spans
                                    .iter()
                                    .for_each(|span| out.extend_from_slice(span.field));
                            });
                        });
                    }
                });
            });
        }
    }
}

/// Appends the fields of a group, but `inner` in place of what is in it.
fn put_around(group: &[u8], out: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    let copy = |out: &mut Vec<u8>, wanted: fn(u32) -> bool| {
        for field in WireFields::new(group).filter(|field| wanted(field.number)) {
            out.extend_from_slice(field.raw);
        }
    };
    copy(out, |number| number < INNER);
    inner(out);
    copy(out, |number| number > INNER);
}

fn inside(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    payloads(message, number).map(|(_, payload)| payload)
}

/// The fields of a number that hold messages or bytes, whole and what they hold.
fn payloads(message: &[u8], number: u32) -> impl Iterator<Item = (&[u8], &[u8])> {
    let fields = WireFields::new(message).filter(move |field| field.number == number);
    fields.filter_map(|field| Some((field.raw, field.bytes()?)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{exporter::kafka::partitioner::Hasher, pdata::wire::put_bytes};
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;
    use std::collections::BTreeSet;

    /// Two resources with two scopes each; the spans of each scope are of these traces.
    fn request(traces: &[u8]) -> Bytes {
        let mut request = Vec::new();
        for resource in [b"r1", b"r2"] {
            put_message(1, &mut request, |out| {
                put_message(1, out, |out| put_bytes(99, resource, out));
                for scope in [b"s1", b"s2"] {
                    put_message(2, out, |out| {
                        put_message(1, out, |out| put_bytes(1, scope, out));
                        for trace in traces {
                            put_message(2, out, |out| {
                                put_bytes(1, &[*trace; 16], out);
                                put_bytes(98, b"kept", out);
                            });
                        }
                        put_bytes(3, b"scope url", out);
                    });
                }
                put_bytes(3, b"resource url", out);
            });
        }
        request.into()
    }

    fn records(record_per: RecordPer, spread: Spread, request: &Bytes) -> Vec<PlannedRecord> {
        let plan = Plan {
            record_per,
            spread,
            partitions: 3,
        };
        let turns = std::cell::Cell::new(0);
        plan.records(Signal::Traces, request, || turns.replace(turns.get() + 1))
    }

    fn spans(record: &PlannedRecord) -> Vec<Vec<u8>> {
        let resources = inside(&record.request, RESOURCE_GROUP);
        let scopes = resources.flat_map(|resource| inside(resource, INNER));
        scopes
            .flat_map(|scope| inside(scope, INNER))
            .map(<[u8]>::to_vec)
            .collect()
    }

    #[test]
    fn a_partition_has_all_of_its_traces_and_what_is_around_them() {
        let request = request(&[1, 2, 3, 4, 5, 1, 2]);
        let hasher = Hasher::SaramaCompat;
        let records = records(RecordPer::Partition, Spread::Key(hasher), &request);
        let partitions: BTreeSet<_> = records.iter().map(|r| r.partition.unwrap()).collect();
        assert_eq!(partitions.len(), records.len(), "one record a partition");
        let mut items = 0;
        for record in &records {
            let spans = spans(record);
            items += spans.len();
            assert_eq!(record.items, spans.len() as u64);
            assert_eq!(record.key, None);
            for span in spans {
                let trace = payloads(&span, TRACE_ID).next().unwrap().1;
                assert_eq!(Some(hasher.partition(&key(trace), 3)), record.partition);
                assert!(span.ends_with(b"kept"));
            }
            let decoded = ExportTraceServiceRequest::decode(&record.request[..]).unwrap();
            let resource = &decoded.resource_spans[0];
            assert_eq!(resource.schema_url, "resource url");
            assert_eq!(resource.scope_spans[1].schema_url, "scope url");
            assert_eq!(resource.scope_spans[1].scope.as_ref().unwrap().name, "s2");
        }
        assert_eq!(items, 28);
    }

    #[test]
    fn one_partition_gets_the_request_as_it_is() {
        let request = request(&[1, 2, 3]);
        let plan = Plan {
            record_per: RecordPer::Partition,
            spread: Spread::Key(Hasher::Murmur2),
            partitions: 1,
        };
        let records = plan.records(Signal::Traces, &request, || 0);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].request, request);
    }

    #[test]
    fn a_trace_has_a_record_for_each_scope_with_its_id_as_the_key() {
        let request = request(&[1, 2, 1]);
        let spread = Spread::Key(Hasher::SaramaCompat);
        let records = records(RecordPer::Trace, spread, &request);
        let items: Vec<_> = records.iter().map(|record| record.items).collect();
        assert_eq!(items, [2, 1, 2, 1, 2, 1, 2, 1]);
        assert_eq!(records[0].key.as_deref(), Some(&b"01".repeat(16)[..]));
        let decoded = ExportTraceServiceRequest::decode(&records[7].request[..]).unwrap();
        let scope = &decoded.resource_spans[0].scope_spans[0];
        assert_eq!(scope.scope.as_ref().unwrap().name, "s2");
    }

    #[test]
    fn without_keys_a_batch_is_a_record_and_partitions_take_turns() {
        let request = request(&[1, 2]);
        let whole = records(RecordPer::Batch, Spread::Key(Hasher::Murmur2), &request);
        assert_eq!((whole[0].partition, whole[0].items), (None, 8));
        let turns = records(RecordPer::Trace, Spread::Turns, &request);
        let turns: Vec<_> = turns
            .iter()
            .map(|record| record.partition.unwrap())
            .collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2, 0, 1]);
    }

    #[test]
    fn halves_keep_where_they_go() {
        let spread = Spread::Key(Hasher::SaramaCompat);
        let records = records(RecordPer::Trace, spread, &request(&[1, 1, 1]));
        let [first, second] = records[0].halve(Signal::Traces).unwrap();
        assert_eq!((first.items, second.items), (1, 2));
        for half in [&first, &second] {
            assert_eq!(
                (&half.key, half.partition),
                (&records[0].key, records[0].partition)
            );
        }
        assert_eq!(first.halve(Signal::Traces), None);
    }
}
