/*! CPU time of another process, as Linux counts it. */

use anyhow::Context;
use std::{fs, path::PathBuf};

/// Nanoseconds of user and system time that the threads of `pid` have run.
/// `schedstat` is exact where `stat` counts hundredths of a second. Threads
/// that ended are missing: what we measure keeps its threads.
pub fn cpu_nanos(pid: u32) -> anyhow::Result<u64> {
    let tasks = PathBuf::from(format!("/proc/{pid}/task"));
    let list = fs::read_dir(&tasks).with_context(|| format!("no process {pid}"))?;
    let mut nanos = 0;
    for task in list {
        // A thread may end between the listing and the reading.
        if let Ok(line) = fs::read_to_string(task?.path().join("schedstat")) {
            let running = line.split(' ').next().unwrap_or_default();
            nanos += running.parse::<u64>().context("schedstat")?;
        }
    }
    Ok(nanos)
}
