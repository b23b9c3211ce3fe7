//! stub; the service owner writes it.

use crate::config::Config;
use std::process::ExitCode;

/// Builds the pipelines of `config` and runs them until told to stop.
///
/// # Errors
/// When something cannot be built or an address cannot be listened on.
pub fn run(_config: Config) -> anyhow::Result<ExitCode> {
    anyhow::bail!("the service is not built in yet")
}
