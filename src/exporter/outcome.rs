/*! What one attempt to deliver came to, whatever the exporter speaks. */

use crate::http::NoAnswer;
use std::time::Duration;

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The backend answered with success.
    Delivered {
        /// Items it says it rejected (`partial_success`); never sent again.
        rejected: u64,
        /// Its message, which may be a warning with nothing rejected.
        message: String,
    },
    /// May work later.
    Retry {
        /// Not before this long from now (`RetryInfo`, `Retry-After`).
        after: Option<Duration>,
        /// What happened, and what to do about it where that is known.
        cause: String,
        /// Is true when someone has to change a setting first.
        misconfigured: bool,
    },
    /// The request is larger than the backend takes: send less at once.
    TooLarge {
        /// The backend's words.
        cause: String,
    },
    /// Something in the request is refused: find out what.
    Invalid {
        /// The backend's words.
        cause: String,
    },
    /// Refused for good.
    Permanent {
        /// The backend's words.
        cause: String,
    },
}

impl From<NoAnswer> for Outcome {
    fn from(no_answer: NoAnswer) -> Self {
        Self::Retry {
            after: None,
            cause: no_answer.cause,
            misconfigured: no_answer.misconfigured,
        }
    }
}

impl Outcome {
    /// Which of them it is, in a word.
    #[cfg(test)]
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Delivered { .. } => "delivered",
            Self::Retry {
                misconfigured: false,
                ..
            } => "retry",
            Self::Retry {
                misconfigured: true,
                ..
            } => "misconfigured",
            Self::TooLarge { .. } => "too large",
            Self::Invalid { .. } => "invalid",
            Self::Permanent { .. } => "permanent",
        }
    }

    /// A failure that may pass by itself.
    pub(crate) fn retry(cause: impl Into<String>) -> Self {
        Self::Retry {
            after: None,
            cause: cause.into(),
            misconfigured: false,
        }
    }

    /// A setting that someone has to change.
    pub(crate) fn misconfigured(cause: impl Into<String>) -> Self {
        Self::Retry {
            after: None,
            cause: cause.into(),
            misconfigured: true,
        }
    }

    /// Returns true if another address of the backend may take what this one did
    /// not: not if the backend as a whole asks for patience, or a setting is wrong.
    pub(crate) fn passes_elsewhere(&self) -> bool {
        matches!(
            self,
            Self::Retry {
                after: None,
                misconfigured: false,
                ..
            }
        )
    }
}
