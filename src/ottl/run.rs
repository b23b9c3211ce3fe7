/*! Running statements and conditions, and what is known of them beforehand. */

use super::{
    Arena, Context, EvalError, State, arena,
    compile::expression::{Condition, Part, Statement},
    editors,
    eval::Evaluation,
    paths::Owner,
};

impl Statement {
    /// Runs the statement, if its condition holds.
    pub(crate) fn run(&self, state: &mut State, memory: &Arena) -> Result<(), EvalError> {
        if !Evaluation::new(state, memory).test(&self.condition)? {
            return Ok(());
        }
        editors::run(&self.editor, state, memory)?;
        // What a statement added stays within what the request may grow to.
        match state.size() > memory.limit() {
            true => Err(arena::TOO_MUCH),
            false => Ok(()),
        }
    }
}

impl Statement {
    /// Whether what it does depends on the item alone.
    pub(crate) fn is_pure(&self) -> bool {
        let mut is_pure = true;
        let mut each = |part: Part<'_>| {
            if let Part::Calls(function) = part {
                is_pure &= function.is_pure;
            }
        };
        self.editor.visit(&mut each);
        self.condition.visit(&mut each);
        is_pure
    }

    /// Whether it sets what belongs to a wider context than its own.
    pub(crate) fn writes_wider(&self, context: Context) -> bool {
        let mut writes = false;
        self.editor.visit(&mut |part| {
            if let Part::Sets(path) = part {
                let rank = path.field.owner().map(|owner| match owner {
                    Owner::Resource => Context::Resource,
                    Owner::Scope => Context::Scope,
                    // The events of a span are run over one by one, and no other list between them.
                    Owner::Span | Owner::Event => Context::SpanEvent,
                });
                writes |= rank.is_some_and(|rank| rank < context);
            }
        });
        writes
    }
}

impl Condition {
    /// Whether it depends on the item alone.
    pub(crate) fn is_pure(&self) -> bool {
        let mut is_pure = true;
        self.0.visit(&mut |part| {
            if let Part::Calls(function) = part {
                is_pure &= function.is_pure;
            }
        });
        is_pure
    }

    /// Whether the condition holds.
    pub(crate) fn holds(&self, state: &State, arena: &Arena) -> Result<bool, EvalError> {
        Evaluation::new(state, arena).test(&self.0)
    }
}
