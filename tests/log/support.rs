//! Logs in directories of their own, and waiting for what their threads do.

use std::{
    fs,
    ops::{Deref, DerefMut, Range},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::sync::Notify;
use wayspan::{
    pdata::Signal,
    queue::log::{LaneId, LaneWriter, Log, LogSettings, Recovered, Seq, SyncPolicy},
};

/// Longer than anything here takes: not a measurement, an end to a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Settings for quick tests with two exporters.
pub fn settings(directory: &Path) -> LogSettings {
    LogSettings {
        directory: directory.to_owned(),
        create_directory: true,
        directory_mode: 0o700,
        max_bytes: 1 << 30,
        segment_bytes: LogSettings::SEGMENT_BYTES,
        sync: SyncPolicy::Never,
        signal: Signal::Traces,
        exporters: vec!["otlp/jaeger".to_owned(), "debug".to_owned()],
    }
}

pub fn directory() -> TempDir {
    TempDir::new().unwrap()
}

pub fn open(settings: LogSettings) -> (Log, Recovered) {
    Log::open(settings).unwrap()
}

/// A lane's writer, with what its shard has besides.
pub struct Writer {
    writer: LaneWriter,
    log: Log,
    decided: Arc<Notify>,
}

impl Writer {
    /// Whether the log has all these records.
    pub fn holds(&self, records: Range<Seq>) -> bool {
        self.log.holds(self.writer.id(), records)
    }
}

impl Deref for Writer {
    type Target = LaneWriter;

    fn deref(&self) -> &LaneWriter {
        &self.writer
    }
}

impl DerefMut for Writer {
    fn deref_mut(&mut self) -> &mut LaneWriter {
        &mut self.writer
    }
}

/// Begins a lane.
pub fn lane(log: &Log) -> Writer {
    let decided = Arc::new(Notify::new());
    Writer {
        writer: log.new_lane(Arc::clone(&decided)),
        log: log.clone(),
        decided,
    }
}

/// Bytes that tell which record they are.
pub fn payload(seq: Seq, length: usize) -> Vec<u8> {
    let mut state = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// Appends records of these lengths, with as many items as their number plus one.
pub fn append(lane: &mut LaneWriter, lengths: &[usize]) -> Vec<Vec<u8>> {
    lengths
        .iter()
        .map(|&length| {
            let mut bytes = vec![];
            let next = lane.next_seq();
            let seq = lane.append(next as u32 + 1, |out| {
                bytes = payload(next, length);
                out.extend_from_slice(&bytes);
            });
            assert_eq!(seq, next);
            bytes
        })
        .collect()
}

/// Appends, hands over and waits until that is decided.
pub fn store(lane: &mut Writer, lengths: &[usize]) -> Vec<Vec<u8>> {
    let payloads = append(lane, lengths);
    let end = lane.hand_over();
    decided(lane, end);
    payloads
}

/// Waits, as a shard does, until everything below `end` is decided.
pub fn decided(lane: &Writer, end: Seq) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(async {
            let wait = async {
                while lane.writer.decided() < end {
                    lane.decided.notified().await;
                }
            };
            tokio::time::timeout(PATIENCE, wait).await
        })
        .expect("a commit was never decided");
}

/// Waits until something holds.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never came to be: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// All that a lane has of `from..end`, in reads of at most `max` bytes.
pub fn read_all(log: &Log, lane: LaneId, from: Seq, end: Seq, max: usize) -> Vec<Vec<u8>> {
    let (mut from, mut payloads) = (from, vec![]);
    loop {
        let read = log.read(lane, from, end, max);
        assert!(read.error.is_none(), "{:?}", read.error);
        assert!(read.bytes <= max || read.payloads.len() == 1);
        assert_eq!(
            read.bytes,
            read.payloads.iter().map(|p| p.len()).sum::<usize>()
        );
        assert!(read.next > from || read.at_end, "reading stands still");
        payloads.extend(read.payloads.iter().map(|p| p.to_vec()));
        from = read.next;
        if read.at_end {
            return payloads;
        }
    }
}

/// The files whose names end like this, in order.
pub fn files(directory: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(suffix))
        .collect();
    files.sort();
    files
}

/// What a machine would find after the process was killed now.
pub fn crashed(log: &Path) -> TempDir {
    let copy = directory();
    for file in files(log, "") {
        // What was deleted or renamed since is not there after a crash either.
        match fs::copy(&file, copy.path().join(file.file_name().unwrap())) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
    }
    copy
}
