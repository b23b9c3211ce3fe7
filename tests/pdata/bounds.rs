/*!
What making a request canonical takes in memory is bounded, however deep its messages
lie in pieces inside each other.
*/

use crate::cases;
use allocation_counter::measure;
use proptest::{collection::vec, prelude::*};
use wayspan::pdata::{
    RequestLimits, Signal,
    canon::{self, Repaired},
    wire::put_bytes,
};

/// Times the request: output that grows by doubling from nine eighths of it up to three
/// times, before and after it moves.
const OUTPUT: usize = 7;
/// What any request may have joined, beside half its length; and small change.
const JOINED: usize = 64 << 10;
const BASE: usize = 4 << 10;

/// A span's attribute, or a log's or resource's, whose value lies as deep as `pieces` is
/// long, each level in two pieces where it says so.
fn nested(signal: Signal, leaf: &[u8], pieces: &[bool]) -> Vec<u8> {
    let put = |number, payload: &[u8], is_cut: bool| {
        let mut out = Vec::new();
        if is_cut {
            put_bytes(number, b"", &mut out);
        }
        put_bytes(number, payload, &mut out);
        out
    };
    let mut value = put(1, leaf, false);
    for is_cut in pieces {
        let pair = put(2, &value, *is_cut);
        let list = put(1, &pair, false);
        value = put(6, &list, *is_cut);
    }
    let pair = put(2, &value, false);
    let path: &[u32] = match signal {
        Signal::Traces => &[9, 2, 2, 1],
        Signal::Metrics => &[12, 2, 2, 1],
        // The resource of a group.
        Signal::Logs => &[1, 1, 1],
    };
    path.iter()
        .fold(pair, |payload, number| put(*number, &payload, false))
}

/// Checks what repairing takes, and that no more comes out than may.
fn check(signal: Signal, request: &[u8], limits: &RequestLimits) -> Result<Repaired, String> {
    let mut repaired = None;
    let used = measure(|| repaired = Some(canon::repair(signal, request, limits)));
    let joined = (request.len() / 2 + JOINED).min(limits.repaired);
    let most = OUTPUT * request.len() + joined + BASE;
    assert!(
        used.bytes_max <= most as u64,
        "{} of {most}",
        used.bytes_max
    );
    let repaired = repaired.unwrap().map_err(|reason| reason.to_string());
    if let Ok(repaired) = &repaired {
        assert!(repaired.bytes.len() <= limits.repaired);
    }
    repaired
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn pieces_inside_each_other(
        leaf in prop_oneof![
            (0..300_000_usize).prop_map(|length| vec![b'x'; length]),
            (0..100_000_usize).prop_map(|length| vec![0xff; length]),
            vec(any::<u8>(), 0..1000),
        ],
        pieces in vec(any::<bool>(), 0..30),
        memory in prop_oneof![Just(usize::MAX), 0..1_000_000_usize],
    ) {
        let mut limits = RequestLimits::MOST;
        limits.repaired = memory;
        for signal in Signal::ALL {
            let request = nested(signal, &leaf, &pieces);
            let _ = check(signal, &request, &limits);
        }
    }
}

/// What is deep and not in pieces is no more than it is; what is in pieces is refused by
/// how much it is, and where it is little it is joined.
#[test]
fn only_what_would_multiply_is_refused() {
    let long = vec![b'x'; 1 << 20];
    let limits = RequestLimits::MOST;
    let check = |leaf, pieces: &[bool]| {
        check(
            Signal::Traces,
            &nested(Signal::Traces, leaf, pieces),
            &limits,
        )
    };
    check(&long, &[false; 29]).unwrap();
    check(b"little", &[true; 29]).unwrap();
    let refused = check(&long, &[true; 29]).unwrap_err();
    assert!(
        refused.to_string().contains("pieces inside each other"),
        "{refused}"
    );
}
