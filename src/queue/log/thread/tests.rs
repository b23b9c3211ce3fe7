//! Failures that only a broken disk has: devices that refuse stand in for it.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    pdata::Signal,
    queue::log::{
        LaneWriter, LogSettings,
        catalog::KnownLane,
        commit::LaneState,
        format::{RecordHeader, SegmentHeader},
        status::LogMeters,
        walk::{SegmentWalk, WalkStep},
    },
};
use std::{
    fs,
    os::unix::fs::FileExt,
    sync::{Mutex, atomic::AtomicU64},
};
use tempfile::TempDir;

/// A log thread that is not running: a test does what its loop would.
struct Halted {
    thread: LogThread,
    writer: LaneWriter,
    dir: TempDir,
}

impl Halted {
    fn new(sync: SyncPolicy) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = LogSettings {
            directory: dir.path().to_owned(),
            create_directory: false,
            directory_mode: 0o700,
            max_bytes: 1 << 30,
            segment_bytes: 1 << 20,
            sync,
            signal: Signal::Traces,
            exporters: vec!["otlp".to_owned()],
        };
        let header = SegmentHeader {
            lane: LaneId(0),
            first: 0,
            created: 0,
            signal: Signal::Traces,
            exporters: settings.exporters.clone(),
        };
        let (messages, received) = crossbeam_channel::unbounded();
        let store = Arc::new(LogStore {
            settings,
            header_length: header.len() as u64,
            catalog: Mutex::default(),
            meters: Arc::new(LogMeters::default()),
            next_lane: AtomicU64::new(0),
        });
        let id = LaneId(1);
        let state = LaneState::new(id, Arc::default(), Arc::clone(&store.meters));
        let state = Arc::new(state);
        let known = KnownLane {
            addressed: vec![0],
            end: Some(0),
            live: true,
            state: Some(Arc::clone(&state)),
            ..KnownLane::default()
        };
        store.catalog().lanes.insert(id, known);
        let lock = File::create(dir.path().join("lock")).unwrap();
        Self {
            writer: LaneWriter::new(state, messages),
            thread: LogThread::new(store, received, 0, lock),
            dir,
        }
    }

    /// Stores a record; whether it got into the log.
    fn store(&mut self, payload: &[u8]) -> bool {
        let seq = self.writer.append(1, |out| out.extend_from_slice(payload));
        self.writer.hand_over();
        let message = self.thread.messages.try_recv().unwrap();
        assert!(self.thread.take(message).is_none());
        assert_eq!(self.writer.decided(), seq + 1);
        self.thread.store.holds(self.writer.id(), seq..seq + 1)
    }

    /// The lane's file becomes another one; returns the real one.
    fn replace_file(&mut self, device: &str) -> File {
        let device = File::options().write(true).open(device).unwrap();
        let segment = self.thread.open.get_mut(&LaneId(1)).unwrap();
        std::mem::replace(&mut segment.file, device)
    }

    /// The numbers of the records in all files, and how many bytes follow.
    fn on_disk(&self) -> (Vec<Seq>, u64) {
        let (mut found, mut torn_bytes) = (vec![], 0);
        let mut names: Vec<_> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "seg"))
            .collect();
        names.sort();
        for path in names {
            let mut walk = SegmentWalk::open(&path, LaneId(1), u64::MAX, 0..Seq::MAX).unwrap();
            loop {
                match walk.step().unwrap() {
                    WalkStep::Record(header) => {
                        found.push(header.seq);
                        walk.skip(&header);
                    }
                    WalkStep::Damage { at } => panic!("damage at {at}"),
                    WalkStep::End { torn } => {
                        torn_bytes += torn;
                        break;
                    }
                }
            }
        }
        (found, torn_bytes)
    }

    fn is_healthy(&self) -> bool {
        self.thread.store.meters.is_healthy()
    }
}

