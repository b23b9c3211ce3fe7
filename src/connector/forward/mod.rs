/*!
The `forward` connector: what one pipeline gives it, others take as it is.

Nothing runs for it. Pipelines that it connects are joined before they are built, so that a span
is read once and written once on its whole way; see `joined` in `crate::component`.
*/

pub(crate) mod config;
