//! Disks that are full or read-only, and limits.

use crate::support::*;
use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use wayspan::queue::log::{Log, LogOpenError, LogSettings, SyncPolicy};

/// A file system of a size of its own.
struct Disk(TempDir);

impl Disk {
    fn new(size: &str) -> Self {
        let disk = Self(directory());
        let option = format!("size={size}");
        disk.run("mount", &["-t", "tmpfs", "-o", &option, "tmpfs"]);
        disk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The same file system, not to be written.
    fn read_only(disk: &Self) -> Self {
        let bound = Self(directory());
        bound.run("mount", &["-o", "bind,ro", disk.path().to_str().unwrap()]);
        bound
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = Command::new(program)
            .args(arguments)
            .arg(self.path())
            .output()
            .expect("this test needs mount(8) and umount(8)");
        assert!(
            output.status.success(),
            "this test mounts a small tmpfs, for which it needs root: {program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Stores until the log is degraded. Returns what was stored, with numbers.
fn fill(log: &Log, writer: &mut Writer, length: usize) -> Vec<(u64, Vec<u8>)> {
    let mut stored = vec![];
    for _ in 0..10_000 {
        let start = writer.next_seq();
        let payloads = store(writer, &[length, 10]);
        for (seq, payload) in (start..).zip(payloads) {
            if writer.holds(seq..seq + 1) {
                stored.push((seq, payload));
            }
        }
        if !log.is_healthy() {
            return stored;
        }
    }
    panic!("the log never ran into its limit");
}

/// What is stored is what is read, before and after a restart, and no more.
fn verify(log: &Log, writer: &Writer, dir: &Path, stored: &[(u64, Vec<u8>)]) {
    let expected: Vec<_> = stored.iter().map(|(_, payload)| payload.clone()).collect();
    let read = read_all(log, writer.id(), 0, writer.decided(), 50_000);
    assert!(read == expected, "{} of {}", read.len(), expected.len());
    let copy = crashed(dir);
    let (log, _) = open(settings(copy.path()));
    let scan = log.scan(writer.id());
    assert_eq!((scan.damaged, scan.torn_bytes), (0, 0));
    let read = read_all(&log, writer.id(), 0, u64::MAX, 50_000);
    assert!(read == expected, "{} of {}", read.len(), expected.len());
    log.close();
}

#[test]
fn a_full_disk_loses_nothing_that_was_stored_and_heals() {
    for fsync in [SyncPolicy::Always, SyncPolicy::Never] {
        let disk = Disk::new("2m");
        let ballast = disk.path().join("ballast");
        std::fs::write(&ballast, vec![1; 1 << 20]).unwrap();
        let log_dir = disk.path().join("log");
        let (log, _) = open(LogSettings {
            sync: fsync,
            segment_bytes: 200_000,
            ..settings(&log_dir)
        });
        let mut writer = lane(&log);
        let mut stored = fill(&log, &mut writer, 30_000);
        assert!(stored.len() > 20);
        let degraded = log.status().degraded.unwrap();
        assert!(
            degraded.reason.to_lowercase().contains("no s"),
            "{degraded:?}"
        );
        verify(&log, &writer, &log_dir, &stored);

        // Meanwhile commits fail, and are counted.
        let before = log.status().counts;
        let end = writer.next_seq();
        store(&mut writer, &[10, 10]);
        if !writer.holds(end..end + 2) {
            let counts = log.status().counts;
            assert_eq!(counts.failed_records, before.failed_records + 2);
            assert_eq!(
                counts.failed_items,
                before.failed_items + 2 * end + 3,
                "spans are numbered like records, from one"
            );
        }
        std::fs::remove_file(&ballast).unwrap();
        until("the log is healthy", || log.is_healthy());
        assert_eq!(log.status().degraded, None);
        let start = writer.next_seq();
        let more = store(&mut writer, &[30_000, 7]);
        assert!(writer.holds(start..start + 2));
        stored.extend((start..).zip(more));
        // Small records may have got in while it seemed full; look again.
        stored.retain(|(seq, _)| writer.holds(*seq..seq + 1));
        let mut expected = stored.clone();
        for seq in end..end + 2 {
            if writer.holds(seq..seq + 1) {
                expected.push((seq, payload(seq, 10)));
            }
        }
        expected.sort();
        verify(&log, &writer, &log_dir, &expected);
        // Failed numbers keep no segment.
        for exporter in 0..2 {
            for (seq, _) in &expected {
                log.settle(exporter, writer.id(), *seq..seq + 1);
            }
        }
        log.close();
        assert_eq!(files(&log_dir, ".seg"), Vec::<PathBuf>::new());
    }
}

#[test]
fn an_open_log_takes_more_when_its_limit_is_raised() {
    let dir = directory();
    let small = LogSettings {
        max_bytes: 300_000,
        segment_bytes: 50_000,
        ..settings(dir.path())
    };
    let (log, _) = open(small.clone());
    let mut writer = lane(&log);
    fill(&log, &mut writer, 9_000);
    assert!(!log.is_healthy());
    let large = LogSettings {
        max_bytes: 1 << 30,
        ..small
    };
    log.limit(large.limits());
    until("the log is healthy", || log.is_healthy());
    let from = writer.next_seq();
    let stored = store(&mut writer, &[9_000; 60]);
    assert_eq!(
        read_all(&log, writer.id(), from, writer.decided(), 9_000),
        stored
    );
}

#[test]
fn the_size_limit_holds_and_is_left_when_something_is_delivered() {
    let dir = directory();
    let max_bytes = 300_000;
    let (log, _) = open(LogSettings {
        max_bytes,
        segment_bytes: 50_000,
        ..settings(dir.path())
    });
    let mut writer = lane(&log);
    let stored = fill(&log, &mut writer, 9_000);
    let degraded = log.status().degraded.unwrap();
    assert!(degraded.reason.contains("size limit"), "{degraded:?}");
    let on_disk = |dir: &Path| -> u64 {
        let sizes = files(dir, "")
            .into_iter()
            .map(|f| f.metadata().unwrap().len());
        sizes.sum()
    };
    assert!(on_disk(dir.path()) <= max_bytes);
    assert_eq!(on_disk(dir.path()), log.status().bytes);
    verify(&log, &writer, dir.path(), &stored);
    let end = writer.next_seq();
    for exporter in 0..2 {
        log.settle(exporter, writer.id(), 0..end);
    }
    until("the log is healthy", || log.is_healthy());
    let stored = store(&mut writer, &[9_000]);
    assert_eq!(
        read_all(&log, writer.id(), end, writer.decided(), 9_000),
        stored
    );
    assert_eq!(log.status().counts.degradations, 1);
    log.close();
}

#[test]
fn a_commit_that_fits_in_part_is_stored_in_part() {
    let dir = directory();
    let (log, _) = open(LogSettings {
        max_bytes: 25_000,
        segment_bytes: 10_000,
        ..settings(dir.path())
    });
    let mut writer = lane(&log);
    let payloads = store(&mut writer, &[4_000; 8]);
    let held: Vec<u64> = (0..8).filter(|seq| writer.holds(*seq..seq + 1)).collect();
    assert_eq!(held, [0, 1, 2, 3, 4, 5], "two in each of three segments");
    let counts = log.status().counts;
    assert_eq!((counts.failed_records, counts.failed_items), (2, 7 + 8));
    let read = read_all(&log, writer.id(), 0, 8, 5_000);
    assert_eq!(read, payloads[..6]);
    log.close();
}

#[test]
fn a_read_only_disk_is_noticed_and_so_is_its_return() {
    // The log has files open for writing, so its file system cannot be mounted
    // read-only meanwhile; a link to it is turned to a read-only mount of it.
    let disk = Disk::new("4m");
    let read_only = Disk::read_only(&disk);
    let links = directory();
    let (link, other) = (links.path().join("log"), links.path().join("new"));
    let turn = |disk: &Disk| {
        symlink(disk.path(), &other).unwrap();
        std::fs::rename(&other, &link).unwrap();
    };
    turn(&disk);
    let (log, _) = open(settings(&link));
    let mut writer = lane(&log);
    turn(&read_only);
    store(&mut writer, &[100]);
    assert!(!writer.holds(0..1) && !log.is_healthy());
    let degraded = log.status().degraded.unwrap();
    let reason = degraded.reason.to_lowercase();
    assert!(reason.contains("read-only"), "{reason}");
    turn(&disk);
    until("the log is healthy", || log.is_healthy());
    let stored = store(&mut writer, &[200]);
    assert!(writer.holds(1..2));
    assert_eq!(read_all(&log, writer.id(), 0, 2, 100), stored);
    log.close();

    match Log::open(settings(&read_only.path().join("new"))) {
        Err(error @ LogOpenError::Io { .. }) => {
            let error = error.to_string();
            assert!(
                error.contains("mount its file system for writing"),
                "{error}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_directory_that_is_gone_makes_it_degraded() {
    let dir = directory();
    let path = dir.path().join("log");
    let (log, _) = open(settings(&path));
    let mut writer = lane(&log);
    std::fs::remove_dir_all(&path).unwrap();
    store(&mut writer, &[100]);
    assert!(!log.is_healthy() && !writer.holds(0..1));
    std::fs::create_dir(&path).unwrap();
    until("the log is healthy", || log.is_healthy());
    store(&mut writer, &[100]);
    assert!(writer.holds(1..2));
    log.close();
}
