//! Storing, reading back, rolling, and the policies of syncing.

use crate::support::*;
use std::{cell::RefCell, time::Duration};
use wayspan::queue::log::{LaneId, Log, LogOpenError, LogSettings, SyncPolicy};

#[test]
fn what_is_stored_is_read_back_in_pieces_of_any_size() {
    let dir = directory();
    let (log, recovered) = open(settings(dir.path()));
    assert!(recovered.lanes.is_empty() && recovered.orphans.is_empty());
    let mut writer = lane(&log);
    let mut stored = store(&mut writer, &[10, 0, 5000, 1]);
    stored.extend(store(&mut writer, &[300, 28, 70_000]));
    assert!(writer.holds(0..7));
    assert_eq!((writer.decided(), writer.undecided_bytes()), (7, 0));
    for max in [0, 1, 28, 5011, 1 << 20] {
        assert_eq!(read_all(&log, writer.id(), 0, 7, max), stored, "{max}");
    }
    for from in 0..7 {
        for end in from..=7 {
            let part = read_all(&log, writer.id(), from, end, 6000);
            assert_eq!(part, stored[from as usize..end as usize]);
        }
    }
    let read = log.read(writer.id(), 2, 7, 5001);
    assert_eq!((read.next, read.items, read.at_end), (4, 3 + 4, false));
    log.close();

    let (log, recovered) = open(settings(dir.path()));
    let [old] = recovered.lanes.as_slice() else {
        panic!("{recovered:?}");
    };
    assert_eq!(old.pending, [Some(0), Some(0)]);
    assert_eq!(read_all(&log, old.id, 0, u64::MAX, 6000), stored);
    let scan = log.scan(old.id);
    assert_eq!((scan.end, scan.records, scan.damaged), (7, 7, 0));
    assert_eq!((scan.torn_bytes, scan.pending_items), (0, vec![28, 28]));
    let read = log.read(old.id, 0, u64::MAX, 1 << 20);
    assert_eq!((read.next, read.at_end), (7, true));
    log.close();
}

#[test]
fn an_unknown_lane_has_nothing() {
    let dir = directory();
    let (log, _) = open(settings(dir.path()));
    let read = log.read(LaneId::default(), 3, 9, 100);
    assert_eq!((read.next, read.at_end, read.payloads.len()), (3, true, 0));
    assert_eq!(log.scan(LaneId::default()).records, 0);
    assert_eq!(log.unsettled(0, LaneId::default(), 0), None);
    log.settle(0, LaneId::default(), 0..5);
    log.settle(9, lane(&log).id(), 0..5);
    log.close();
}

#[test]
fn segments_roll_and_a_large_record_has_one_of_its_own() {
    let dir = directory();
    let (log, _) = open(LogSettings {
        segment_bytes: 1000,
        ..settings(dir.path())
    });
    let mut writer = lane(&log);
    // One hand-over over several segments, with a record larger than any.
    let lengths = [300, 300, 300, 300, 2500, 10, 900, 400, 400];
    let stored = store(&mut writer, &lengths);
    let sizes: Vec<_> = files(dir.path(), ".seg")
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .collect();
    let large = sizes.iter().filter(|size| **size > 1000).count();
    assert_eq!(large, 1, "{sizes:?}");
    assert!(sizes.len() >= 5, "{sizes:?}");
    assert_eq!(log.status().segments, sizes.len() as u64);
    assert_eq!(log.status().bytes, sizes.iter().sum::<u64>());
    for max in [1, 700, 1 << 20] {
        assert_eq!(read_all(&log, writer.id(), 0, 9, max), stored);
    }
    log.close();
    let (log, recovered) = open(settings(dir.path()));
    assert_eq!(
        read_all(&log, recovered.lanes[0].id, 0, u64::MAX, 500),
        stored
    );
    log.close();
}

#[test]
fn many_records_are_found_again_without_reading_all_before_them() {
    let dir = directory();
    let (log, _) = open(settings(dir.path()));
    let mut writer = lane(&log);
    let mut stored = vec![];
    for _ in 0..60 {
        stored.extend(store(&mut writer, &[4000; 50]));
    }
    for from in [0, 1, 49, 50, 51, 1234, 2950, 2999] {
        let read = log.read(writer.id(), from, 3000, 10_000);
        assert_eq!(read.payloads[0], stored[from as usize]);
        assert_eq!(read.payloads.len(), 2.min(3000 - from as usize));
    }
    assert_eq!(read_all(&log, writer.id(), 0, 3000, 3 << 20), stored);
    log.close();
}

