/*!
`filter`: drops spans, their events, whole scopes and resources for which a condition in OTTL holds, or, in the older
form, spans that are not selected by `include` and `exclude`.

Nothing is written where nothing is dropped, which is the usual case: a first look decides about every item, and only if
one goes are the others written.
*/

pub(crate) mod config;
mod factory;
mod list;
mod rewriter;
mod stats;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
