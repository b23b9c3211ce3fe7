/*!
How many files, and so connections, this process may have open.

The soft limit is 1024 on most systems, for the sake of programs that use
`select`; those that do not are meant to raise it to the hard limit themselves,
as Go's runtime does. Receivers leave some of what there is to the connections to
backends, to the segment log and to the pages for health and metrics, whatever is
configured.
*/

use crate::{component::Config, net::capacity::CapacityLimits};
use std::fs;

/// Each connection is a file, and so is each socket to a backend.
const FEW: u64 = 4096;

/// Files that connections to receivers leave, beside those open at the start: half of
/// them to backends, the log and the pages, and half to connections that were told
/// to give way and are still open, and those that wait for their room.
const RESERVE: usize = 128;

/// What a connection may hold beside its requests, which are charged elsewhere: a
/// frame or a head that is not whole. All connections together hold as much again
/// as the memory limit, at most; those that are only held open, a quarter of that.
const CONNECTION_BYTES: usize = 16 << 10;

/// Connections that there may be however little memory there is.
const LEAST: usize = 1024;

/// The part of all connections that one address may have: much, since it may be
/// that of a gateway, and an idle connection costs little.
const SHARE: usize = 2;

/// Raises the limit as far as it goes; warns where that is not far.
pub(crate) fn raise_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < FEW => tracing::warn!(
            "at most {limit} files may be open, and each connection is one: senders beyond that \
             are refused; raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd)"
        ),
        Ok(limit) => tracing::debug!("at most {limit} files may be open"),
        Err(error) => tracing::debug!("the limit of open files stays as it is: {error}"),
    }
}

/// Returns how many connections receivers may have. To be asked when all that is
/// open for as long as the process runs has been opened.
pub(super) fn capacity(config: &Config) -> CapacityLimits {
    let free = rlimit::Resource::NOFILE.get_soft().ok();
    let free = free.map_or(usize::MAX, |limit| {
        left(usize::try_from(limit).unwrap_or(usize::MAX), open_files())
    });
    if let Some(asked) = config.max_connections.filter(|asked| *asked > free) {
        tracing::warn!(
            "max_connections is {asked}, but the limit of open files leaves {free}: raise it \
             (ulimit -Hn, LimitNOFILE= of systemd)"
        );
    }
    let asked = (config.max_connections, config.max_connections_per_peer);
    let limits = limits(asked, config.memory_limit, free);
    let CapacityLimits { all, per_peer } = limits;
    tracing::debug!("at most {all} connections, and {per_peer} from one address");
    limits
}

/// Files that this process has open; where the system does not tell, few.
fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").map_or(RESERVE, Iterator::count)
}

/// What a limit of open files leaves for connections.
fn left(limit: usize, open: usize) -> usize {
    let free = limit.saturating_sub(open);
    // Where there is next to nothing, half of it is kept back.
    (free - RESERVE.min(free / 2)).max(1)
}

/// The limits that were asked for, or by default, where `free` files are left.
fn limits(
    (all, per_peer): (Option<usize>, Option<usize>),
    memory_limit: usize,
    free: usize,
) -> CapacityLimits {
    let all = all.unwrap_or_else(|| LEAST.max(memory_limit / CONNECTION_BYTES));
    let all = all.min(free);
    let per_peer = per_peer.unwrap_or_else(|| all.div_ceil(SHARE));
    CapacityLimits { all, per_peer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_left_for_all_else() {
        for (limit, open, want) in [
            (1 << 20, 40, (1 << 20) - 168),
            (1024, 40, 856),
            (300, 40, 132),
            (64, 40, 12),
            (64, 64, 1),
            (0, 10, 1),
            (usize::MAX, 40, usize::MAX - 168),
        ] {
            assert_eq!(left(limit, open), want, "{limit} {open}");
        }
    }

    #[test]
    fn memory_and_files_limit_connections_unless_others_are_asked_for() {
        const MIB: usize = 1 << 20;
        for (asked, memory, free, want) in [
            // The container of deploy/wayspan.yaml.
            ((None, None), 204 * MIB, 1 << 20, (13_056, 6528)),
            ((None, None), 204 * MIB, 920, (920, 460)),
            ((None, None), MIB, 1 << 20, (1024, 512)),
            ((None, None), 204 * MIB, 196, (196, 98)),
            ((None, None), 204 * MIB, 1, (1, 1)),
            ((Some(100), None), 204 * MIB, 920, (100, 50)),
            ((Some(5000), None), 204 * MIB, 920, (920, 460)),
            ((Some(5000), Some(7)), 204 * MIB, 1 << 20, (5000, 7)),
            ((None, Some(5000)), 204 * MIB, 1 << 20, (13_056, 5000)),
        ] {
            let CapacityLimits { all, per_peer } = limits(asked, memory, free);
            assert_eq!((all, per_peer), want, "{asked:?} {memory} {free}");
        }
    }
}
