//! A process killed at any time: what was decided is there.

use crate::support::*;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use wayspan::queue::log::{LogSettings, SyncPolicy};

#[test]
fn what_was_decided_is_there_after_a_kill_at_any_time() {
    let dir = directory();
    let (log, _) = open(LogSettings {
        segment_bytes: 200_000,
        sync: SyncPolicy::Always,
        ..settings(dir.path())
    });
    let stop = Arc::new(AtomicBool::new(false));
    // Each lane has a reader of its progress and a thread that writes it.
    let lanes: Vec<_> = (0..3)
        .map(|at| {
            let mut writer = lane(&log);
            let id = writer.id();
            let (progress, told) = (Arc::new(std::sync::Mutex::new(0)), Arc::clone(&stop));
            let tell = Arc::clone(&progress);
            let thread = thread::spawn(move || {
                let mut round = 0;
                while !told.load(Ordering::Relaxed) && round < 100_000 {
                    append(&mut writer, &vec![round % 3000; 1 + at * 5]);
                    writer.hand_over();
                    round += 1;
                    *tell.lock().unwrap() = writer.decided();
                    if writer.undecided_bytes() > 100_000 {
                        let end = writer.next_seq();
                        decided(&writer, end);
                    }
                }
            });
            (id, progress, thread)
        })
        .collect();
    for kill in 1..=20 {
        let wanted = kill * 20;
        until("the writers get on", || {
            lanes
                .iter()
                .all(|(_, progress, _)| *progress.lock().unwrap() > wanted)
        });
        let before: Vec<_> = lanes
            .iter()
            .map(|(_, progress, _)| *progress.lock().unwrap())
            .collect();
        let copy = crashed(dir.path());
        let (log, recovered) = open(settings(copy.path()));
        assert_eq!(recovered.lanes.len(), 3);
        for ((id, ..), before) in lanes.iter().zip(before) {
            let scan = log.scan(*id);
            assert!(scan.records >= before, "{} < {before}", scan.records);
            assert_eq!(scan.damaged, 0);
            assert_eq!(scan.end, scan.records);
        }
        log.close();
    }
    stop.store(true, Ordering::Relaxed);
    for (_, _, thread) in lanes {
        thread.join().unwrap();
    }
    log.close();
}

#[test]
fn leftovers_are_read_and_nothing_is_added_to_them() {
    let dir = directory();
    let mut stored = vec![];
    let mut before = vec![];
    for run in 0..4 {
        let (log, recovered) = open(settings(dir.path()));
        let ids: Vec<_> = recovered.lanes.iter().map(|lane| lane.id).collect();
        assert_eq!(ids, before, "the oldest first");
        for (id, payloads) in before.iter().zip(&stored) {
            assert_eq!(&read_all(&log, *id, 0, u64::MAX, 300), payloads);
        }
        let mut writer = lane(&log);
        stored.push(store(&mut writer, &[run, 100 + run]));
        before.push(writer.id());
        log.close();
        assert_eq!(files(dir.path(), ".seg").len(), run + 1);
    }
}

#[test]
fn half_written_files_of_the_log_itself_are_removed() {
    let dir = directory();
    std::fs::write(dir.path().join("probe"), "x").unwrap();
    std::fs::write(dir.path().join("settled-7.tmp"), "x").unwrap();
    std::fs::write(dir.path().join("somebody's"), "x").unwrap();
    let (log, _) = open(settings(dir.path()));
    let mut writer = lane(&log);
    store(&mut writer, &[1, 1]);
    log.settle(0, writer.id(), 0..1);
    log.close();
    let names: Vec<_> = files(dir.path(), "")
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !name.ends_with(".seg"))
        .collect();
    assert_eq!(names, ["lock", "settled-1.log", "somebody's"]);
}
