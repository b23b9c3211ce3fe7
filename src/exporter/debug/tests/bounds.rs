//! However a batch is cut and whatever is in it: the same text, in little memory.

use super::{all, all_of, logs, metrics, request, text};
use crate::{
    exporter::debug::{Verbosity, lines::Lines, pieces::Pieces, print::write_request},
    pdata::{Signal, wire::put_bytes},
};
use allocation_counter::measure;
use bytes::Bytes;
use proptest::{
    arbitrary::any, collection::vec, prop_assert, prop_assert_eq, proptest, sample::Index,
};
use prost::Message as _;
use std::io::{self, Write};

/// `bytes` in pieces that end at `cuts`, some of them empty.
fn cut(bytes: &[u8], cuts: &[Index]) -> Vec<Bytes> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
    ends.extend([0, bytes.len()]);
    ends.sort_unstable();
    let mut from = 0;
    let piece = |to| Bytes::copy_from_slice(&bytes[std::mem::replace(&mut from, to)..to]);
    ends.into_iter().map(piece).collect()
}

/// Requests of all signals, with unknown fields, groups among them, at each level.
fn requests() -> [(Signal, Vec<u8>); 3] {
    // A varint, a group with a varint and a length in it, fixed widths, a length.
    let unknown = b"\xa0\x06\x96\x01\xa3\x06\x08\x01\x12\x03\x0a\x01x\xa4\x06\xa1\x0612345678\xa5\x061234\xa2\x06\x03abc";
    let with = |request: Vec<u8>| {
        let mut request = request;
        request.extend_from_slice(unknown);
        let mut group = Vec::new();
        let mut scope = unknown.to_vec();
        put_bytes(3, b"schema", &mut scope);
        put_bytes(2, &scope, &mut group);
        group.extend_from_slice(unknown);
        put_bytes(1, &group, &mut request);
        request
    };
    [
        (Signal::Traces, with(request().encode_to_vec())),
        (Signal::Metrics, with(metrics().encode_to_vec())),
        (Signal::Logs, with(logs().encode_to_vec())),
    ]
}

proptest! {
    #[test]
    fn cuts_do_not_show(cuts in vec(any::<Index>(), 0..40)) {
        for (signal, request) in requests() {
            let whole = all(signal, &request);
            prop_assert_eq!(all_of(signal, &cut(&request, &cuts)), whole);
        }
    }

    #[test]
    fn noise_does_no_harm(noise: Vec<u8>, cuts in vec(any::<Index>(), 0..4)) {
        if !noise.is_empty() {
            for signal in Signal::ALL {
                all_of(signal, &cut(&noise, &cuts));
            }
        }
    }

    #[test]
    fn lines_come_whole_in_pieces(lengths in vec(0..3000_usize, 0..30)) {
        struct Sink<'a>(&'a mut Vec<Vec<u8>>);
        impl Write for Sink<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(bytes.to_vec());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut pieces, mut want) = (Vec::new(), String::new());
        let mut out = Lines::new(Sink(&mut pieces));
        for length in lengths {
            writeln!(out, "{:length$}", "x").unwrap();
            want += &format!("{:length$}\n", "x");
        }
        out.flush().unwrap();
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            prop_assert!(piece.ends_with(b"\n") && piece.len() <= 16 << 10);
        }
        prop_assert_eq!(pieces.concat(), want.into_bytes());
    }
}

/// A request of about `bytes`, which is nothing but `field` over and over, in an item
/// at `path`.
fn full_of(field: &[u8], path: &[u32], bytes: usize) -> Vec<u8> {
    let payload = field.repeat(bytes / field.len());
    path.iter().rev().fold(payload, |payload, number| {
        let mut outer = Vec::new();
        put_bytes(*number, &payload, &mut outer);
        outer
    })
}

#[test]
fn what_is_printed_needs_no_memory() {
    let tiny: [(Signal, &[u8], &[u32]); 7] = [
        // Attributes without anything of a span, of a value, and of a resource.
        (Signal::Traces, b"\x4a\x00", &[1, 2, 2]),
        (Signal::Traces, b"\x0a\x00", &[1, 2, 2, 9, 2, 6]),
        (Signal::Traces, b"\x0a\x00", &[1, 1]),
        // Events, and spans.
        (Signal::Traces, b"\x5a\x00", &[1, 2, 2]),
        (Signal::Traces, b"\x12\x00", &[1, 2]),
        (Signal::Metrics, b"\x0a\x00", &[1, 2, 2, 5]),
        (Signal::Logs, b"\x32\x00", &[1, 2, 2]),
    ];
    for (signal, field, path) in tiny {
        let request = Bytes::from(full_of(field, path, 128 << 10));
        let chunks: Vec<_> = (0..request.len())
            .step_by(48 << 10)
            .map(|at| request.slice(at..request.len().min(at + (48 << 10))))
            .collect();
        let whole = [request];
        for verbosity in [Verbosity::Basic, Verbosity::Normal, Verbosity::Detailed] {
            let allocated = |chunks: &[Bytes]| {
                let print = || {
                    let mut out = Lines::new(io::sink());
                    write_request(&mut out, signal, Pieces::new(chunks), verbosity).unwrap();
                    out.flush().unwrap();
                };
                measure(print).bytes_max
            };
            // What lies in one piece is not copied, and nothing is copied twice.
            let (one, several) = (allocated(&whole), allocated(&chunks));
            assert!(one < 20 << 10, "{one} {verbosity:?} {path:?}");
            assert!(
                several < (128 + 20) << 10,
                "{several} {verbosity:?} {path:?}"
            );
        }
    }
}

/// A request that was taken has no such values; a file that was tampered with may.
#[test]
fn values_are_shown_as_deep_as_any_request_has_them() {
    let nested = |levels: usize| {
        let mut payload = Vec::new();
        for _ in 0..levels {
            let mut value = Vec::new();
            let mut array = Vec::new();
            put_bytes(1, &payload, &mut array);
            put_bytes(5, &array, &mut value);
            payload = value;
        }
        all(
            Signal::Traces,
            &full_of(&payload, &[1, 2, 2, 9, 2], payload.len()),
        )
    };
    let [_, normal, detailed] = nested(46);
    assert_eq!(
        [normal, detailed].map(|text| text.contains("...")),
        [false; 2]
    );
    let [_, normal, detailed] = nested(5000);
    assert_eq!(
        [normal, detailed].map(|text| text.contains("...")),
        [true; 2]
    );
}

#[test]
fn a_long_name_does_not_stand_in_every_line() {
    let mut request = request();
    let resource = request.resource_spans[0].resource.as_mut().unwrap();
    resource.attributes = vec![text("service.name", &"ä\n".repeat(100_000))];
    let spans = &mut request.resource_spans[0].scope_spans[0].spans;
    spans.push(spans[0].clone());
    let [_, normal, _] = all(Signal::Traces, &request.encode_to_vec());
    let lines: Vec<_> = normal.lines().collect();
    assert_eq!(lines.len(), 3);
    for line in &lines[1..] {
        assert!(
            line.starts_with("ä\\nä\\n") && line.contains("...: GET /"),
            "{line}"
        );
        assert!(line.len() < 1000);
    }
}
