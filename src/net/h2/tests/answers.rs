//! Answers, windows, and the end of a connection.

use super::{super::frame::setting, *};

const HEAD_BLOCK: &[u8] = b"\x88";
const TRAILERS: &[u8] = b"\x00\x01a\x01b";
const END: ReplyEnd = ReplyEnd::Trailers(TRAILERS);

#[test]
fn a_request_that_is_there_is_answered_at_once() {
    let mut wire = Wire::new();
    let request = [head(1, false, &[("x-token", "t")]), data(1, true, b"abc")].concat();
    let seen = wire.feed(&request);
    assert_eq!(
        seen,
        [
            Seen::RequestHead(1, false),
            Seen::Data(1, b"abc".to_vec(), true)
        ]
    );
    assert_eq!(wire.h2.head().path(), b"/a/b");
    assert_eq!(wire.h2.head().credentials(), Some(&b"t"[..]));
    wire.h2.answer(1, HEAD_BLOCK, b"yes", END);
    let want = [
        (kind::HEADERS, flag::END_HEADERS, 1, HEAD_BLOCK.to_vec()),
        (kind::DATA, 0, 1, b"yes".to_vec()),
        (
            kind::HEADERS,
            flag::END_HEADERS | flag::END_STREAM,
            1,
            TRAILERS.to_vec(),
        ),
    ];
    assert_eq!(wire.frames(), want);
    // It is gone.
    wire.h2.answer(1, HEAD_BLOCK, b"yes", END);
    assert_eq!(wire.frames(), []);
}

#[test]
fn an_end_of_its_own_is_taken_with_the_data_before_it() {
    let mut wire = Wire::new();
    let request = [
        head(1, false, &[]),
        data(1, false, b"abc"),
        data(1, true, b""),
    ]
    .concat();
    let seen = wire.feed(&request);
    assert_eq!(seen[1..], [Seen::Data(1, b"abc".to_vec(), true)]);
    // Not another stream's.
    let mut wire = Wire::new();
    let heads = [head(1, false, &[]), head(3, false, &[])].concat();
    wire.feed(&heads);
    let seen = wire.feed(&[data(1, false, b"abc"), data(3, true, b"")].concat());
    let want = [
        Seen::Data(1, b"abc".to_vec(), false),
        Seen::Data(3, vec![], true),
    ];
    assert_eq!(seen, want);
}

#[test]
fn trailers_end_a_request() {
    let mut wire = Wire::new();
    let mut bytes = [head(1, false, &[]), data(1, false, b"abc")].concat();
    put_block(&mut bytes, 1, true, &block(&[("x-a", "b")]));
    assert_eq!(wire.feed(&bytes)[2], Seen::Ended(1));
}

#[test]
fn an_answer_before_the_end_of_its_request_resets_it_without_an_error() {
    let mut wire = Wire::new();
    wire.feed(&head(1, false, &[]));
    wire.h2.answer(1, HEAD_BLOCK, b"", ReplyEnd::Stream);
    let want = [
        (
            kind::HEADERS,
            flag::END_HEADERS | flag::END_STREAM,
            1,
            HEAD_BLOCK.to_vec(),
        ),
        (kind::RST_STREAM, 0, 1, vec![0; 4]),
    ];
    assert_eq!(wire.frames(), want);
    // What was on its way is no fault.
    let mut late = [data(1, false, b"late"), window(1, 5), reset(1)].concat();
    put_block(&mut late, 1, true, &block(&[("x-a", "b")]));
    assert_eq!(wire.feed(&late), []);
    assert_eq!((wire.frames(), wire.h2.failure()), (vec![], None));
}

#[test]
fn answers_wait_for_windows() {
    let mut wire = Wire::new();
    wire.feed(&settings(&[(setting::INITIAL_WINDOW_SIZE, 2)]));
    wire.feed(&head(1, true, &[]));
    wire.frames();
    wire.h2.answer(1, HEAD_BLOCK, b"abcdef", END);
    let sent = |wire: &mut Wire| {
        let frames = wire.frames().into_iter();
        let data = frames.filter(|frame| frame.0 != kind::SETTINGS);
        data.map(|frame| frame.3).collect::<Vec<_>>()
    };
    assert_eq!(sent(&mut wire), [HEAD_BLOCK, b"ab"]);
    assert!(wire.h2.waits().is_held_up);
    wire.feed(&window(1, 1));
    assert_eq!(sent(&mut wire), [b"c"]);
    // A smaller window takes back what was granted; a larger one gives it.
    wire.feed(&settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]));
    wire.feed(&window(1, 2));
    assert_eq!(sent(&mut wire), Vec::<Vec<u8>>::new());
    wire.feed(&settings(&[(setting::INITIAL_WINDOW_SIZE, 10)]));
    assert_eq!(sent(&mut wire), [&b"def"[..], TRAILERS]);
    assert!(!wire.h2.waits().is_held_up);
}

#[test]
fn answers_share_the_connections_window() {
    let mut wire = Wire::new();
    let long = vec![7; 40_000];
    wire.feed(&[head(1, true, &[]), head(3, true, &[])].concat());
    for stream in [1, 3] {
        wire.h2.answer(stream, HEAD_BLOCK, &long, END);
    }
    let octets = |wire: &mut Wire, stream| -> usize {
        let frames = wire.frames().into_iter();
        let data = frames.filter(|frame| frame.0 == kind::DATA && frame.2 == stream);
        data.map(|frame| frame.3.len()).sum()
    };
    let mut sent = wire.frames();
    sent.retain(|frame| frame.0 == kind::DATA);
    assert!(sent.iter().all(|frame| frame.3.len() <= MAX_PAYLOAD));
    assert_eq!(
        sent.iter().map(|frame| frame.3.len()).sum::<usize>(),
        65_535
    );
    assert_eq!(wire.h2.waits().sent, 65_535);
    wire.feed(&window(0, 100_000));
    assert_eq!(octets(&mut wire, 3), 80_000 - 65_535);
    assert!(!wire.h2.waits().is_held_up);
}

