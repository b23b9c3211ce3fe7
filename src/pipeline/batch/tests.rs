#![allow(clippy::unwrap_used)]

use super::*;
use crate::pdata::wire::put_bytes;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{ResourceSpans, Span},
};
use prost::Message;

fn settings(spans: usize, bytes: usize) -> BatchSettings {
    BatchSettings {
        items: spans,
        bytes,
        timeout: Duration::from_secs(1),
        ..BatchSettings::default()
    }
}

struct Bench {
    resources: Resources,
    scopes: Scopes,
    batch: Batch,
}

impl Bench {
    fn new(spans: usize, bytes: usize) -> Self {
        Self {
            resources: Resources::default(),
            scopes: Scopes::default(),
            batch: Batch::new(Signal::Traces, &settings(spans, bytes)),
        }
    }

    /// Appends a span named `name` under a resource whose unknown field 99
    /// holds `resource`.
    fn append(&mut self, resource: &str, name: &str) {
        let mut payload = Vec::new();
        payload.extend_from_slice(&[0x9A, 0x06, resource.len() as u8]);
        payload.extend_from_slice(resource.as_bytes());
        let resource = self.resources.intern(&payload, b"schema", b"");
        let scope = self.scopes.intern(b"", b"", b"");
        let span = Span {
            name: name.to_owned(),
            ..Default::default()
        }
        .encode_to_vec();
        let headers = HeaderBytes::of(self.resources.get(resource), self.scopes.get(scope));
        let out = self.batch.group(resource, scope, span.len() + 8);
        let before = out.len();
        put_bytes(2, &span, out);
        let written = out.len() - before;
        self.batch.appended(written, headers, 1);
    }

    /// A group that the batch does not have.
    fn unknown(&mut self) -> (ResourceId, ScopeId) {
        let resource = self.resources.intern(b"unknown", b"", b"");
        (resource, self.scopes.intern(b"", b"", b""))
    }

    fn must_seal_before(&mut self, bytes: usize) -> bool {
        let group = self.unknown();
        (self.batch).must_seal_before(group, bytes, HeaderBytes::default())
    }

    fn seal(&mut self) -> (SealedBatch, ExportTraceServiceRequest) {
        assert!(!self.batch.is_empty());
        let budget = Budget::new(usize::MAX);
        let sealed = (self.batch).seal(&self.resources, &self.scopes, &budget, None);
        assert_eq!(budget.held(), sealed.lease.bytes());
        let whole = sealed.chunks.concat();
        assert_eq!(whole.len(), sealed.bytes);
        let request = ExportTraceServiceRequest::decode(&whole[..]).unwrap();
        (sealed, request)
    }
}

fn names(request: &ExportTraceServiceRequest) -> Vec<Vec<&str>> {
    let of_group = |r: &ResourceSpans| {
        assert_eq!((r.scope_spans.len(), r.schema_url.as_str()), (1, "schema"));
    };
    request.resource_spans.iter().for_each(of_group);
    let groups = request
        .resource_spans
        .iter()
        .map(|r| &r.scope_spans[0].spans);
    groups
        .map(|spans| spans.iter().map(|span| span.name.as_str()).collect())
        .collect()
}

#[test]
fn spans_are_grouped_by_resource_in_the_order_they_came() {
    let mut bench = Bench::new(100, 1 << 20);
    for (resource, name) in [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("c", "5")] {
        bench.append(resource, name);
    }
    let (sealed, request) = bench.seal();
    assert_eq!(sealed.items, 5);
    assert_eq!(names(&request), [vec!["1", "3"], vec!["2", "4"], vec!["5"]]);
    assert!(bench.batch.is_empty());
    bench.append("a", "6");
    assert_eq!(names(&bench.seal().1), [vec!["6"]]);
}

#[test]
fn a_group_gets_room_for_what_it_had_and_is_forgotten_when_idle() {
    let mut bench = Bench::new(1 << 20, 1 << 30);
    for _ in 0..100 {
        bench.append("busy", "name");
    }
    bench.append("idle", "name");
    bench.seal();
    assert_eq!(bench.batch.groups.len(), 2);
    bench.append("busy", "name");
    let capacity = bench.batch.groups[0].fields.capacity();
    assert!(capacity > 600, "room at once: {capacity}");
    assert_eq!(names(&bench.seal().1), [["name"]]);
    assert_eq!(bench.batch.groups.len(), 1);
    bench.append("idle", "back");
    bench.append("busy", "name");
    assert_eq!(names(&bench.seal().1), [["name"], ["back"]]);
}

#[test]
fn records_have_each_span_once_and_are_requests() {
    let mut bench = Bench::new(100, 1 << 20);
    let mut joined = Vec::new();
    let mut record = |bench: &mut Bench, spans: u32| {
        assert_eq!(bench.batch.unrecorded(), spans);
        let mut out = Vec::new();
        bench
            .batch
            .record(&bench.resources, &bench.scopes, &mut out);
        joined.extend_from_slice(&out);
        ExportTraceServiceRequest::decode(&out[..]).unwrap()
    };
    bench.append("a", "1");
    bench.append("b", "2");
    bench.append("a", "3");
    assert_eq!(names(&record(&mut bench, 3)), [vec!["1", "3"], vec!["2"]]);
    assert_eq!(names(&record(&mut bench, 0)), [] as [Vec<&str>; 0]);
    bench.append("b", "4");
    bench.append("c", "5");
    assert_eq!(names(&record(&mut bench, 2)), [["4"], ["5"]]);
    let whole = ExportTraceServiceRequest::decode(&joined[..]).unwrap();
    assert_eq!(names(&whole).concat(), ["1", "3", "2", "4", "5"]);

    // A batch's records end with it.
    bench.append("a", "6");
    let (_, sealed) = bench.seal();
    assert_eq!(
        names(&sealed),
        [vec!["1", "3", "6"], vec!["2", "4"], vec!["5"]]
    );
    assert_eq!(bench.batch.unrecorded(), 0);
    bench.append("a", "7");
    let mut out = Vec::new();
    bench
        .batch
        .record(&bench.resources, &bench.scopes, &mut out);
    let last = ExportTraceServiceRequest::decode(&out[..]).unwrap();
    assert_eq!(names(&last), [["7"]]);
}

