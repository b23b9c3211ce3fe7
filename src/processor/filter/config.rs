/*! The keys of `filter`. */

use super::{
    factory::FilterFactory,
    list::{FilterSettings, List},
};
use crate::{
    config::{Field, Id, KeyReader},
    ottl::{Context, compile_conditions},
    pdata::Signal,
    pipeline::ProcessorFactory,
    processor::{
        BuildContext, ProcessorRole, ProcessorSettings, matching,
        ottl::{ErrorMode, Tests, context, is_wrong, mistakes, texts},
    },
};
use std::sync::Arc;

impl ProcessorSettings for FilterSettings {
    fn signals(&self) -> &'static [Signal] {
        &[Signal::Traces]
    }

    fn describe(&self) -> Vec<String> {
        let compiled = self.lists.iter().flat_map(List::compile);
        let line = |(context, tests): (Context, Tests)| {
            let what = match context {
                Context::Resource => "all spans of a resource",
                Context::Scope => "all spans of a scope",
                Context::Span => "a span",
                Context::SpanEvent => "an event of a span",
            };
            let when = match tests.list.len() {
                1 => "its condition holds".to_owned(),
                n => format!("one of {n} conditions holds"),
            };
            format!("drops {what} where {when}")
        };
        let kept = format!("keeps spans{}", self.kept.describe());
        let kept = (!self.kept.is_all()).then_some(kept);
        compiled.map(line).chain(kept).collect()
    }

    fn build(&self, with: &mut BuildContext<'_>) -> Arc<dyn ProcessorFactory> {
        Arc::new(FilterFactory::new(self.clone(), with.id, with.shards))
    }
}

/// Conditions as a file has them: their context, where it is said, and their error mode.
type GivenConditions = (Option<Context>, Vec<Field<String>>, Option<ErrorMode>);

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<ProcessorRole> {
    let mode = keys.or(
        "error_mode",
        ErrorMode::Ignore,
        "what an error of a condition does: it does not hold and is logged, or the request is refused",
    );
    let old = keys.section("traces", |keys| {
        [
            (
                Context::Resource,
                list(
                    keys,
                    "resource",
                    "resources of which one of these holds are dropped with all their spans",
                ),
            ),
            (
                Context::Span,
                list(
                    keys,
                    "span",
                    "spans of which one of these holds are dropped",
                ),
            ),
            (
                Context::SpanEvent,
                list(
                    keys,
                    "spanevent",
                    "events of spans of which one of these holds are dropped",
                ),
            ),
        ]
    });
    let read = keys.texts_or_sections(
        "trace_conditions",
        "conditions in OTTL that begin their paths with a context, or lists of them with a context of their own: what \
         one of them holds of is dropped",
        |keys| {
            let context = context(keys);
            let conditions = list(keys, "conditions", "any of these");
            let mode = keys.get("error_mode", "that of the processor", "as above, for this list");
            (context, conditions, mode.value)
        },
    );
    keys.ignored(&[
        "metrics",
        "logs",
        "profiles",
        "metric_conditions",
        "log_conditions",
        "profile_conditions",
    ]);
    let kept = keys.section("spans", |keys| {
        let (selection, signals) = matching::config::read(keys)?;
        if !signals.list().contains(&Signal::Traces) {
            let message = "include and exclude are of spans here, and these are not";
            keys.reading().error_at_key(keys.spot(), message, "");
        }
        Some(selection)
    });
    let has_old = old.iter().any(|(_, conditions)| !conditions.is_empty());
    if kept.as_ref().is_some_and(|kept| !kept.is_all()) && (has_old || read.is_some()) {
        let beside = if has_old {
            "traces"
        } else {
            "trace_conditions"
        };
        let message = format!("cannot stand beside `{beside}`: write all as conditions there");
        (keys.reading()).error_at_key(keys.spot_of("spans"), &message, "");
    }
    let mut given: Vec<GivenConditions> = Vec::new();
    given.extend(
        old.into_iter()
            .map(|(context, conditions)| (Some(context), conditions, None)),
    );
    if let Some(mixed) = read {
        if has_old {
            let spot = keys.spot_of("trace_conditions");
            keys.reading().error(
                spot,
                "cannot stand beside `traces`: write all conditions here",
            );
        }
        for (context, conditions, mode) in mixed.sections {
            if !is_wrong(&context) {
                given.push((context.value, conditions, mode));
            }
        }
        given.push((None, mixed.texts, None));
    }
    given.retain(|(_, conditions, _)| !conditions.is_empty());
    let mut lists = Vec::new();
    for (context, conditions, own_mode) in &given {
        let list = List::new(*context, &texts(conditions), own_mode.unwrap_or(mode.value));
        let compiled = compile_conditions(&texts(conditions), *context);
        let fields: Vec<_> = conditions.iter().collect();
        if mistakes(compiled, &fields, keys.reading()) {
            lists.push(list);
        }
    }
    Some(ProcessorRole::Item(Arc::new(FilterSettings {
        kept: kept?,
        lists,
    })))
}

fn list(keys: &mut KeyReader<'_>, key: &'static str, effect: &'static str) -> Vec<Field<String>> {
    let list: Field<Vec<Field<String>>> = keys.get(key, "none", effect);
    list.value.unwrap_or_default()
}
