/*! What goes wrong with a text, and what with an item. */

use std::{borrow::Cow, fmt};

/// A mistake in a text, and where: bytes from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParseError {
    pub(crate) at: usize,
    pub(crate) width: usize,
    pub(crate) message: String,
    /// What to do about it; may be empty.
    pub(crate) help: String,
}

impl ParseError {
    pub(super) fn new(at: usize, width: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            width,
            message: message.into(),
            help: String::new(),
        }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: help.into(),
            ..self
        }
    }
}

/// Why a statement or condition has no result for an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EvalError {
    /// The value has another type than is wanted, which `IsString` and its kin
    /// take as an answer.
    pub(super) is_type: bool,
    message: Cow<'static, str>,
}

impl EvalError {
    pub(super) const fn new(message: &'static str) -> Self {
        Self {
            is_type: false,
            message: Cow::Borrowed(message),
        }
    }

    pub(super) const fn of_type(message: &'static str) -> Self {
        Self {
            is_type: true,
            message: Cow::Borrowed(message),
        }
    }

    pub(super) fn says(message: String) -> Self {
        Self {
            is_type: false,
            message: Cow::Owned(message),
        }
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
