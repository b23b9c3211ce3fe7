//! `wayspan validate` and `wayspan print-config`: look at a configuration
//! without running it.

use super::{Format, Sources, complain};
use crate::{component, config::Notation};
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

pub(super) fn run(sources: &Sources, no_files: bool) -> anyhow::Result<ExitCode> {
    let config = match component::validate(&sources.list(), sources.loading(!no_files)) {
        Ok(config) => config,
        Err(error) => return Ok(complain(&error)),
    };
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    let mut out = io::stdout().lock();
    writeln!(out, "OK")?;
    for line in config.describe() {
        writeln!(out, "{line}")?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print(
    sources: &Sources,
    format: Format,
    show_secrets: bool,
) -> anyhow::Result<ExitCode> {
    let notation = match format {
        Format::Yaml => Notation::Yaml,
        Format::Json => Notation::Json,
    };
    match component::render(&sources.list(), notation, show_secrets) {
        Ok(text) => {
            io::stdout().write_all(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Ok(complain(&error)),
    }
}
