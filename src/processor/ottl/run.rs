/*! Running lists of statements and conditions over an item. */

use super::ErrorMode;
use crate::{
    ottl::{Arena, Condition, Context, EvalError, State, Statement},
    pipeline::RewriteError,
};

/// Conditions, any of which may hold.
#[derive(Debug)]
pub(crate) struct Tests {
    pub(crate) list: Vec<Condition>,
    /// What each is in the file.
    pub(crate) texts: Vec<String>,
    pub(crate) error_mode: ErrorMode,
}

/// A list of statements for one context, and when it applies.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) context: Context,
    pub(crate) statements: Vec<Statement>,
    pub(crate) texts: Vec<String>,
    /// Without any, it always applies.
    pub(crate) conditions: Tests,
}

impl Tests {
    /// Whether one of the conditions holds. One that fails does not, unless errors are propagated.
    pub(crate) fn any(
        &self,
        state: &State,
        arena: &Arena,
        failures: &mut Failures,
    ) -> Result<bool, RewriteError> {
        for (condition, text) in self.list.iter().zip(&self.texts) {
            match condition.holds(state, arena) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => failures.add(self.error_mode, text, &error)?,
            }
        }
        Ok(false)
    }
}

impl Group {
    /// Runs the statements over the item in `state`, one by one.
    pub(crate) fn run(
        &self,
        state: &mut State,
        arena: &Arena,
        failures: &mut Failures,
    ) -> Result<(), RewriteError> {
        state.clear_cache();
        if !self.conditions.list.is_empty() && !self.conditions.any(state, arena, failures)? {
            return Ok(());
        }
        for (statement, text) in self.statements.iter().zip(&self.texts) {
            if let Err(error) = statement.run(state, arena) {
                failures.add(self.conditions.error_mode, text, &error)?;
            }
        }
        Ok(())
    }
}

/// Errors of evaluation. They come once an item, so that only the first of a
/// processor is logged, the second, the fourth, the eighth and so on.
#[derive(Debug)]
pub(crate) struct Failures {
    id: String,
    count: u64,
}

impl Failures {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            count: 0,
        }
    }

    /// The id of the processor.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    fn add(&mut self, mode: ErrorMode, text: &str, error: &EvalError) -> Result<(), RewriteError> {
        match mode {
            ErrorMode::Propagate => return Err(refuse(&self.id, &format!("{text}: {error}"))),
            ErrorMode::Silent => return Ok(()),
            ErrorMode::Ignore => self.count += 1,
        }
        if self.count.is_power_of_two() {
            let (id, count) = (&self.id, self.count);
            tracing::warn!(
                "processor {id}: `{text}` failed: {error} (error {count} of this processor on this shard)"
            );
        }
        Ok(())
    }
}

/// The error that refuses a request.
pub(crate) fn refuse(id: &str, why: &str) -> RewriteError {
    RewriteError::Refused(format!("processor {id}: {why}"))
}
