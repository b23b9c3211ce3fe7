//! What the program says of itself: its components, its command line.

use super::Cli;
use crate::component;
use clap::CommandFactory as _;
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

/// `wayspan components`, in the form that the Collector has.
pub(super) fn components() -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    writeln!(out, "buildinfo:")?;
    writeln!(out, "    command: wayspan")?;
    writeln!(out, "    description: {}", env!("CARGO_PKG_DESCRIPTION"))?;
    writeln!(out, "    version: {}", env!("CARGO_PKG_VERSION"))?;
    for (section, names) in component::kinds() {
        if names.is_empty() {
            writeln!(out, "{section}: []")?;
            continue;
        }
        writeln!(out, "{section}:")?;
        for name in names {
            writeln!(out, "    - name: {name}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `wayspan featuregate [ID]`.
pub(super) fn feature_gates(id: Option<&str>) -> anyhow::Result<ExitCode> {
    if let Some(id) = id {
        anyhow::bail!("no feature gate {id:?}: wayspan has none");
    }
    writeln!(io::stdout(), "ID    Enabled    Stage    Description")?;
    Ok(ExitCode::SUCCESS)
}

/// `wayspan completions SHELL`.
pub(super) fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wayspan", &mut text);
    io::stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// `wayspan man`.
pub(super) fn manual_page() -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text)?;
    io::stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}