#[test]
fn lanes_do_not_mix() {
    let dir = directory();
    let (log, _) = open(settings(dir.path()));
    let mut writers: Vec<_> = (0..4).map(|_| lane(&log)).collect();
    let mut stored = vec![vec![]; 4];
    for round in 0..20 {
        for (writer, stored) in writers.iter_mut().zip(&mut stored) {
            stored.extend(append(writer, &[round * 7, 100]));
            writer.hand_over();
        }
    }
    for (writer, stored) in writers.iter().zip(&stored) {
        decided(writer, 40);
        assert_eq!(&read_all(&log, writer.id(), 0, 40, 999), stored);
    }
    log.close();
}

#[test]
fn buffers_come_back_and_an_unfinished_record_leaves_nothing() {
    let dir = directory();
    let (log, _) = open(settings(dir.path()));
    let mut writer = lane(&log);
    assert!(!writer.pending());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        writer.append(1, |out| {
            out.extend_from_slice(b"half");
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err() && writer.pending());
    let stored = store(&mut writer, &[9]);
    assert_eq!(read_all(&log, writer.id(), 0, 2, 99), stored);
    for _ in 0..50 {
        store(&mut writer, &[1000; 20]);
    }
    let allocated = allocation_counter::measure(|| {
        for seq in 0..20 {
            writer.append(1, |out| out.extend_from_slice(&[seq; 1000]));
        }
    });
    assert_eq!(allocated.count_total, 0);
    log.close();
}

#[test]
fn the_policy_says_when_data_is_synced() {
    let syncs = |fsync, then: &dyn Fn(&Log)| {
        let dir = directory();
        let (log, _) = open(LogSettings {
            sync: fsync,
            ..settings(dir.path())
        });
        let mut writer = lane(&log);
        for _ in 0..5 {
            store(&mut writer, &[100]);
        }
        then(&log);
        let before = log.status().counts.fsyncs;
        log.close();
        (before, log.status().counts.fsyncs)
    };
    let nothing = |_: &_| {};
    assert_eq!(syncs(SyncPolicy::Always, &nothing), (5, 5));
    assert_eq!(syncs(SyncPolicy::Never, &nothing), (0, 0));
    assert_eq!(
        syncs(SyncPolicy::Interval(Duration::from_secs(3600)), &nothing),
        (0, 1)
    );
    let (before, _) = syncs(SyncPolicy::Interval(Duration::from_millis(5)), &|log| {
        until("an interval's sync", || log.status().counts.fsyncs > 0);
    });
    assert!((1..=5).contains(&before), "{before}");
}

#[test]
fn what_comes_after_closing_fails_at_once() {
    let dir = directory();
    let (log, _) = open(settings(dir.path()));
    let mut writer = lane(&log);
    store(&mut writer, &[100, 100]);
    log.close();
    log.close();
    store(&mut writer, &[100]);
    assert!(writer.holds(0..2) && !writer.holds(2..3) && !writer.holds(1..3));
    assert_eq!(log.status().counts.failed_items, 3);
    assert_eq!(writer.undecided_bytes(), 0);
}

#[test]
fn a_dropped_writer_has_handed_over_and_a_dropped_log_is_released() {
    let dir = directory();
    let (log, _) = open(settings(dir.path()));
    let mut writer = lane(&log);
    let stored = append(&mut writer, &[10, 20]);
    drop(writer);
    drop(log);
    let reopened = RefCell::new(None);
    until("the directory is released", || {
        *reopened.borrow_mut() = Log::open(settings(dir.path())).ok();
        reopened.borrow().is_some()
    });
    let (log, recovered) = reopened.into_inner().unwrap();
    assert_eq!(
        read_all(&log, recovered.lanes[0].id, 0, u64::MAX, 99),
        stored
    );
    log.close();
}

#[test]
fn opening_says_what_is_wrong_and_what_to_do() {
    let dir = directory();
    let missing = dir.path().join("missing");
    let error = Log::open(LogSettings {
        create_directory: false,
        ..settings(&missing)
    })
    .unwrap_err()
    .to_string();
    assert!(error.contains(missing.to_str().unwrap()), "{error}");
    assert!(error.contains("create_directory: true"), "{error}");

    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Log::open(settings(&file)).unwrap_err().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");

    let error = Log::open(LogSettings {
        exporters: vec!["x".repeat(40_000), "y".repeat(40_000)],
        ..settings(dir.path())
    });
    assert!(matches!(error, Err(LogOpenError::Exporters(_))));
}

#[test]
fn nobody_else_may_read_what_is_stored() {
    use std::os::unix::fs::PermissionsExt;
    let dir = directory();
    let inner = dir.path().join("a/b");
    let (log, _) = open(settings(&inner));
    let mut lane = lane(&log);
    store(&mut lane, &[100, 100]);
    log.settle(0, lane.id(), 0..1);
    log.close();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    assert_eq!(mode(&dir.path().join("a")), 0o700);
    let files: Vec<_> = std::fs::read_dir(&inner).unwrap().flatten().collect();
    assert!(files.len() > 2, "{files:?}");
    for file in files {
        assert_eq!(mode(&file.path()), 0o600, "{file:?}");
    }
}
