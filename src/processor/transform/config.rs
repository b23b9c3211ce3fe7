/*! The keys of `transform`. */

use super::{
    factory::TransformFactory,
    list::{List, TransformSettings},
};
use crate::{
    config::{Field, Id, KeyReader, Mixed},
    ottl::{Context, compile_statements},
    pdata::Signal,
    pipeline::ProcessorFactory,
    processor::{
        BuildContext, ProcessorRole, ProcessorSettings,
        ottl::{ErrorMode, context, is_wrong, mistakes, texts},
    },
};
use std::sync::Arc;

impl ProcessorSettings for TransformSettings {
    fn signals(&self) -> &'static [Signal] {
        &[Signal::Traces]
    }

    fn describe(&self) -> Vec<String> {
        let line = |list: &List| {
            let compiled = list.compile()?;
            let (statements, conditions) = (list.statements.len(), list.conditions.len());
            let s = |n: usize| if n == 1 { "" } else { "s" };
            let when = match conditions {
                0 => String::new(),
                n => format!(", where one of {n} condition{} holds", s(n)),
            };
            let each = compiled.context.name();
            let mode = match list.error_mode {
                ErrorMode::Ignore => "errors are logged",
                ErrorMode::Silent => "errors are ignored",
                ErrorMode::Propagate => "an error refuses the request",
            };
            Some(format!(
                "{statements} statement{} for each {each}{when}; {mode}",
                s(statements)
            ))
        };
        self.lists.iter().filter_map(line).collect()
    }

    fn build(&self, with: &mut BuildContext<'_>) -> Arc<dyn ProcessorFactory> {
        Arc::new(TransformFactory::new(self.clone(), with.id))
    }
}

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<ProcessorRole> {
    let mode = keys.or(
        "error_mode",
        ErrorMode::Ignore,
        "what an error of a statement does: it is logged and the next one runs, or it refuses the request",
    );
    let read = keys.texts_or_sections(
        "trace_statements",
        "statements in OTTL, or lists of them with a context of their own",
        |keys| Section {
            context: context(keys),
            conditions: list(
                keys,
                "conditions",
                "the list applies where one of these holds",
            ),
            statements: list(keys, "statements", "run one by one"),
            error_mode: keys
                .get(
                    "error_mode",
                    "that of the processor",
                    "as above, for this list",
                )
                .value,
        },
    );
    keys.ignored(&[
        "metric_statements",
        "log_statements",
        "profile_statements",
        "flatten_data",
    ]);
    let mixed = read.unwrap_or(Mixed {
        texts: Vec::new(),
        sections: Vec::new(),
    });
    let mut sections = mixed.sections;
    if !mixed.texts.is_empty() {
        sections.push(Section {
            context: Field::default(),
            conditions: Vec::new(),
            statements: mixed.texts,
            error_mode: None,
        });
    }
    let mut lists = Vec::new();
    for section in sections
        .iter()
        .filter(|section| !is_wrong(&section.context))
    {
        let (statements, conditions) = (texts(&section.statements), texts(&section.conditions));
        let mode = section.error_mode.unwrap_or(mode.value);
        let list = List::new(section.context.value, &statements, &conditions, mode);
        let compiled = compile_statements(&statements, &conditions, section.context.value);
        let fields: Vec<_> = section
            .statements
            .iter()
            .chain(&section.conditions)
            .collect();
        if mistakes(compiled, &fields, keys.reading()) {
            lists.push(list);
        }
    }
    Some(ProcessorRole::Item(Arc::new(TransformSettings { lists })))
}

/// A list as it is written.
struct Section {
    context: Field<Context>,
    conditions: Vec<Field<String>>,
    statements: Vec<Field<String>>,
    error_mode: Option<ErrorMode>,
}

fn list(keys: &mut KeyReader<'_>, key: &'static str, effect: &'static str) -> Vec<Field<String>> {
    let list: Field<Vec<Field<String>>> = keys.get(key, "none", effect);
    list.value.unwrap_or_default()
}
