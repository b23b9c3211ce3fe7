//! What a peer must not do (RFC 9113), and how it hears of it.

use super::{super::frame::setting, *};

const STREAM: u8 = kind::RST_STREAM;
const CONNECTION: u8 = kind::GOAWAY;

/// What is sent on an open connection where stream 1 was answered and stream 3
/// has begun; what kind of fault it is.
fn check(bytes: &[u8], level: u8, reason: ErrorCode) {
    let mut wire = Wire::new();
    wire.feed(
        &[
            head(1, true, &[]),
            head(3, false, &[("content-length", "5")]),
        ]
        .concat(),
    );
    wire.h2.answer(1, b"\x88", b"", ReplyEnd::Stream);
    wire.frames();
    wire.feed(bytes);
    assert_eq!(wire.codes(), [(level, reason as u32)], "{bytes:x?}");
    assert_eq!(wire.h2.failure().is_some(), level == CONNECTION);
    if level == STREAM {
        // The connection goes on.
        assert_eq!(wire.feed(&head(9, true, &[])), [Seen::RequestHead(9, true)]);
    } else {
        assert_eq!(wire.feed(&head(9, true, &[])), []);
    }
}

#[test]
fn the_preface_and_settings_come_first() {
    for (bytes, is_bad) in [
        (&b"PRI * HTTP/1.1\r\n"[..], true),
        (b"PRI * HT", false),
        (b"GET / HTTP/1.1\r\n\r\n", true),
    ] {
        let mut wire = Wire::silent();
        assert_eq!(wire.feed(bytes), []);
        assert_eq!(wire.h2.failure().is_some(), is_bad);
        assert_eq!(wire.codes().len(), usize::from(is_bad));
    }
    let mut wire = Wire::silent();
    wire.feed(&[PREFACE.to_vec(), frame(kind::PING, 0, 0, &[0; 8])].concat());
    assert_eq!(wire.codes(), [(CONNECTION, 1)]);
}

#[test]
fn frames_of_a_wrong_length() {
    use ErrorCode::FrameSize;
    check(&[0, 0x40, 1, 0, 0, 0, 0, 0, 3], CONNECTION, FrameSize);
    check(&frame(kind::SETTINGS, 0, 0, &[0; 5]), CONNECTION, FrameSize);
    check(
        &frame(kind::SETTINGS, flag::ACK, 0, &[0; 6]),
        CONNECTION,
        FrameSize,
    );
    check(&frame(kind::PING, 0, 0, &[0; 7]), CONNECTION, FrameSize);
    check(
        &frame(kind::RST_STREAM, 0, 3, &[0; 5]),
        CONNECTION,
        FrameSize,
    );
    check(
        &frame(kind::WINDOW_UPDATE, 0, 3, &[0; 3]),
        CONNECTION,
        FrameSize,
    );
    check(&frame(kind::GOAWAY, 0, 0, &[0; 7]), CONNECTION, FrameSize);
    check(&frame(kind::PRIORITY, 0, 7, &[0; 4]), CONNECTION, FrameSize);
    check(&frame(kind::PRIORITY, 0, 3, &[0; 4]), STREAM, FrameSize);
    let short = frame(
        kind::HEADERS,
        flag::PRIORITY | flag::END_HEADERS,
        5,
        &[0; 4],
    );
    check(&short, CONNECTION, FrameSize);
}

#[test]
fn frames_on_a_wrong_stream() {
    use ErrorCode::{Protocol, StreamClosed};
    for stream in [0, 2, 5] {
        check(&data(stream, false, b"a"), CONNECTION, Protocol);
        if stream > 0 {
            check(&window(stream, 1), CONNECTION, Protocol);
        }
        check(&reset(stream), CONNECTION, Protocol);
    }
    check(&head(0, true, &[]), CONNECTION, Protocol);
    check(&head(4, true, &[]), CONNECTION, Protocol);
    check(&frame(kind::PRIORITY, 0, 0, &[0; 5]), CONNECTION, Protocol);
    check(&frame(kind::SETTINGS, 0, 3, &[]), CONNECTION, Protocol);
    check(&frame(kind::PING, 0, 3, &[0; 8]), CONNECTION, Protocol);
    check(&frame(kind::GOAWAY, 0, 3, &[0; 8]), CONNECTION, Protocol);
    check(
        &frame(kind::PUSH_PROMISE, 4, 3, &[0; 4]),
        CONNECTION,
        Protocol,
    );
    // Over; passed over; half over.
    check(&data(1, false, b"a"), STREAM, StreamClosed);
    check(&head(1, true, &[]), CONNECTION, StreamClosed);
    check(
        &[reset(3), data(3, false, b"a")].concat(),
        STREAM,
        StreamClosed,
    );
    check(
        &[reset(3), head(3, true, &[])].concat(),
        CONNECTION,
        StreamClosed,
    );
    check(
        &[head(7, true, &[]), head(5, true, &[])].concat(),
        CONNECTION,
        Protocol,
    );
    check(
        &[head(7, true, &[]), data(7, true, b"")].concat(),
        STREAM,
        StreamClosed,
    );
    check(
        &[head(7, true, &[]), head(7, true, &[])].concat(),
        STREAM,
        StreamClosed,
    );
}

