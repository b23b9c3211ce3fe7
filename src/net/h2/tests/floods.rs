//! What costs a peer little and leads to nothing is bounded.

use super::*;

/// How many times `bytes` may be sent, and with what code it ends.
fn until_enough(wire: &mut Wire, mut bytes: impl FnMut(u32) -> Vec<u8>) -> (u32, u32) {
    for n in 0..20_000 {
        wire.feed(&bytes(n));
        if wire.h2.failure().is_some() {
            return (n, wire.codes().last().unwrap().1);
        }
        wire.h2.out.clear();
    }
    panic!("no end");
}

const CALM: u32 = ErrorCode::EnhanceYourCalm as u32;

#[test]
fn frames_that_lead_to_nothing() {
    let ping = frame(kind::PING, 0, 0, &[0; 8]);
    let priority = frame(kind::PRIORITY, 0, 1, &[0; 5]);
    for bytes in [
        ping,
        priority,
        settings(&[]),
        window(0, 1),
        frame(kind::SETTINGS, flag::ACK, 0, &[]),
        frame(0x42, 0, 0, b"unknown"),
    ] {
        let (sent, code) = until_enough(&mut Wire::new(), |_| bytes.clone());
        assert!(
            (900..=1100).contains(&sent) && code == CALM,
            "{sent} {code} {bytes:?}"
        );
    }
    let mut wire = Wire::new();
    wire.feed(&head(1, false, &[]));
    let (sent, code) = until_enough(&mut wire, |_| data(1, false, b""));
    assert!(
        (900..=1100).contains(&sent) && code == CALM,
        "{sent} {code}"
    );
}

#[test]
fn rapid_resets() {
    let bytes = |n| [head(2 * n + 1, false, &[]), reset(2 * n + 1)].concat();
    let (sent, code) = until_enough(&mut Wire::new(), bytes);
    assert!(
        (900..=1100).contains(&sent) && code == CALM,
        "{sent} {code}"
    );
    // Requests in between earn nothing here.
    let bytes = |n| {
        [
            head(4 * n + 1, true, &[]),
            reset(4 * n + 1),
            head(4 * n + 3, true, &[]),
        ]
        .concat()
    };
    let mut wire = Wire::new();
    for n in 0..2000 {
        wire.feed(&bytes(n));
        wire.h2.answer(4 * n + 3, b"\x88", b"", ReplyEnd::Stream);
        if wire.h2.failure().is_some() {
            assert_eq!(wire.codes().last(), Some(&(kind::GOAWAY, CALM)));
            return;
        }
        wire.h2.out.clear();
    }
    panic!("no end");
}

/// Streams that we have to reset count as well ("MadeYouReset", CVE-2025-8671).
#[test]
fn streams_made_to_be_reset() {
    let bytes = |n| [head(2 * n + 1, false, &[]), window(2 * n + 1, 0)].concat();
    let (sent, code) = until_enough(&mut Wire::new(), bytes);
    assert!(
        (900..=1100).contains(&sent) && code == CALM,
        "{sent} {code}"
    );
}

#[test]
fn a_block_of_endless_continuations() {
    for piece in [&b""[..], &[0; 1000]] {
        let mut wire = Wire::new();
        wire.feed(&frame(kind::HEADERS, 0, 1, &block(&POST)));
        let (sent, code) = until_enough(&mut wire, |_| frame(kind::CONTINUATION, 0, 1, piece));
        assert!(sent < 64 && code == CALM, "{sent} {code}");
    }
}

/// One octet a field, 4000 octets each: nothing of it is kept.
#[test]
fn a_bomb_of_indexed_fields() {
    let mut wire = Wire::new();
    let mut large = b"\x40\x07x-token\x7f\xa0\x1e".to_vec();
    large.extend_from_slice(&[b'x'; 0xf9f]);
    let mut bytes = Vec::new();
    put_block(&mut bytes, 1, true, &large);
    put_block(&mut bytes, 3, true, &[0xbe; 10]);
    assert_eq!(wire.feed(&bytes), []);
    assert_eq!(wire.h2.failure(), None);
    assert_eq!(wire.h2.head().credentials(), None);
    assert_eq!(wire.frames().len(), 2, "431 each");
    let mut endless = Vec::new();
    put_block(&mut endless, 5, true, &[0xbe; 10_000]);
    assert_eq!(wire.feed(&endless), []);
    assert_eq!(wire.codes(), [(kind::GOAWAY, CALM)]);
}

#[test]
fn heads_over_the_limit_unless_others_pay_for_them() {
    let long = "x".repeat(2000);
    let large = |stream| head(stream, true, &[("x-long", &long)]);
    let (sent, code) = until_enough(&mut Wire::new(), |n| large(2 * n + 1));
    assert_eq!((sent, code), (9, CALM));
    // Thirteen good requests are what one costs, and there are more.
    let mut wire = Wire::new();
    for n in 0..1000 {
        let first = 32 * n + 1;
        wire.feed(&large(first));
        for stream in (first + 2..first + 32).step_by(2) {
            wire.feed(&head(stream, true, &[]));
            wire.h2.answer(stream, b"\x88", b"", ReplyEnd::Stream);
        }
        wire.h2.out.clear();
    }
    assert_eq!(wire.h2.failure(), None);
}

#[test]
fn honest_pings_are_earned_by_requests() {
    let mut wire = Wire::new();
    for n in 0..10_000 {
        let stream = 2 * n + 1;
        let ping = frame(kind::PING, 0, 0, &[0; 8]);
        let request = [head(stream, true, &[]), ping, window(0, 1), window(0, 1)].concat();
        assert_eq!(wire.feed(&request), [Seen::RequestHead(stream, true)]);
        wire.h2.answer(stream, b"\x88", b"", ReplyEnd::Stream);
        wire.h2.out.clear();
    }
    assert_eq!(wire.h2.failure(), None);
}

#[test]
fn nothing_is_read_while_too_much_is_to_be_written() {
    let mut wire = Wire::new();
    let requests: Vec<u8> = (0..10_000)
        .flat_map(|n| head(2 * n + 1, true, &[]))
        .collect();
    let mut rest = &requests[..];
    let (mut most, mut answered) = (0, 0);
    while answered < 10_000 {
        while let Some(H2Event::Head { stream, .. }) = wire.h2.next(&mut rest) {
            wire.h2.answer(stream, &[0x88; 100], b"", ReplyEnd::Stream);
            answered += 1;
            most = most.max(wire.h2.out.len());
        }
        wire.h2.out.clear();
    }
    assert!(most < 200 << 10, "{most}");
}
