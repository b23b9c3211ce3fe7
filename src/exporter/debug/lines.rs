/*!
Text on its way to standard error, a few lines at a time.

Others write there as well, the log above all, and whoever holds its lock while much
is printed keeps them waiting. So it is held for one piece at a time, and pieces end
with a line where lines are not longer than a piece.
*/

use std::io::{self, Write};

/// What is written at once.
const PIECE: usize = 16 << 10;

/// A buffer of lines before a writer.
pub(super) struct Lines<W: Write> {
    to: W,
    held: Vec<u8>,
}

impl<W: Write> Lines<W> {
    /// Writes to `to`.
    pub(super) fn new(to: W) -> Self {
        let held = Vec::with_capacity(PIECE);
        Self { to, held }
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.held.len() + bytes.len() > PIECE {
            let end = self.held.iter().rposition(|byte| *byte == b'\n');
            let whole = end.map_or(self.held.len(), |end| end + 1);
            self.to
                .write_all(self.held.get(..whole).unwrap_or_default())?;
            self.held.drain(..whole);
        }
        // No more than a piece is ever held, however long a line is.
        let room = PIECE - self.held.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.held.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.to.write_all(&held)?;
        self.to.flush()
    }
}
