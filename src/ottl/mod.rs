/*!
OTTL, the OpenTelemetry Transformation Language: parsed, compiled, and evaluated on
the bytes of spans.

The [`grammar`] turns a text into a tree with places; [`compile`] checks functions, arguments and paths for a
[`Context`] and makes [`Statement`]s and [`Condition`]s; those run over a [`State`], which holds the resource, scope,
span and event at hand as messages under edit ([`record`]). Types and errors are the Collector's (pkg/ottl 0.155).

Invariants:

- Nothing here knows tokio, configuration files or pipelines.
- Evaluation allocates from an [`Arena`] that is emptied for each item, so that the usual statements allocate nothing once
  buffers have grown. What one statement may make is bounded by the arena's limit.
- Nothing that a text or a span contains makes it panic; nesting is bounded ([`grammar::MAX_DEPTH`]).
*/

mod arena;
mod calls;
mod compile;
mod context;
mod converters;
mod editors;
mod error;
mod eval;
mod given;
mod glob;
mod grammar;
mod paths;
mod record;
mod run;
mod state;
mod value;

pub(crate) use arena::Arena;
pub(crate) use compile::{
    compile_conditions, compile_statements,
    expression::{Condition, Statement},
};
pub(crate) use context::Context;
use context::Names;
pub(crate) use error::{EvalError, ParseError};
pub(crate) use state::{EVENT, State};
