/*!
How much memory this process may use: the smallest limit among its cgroups
(version 2 or 1), else what the machine has.
*/

use std::{fs, path::Path};

/// Bytes this process may use. None where `/proc` does not say.
pub(super) fn bytes() -> Option<u64> {
    available_below(Path::new("/"))
}

fn available_below(root: &Path) -> Option<u64> {
    let machine = meminfo(&root.join("proc/meminfo"));
    let cgroup = cgroup(root);
    match (cgroup, machine) {
        (Some(cgroup), Some(machine)) => Some(cgroup.min(machine)),
        (cgroup, machine) => cgroup.or(machine),
    }
}

fn meminfo(path: &Path) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// The smallest limit on the way from this process's cgroup to the root. In a
/// container that way is usually `/` alone.
fn cgroup(root: &Path) -> Option<u64> {
    let list = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = root.join("sys/fs/cgroup");
    let mut smallest = None;
    for line in list.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (mount, file) = if controllers.is_empty() {
            (mounts.clone(), "memory.max")
        } else if controllers.split(',').any(|c| c == "memory") {
            (mounts.join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        let own = path.trim_start_matches('/');
        for dir in Path::new(own).ancestors() {
            // "max" (version 2) does not parse: no limit.
            let limit = fs::read_to_string(mount.join(dir).join(file))
                .ok()
                .and_then(|text| text.trim().parse::<u64>().ok());
            if let Some(limit) = limit {
                smallest = Some(smallest.map_or(limit, |s: u64| s.min(limit)));
            }
        }
    }
    smallest
}

/// The memory limit when no `memory_limiter` says otherwise: seven eighths of the
/// memory less 96 MiB, for the program itself and for what no budget counts; at
/// least 64 MiB and at most 1 GiB.
pub(super) fn default_limit(available: Option<u64>) -> usize {
    const MIB: u64 = 1 << 20;
    let limit = (available.unwrap_or(512 * MIB) / 8 * 7).saturating_sub(96 * MIB);
    usize::try_from(limit.clamp(64 * MIB, 1024 * MIB)).unwrap_or(64 << 20)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    const MEMINFO: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:        4194304 kB\nMemFree: 1 kB\n",
    );

    #[test]
    fn machine_without_cgroup() {
        assert_eq!(available_below(tree(&[MEMINFO]).path()), Some(4 << 30));
        assert_eq!(available_below(tree(&[]).path()), None);
    }

    #[test]
    fn version_2_takes_the_smallest_on_the_way_up() {
        let dir = tree(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/pod/box\n"),
            ("sys/fs/cgroup/pod/box/memory.max", "max\n"),
            ("sys/fs/cgroup/pod/memory.max", "268435456\n"),
        ]);
        assert_eq!(available_below(dir.path()), Some(256 << 20));
    }

    #[test]
    fn version_1_without_a_limit_is_the_machine() {
        let limit = |text: &'static str| {
            let dir = tree(&[
                MEMINFO,
                ("proc/self/cgroup", "3:cpu:/\n2:memory:/x\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", text),
            ]);
            available_below(dir.path())
        };
        assert_eq!(limit("9223372036854771712\n"), Some(4 << 30));
        assert_eq!(limit("134217728\n"), Some(128 << 20));
    }

    #[test]
    fn the_default_limit_has_bounds() {
        assert_eq!(default_limit(Some(1 << 20)), 64 << 20);
        assert_eq!(default_limit(Some(1 << 50)), 1 << 30);
        assert_eq!(default_limit(Some(800 << 20)), 604 << 20);
        assert_eq!(default_limit(None), 352 << 20);
    }
}
