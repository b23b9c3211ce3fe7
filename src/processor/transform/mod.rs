/*!
`transform`: statements in OTTL change spans, their events, scopes and resources.

The lists run one after the other over all of a request, as the Collector runs them. Lists that cannot see each other's work but on
the same item share a [`pass`](passes). Statements that depend on resources alone run once for each resource that a shard meets
([`resources`]).
*/

pub(crate) mod config;
mod factory;
mod list;
mod passes;
mod resources;
mod rewriter;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
