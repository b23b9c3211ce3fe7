//! Arbitrary files: nothing panics, and nothing takes memory for a claim.

use crate::{check::check_recovery, support::*};
use crc32c::{crc32c, crc32c_append};
use proptest::{prelude::*, sample::Index};
use std::fs;
use wayspan::queue::log::LogSettings;

/// Runs the check; what the reading thread held at most is bounded by the files.
fn check(segment: &[u8], settlements: &[u8]) {
    let dir = directory();
    let allocated = allocation_counter::measure(|| {
        check_recovery(dir.path(), segment, settlements).unwrap();
    });
    let files = (segment.len() + settlements.len()) as u64;
    assert!(
        allocated.bytes_max < 20 * files + (1 << 20),
        "{} bytes for files of {files}",
        allocated.bytes_max
    );
}

/// The files of a log with a few records and settlements.
fn files_of_a_log(lengths: &[usize]) -> (Vec<u8>, Vec<u8>) {
    let dir = directory();
    let (log, _) = open(LogSettings {
        exporters: vec!["a".to_owned(), "b".to_owned()],
        ..settings(dir.path())
    });
    let mut writer = lane(&log);
    store(&mut writer, lengths);
    log.settle(0, writer.id(), 0..1);
    log.settle(1, writer.id(), 1..3);
    log.close();
    let [segment] = files(dir.path(), ".seg").try_into().unwrap();
    let [settled] = files(dir.path(), ".log").try_into().unwrap();
    (fs::read(segment).unwrap(), fs::read(settled).unwrap())
}

/// Changes to a file's bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        any::<Index>().prop_map(Change::Cut),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let length = bytes.len() + 1;
        match change {
            Change::Set(at, byte) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Change::Set(..) => {}
            Change::Cut(at) => bytes.truncate(at.index(length)),
            Change::Insert(at, more) => {
                let at = at.index(length);
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Repeat(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                bytes.extend_from_within(from.min(to)..from.max(to));
            }
        }
    }
    bytes
}

/// The longest payload that a header may claim.
const MAX_PAYLOAD: u32 = 1 << 30;

/// Numbers, mostly such as lie at an edge.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..5u64,
        (0..5u64).prop_map(|n| u64::MAX - n),
        (0..5u64).prop_map(|n| (1 << 63) - n),
        any::<u64>(),
    ]
}

/// Lengths that a header may claim.
fn claim() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..50u32,
        Just(MAX_PAYLOAD),
        Just(MAX_PAYLOAD + 1),
        any::<u32>(),
    ]
}

/// A segment header whose checksum holds, in the version of traces or the one
/// that names its signal.
fn segment_header(lane: u64, first: u64, signal: Option<u32>, exporters: &[String]) -> Vec<u8> {
    let mut rest = vec![];
    for number in [lane, first, first] {
        rest.extend(number.to_le_bytes());
    }
    rest.extend(signal.into_iter().flat_map(u32::to_le_bytes));
    rest.extend((exporters.len() as u32).to_le_bytes());
    for id in exporters {
        rest.extend((id.len() as u16).to_le_bytes());
        rest.extend(id.as_bytes());
    }
    let mut header = b"wayspanL".to_vec();
    header.extend((1 + u32::from(signal.is_some())).to_le_bytes());
    header.extend((16 + rest.len() as u32 + 4).to_le_bytes());
    header.extend(rest);
    header.extend(crc32c(&header).to_le_bytes());
    header
}

/// A record header whose checksum holds, and that may claim any length.
fn record_header(lane: u64, length: u32, seq: u64, items: u32, payload: &[u8]) -> Vec<u8> {
    let mut header = b"\xb7wsr".to_vec();
    header.extend(length.to_le_bytes());
    header.extend(seq.to_le_bytes());
    header.extend(items.to_le_bytes());
    header.extend(crc32c(payload).to_le_bytes());
    header.extend(crc32c_append(crc32c(&lane.to_le_bytes()), &header).to_le_bytes());
    header
}

/// A settlement whose checksum holds.
fn settlement(exporter: &str, lane: u64, from: u64, to: u64) -> Vec<u8> {
    let mut checked = vec![];
    for number in [lane, from, to] {
        checked.extend(number.to_le_bytes());
    }
    checked.extend((exporter.len() as u16).to_le_bytes());
    checked.extend(exporter.as_bytes());
    let mut entry = b"\xb7wsd".to_vec();
    entry.extend(crc32c(&checked).to_le_bytes());
    entry.extend(checked);
    entry
}

#[test]
fn written_by_hand_they_are_what_the_log_writes() {
    let (segment, settled) = files_of_a_log(&[3, 5]);
    let lane = u64::from_le_bytes(segment[16..24].try_into().unwrap());
    let mut header = segment_header(lane, 0, None, &["a".to_owned(), "b".to_owned()]);
    let length = header.len();
    // But for when it was made, and the checksum over that.
    header[32..40].copy_from_slice(&segment[32..40]);
    assert_eq!(header[..length - 4], segment[..length - 4]);
    let record = record_header(lane, 3, 0, 1, &payload(0, 3));
    assert_eq!(segment[length..][..28], record);
    assert!(settled.starts_with(&settlement("a", lane, 0, 1)));
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes_are_survived(
        segment in prop::collection::vec(any::<u8>(), 0..3000),
        settled in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        check(&segment, &settled);
    }

    /// Headers whose checksums hold, and that say anything.
    #[test]
    fn headers_that_lie_are_survived(
        lane in number(),
        first in number(),
        signal in prop::option::of(0..4u32),
        exporters in prop::collection::vec("[abc]?", 0..4),
        records in prop::collection::vec(
            (claim(), number(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..50)),
            0..8,
        ),
        entries in prop::collection::vec(("[abc]?", number(), number(), number()), 0..8),
    ) {
        let mut segment = segment_header(lane, first, signal, &exporters);
        for (claimed, seq, items, payload) in records {
            let length = if claimed % 2 == 0 { claimed } else { payload.len() as u32 };
            segment.extend(record_header(lane, length, seq, items, &payload));
            segment.extend(payload);
        }
        let mut settlements = vec![];
        for (exporter, other, from, to) in &entries {
            let lane = if other % 2 == 0 { lane } else { *other };
            settlements.extend(settlement(exporter, lane, *from, *to));
        }
        let dir = directory();
        check_recovery(dir.path(), &segment, &settlements).unwrap();
    }

    #[test]
    fn any_changes_are_survived(
        lengths in prop::collection::vec(0..200usize, 1..12),
        to_segment in prop::collection::vec(change(), 0..6),
        to_settled in prop::collection::vec(change(), 0..6),
    ) {
        let (segment, settled) = files_of_a_log(&lengths);
        check(&changed(segment, &to_segment), &changed(settled, &to_settled));
    }
}
