//! Who has settled what, and what is deleted for it.

use crate::support::*;
use std::fs;
use wayspan::pdata::Signal;
use wayspan::queue::log::{LaneId, Log, LogSettings, Seq};

const RECORD: usize = 400;

/// Two records fit in a segment.
fn small(dir: &std::path::Path) -> LogSettings {
    LogSettings {
        segment_bytes: 1000,
        ..settings(dir)
    }
}

/// The ranges that an exporter is to get.
fn unsettled(log: &Log, exporter: usize, lane: LaneId) -> Vec<(Seq, Seq)> {
    let (mut from, mut ranges) = (0, vec![]);
    while let Some(range) = log.unsettled(exporter, lane, from) {
        ranges.push((range.start, range.end));
        from = range.end;
    }
    ranges
}

/// Neighbours joined: a segment's end parts what belongs together.
fn joined(ranges: Vec<(Seq, Seq)>) -> Vec<(Seq, Seq)> {
    let mut joined: Vec<(Seq, Seq)> = vec![];
    for (start, end) in ranges {
        match joined.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => joined.push((start, end)),
        }
    }
    joined
}

#[test]
fn a_segment_goes_when_the_slower_exporter_has_it_too() {
    let dir = directory();
    let (log, _) = open(small(dir.path()));
    let mut writer = lane(&log);
    store(&mut writer, &[RECORD; 9]);
    let segments = || files(dir.path(), ".seg").len();
    assert_eq!(segments(), 5);
    log.settle(0, writer.id(), 0..9);
    log.settle(1, writer.id(), 2..4);
    until("one is deleted", || segments() == 4);
    log.settle(1, writer.id(), 0..1);
    log.settle(1, writer.id(), 4..5);
    // A commit that is decided shows that what was told before it is done.
    store(&mut writer, &[1]);
    store(&mut writer, &[1]);
    assert_eq!(segments(), 4);
    assert_eq!(joined(unsettled(&log, 1, writer.id())), [(1, 2), (5, 11)]);
    log.settle(1, writer.id(), 1..2);
    log.settle(1, writer.id(), 5..8);
    until("all closed ones are deleted", || segments() == 1);
    assert_eq!(log.status().counts.deleted_segments, 4);
    until("the count follows", || log.status().segments == 1);
    // What stays can be read.
    let read = log.read(writer.id(), 0, 11, 1 << 20);
    assert_eq!((read.payloads.len(), read.next, read.damaged), (3, 11, 0));
    log.settle(0, writer.id(), 8..11);
    log.settle(1, writer.id(), 8..11);
    log.close();
    assert_eq!(segments(), 0);
}

#[test]
fn settlements_out_of_order_outlive_a_crash() {
    let dir = directory();
    let (log, _) = open(small(dir.path()));
    let mut writer = lane(&log);
    let stored = store(&mut writer, &[RECORD; 10]);
    let id = writer.id();
    for range in [3..5, 8..9, 0..1] {
        log.settle(0, id, range);
    }
    log.settle(1, id, 0..10);
    until("they are written", || {
        let copy = crashed(dir.path());
        let (log, _) = open(small(copy.path()));
        log.scan(id);
        let found = unsettled(&log, 0, id);
        log.close();
        joined(found) == [(1, 3), (5, 8), (9, 10)]
    });
    let copy = crashed(dir.path());
    let (again, recovered) = open(small(copy.path()));
    assert_eq!(recovered.lanes[0].pending[0], Some(1));
    let scan = again.scan(id);
    // Spans are numbered like records, from one.
    assert_eq!(scan.pending_items, [2 + 3 + 6 + 7 + 8 + 10, 0]);
    let mut got = vec![];
    for (from, end) in unsettled(&again, 0, id) {
        got.extend(read_all(&again, id, from, end, 500));
    }
    let expected: Vec<_> = [1, 2, 5, 6, 7, 9].map(|i: usize| stored[i].clone()).into();
    assert_eq!(got, expected);
    // What is settled now counts together with what was settled then.
    for (from, end) in unsettled(&again, 0, id) {
        again.settle(0, id, from..end);
    }
    until("all is deleted", || files(copy.path(), ".seg").is_empty());
    again.close();
    log.close();
}

