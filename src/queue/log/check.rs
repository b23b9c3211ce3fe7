/*! What must hold whatever a directory has: the body of a fuzz target. */

use super::{
    Fsync, LaneId, Log, Recovered, Seq, Settings,
    catalog::{parse_segment_name, segment_path},
    format::SegmentHeader,
};
use std::{fs, io, path::Path};

/// The exporters of [`check_recovery`].
const EXPORTERS: [&str; 2] = ["a", "b"];

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
    let named = SegmentHeader::read(segment).ok().map(|(header, _)| header);
    let path = named
        .map(|header| segment_path(directory, header.lane, header.first))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| parse_segment_name(name).is_some())
        });
    let path = path.unwrap_or_else(|| segment_path(directory, LaneId(1), 0));
    fs::write(path, segment)?;
    fs::write(directory.join("settled-1.log"), settlements)?;
    let settings = Settings {
        directory: directory.to_owned(),
        create_directory: false,
        max_bytes: u64::MAX >> 1,
        segment_bytes: Settings::SEGMENT_BYTES,
        fsync: Fsync::Never,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::queue::log::{
        format::{MAX_PAYLOAD, RecordHeader},
        settled::Entry,
    };
    use proptest::prelude::*;

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
            Just(MAX_PAYLOAD as u32),
            Just(MAX_PAYLOAD as u32 + 1),
            any::<u32>(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Headers whose checksums hold, and that say anything.
        #[test]
        fn headers_that_lie_are_survived(
            lane in number(),
            first in number(),
            exporters in prop::collection::vec("[abc]?", 0..4),
            records in prop::collection::vec(
                (claim(), number(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..50)),
                0..8,
            ),
            entries in prop::collection::vec(("[abc]?", number(), number(), number()), 0..8),
        ) {
            let lane = LaneId(lane);
            let mut segment = vec![];
            SegmentHeader { lane, first, created: first, exporters }.write(&mut segment);
            for (length, seq, spans, payload) in records {
                let intact = RecordHeader::of(&payload, seq, spans);
                let length = if length % 2 == 0 { length } else { intact.length };
                segment.extend(RecordHeader { length, ..intact }.bytes(lane));
                segment.extend(payload);
            }
            let mut settlements = vec![];
            for (exporter, other, start, end) in &entries {
                let lane = if other % 2 == 0 { lane } else { LaneId(*other) };
                let records = *start..*end;
                Entry { exporter, lane, records }.write(&mut settlements);
            }
            let dir = tempfile::tempdir().unwrap();
            check_recovery(dir.path(), &segment, &settlements).unwrap();
        }
    }
}
