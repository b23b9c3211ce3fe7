/*! Whether something that is followed works. */

/// Says if something that is followed works, and otherwise what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// It was tried: it works or has failed.
    pub(crate) tried: bool,
    /// It works.
    pub(crate) up: bool,
    /// Cause and remedy of what is wrong. What works may have some, too.
    pub(crate) trouble: Option<String>,
}

impl Condition {
    /// It works, but for `trouble`. Returns whether it had failed before.
    pub(crate) fn works(&mut self, trouble: Option<String>) -> bool {
        let came_back = self.tried && !self.up;
        *self = Self {
            tried: true,
            up: true,
            trouble,
        };
        came_back
    }

    /// It has failed. Returns whether `trouble` is another than before.
    pub(crate) fn failed(&mut self, trouble: &str) -> bool {
        (self.tried, self.up) = (true, false);
        if self.trouble.as_deref() == Some(trouble) {
            return false;
        }
        self.trouble = Some(trouble.to_owned());
        true
    }
}
