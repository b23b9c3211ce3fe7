//! The server's side of an HTTP/2 connection: whatever octets come, in whatever
//! pieces, it keeps to what it says of its streams, ends in a failure or waits for more,
//! says the same however its input is cut, and holds no more than a bounded amount
//! beside what it was given.

use super::{
    Grammar, Target,
    conversation::{Conversation, Script, outcomes},
};
use allocation_counter::measure;

/// Bytes at the end of an input that say how the rest is cut and answered.
const SCRIPT: usize = 16;

/// What a connection and the notes about it may hold whatever comes: mostly the tables
/// of header fields, and a header block in pieces.
const BASE: usize = 16 << 10;

/// Times the octets received and the octets of answers: vectors grow by doubling, the
/// notes keep what is left of a frame, and a frame of nine octets may be answered by two.
const TIMES: usize = 4;

pub const TARGET: Target = Target {
    name: "h2",
    run,
    grammar: Grammar::FramesThen(SCRIPT),
};

fn run(bytes: &[u8]) {
    let Some((octets, script)) = bytes.split_last_chunk::<SCRIPT>() else {
        return;
    };
    let mut given = octets.len();
    let held = measure(|| {
        let mut conversation = Conversation::new(Script::new(script));
        conversation.hold(octets);
        given += conversation.answered;
    });
    let most = BASE + TIMES * given;
    assert!(held.bytes_max <= most as u64, "{} bytes of {given} octets", held.bytes_max);
    let mut cuts = Script::new(script);
    assert_eq!(outcomes(octets, || cuts.piece()), outcomes(octets, || usize::MAX));
}