#[test]
fn header_blocks_are_not_interrupted() {
    use ErrorCode::Protocol;
    let begun = frame(kind::HEADERS, flag::END_STREAM, 5, &block(&POST));
    let goes_on = |stream| frame(kind::CONTINUATION, flag::END_HEADERS, stream, &[]);
    for other in [
        goes_on(3),
        goes_on(0),
        data(3, false, b"a"),
        settings(&[]),
        head(7, true, &[]),
    ] {
        check(&[begun.clone(), other].concat(), CONNECTION, Protocol);
    }
    check(&goes_on(3), CONNECTION, Protocol);
    check(
        &[head(5, true, &[]), goes_on(5)].concat(),
        CONNECTION,
        Protocol,
    );
    let mut wire = Wire::new();
    assert_eq!(wire.feed(&begun), []);
    assert!(wire.h2.waits().is_in_block);
    assert_eq!(wire.feed(&goes_on(5)), [Seen::RequestHead(5, true)]);
    assert!(!wire.h2.waits().is_in_block);
}

#[test]
fn padding_fits_its_frame() {
    let padded = |kind, payload| frame(kind, flag::PADDED | flag::END_HEADERS, 3, payload);
    check(
        &padded(kind::DATA, b"\x05abcd"),
        CONNECTION,
        ErrorCode::Protocol,
    );
    check(&padded(kind::DATA, b""), CONNECTION, ErrorCode::Protocol);
    check(
        &padded(kind::HEADERS, b"\xffabcd"),
        CONNECTION,
        ErrorCode::Protocol,
    );
}

#[test]
fn settings_have_their_bounds() {
    let set = |name, value| settings(&[(name, value)]);
    check(
        &set(setting::ENABLE_PUSH, 2),
        CONNECTION,
        ErrorCode::Protocol,
    );
    check(
        &set(setting::MAX_FRAME_SIZE, 16_383),
        CONNECTION,
        ErrorCode::Protocol,
    );
    check(
        &set(setting::MAX_FRAME_SIZE, 1 << 24),
        CONNECTION,
        ErrorCode::Protocol,
    );
    let over = set(setting::INITIAL_WINDOW_SIZE, 1 << 31);
    check(&over, CONNECTION, ErrorCode::FlowControl);
    // With what stream 3 was granted already.
    let most = set(setting::INITIAL_WINDOW_SIZE, (1 << 31) - 1);
    check(
        &[window(3, 1), most].concat(),
        CONNECTION,
        ErrorCode::FlowControl,
    );
}

#[test]
fn windows_have_their_bounds() {
    let most = (1 << 31) - 1;
    check(&window(0, 0), CONNECTION, ErrorCode::Protocol);
    check(&window(3, 0), STREAM, ErrorCode::Protocol);
    check(&window(0, most), CONNECTION, ErrorCode::FlowControl);
    check(&window(3, most), STREAM, ErrorCode::FlowControl);
}

#[test]
fn blocks_that_cannot_be_decoded_end_the_connection() {
    let bad = frame(kind::HEADERS, flag::END_HEADERS, 5, &[0xff, 0xff]);
    check(&bad, CONNECTION, ErrorCode::Compression);
}

