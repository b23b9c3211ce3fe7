/*!
Copying pieces of a buffer, those that follow each other at once.

A message of which one field was changed has some twenty others that stand side by side: one copy in place of
twenty.
*/

use std::ops::Range;

/// Pieces that are still to be copied: they are one range, until a piece stands elsewhere.
#[derive(Debug)]
pub(crate) struct Runs<'a> {
    buffer: &'a [u8],
    pending: Range<usize>,
}

impl<'a> Runs<'a> {
    pub(crate) fn new(buffer: &'a [u8]) -> Self {
        Self {
            buffer,
            pending: 0..0,
        }
    }

    /// Appends a piece, now or with those that follow it.
    #[inline]
    pub(crate) fn push(&mut self, piece: Range<usize>, out: &mut Vec<u8>) {
        if piece.start != self.pending.end {
            self.flush(out);
            self.pending.start = piece.start;
        }
        self.pending.end = piece.end;
    }

    /// Appends what is pending: before anything else is written, and at the end.
    #[inline]
    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.buffer.get(self.pending.clone()).unwrap_or_default());
        self.pending.start = self.pending.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_their_order_whether_adjacent_or_not() {
        let (mut runs, mut out) = (Runs::new(b"abcdef"), Vec::new());
        for piece in [0..1, 1..3, 3..3, 4..5, 2..4, 4..6, 0..0] {
            runs.push(piece, &mut out);
        }
        runs.flush(&mut out);
        out.push(b'!');
        runs.push(1..2, &mut out);
        runs.flush(&mut out);
        runs.flush(&mut out);
        assert_eq!(out, b"abcecdef!b");
    }
}
