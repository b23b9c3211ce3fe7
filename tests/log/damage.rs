//! Files cut at every byte and changed in every byte: what was not hit is read.

use crate::support::*;
use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use wayspan::queue::log::{LaneId, LogSettings};

const HEADER: usize = 28;

/// A lane in files, and where its records are.
struct Lane {
    dir: TempDir,
    id: LaneId,
    payloads: Vec<Vec<u8>>,
    file: PathBuf,
    bytes: Vec<u8>,
    /// Of the records in the file: number and place.
    records: Vec<(usize, Range<usize>)>,
}

/// Records in one segment, or with the last ones in `file` and others before.
fn lane_of(lengths: &[usize], segment_bytes: u64) -> Lane {
    let dir = directory();
    let (log, _) = open(LogSettings {
        segment_bytes,
        ..settings(dir.path())
    });
    let mut writer = lane(&log);
    let payloads = store(&mut writer, lengths);
    let id = writer.id();
    log.close();
    let file = files(dir.path(), ".seg").pop().unwrap();
    let bytes = fs::read(&file).unwrap();
    let name = file.file_stem().unwrap().to_str().unwrap();
    let first: usize = name.split_once('-').unwrap().1.parse().unwrap();
    let mut end = bytes.len();
    let mut records: Vec<_> = (first..lengths.len())
        .rev()
        .map(|seq| {
            let start = end - HEADER - lengths[seq];
            (seq, start..std::mem::replace(&mut end, start))
        })
        .collect();
    records.reverse();
    Lane {
        dir,
        id,
        payloads,
        file,
        bytes,
        records,
    }
}

/// What a log finds when the lane's last file has other bytes.
fn found(lane: &Lane, bytes: &[u8], label: &str) -> (Vec<Vec<u8>>, u64, u64) {
    let copy = with(lane.dir.path(), &lane.file, bytes);
    let (log, recovered) = open(settings(copy.path()));
    assert_eq!(recovered.lanes.len(), 1, "{label}");
    let scan = log.scan(lane.id);
    assert!(scan.error.is_none(), "{label}: {:?}", scan.error);
    let read = read_all(&log, lane.id, 0, u64::MAX, 100);
    assert_eq!(
        read_all(&log, lane.id, 0, u64::MAX, 1 << 20),
        read,
        "{label}"
    );
    assert_eq!(scan.records as usize, read.len(), "{label}");
    let counts = log.status().counts;
    assert_eq!(counts.damaged_records, scan.damaged, "{label}");
    assert_eq!(counts.torn_tails, u64::from(scan.torn_bytes > 0), "{label}");
    log.close();
    (read, scan.damaged, scan.torn_bytes)
}

fn with(dir: &Path, file: &Path, bytes: &[u8]) -> TempDir {
    let copy = crashed(dir);
    fs::write(copy.path().join(file.file_name().unwrap()), bytes).unwrap();
    copy
}

/// All payloads but those of these records.
fn but(lane: &Lane, lost: impl Fn(usize) -> bool) -> Vec<Vec<u8>> {
    let kept = lane.payloads.iter().enumerate().filter(|(i, _)| !lost(*i));
    kept.map(|(_, payload)| payload.clone()).collect()
}

#[test]
fn cut_at_any_byte_all_whole_records_are_read() {
    for segment_bytes in [1 << 20, 250] {
        let lane = lane_of(&[40, 0, 90, 1, 28, 60, 130, 5, 27], segment_bytes);
        let start = lane.records[0].1.start;
        for cut in 0..=lane.bytes.len() {
            let label = format!("cut to {cut} bytes");
            let (read, damaged, torn) = found(&lane, &lane.bytes[..cut], &label);
            let whole = |seq| {
                lane.records
                    .iter()
                    .any(|(s, at)| *s == seq && at.end <= cut)
            };
            let here = |seq| lane.records.iter().any(|(s, _)| *s == seq);
            assert_eq!(read, but(&lane, |seq| here(seq) && !whole(seq)), "{label}");
            let ends = lane.records.iter().map(|(_, at)| at.end);
            let last = ends.chain([start]).filter(|end| *end <= cut).max();
            let expected = (cut - last.unwrap_or(0)) as u64;
            assert_eq!((damaged, torn), (0, expected), "{label}");
        }
    }
}