#[test]
fn a_file_that_cannot_be_cut_is_left_and_cut_before_the_log_is_healthy() {
    let mut log = Halted::new(SyncPolicy::Never);
    assert!(log.store(b"first"));
    let length = log.thread.bytes();
    let real = log.replace_file("/dev/full");
    // What a write that failed half-way leaves.
    real.write_all_at(b"\xb7wsr and then nothing", length)
        .unwrap();
    assert!(!log.store(b"second") && !log.is_healthy());
    assert_eq!(log.on_disk(), (vec![0], 21));
    // While it is degraded it touches nothing.
    assert!(!log.store(b"third"));
    assert_eq!(log.thread.uncut.len(), 1);
    assert_eq!(log.thread.bytes(), length);

    log.thread.probe();
    assert!(log.is_healthy() && log.thread.uncut.is_empty());
    assert_eq!(log.on_disk(), (vec![0], 0));
    assert!(log.store(b"fourth"));
    assert_eq!(log.on_disk(), (vec![0, 3], 0));
    assert_eq!(log.thread.store.meters.status().counts.failed_records, 2);
}

#[test]
fn what_could_not_be_synced_was_not_stored_and_the_file_is_not_written_again() {
    let mut log = Halted::new(SyncPolicy::Always);
    assert!(log.store(b"first"));
    let length = log.thread.bytes();
    // It takes the write and refuses to be synced, or cut.
    let real = log.replace_file("/dev/null");
    let mut written = vec![];
    let header = RecordHeader::of(b"second", 1, 1);
    written.extend(header.bytes(LaneId(1)));
    written.extend(b"second");
    real.write_all_at(&written, length).unwrap();
    assert!(!log.store(b"second") && !log.is_healthy());
    assert_eq!(log.thread.bytes(), length);
    log.thread.probe();
    assert!(log.is_healthy());
    assert_eq!(
        log.on_disk(),
        (vec![0], 0),
        "the second was answered as failed"
    );
    assert!(log.store(b"third"));
    assert_eq!(log.on_disk(), (vec![0, 2], 0));
    // Nobody has to settle what failed.
    let catalog = log.thread.store.catalog();
    assert_eq!(catalog.unsettled(0, LaneId(1), 0), Some(0..1));
    assert_eq!(catalog.unsettled(0, LaneId(1), 1), Some(2..3));
}

#[test]
fn a_late_sync_that_fails_makes_the_log_degraded_and_keeps_what_was_told() {
    let mut log = Halted::new(SyncPolicy::Interval(Duration::ZERO));
    assert!(log.store(b"first"));
    log.replace_file("/dev/null");
    log.thread.tick();
    assert!(!log.is_healthy() && log.thread.store.holds(LaneId(1), 0..1));
    log.thread.probe();
    assert!(log.store(b"second"));
    assert_eq!(log.on_disk(), (vec![0, 1], 0));
}

#[test]
fn nobody_waits_for_a_thread_that_is_gone() {
    let mut log = Halted::new(SyncPolicy::Never);
    let seq = log.writer.append(4, |out| out.push(1));
    log.writer.hand_over();
    assert_eq!(log.writer.decided(), 0);
    let Halted { thread, writer, .. } = log;
    let store = Arc::clone(&thread.store);
    drop(thread);
    assert_eq!((writer.decided(), writer.undecided_bytes()), (1, 0));
    assert!(!store.holds(writer.id(), seq..seq + 1));
}

#[test]
fn a_probe_follows_no_link_and_minds_no_leftover() {
    let mut log = Halted::new(SyncPolicy::Never);
    let other = log.dir.path().join("other");
    fs::write(&other, "somebody else's").unwrap();
    let probe = log.dir.path().join("probe");
    for leftover in [true, false] {
        match leftover {
            true => fs::write(&probe, "old").unwrap(),
            false => std::os::unix::fs::symlink(&other, &probe).unwrap(),
        }
        assert!(log.store(b"first"));
        log.replace_file("/dev/full");
        assert!(!log.store(b"second") && !log.is_healthy());
        log.thread.probe();
        assert!(log.is_healthy());
        assert!(!probe.exists());
    }
    assert_eq!(fs::read(&other).unwrap(), b"somebody else's");
}