#[test]
fn requests_that_are_none_are_reset() {
    use ErrorCode::Protocol;
    for fields in [
        &[("connection", "close")][..],
        &[("te", "gzip")],
        &[("X-Upper", "a")],
        &[(":method", "POST")],
        &[("x-a", "b\n")],
        &[("content-length", "x")],
    ] {
        check(&head(5, true, fields), STREAM, Protocol);
    }
    let mut none = Vec::new();
    put_block(&mut none, 5, true, &block(&[("x-a", "b")]));
    check(&none, STREAM, Protocol);
    // Lengths that are not kept (RFC 9113, 8.1.1).
    check(&head(5, true, &[("content-length", "1")]), STREAM, Protocol);
    check(&data(3, true, b"four"), STREAM, Protocol);
    check(&data(3, false, b"longer"), STREAM, Protocol);
    let mut short = data(3, false, b"four");
    put_block(&mut short, 3, true, &block(&[("x-a", "b")]));
    check(&short, STREAM, Protocol);
    // Trailers that do not end it, and that are a head.
    check(&head(3, true, &[]), STREAM, Protocol);
    let mut open = Vec::new();
    put_block(&mut open, 3, false, &block(&[("x-a", "b")]));
    check(&open, STREAM, Protocol);
    // RFC 7540, 5.3.1.
    let itself = [&[0, 0, 0, 5, 0][..], &block(&POST)].concat();
    let flags = flag::PRIORITY | flag::END_HEADERS;
    check(&frame(kind::HEADERS, flags, 5, &itself), STREAM, Protocol);
    check(
        &frame(kind::PRIORITY, 0, 3, &[0, 0, 0, 3, 0]),
        CONNECTION,
        Protocol,
    );
}

#[test]
fn a_length_that_is_kept_is_good() {
    let mut wire = Wire::new();
    let request = [
        head(1, false, &[("content-length", "5")]),
        data(1, true, b"fiver"),
    ];
    assert_eq!(
        wire.feed(&request.concat())[1],
        Seen::Data(1, b"fiver".to_vec(), true)
    );
    assert_eq!(wire.codes(), []);
}

#[test]
fn a_broken_request_is_told() {
    let mut wire = Wire::new();
    wire.feed(&head(1, false, &[("content-length", "1")]));
    assert_eq!(wire.feed(&data(1, true, b"two")), [Seen::Gone(1)]);
    wire.feed(&head(3, false, &[]));
    assert_eq!(wire.feed(&reset(3)), [Seen::Gone(3)]);
}

#[test]
fn more_than_the_window_is_a_fault() {
    let mut wire = Wire::new();
    wire.feed(&head(1, false, &[]));
    // Nobody opens the window here: padding alone uses it up, too.
    let padded = [&[255][..], &[0; 255]].concat();
    let piece = frame(kind::DATA, flag::PADDED, 1, &padded);
    let mut opened = 0;
    for _ in 0..10_000 {
        wire.feed(&piece);
        if wire.h2.failure().is_some() {
            break;
        }
        opened += wire.frames().len();
    }
    // Frames of padding lead to nothing.
    assert_eq!(wire.codes().last(), Some(&(CONNECTION, 11)));
    assert!(opened <= 2);
}

#[test]
fn streams_beyond_the_limit_are_refused_and_can_be_sent_again() {
    let mut wire = Wire::new();
    let heads: Vec<_> = [1, 3, 5, 7, 9].map(|id| head(id, false, &[])).concat();
    assert_eq!(wire.feed(&heads).len(), 4);
    assert_eq!(wire.codes(), [(STREAM, ErrorCode::RefusedStream as u32)]);
    wire.h2.answer(1, b"\x88", b"", ReplyEnd::Stream);
    assert_eq!(
        wire.feed(&head(11, false, &[])),
        [Seen::RequestHead(11, false)]
    );
}

#[test]
fn a_head_over_the_limit_is_answered_and_the_next_is_understood() {
    let mut wire = Wire::new();
    let long = "x".repeat(2000);
    let mut large = block(&[&POST[..], &[("x-long", &long)]].concat());
    // Something to remember at its end.
    large.extend_from_slice(b"\x40\x07x-token\x01t");
    let mut bytes = Vec::new();
    put_block(&mut bytes, 1, false, &large);
    assert_eq!(wire.feed(&bytes), []);
    let frames = wire.frames();
    assert_eq!(frames[0].1, flag::END_STREAM | flag::END_HEADERS);
    assert!(frames[0].3.ends_with(b"431"));
    assert_eq!((frames[1].0, &frames[1].3[..]), (STREAM, &[0; 4][..]));
    let mut next = Vec::new();
    put_block(&mut next, 3, true, b"\x83\x86\x84\xbe");
    assert_eq!(wire.feed(&next), [Seen::RequestHead(3, true)]);
    assert_eq!(wire.h2.head().credentials(), Some(&b"t"[..]));
}
