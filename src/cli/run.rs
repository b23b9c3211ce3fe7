//! `wayspan run`: the collector itself.

use super::{Sources, load};
use crate::service;
use std::process::ExitCode;

pub(super) fn run(sources: &Sources) -> anyhow::Result<ExitCode> {
    match load(sources) {
        Ok(config) => service::run(config),
        Err(code) => Ok(code),
    }
}
