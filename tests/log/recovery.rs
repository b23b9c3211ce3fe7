//! Arbitrary files: nothing panics, and nothing takes memory for a claim.

use crate::support::*;
use proptest::{prelude::*, sample::Index};
use std::fs;
use wayspan::queue::log::{Settings, check_recovery};

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
    let (log, _) = open(Settings {
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
