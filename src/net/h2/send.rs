/*!
What goes to the peer.

An answer is a header block, data, and perhaps another header block. Header
blocks are not subject to windows; data are, and what follows them waits with
them. A request that has not ended when its answer has is reset with NO_ERROR:
nobody looks at the rest of it (RFC 9113, 8.1).
*/

use super::{
    connection::H2Connection,
    error::{ErrorCode, H2Failure},
    frame::{self, MAX_PAYLOAD, flag, kind},
    stream::{Outgoing, ReplyEnd, Stream},
};

impl H2Connection {
    /// Answers a request: the header block `head`, then `body`, then what `end`
    /// says. Nothing, if the stream is gone.
    pub fn answer(&mut self, stream: u32, head: &[u8], body: &[u8], end: ReplyEnd) {
        if self.streams.get(stream).is_none() {
            return;
        }
        if body.is_empty() && end == ReplyEnd::Stream {
            frame::put_block(&mut self.out, stream, true, head);
            return self.answered(stream);
        }
        frame::put_block(&mut self.out, stream, false, head);
        self.go_on(stream, body, end);
    }

    /// Goes on with an answer that was left open.
    pub fn go_on(&mut self, stream: u32, body: &[u8], end: ReplyEnd) {
        let Some(known) = self.streams.get(stream) else {
            return;
        };
        if let Some(outgoing) = &mut known.outgoing {
            outgoing.bytes.extend_from_slice(body);
            outgoing.end = end;
            return;
        }
        let most = known.outflow.left().min(MAX_PAYLOAD);
        if body.len() <= most.min(self.outflow.left()) {
            known.outflow.sent(body.len());
            self.outflow.sent(body.len());
            self.sent += body.len() as u64;
            put_data(&mut self.out, stream, body, end);
            if end != ReplyEnd::Open {
                self.answered(stream);
            }
            return;
        }
        known.outgoing = Some(Box::new(Outgoing {
            bytes: body.to_vec(),
            sent: 0,
            end,
        }));
        self.waiting += 1;
        self.send_waiting();
    }

    /// Sends what the windows allow of the answers that wait for them.
    pub(super) fn send_waiting(&mut self) {
        if self.waiting == 0 {
            return;
        }
        let (out, window) = (&mut self.out, &mut self.outflow);
        let mut done = Vec::new();
        for stream in self.streams.iter_mut() {
            let Stream { id, outflow, .. } = *stream;
            let Some(outgoing) = &mut stream.outgoing else {
                continue;
            };
            let mut left = outflow.left();
            loop {
                let rest = outgoing.bytes.get(outgoing.sent..).unwrap_or_default();
                let most = left.min(window.left()).min(MAX_PAYLOAD);
                let (piece, later) = rest.split_at(rest.len().min(most));
                if later.is_empty() {
                    put_data(out, id, piece, outgoing.end);
                    done.push((id, outgoing.end));
                } else if !piece.is_empty() {
                    put_data(out, id, piece, ReplyEnd::Open);
                }
                window.sent(piece.len());
                self.sent += piece.len() as u64;
                stream.outflow.sent(piece.len());
                outgoing.sent += piece.len();
                left -= piece.len();
                if later.is_empty() || piece.is_empty() {
                    break;
                }
            }
        }
        for (id, end) in done {
            self.waiting -= 1;
            if let Some(stream) = self.streams.get(id) {
                stream.outgoing = None;
            }
            if end != ReplyEnd::Open {
                self.answered(id);
            }
        }
    }

    /// Resets a stream; true: it was there, and somebody may wait for its end.
    pub fn reset(&mut self, stream: u32, reason: ErrorCode) -> bool {
        frame::put_reset(&mut self.out, stream, reason);
        if !self.resets.spend(1) {
            self.fail(H2Failure {
                reason: ErrorCode::EnhanceYourCalm,
                why: "too many streams were at fault",
            });
        }
        self.forget(stream, false)
    }

    /// Notes that our side of a stream has ended.
    fn answered(&mut self, stream: u32) {
        let is_open = self.streams.get(stream).is_some_and(|known| known.is_open);
        if is_open {
            frame::put_reset(&mut self.out, stream, ErrorCode::None);
        }
        self.forget(stream, !is_open);
    }

    /// Removes a stream; true: it was there.
    pub(super) fn forget(&mut self, stream: u32, heard: bool) -> bool {
        let known = self.streams.remove(stream, heard);
        if known.as_ref().is_some_and(|known| known.outgoing.is_some()) {
            self.waiting -= 1;
        }
        known.is_some()
    }
}

/// Appends data, of one frame at most, and what ends them.
fn put_data(out: &mut Vec<u8>, stream: u32, bytes: &[u8], end: ReplyEnd) {
    let flags = if end == ReplyEnd::Stream {
        flag::END_STREAM
    } else {
        0
    };
    if !bytes.is_empty() || end == ReplyEnd::Stream {
        frame::put(out, kind::DATA, flags, stream, bytes);
    }
    if let ReplyEnd::Trailers(block) = end {
        frame::put_block(out, stream, true, block);
    }
}
