/*!
What `filter` and `transform` share: how their lists of statements and conditions are read from the file, run over an item, and
what becomes of errors.
*/

mod config;
mod run;

pub(super) use config::{ErrorMode, context, is_wrong, mistakes, texts};
pub(super) use run::{Failures, Group, Tests, refuse};
