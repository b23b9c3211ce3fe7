//! `wayspan run`: the collector itself.

use super::{Sources, load};
use crate::{component, service};
use std::process::ExitCode;

pub(super) fn run(sources: &Sources) -> anyhow::Result<ExitCode> {
    match load(sources) {
        Ok(config) => service::run(config, || {
            component::load_to_run(&sources.list(), sources.loading(false))
        }),
        Err(code) => Ok(code),
    }
}
