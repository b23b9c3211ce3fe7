/*! What a file says of spans to drop: lists of conditions, as texts that were checked, or what to keep. */

use crate::{
    ottl::{Context, compile_conditions},
    processor::{
        matching::Selection,
        ottl::{ErrorMode, Tests},
    },
};

/// What a file says, which was checked.
#[derive(Clone, Debug)]
pub(crate) struct FilterSettings {
    /// The spans that are kept, in the older form.
    pub(super) kept: Selection,
    pub(super) lists: Vec<List>,
}

/// A list of conditions.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// The context that the file names.
    context: Option<Context>,
    conditions: Vec<String>,
    error_mode: ErrorMode,
}

impl List {
    pub(super) fn new(
        context: Option<Context>,
        conditions: &[&str],
        error_mode: ErrorMode,
    ) -> Self {
        Self {
            context,
            conditions: conditions.iter().map(|text| (*text).to_owned()).collect(),
            error_mode,
        }
    }

    /// Compiles the list, which can be: it was when the file was read. Returns the conditions of each context, the
    /// widest first.
    pub(super) fn compile(&self) -> Vec<(Context, Tests)> {
        let texts: Vec<&str> = self.conditions.iter().map(String::as_str).collect();
        let compiled = compile_conditions(&texts, self.context).unwrap_or_default();
        let mut of_contexts: Vec<(Context, Tests)> = Vec::new();
        for ((context, condition), text) in compiled.into_iter().zip(&self.conditions) {
            let position = of_contexts.iter().position(|(other, _)| *other == context);
            let position = position.unwrap_or_else(|| {
                let tests = Tests {
                    list: Vec::new(),
                    texts: Vec::new(),
                    error_mode: self.error_mode,
                };
                of_contexts.push((context, tests));
                of_contexts.len() - 1
            });
            if let Some((_, tests)) = of_contexts.get_mut(position) {
                tests.list.push(condition);
                tests.texts.push(text.clone());
            }
        }
        of_contexts.sort_by_key(|(context, _)| *context);
        of_contexts
    }
}
