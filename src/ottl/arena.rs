/*!
Memory for what evaluation makes of one item: texts, encoded values.

It is emptied for each item and keeps its memory, and it is limited, so that no statement makes more of a span
than a request may grow to.
*/

use super::EvalError;
use crate::pdata::number::ShowHex;
use bumpalo::Bump;
use std::{
    cell::{Cell, RefCell},
    fmt::Write,
};

pub(super) const TOO_MUCH: EvalError =
    EvalError::new("the statements make more of this request than may be sent");

/// Memory that the arena keeps from item to item.
const KEPT: usize = 1 << 20;

/// What evaluation allocates from.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    bump: Bump,
    /// Buffers that grow while a value is built.
    spare: RefCell<Vec<Vec<u8>>>,
    limit: Cell<usize>,
    made: Cell<usize>,
}

impl Arena {
    /// Empties it. From now on so many bytes may be made.
    pub(crate) fn reset(&mut self, limit: usize) {
        if self.bump.allocated_bytes() > KEPT {
            self.bump = Bump::new();
        }
        self.bump.reset();
        self.limit.set(limit);
        self.made.set(0);
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.get()
    }

    /// How many bytes may still be made.
    pub(super) fn left(&self) -> usize {
        self.limit.get().saturating_sub(self.made.get())
    }

    /// Counts bytes that are about to be made.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), EvalError> {
        if bytes > self.left() {
            return Err(TOO_MUCH);
        }
        self.made.set(self.made.get() + bytes);
        Ok(())
    }

    pub(super) fn bytes<'v>(&'v self, bytes: &[u8]) -> Result<&'v [u8], EvalError> {
        self.charge(bytes.len())?;
        Ok(self.bump.alloc_slice_copy(bytes))
    }

    pub(super) fn text<'v>(&'v self, text: &str) -> Result<&'v str, EvalError> {
        self.charge(text.len())?;
        Ok(self.bump.alloc_str(text))
    }

    /// The bytes that `write` appends to an empty buffer.
    pub(super) fn build(
        &self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), EvalError>,
    ) -> Result<&[u8], EvalError> {
        let mut buffer = self.spare.borrow_mut().pop().unwrap_or_default();
        buffer.clear();
        let result = write(&mut buffer).and_then(|()| self.bytes(&buffer));
        buffer.shrink_to(KEPT);
        self.spare.borrow_mut().push(buffer);
        result
    }

    /// Bytes in hexadecimal.
    pub(super) fn hex(&self, bytes: &[u8]) -> Result<&str, EvalError> {
        self.build_text(|out| {
            // Writing to a String does not fail.
            let _ = write!(out, "{}", ShowHex(bytes));
            Ok(())
        })
    }

    /// The text that `write` appends, which is UTF-8 (else U+FFFD stands for what is not).
    pub(super) fn build_text(
        &self,
        write: impl FnOnce(&mut String) -> Result<(), EvalError>,
    ) -> Result<&str, EvalError> {
        let mut buffer = self.spare.borrow_mut().pop().unwrap_or_default();
        buffer.clear();
        let mut text = String::from_utf8(buffer).unwrap_or_default();
        let result = write(&mut text).and_then(|()| self.text(&text));
        let mut buffer = text.into_bytes();
        buffer.shrink_to(KEPT);
        self.spare.borrow_mut().push(buffer);
        result
    }
}
