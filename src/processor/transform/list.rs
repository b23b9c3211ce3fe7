/*! The lists of statements that a file has, as texts that were checked. */

use crate::{
    ottl::{Context, compile_statements},
    processor::ottl::{ErrorMode, Group, Tests},
};

/// The statements of a file, which were checked.
#[derive(Clone, Debug)]
pub(crate) struct TransformSettings {
    pub(super) lists: Vec<List>,
}

/// A list of statements.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// The context that the file names.
    context: Option<Context>,
    pub(super) statements: Vec<String>,
    pub(super) conditions: Vec<String>,
    pub(super) error_mode: ErrorMode,
}

impl List {
    pub(super) fn new(
        context: Option<Context>,
        statements: &[&str],
        conditions: &[&str],
        error_mode: ErrorMode,
    ) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            context,
            statements: owned(statements),
            conditions: owned(conditions),
            error_mode,
        }
    }

    /// Compiles the list, which can be: it was when the file was read.
    pub(super) fn compile(&self) -> Option<Group> {
        fn all(texts: &[String]) -> Vec<&str> {
            texts.iter().map(String::as_str).collect()
        }
        let compiled =
            compile_statements(&all(&self.statements), &all(&self.conditions), self.context);
        let (compiled, conditions) = compiled.ok()?;
        Some(Group {
            context: compiled.context,
            statements: compiled.list,
            texts: self.statements.clone(),
            conditions: Tests {
                list: conditions,
                texts: self.conditions.clone(),
                error_mode: self.error_mode,
            },
        })
    }
}
