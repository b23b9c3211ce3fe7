//! Segments that are truncated and bit-flipped between two runs: the damage
//! costs the records it hits, is counted, and the rest is delivered.

use crate::{
    load::{Load, UNDER_WAY},
    service::{Service, Setup},
};
use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
};
use testkit::{Backend, Protocol};

/// Fills the log, damages it, and gives what became of the spans: how many
/// were answered, how many of those are lost, and the service for more.
fn damaged(damage: impl FnOnce(&[PathBuf])) -> (u64, u64, Service, Backend) {
    let backend = Backend::counting(Protocol::Grpc);
    backend.away();
    let mut service = Service::start(&Setup::logged(backend.port));
    let load = Load::start(service.ports[0], Some(20_000.0));
    // Some three segments.
    load.wait_answered(50_000);
    // Every record is answered for.
    load.pause();
    service.kill();
    let ledger = load.finish();
    let segments = service.segments();
    assert!(segments.len() > 1, "{segments:?}");
    damage(&segments);
    service.restart();
    service.wait_recovered();
    backend.back();
    service.wait_delivered();
    let records = backend.records();
    let lost = ledger.lost(&records).len() as u64;
    assert_eq!(records.taken.received, records.taken.unique, "each once");
    assert_eq!(records.taken.unique, ledger.answered_spans() - lost);
    drop(records);
    let answered = ledger.answered_spans();
    println!(
        "  answered {answered}, lost {lost}: {:?}",
        service.account()
    );
    (answered, lost, service, backend)
}

/// Spans of the record that one damaged place costs at most: what all requests
/// under way have together.
const RECORD: u64 = UNDER_WAY as u64;

#[test]
fn bits_flipped_at_random() {
    const FLIPS: u64 = 10;
    let (_, lost, service, _backend) = damaged(|segments| {
        for _ in 0..FLIPS {
            let segment = &segments[rand::random_range(0..segments.len())];
            let mut bytes = fs::read(segment).unwrap();
            // Behind the header, of which `a_segment_without_a_header` has more.
            let at = rand::random_range(200..bytes.len());
            bytes[at] ^= 1 << rand::random_range(0..8);
            fs::write(segment, bytes).unwrap();
        }
    });
    assert!((1..=FLIPS * RECORD).contains(&lost), "{lost} lost");
    let records = service.count("wayspan_log_damaged_records");
    assert!(
        (1.0..=FLIPS as f64).contains(&records),
        "{records} damaged records"
    );
    // Where it is a record's header that was hit, nothing says how many spans.
    let counted = service.account().dropped["damaged"];
    assert!((1..=lost).contains(&counted), "{counted} counted of {lost}");
}

#[test]
fn truncated_at_the_end() {
    let mut cut = 0;
    let (_, lost, service, _backend) = damaged(|segments| cut = truncate(segments.last().unwrap()));
    // All that was cut off is gone, and the record that was hit. It cannot be
    // told from what a crash had no time to write.
    assert!(
        (1..=lost_with(cut)).contains(&lost),
        "{lost} lost of {cut} bytes"
    );
    assert!(service.log().contains("bytes were never answered for"));
}

#[test]
fn truncated_in_the_middle() {
    let mut cut = 0;
    let (_, lost, service, _backend) = damaged(|segments| {
        let lane = |path: &Path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.split('-').next().unwrap().to_owned()
        };
        let mut pairs = segments.windows(2);
        let followed = pairs.find(|pair| lane(&pair[0]) == lane(&pair[1]));
        cut = truncate(&followed.expect("a lane of two segments")[0]);
    });
    assert!(
        (1..=lost_with(cut)).contains(&lost),
        "{lost} lost of {cut} bytes"
    );
    assert!(service.count("wayspan_log_damaged_records") >= 1.0);
}

/// Spans that so many damaged bytes cost at most: a span has some 1260.
fn lost_with(bytes: u64) -> u64 {
    bytes / 1000 + RECORD
}

/// Cuts off up to half of a file, and says how much.
fn truncate(path: &Path) -> u64 {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let keep = rand::random_range(length / 2..length - 1);
    file.set_len(keep).unwrap();
    length - keep
}

#[test]
fn a_segment_without_a_header() {
    let mut hit = 0;
    let (answered, lost, service, _backend) = damaged(|segments| {
        let mut bytes = fs::read(&segments[0]).unwrap();
        hit = bytes.len() as u64;
        bytes[..64].fill(0xff);
        fs::write(&segments[0], bytes).unwrap();
    });
    // The other segments are unharmed, and what can be read of this one is sent.
    assert!(
        lost <= lost_with(hit) && lost < answered,
        "{lost} of {answered}"
    );
    assert!(service.account().delivered >= answered - lost);
}
