//! A whole request through the engine: what is allocated for it is bounded by its
//! length and its entries, what goes out by the documented multiple of it, and what is
//! kept of it is charged.

use super::{
    Grammar, Target,
    pipelines::{BATCHES, EXPANSION, FreshShard, Pipelines},
};
use allocation_counter::{AllocationInfo, measure};
use wayspan::{
    pdata::{
        Signal,
        json::{request_from_json_within, request_to_json},
        wire::WireFields,
    },
    pipeline::{NotTaken, Preparation},
};

/// Bytes at the end of an input: its signal, how pipelines batch and whether it comes
/// as JSON, and how much memory there is to read it in.
const SCRIPT: usize = 3;

/// What may go out for any request, and the times its length (`max_expansion`) that may
/// beyond that.
const FLOOR: usize = 256 << 10;

/// Times what may go out for a request, what is allocated while it is taken: batches
/// grow as they are filled, and what goes out again and again is also kept in tables.
const PER_OUTPUT: usize = 4;
/// What is allocated for each group and item, for what is known of it.
const PER_ENTRY: usize = 1024;

/// What a batch takes beside what it is charged.
const PER_BATCH: usize = 512;

/// What reading takes beside what it may: what does not grow with a request, and for
/// each of its bytes what a log record takes while it is looked at, one at a time and of
/// 64 KiB at most.
const BASE: usize = 4 << 10;
const PER_RECORD_BYTE: usize = 48;

pub const TARGET: Target = Target {
    name: "pipeline",
    run,
    grammar: Grammar::RequestThen(SCRIPT),
};

thread_local! {
    static PIPELINES: [Pipelines; 2] = BATCHES.map(Pipelines::new);
}

fn run(bytes: &[u8]) {
    let Some((request, [signal, form, room])) = bytes.split_last_chunk::<SCRIPT>() else {
        return;
    };
    let signal = Signal::ALL[usize::from(*signal) % Signal::ALL.len()];
    let form = usize::from(*form);
    PIPELINES.with(|pipelines| {
        let (shard, times) = (pipelines[form % 2].shard(), EXPANSION[form % 2]);
        if form % 64 < 2 && let Ok(json) = request_to_json(signal, request) {
            read_json(&shard, signal, &json, usize::from(*room));
        }
        // Logs go into pipelines of logs, and of traces, which have what becomes of them.
        let pipelines = if signal == Signal::Logs { 2 } else { 1 };
        let most = pipelines * (FLOOR + times * request.len());
        let is_taken = take(&shard, signal, request, usize::from(*room), |used| {
            let most = PER_OUTPUT * most + PER_ENTRY * entries(request);
            at_most(used.bytes_total, most, "allocated in taking");
        });
        let batches = shard.batches();
        let out: usize = batches.iter().map(|batch| batch.bytes).sum();
        at_most(out as u64, if is_taken { most } else { 0 }, "go out");
        let charged: usize = batches.iter().map(|batch| batch.lease.bytes()).sum();
        let charged = charged + PER_BATCH * batches.len();
        let freed = measure(|| drop(batches)).bytes_current.unsigned_abs();
        at_most(freed, charged, "kept by batches, beyond what is charged");
    });
}

/// Takes a request in one turn, or reads it apart and takes it in several; and says what
/// either took. Returns false if it is refused.
fn take(
    shard: &FreshShard<'_>,
    signal: Signal,
    request: &[u8],
    room: usize,
    check: impl Fn(AllocationInfo),
) -> bool {
    let mut taken = None;
    check(measure(|| taken = Some(shard.take(signal, request))));
    match taken {
        Some(Ok(_)) => true,
        Some(Err(NotTaken::Large)) => {
            let (memory, most) = memory(signal, request.len(), 1, room);
            let (prepared, used) = shard.prepare(signal, request.to_vec(), memory);
            at_most(used.bytes_max + request.len() as u64, most, "allocated in reading");
            let Ok(prepared) = prepared else {
                return false;
            };
            let mut is_taken = false;
            check(measure(|| is_taken = shard.take_prepared(prepared).is_ok()));
            is_taken
        }
        _ => false,
    }
}

/// Reads JSON as the lane of large requests does.
fn read_json(shard: &FreshShard<'_>, signal: Signal, json: &[u8], room: usize) {
    // Half of what protobuf may have.
    let (memory, most) = memory(signal, json.len(), 2, room);
    let used = measure(|| {
        let longest = Preparation::longest(memory);
        if let Ok(request) = request_from_json_within(signal, json, longest) {
            drop(shard.prepare(signal, request, memory));
        }
    });
    at_most(used.bytes_max + json.len() as u64, most, "allocated in reading JSON");
}

/// Memory in which so many bytes, and so many times as many, may be read: just enough, or
/// more; and what may be allocated then.
fn memory(signal: Signal, bytes: usize, times: usize, room: usize) -> (usize, usize) {
    let parts = (1 << 20) / Preparation::longest(1 << 20);
    let memory = bytes * times * parts + bytes * room / 4;
    match signal {
        Signal::Logs => (memory, memory + BASE + PER_RECORD_BYTE * bytes),
        _ => (memory, memory + BASE),
    }
}

#[track_caller]
fn at_most(bytes: u64, most: usize, what: &str) {
    assert!(bytes <= most as u64, "{bytes} bytes {what}, and no more than {most} should be");
}

/// Groups and items, of a request that is none as well.
fn entries(request: &[u8]) -> usize {
    let inside = |message, number| {
        let fields = WireFields::new(message).filter(move |field| field.number == number);
        fields.filter_map(|field| field.bytes())
    };
    let scopes = || inside(request, 1).flat_map(|group| inside(group, 2));
    let items = scopes().flat_map(|scope| inside(scope, 2));
    inside(request, 1).count() + scopes().count() + items.count()
}