#[test]
fn an_old_lane_settled_to_its_end_goes_when_it_is_scanned() {
    let dir = directory();
    let (log, _) = open(settings(dir.path()));
    let mut writer = lane(&log);
    store(&mut writer, &[RECORD; 3]);
    log.settle(0, writer.id(), 0..3);
    log.settle(1, writer.id(), 0..3);
    until("it is written", || {
        fs::read_dir(dir.path()).unwrap().any(|f| {
            let file = f.unwrap();
            file.file_name().to_str().unwrap().starts_with("settled-")
                && file.metadata().unwrap().len() > 0
        })
    });
    until("a crash finds both settlements", || {
        let copy = crashed(dir.path());
        let (log, recovered) = open(settings(copy.path()));
        let id = recovered.lanes[0].id;
        let scan = log.scan(id);
        let done = scan.pending_items == [0, 0];
        if done {
            until("it is deleted", || files(copy.path(), ".seg").is_empty());
            assert_eq!(unsettled(&log, 0, id), []);
        }
        log.close();
        done
    });
    log.close();
}

#[test]
fn a_large_segment_that_is_settled_is_released_while_idle() {
    let dir = directory();
    let (log, _) = open(settings(dir.path()));
    let mut writer = lane(&log);
    store(&mut writer, &[2 << 20]);
    log.settle(0, writer.id(), 0..1);
    log.settle(1, writer.id(), 0..1);
    until("the disk is released", || {
        files(dir.path(), ".seg").is_empty()
    });
    until("bytes are", || log.status().bytes < 1000);
    let stored = store(&mut writer, &[77]);
    assert_eq!(read_all(&log, writer.id(), 0, 2, 100), stored);
    log.close();
}

#[test]
fn settlements_are_written_anew_when_they_have_grown() {
    let dir = directory();
    let (log, _) = open(settings(dir.path()));
    let mut writer = lane(&log);
    store(&mut writer, &[1; 10]);
    // A settlement takes 45 bytes; these make several megabytes.
    for _ in 0..60_000 {
        log.settle(0, writer.id(), 0..1);
    }
    store(&mut writer, &[1]);
    store(&mut writer, &[1]);
    let sizes: Vec<_> = files(dir.path(), ".log")
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .collect();
    assert_eq!(sizes.len(), 1, "{sizes:?}");
    assert!(sizes[0] < 2 << 20, "{sizes:?}");
    log.close();
    let before = files(dir.path(), ".log");
    let (log, recovered) = open(settings(dir.path()));
    assert_eq!(recovered.lanes[0].pending, [Some(1), Some(0)]);
    until("they are one entry", || {
        let now = files(dir.path(), ".log");
        now != before && now[0].metadata().unwrap().len() < 100
    });
    log.close();
}

#[test]
fn damaged_settlements_make_something_come_twice() {
    let dir = directory();
    let (log, _) = open(settings(dir.path()));
    let mut writer = lane(&log);
    store(&mut writer, &[50; 6]);
    log.settle(0, writer.id(), 0..2);
    log.settle(0, writer.id(), 4..5);
    log.settle(1, writer.id(), 0..6);
    log.close();
    // An opening leaves one entry for each range.
    open(settings(dir.path())).0.close();
    let [file] = files(dir.path(), ".log").try_into().unwrap();
    let intact = fs::read(&file).unwrap();
    for at in 0..intact.len() {
        let mut bytes = intact.clone();
        bytes[at] ^= 1 << (at % 8);
        let copy = crashed(dir.path());
        fs::write(copy.path().join(file.file_name().unwrap()), &bytes).unwrap();
        let (log, recovered) = open(settings(copy.path()));
        assert_eq!(log.status().counts.damaged_settlements, 1, "byte {at}");
        let id = recovered.lanes[0].id;
        log.scan(id);
        let found = [
            joined(unsettled(&log, 0, id)),
            joined(unsettled(&log, 1, id)),
        ];
        let (all, none) = ((0, 6), vec![]);
        let others = [
            [vec![(0, 4), (5, 6)], none.clone()],
            [vec![(2, 6)], none],
            [vec![(2, 4), (5, 6)], vec![all]],
        ];
        assert!(others.contains(&found), "byte {at}: {found:?}");
        log.close();
    }
    for at in 0..intact.len() {
        let copy = crashed(dir.path());
        fs::write(copy.path().join(file.file_name().unwrap()), &intact[..at]).unwrap();
        let (log, recovered) = open(settings(copy.path()));
        assert!(log.status().counts.damaged_settlements <= 1, "byte {at}");
        assert!(recovered.lanes[0].pending[1] == Some(0));
        log.close();
    }
}

