//! Zipkin's lists in JSON, of both versions: any text is refused, or becomes a request
//! that can enter as it is, and that can be written as lists which are read again.

use super::{Grammar, Target, oracle::keys};
use wayspan::{
    pdata::{Index, Signal, admit},
    zipkin::{ExportOptions, ImportOptions, ZipkinFormat, read, write_json, write_proto},
};

pub const TARGET: Target = Target {
    name: "zipkin_json",
    run,
    grammar: Grammar::Text,
};

fn run(bytes: &[u8]) {
    check(ZipkinFormat::V1Json, bytes);
    check(ZipkinFormat::V2Json, bytes);
}

/// How many bytes of OTLP an octet of a list may make, and what any may.
const RATIO: usize = 40;
const FLOOR: usize = 256;

pub fn check(format: ZipkinFormat, bytes: &[u8]) {
    for parse_string_tags in [false, true] {
        let options = ImportOptions {
            parse_string_tags,
            now: 1_700_000_000_000_000_000,
            most: 1 << 20,
        };
        let Ok(request) = read(format, bytes, options) else {
            return;
        };
        assert!(request.len() <= bytes.len() * RATIO + FLOOR);
        let mut index = Index::default();
        let admitted = admit(Signal::Traces, &request, &keys().0, &mut index).unwrap();
        if admitted.utf8_replaced == 0 {
            assert_eq!(admitted.bytes, request, "it was not canonical");
        }
        // Zipkin has no spans without ids.
        let spans = index.items.iter().filter(|span| span.fault.is_none()).count();
        let (mut json, mut proto) = (Vec::new(), Vec::new());
        let options_out = ExportOptions::default();
        write_json(&admitted.bytes, &options_out, &mut json);
        write_proto(&admitted.bytes, &options_out, &mut proto);
        for (format, list) in [(ZipkinFormat::V2Json, json), (ZipkinFormat::V2Proto, proto)] {
            let again = read(format, &list, ImportOptions { most: usize::MAX, ..options });
            let again = again.unwrap_or_else(|error| panic!("{format:?} is not read again: {error}"));
            let mut index = Index::default();
            admit(Signal::Traces, &again, &keys().0, &mut index).unwrap();
            assert_eq!(index.items.len(), spans, "{format:?} lost spans");
        }
    }
}