#[test]
fn zeros_at_the_end_are_an_unfinished_write() {
    let lane = lane_of(&[40, 0, 90], 1 << 20);
    for zeros in [1, 27, 28, 29, 4096, 600_000] {
        let mut bytes = lane.bytes.clone();
        bytes.resize(bytes.len() + zeros, 0);
        let (read, damaged, torn) = found(&lane, &bytes, "zeros");
        assert_eq!((damaged, torn), (0, zeros as u64));
        assert_eq!(read, lane.payloads);
    }
    // The machine stopped before anything of the file was written.
    let (read, damaged, torn) = found(&lane, &[0; 5000], "only zeros");
    assert_eq!((read.len(), damaged, torn), (0, 0, 5000));
}

#[test]
fn a_change_in_any_byte_costs_the_record_it_hits() {
    for segment_bytes in [1 << 20, 250] {
        let lane = lane_of(&[40, 0, 90, 1, 28, 60, 130, 5, 27], segment_bytes);
        for at in 0..lane.bytes.len() {
            for flip in [1 << (at % 8), 0xff] {
                let label = format!("byte {at} ^ {flip:#x}");
                let mut bytes = lane.bytes.clone();
                bytes[at] ^= flip;
                let (read, damaged, torn) = found(&lane, &bytes, &label);
                let hit = lane.records.iter().find(|(_, range)| range.contains(&at));
                let expected = but(&lane, |seq| hit.is_some_and(|(hit, _)| *hit == seq));
                assert!(read == expected, "{label}: {} records", read.len());
                // The segment's own header is a damage too, and costs no record.
                assert_eq!((damaged, torn), (1, 0), "{label}");
            }
        }
    }
}

#[test]
fn neighbours_of_a_damaged_stretch_are_read() {
    let lengths: Vec<_> = (0..300).map(|i| i * 37 % 2000).collect();
    let lane = lane_of(&lengths, 1 << 20);
    for (from, to) in [(0, 1), (5, 9), (100, 250), (290, 300), (0, 299)] {
        let mut bytes = lane.bytes.clone();
        let stretch = lane.records[from].1.start..lane.records[to - 1].1.end;
        for byte in &mut bytes[stretch] {
            *byte = byte.wrapping_mul(31) ^ 0x5c;
        }
        let (read, damaged, _) = found(&lane, &bytes, "stretch");
        assert!(
            read == but(&lane, |seq| (from..to).contains(&seq)),
            "{from}..{to}"
        );
        assert_eq!(damaged, 1);
    }
}

#[test]
fn what_a_payload_says_is_not_taken_for_a_record() {
    // The bytes of a lane's records as the payload of another's record, whose
    // header is then damaged, so that the payload is searched.
    let inner = lane_of(&[40, 50, 60], 1 << 20);
    let dir = directory();
    let (log, _) = open(settings(dir.path()));
    let mut writer = lane(&log);
    let before = store(&mut writer, &[10]);
    writer.append(1, |out| out.extend_from_slice(&inner.bytes));
    let after = store(&mut writer, &[20]);
    log.close();
    let [file] = files(dir.path(), ".seg").try_into().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let header = bytes.len() - HEADER - 20 - inner.bytes.len() - HEADER;
    bytes[header + 9] ^= 4;
    fs::write(&file, bytes).unwrap();
    let (log, _) = open(settings(dir.path()));
    let read = read_all(&log, writer.id(), 0, u64::MAX, 1 << 20);
    assert_eq!(read, [before, after].concat());
    log.close();
}

#[test]
fn a_missing_file_is_damage_and_an_empty_one_is_not() {
    let dir = directory();
    let (log, _) = open(LogSettings {
        segment_bytes: 250,
        ..settings(dir.path())
    });
    let mut writer = lane(&log);
    let stored = store(&mut writer, &[150; 6]);
    let segments = files(dir.path(), ".seg");
    assert_eq!(segments.len(), 6);
    fs::remove_file(&segments[2]).unwrap();
    let read = log.read(writer.id(), 0, 6, 1 << 20);
    assert_eq!((read.payloads.len(), read.damaged, read.next), (5, 1, 6));
    log.close();
    fs::write(&segments[4], "").unwrap();
    let (log, _) = open(settings(dir.path()));
    let scan = log.scan(writer.id());
    assert_eq!((scan.records, scan.damaged, scan.torn_bytes), (4, 0, 0));
    let read = read_all(&log, writer.id(), 0, u64::MAX, 1 << 20);
    let expected: Vec<_> = [0, 1, 3, 5].map(|i: usize| stored[i].clone()).into();
    assert_eq!(read, expected);
    log.close();
}
