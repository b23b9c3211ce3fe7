//! What must hold whatever a directory has: the body of a fuzz target, too.

use std::{fs, io, path::Path};
use wayspan::{
    pdata::Signal,
    queue::log::{Log, LogSettings, Recovered, Seq, SyncPolicy},
};

/// The exporters of the log.
const EXPORTERS: [&str; 2] = ["a", "b"];

/// The name of a segment file.
fn name(lane: u64, first: Seq) -> String {
    format!("{lane:016x}-{first:020}.seg")
}

/// The name that the header of a segment asks for, if that is a name.
fn name_asked_for(segment: &[u8]) -> Option<String> {
    let number = |at: usize| {
        let bytes = segment.get(at..at + 8)?.try_into().ok()?;
        Some(u64::from_le_bytes(bytes))
    };
    let (lane, first) = (number(16)?, number(24)?);
    (lane < u64::MAX >> 1 && first < Seq::MAX).then(|| name(lane, first))
}

/// Opens a log that has these bytes for a segment, and these for settlements, in
/// an empty directory; scans and reads all of it. The segment has the name that
/// its header asks for, if that is a name.
///
/// # Errors
///
/// The directory cannot be written.
///
/// # Panics
///
/// When what is read contradicts itself: a bug.
pub fn check_recovery(directory: &Path, segment: &[u8], settlements: &[u8]) -> io::Result<()> {
    let path = name_asked_for(segment).unwrap_or_else(|| name(1, 0));
    let path = directory.join(path);
    fs::write(path, segment)?;
    fs::write(directory.join("settled-1.log"), settlements)?;
    let settings = LogSettings {
        directory: directory.to_owned(),
        create_directory: false,
        directory_mode: 0o700,
        max_bytes: u64::MAX >> 1,
        segment_bytes: LogSettings::SEGMENT_BYTES,
        sync: SyncPolicy::Never,
        signal: Signal::Traces,
        exporters: EXPORTERS.map(str::to_owned).into(),
    };
    let (log, Recovered { lanes, .. }) = Log::open(settings).map_err(io::Error::other)?;
    for lane in lanes {
        let (mut records, mut bytes, mut from) = (0, 0, 0);
        loop {
            let read = log.read(lane.id, from, Seq::MAX, 1 << 10);
            records += read.payloads.len() as u64;
            bytes += read.bytes as u64;
            assert!(read.next > from || read.at_end, "reading stands still");
            assert!(read.bytes <= 1 << 10 || read.payloads.len() == 1);
            from = read.next;
            if read.at_end {
                break;
            }
        }
        assert!(bytes <= segment.len() as u64, "more than there is");
        for exporter in 0..EXPORTERS.len() {
            let (mut from, mut ranges) = (0, 0);
            while let Some(range) = log.unsettled(exporter, lane.id, from) {
                assert!(range.start >= from && range.start < range.end);
                (from, ranges) = (range.end, ranges + 1);
            }
            assert!(ranges <= settlements.len() + 1);
        }
        let scan = log.scan(lane.id);
        assert_eq!(scan.records, records, "scanning and reading differ");
        assert!(scan.end >= from || records == 0);
        assert!(scan.torn_bytes <= segment.len() as u64);
    }
    log.close();
    Ok(())
}