#[test]
fn exporters_come_and_go() {
    let dir = directory();
    let with = |exporters: &[&str]| LogSettings {
        exporters: exporters.iter().map(|id| (*id).to_owned()).collect(),
        ..settings(dir.path())
    };
    let (log, _) = open(with(&["a", "b"]));
    let mut writer = lane(&log);
    let id = writer.id();
    store(&mut writer, &[100; 4]);
    log.settle(1, id, 0..3);
    log.close();

    // Nobody is left who is to get it: it is kept and reported.
    let (log, recovered) = open(with(&["c"]));
    assert!(recovered.lanes.is_empty());
    let [orphan] = recovered.orphans.as_slice() else {
        panic!("{recovered:?}");
    };
    assert_eq!((orphan.lane, &orphan.unreadable), (id, &None));
    assert_eq!(orphan.exporters, ["a", "b"]);
    let [segment] = files(dir.path(), ".seg").try_into().unwrap();
    assert_eq!(orphan.bytes, fs::metadata(segment).unwrap().len());
    assert_eq!(unsettled(&log, 0, id), []);
    log.close();
    assert_eq!(files(dir.path(), ".seg").len(), 1);

    // One is back, under another index, and a new one gets nothing old.
    let (log, recovered) = open(with(&["c", "b"]));
    let [old] = recovered.lanes.as_slice() else {
        panic!("{recovered:?}");
    };
    assert_eq!(old.pending, [None, Some(3)]);
    assert_eq!(log.scan(id).pending_items, [0, 4]);
    assert_eq!(unsettled(&log, 1, id), [(3, 4)]);
    log.settle(1, id, 3..4);
    until("it goes with the last who gets it", || {
        files(dir.path(), ".seg").is_empty()
    });
    log.close();
}

#[test]
fn a_segment_of_another_version_is_kept() {
    let dir = directory();
    let (log, _) = open(settings(dir.path()));
    store(&mut lane(&log), &[100]);
    log.close();
    let [file] = files(dir.path(), ".seg").try_into().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let header = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    bytes[8] = 9;
    let crc = crc32c::crc32c(&bytes[..header - 4]);
    bytes[header - 4..header].copy_from_slice(&crc.to_le_bytes());
    fs::write(&file, &bytes).unwrap();
    let (log, recovered) = open(settings(dir.path()));
    let unreadable = recovered.orphans[0].unreadable.as_deref().unwrap();
    assert!(unreadable.contains("version 9"), "{unreadable}");
    log.close();
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_lane_keeps_its_signal() {
    for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
        let dir = directory();
        let of = |signal| LogSettings {
            signal,
            ..settings(dir.path())
        };
        let (log, _) = open(of(signal));
        let payloads = store(&mut lane(&log), &[100, 200]);
        log.close();
        for other in Signal::ALL.into_iter().filter(|other| *other != signal) {
            let (log, recovered) = open(of(other));
            assert!(recovered.lanes.is_empty(), "{signal} as {other}");
            let [orphan] = recovered.orphans.as_slice() else {
                panic!("{recovered:?}");
            };
            let why = orphan.unreadable.as_deref().unwrap();
            assert!(why.contains(signal.as_str()), "{why}");
            log.close();
        }
        let (log, recovered) = open(of(signal));
        assert!(recovered.orphans.is_empty());
        let id = recovered.lanes[0].id;
        assert_eq!(read_all(&log, id, 0, Seq::MAX, 1000), payloads);
        log.close();
    }
}