#[test]
fn large_groups_leave_as_pieces_of_their_own() {
    let mut bench = Bench::new(1 << 20, 1 << 30);
    let long = "x".repeat(1000);
    for _ in 0..40 {
        bench.append("large", &long);
    }
    bench.append("small", "s");
    bench.append("tiny", "t");
    let (sealed, request) = bench.seal();
    assert_eq!(sealed.chunks.len(), 3, "header, large group, all the rest");
    assert_eq!(
        names(&request).iter().map(Vec::len).collect::<Vec<_>>(),
        [40, 1, 1]
    );
}

#[test]
fn the_sealed_size_stays_within_the_limit() {
    let mut bench = Bench::new(1 << 20, 10_000);
    let mut sealed = 0;
    for n in 0..1000 {
        let unknown = bench.unknown();
        let headers = HeaderBytes {
            resource: 30,
            scope: 0,
        };
        if bench.batch.must_seal_before(unknown, 120, headers) {
            sealed += 1;
            assert!(bench.seal().0.bytes <= 10_000);
        }
        bench.append(&format!("resource {}", n % 17), &"x".repeat(n % 100));
    }
    assert!(sealed > 2);
}

#[test]
fn a_span_larger_than_the_limit_travels_alone() {
    let mut bench = Bench::new(100, 50);
    assert!(!bench.must_seal_before(1 << 20));
    bench.append("r", &"x".repeat(100));
    assert!(bench.batch.is_full() && bench.must_seal_before(1));
}

#[test]
fn zero_means_at_once_and_the_smaller_of_two_sizes_holds() {
    assert!(Batch::new(Signal::Traces, &settings(0, 100)).is_immediate());
    assert!(!Batch::new(Signal::Traces, &settings(1, 100)).is_immediate());
    let mut both = settings(100, 1 << 20);
    both.max_items = 2;
    assert_eq!(Batch::new(Signal::Traces, &both).max_items, 2);
}

#[test]
fn a_long_resource_is_not_written_for_each_of_its_scopes() {
    let mut bench = Bench::new(1 << 20, 1 << 20);
    let resource = bench.resources.intern(&[7; 100 << 10], b"", b"rest");
    let mut record = Vec::new();
    for n in 0..100_u8 {
        let mut scope = Vec::new();
        put_bytes(1, &[b'a' + n % 20], &mut scope);
        let scope = bench.scopes.intern(&scope, b"", b"");
        let headers = HeaderBytes::of(bench.resources.get(resource), bench.scopes.get(scope));
        let group = (resource, scope);
        assert!(!bench.batch.must_seal_before(group, 10, headers), "{n}");
        let out = bench.batch.group(resource, scope, 2);
        let before = out.len();
        put_bytes(2, &[], out);
        let written = out.len() - before;
        bench.batch.appended(written, headers, 1);
        if n == 50 {
            (bench.batch).record(&bench.resources, &bench.scopes, &mut record);
        }
    }
    assert!(record.len() < 110 << 10);
    let accounted = bench.batch.bytes();
    let budget = Budget::new(usize::MAX);
    let sealed = (bench.batch).seal(&bench.resources, &bench.scopes, &budget, None);
    assert!(sealed.bytes <= accounted && sealed.bytes < 110 << 10);
    let whole = sealed.chunks.concat();
    let [group] = &wire_fields(&whole)[..] else {
        panic!("one resource")
    };
    let inside = wire_fields(group.bytes().unwrap());
    let scopes = inside.iter().filter(|field| field.number == 2);
    let spans = scopes.map(|scope| {
        let fields = wire_fields(scope.bytes().unwrap());
        fields.iter().filter(|field| field.number == 2).count()
    });
    assert_eq!(spans.collect::<Vec<_>>(), [5; 20]);
}

fn wire_fields(message: &[u8]) -> Vec<crate::pdata::wire::WireField<'_>> {
    crate::pdata::wire::WireFields::new(message).collect()
}

/// The budget counts what batches allocate, while they are open and when they are sealed.
#[test]
fn what_is_charged_is_what_is_allocated() {
    let mut bench = Bench::new(1 << 20, 4 << 20);
    // One that grew large, then the same group with little in it, and many small ones.
    for sizes in [vec![40_000; 40], vec![40; 100], vec![300; 3]] {
        for (n, size) in sizes.iter().enumerate() {
            let resource = if *size == 300 {
                n.to_string()
            } else {
                "same".to_owned()
            };
            bench.append(&resource, &"n".repeat(*size));
        }
        let groups = bench.batch.groups.iter();
        let capacities: usize = groups.map(|group| group.fields.capacity()).sum();
        let headers = bench.batch.bytes()
            - bench
                .batch
                .groups
                .iter()
                .map(|g| g.fields.len())
                .sum::<usize>();
        assert_eq!(bench.batch.allocated(), capacities + headers);
        let bytes = bench.batch.bytes();
        let (sealed, _) = bench.seal();
        let charged = sealed.lease.bytes();
        assert!(
            (sealed.bytes..=2 * bytes + 1024).contains(&charged),
            "{charged} for {bytes}"
        );
        assert_eq!(bench.batch.allocated(), 0);
    }
}