#[test]
fn an_answer_may_be_left_open() {
    let mut wire = Wire::new();
    wire.feed(&head(1, true, &[]));
    wire.h2.answer(1, HEAD_BLOCK, b"a", ReplyEnd::Open);
    wire.h2.go_on(1, b"b", ReplyEnd::Open);
    wire.h2.go_on(1, b"", END);
    let flags: Vec<_> = wire
        .frames()
        .iter()
        .map(|frame| (frame.0, frame.1))
        .collect();
    let want = [
        (kind::HEADERS, flag::END_HEADERS),
        (kind::DATA, 0),
        (kind::DATA, 0),
        (kind::HEADERS, flag::END_HEADERS | flag::END_STREAM),
    ];
    assert_eq!(flags, want);
    // Resetting it is no trouble either.
    wire.feed(&head(3, true, &[]));
    wire.h2.answer(3, HEAD_BLOCK, &[0; 70_000], ReplyEnd::Open);
    assert!(wire.h2.waits().is_held_up);
    assert_eq!(wire.feed(&reset(3)), [Seen::Gone(3)]);
    assert!(!wire.h2.waits().is_held_up);
}

#[test]
fn windows_of_senders_are_opened_as_they_send() {
    let mut wire = Wire::new();
    wire.feed(&head(1, false, &[]));
    let piece = data(1, false, &[0; MAX_PAYLOAD]);
    let mut opened = [0, 0];
    for _ in 0..1000 {
        wire.feed(&piece);
        for (kind, _, stream, payload) in wire.frames() {
            assert_eq!(kind, self::kind::WINDOW_UPDATE);
            opened[stream as usize] += u32::from_be_bytes(payload.try_into().unwrap()) as usize;
        }
    }
    let sent = 1000 * MAX_PAYLOAD;
    assert!(opened[0] > sent - (2 << 20) - MAX_PAYLOAD && opened[0] <= sent);
    assert!(opened[1] > sent - (1 << 19) - MAX_PAYLOAD && opened[1] <= sent);
}

#[test]
fn leaving_takes_what_was_on_its_way_and_nothing_after() {
    let mut wire = Wire::new();
    wire.feed(&head(1, false, &[]));
    wire.h2.leave();
    wire.h2.leave();
    let frames = wire.frames();
    let (ping, all) = (frames[1].3.clone(), &frames[0].3[..4]);
    assert_eq!(
        (frames.len(), frames[0].0, frames[1].0),
        (2, kind::GOAWAY, kind::PING)
    );
    assert_eq!(all, 0x7fff_ffff_u32.to_be_bytes());
    assert!(!wire.h2.is_done() && wire.h2.waits().is_pinged);
    // The peer had sent this before it heard.
    assert_eq!(wire.feed(&head(3, true, &[])), [Seen::RequestHead(3, true)]);
    wire.feed(&frame(kind::PING, flag::ACK, 0, &ping));
    let frames = wire.frames();
    assert_eq!(
        (frames[0].0, &frames[0].3[..4]),
        (kind::GOAWAY, &[0, 0, 0, 3][..])
    );
    assert!(!wire.h2.is_done() && !wire.h2.waits().is_pinged);
    // This one it had not; its fields count for the table all the same.
    let mut late = Vec::new();
    let fields = b"\x40\x01a\x01b\x83\x86\x84";
    put_block(&mut late, 5, false, fields);
    let late = [late, data(5, true, b"late"), window(5, 1), reset(5)].concat();
    assert_eq!((wire.feed(&late), wire.frames()), (vec![], vec![]));
    let mut trailers = Vec::new();
    put_block(&mut trailers, 1, true, b"\xbe");
    assert_eq!(wire.feed(&trailers), [Seen::Ended(1)]);
    wire.h2.answer(3, HEAD_BLOCK, b"", ReplyEnd::Stream);
    assert!(!wire.h2.is_done());
    wire.h2.answer(1, HEAD_BLOCK, b"", ReplyEnd::Stream);
    assert!(wire.h2.is_done());
}

#[test]
fn pings_are_answered_and_ours_are_known() {
    let mut wire = Wire::new();
    wire.feed(&frame(kind::PING, 0, 0, b"12345678"));
    assert_eq!(
        wire.frames(),
        [(kind::PING, flag::ACK, 0, b"12345678".to_vec())]
    );
    wire.h2.ping();
    let ours = wire.frames().remove(0).3;
    wire.feed(&frame(kind::PING, flag::ACK, 0, b"12345678"));
    assert!(wire.h2.waits().is_pinged);
    wire.feed(&frame(kind::PING, flag::ACK, 0, &ours));
    assert!(!wire.h2.waits().is_pinged);
}

#[test]
fn what_is_unknown_is_ignored() {
    let mut wire = Wire::new();
    let bytes = [
        frame(0x20, 0xff, 7, b"whatever"),
        settings(&[(0x99, 7)]),
        frame(kind::PING, 0xfe, 0, b"12345678"),
        frame(kind::PRIORITY, 0, 9, &[0, 0, 0, 1, 5]),
        frame(kind::GOAWAY, 0, 0, &[0; 8]),
        head(1, true, &[]),
    ];
    assert_eq!(wire.feed(&bytes.concat()), [Seen::RequestHead(1, true)]);
    assert_eq!(wire.h2.failure(), None);
}
