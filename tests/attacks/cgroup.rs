//! The memory that a container has, where this machine lets a test set it.
//!
//! Idea: a control group below the test's own, of version 1 or 2, which the process
//! enters as it starts. Where there can be none, resident memory alone is watched.
//! Invariant: the group is gone when its value is, so it outlives the process.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

pub struct Cgroup(PathBuf);

impl Cgroup {
    pub fn of(mib: u64) -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "wayspan-{}-{}",
            process::id(),
            MADE.fetch_add(1, Ordering::SeqCst)
        );
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        own.lines().find_map(|line| {
            // A number, controllers, the path; version 2 names no controllers.
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let (root, limit) = match controllers {
                "" => ("/sys/fs/cgroup", "memory.max"),
                "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                _ => return None,
            };
            let path = path.trim_start_matches('/');
            let group = Self(Path::new(root).join(path).join(&name));
            fs::create_dir(&group.0).ok()?;
            // The kernel makes the files of a real group.
            let limit = group.0.join(limit);
            let set = limit.exists() && fs::write(limit, (mib << 20).to_string()).is_ok();
            set.then_some(group)
        })
    }

    /// The command by which a shell enters it.
    pub fn enter(&self) -> String {
        format!("echo $$ > '{}'", self.0.join("cgroup.procs").display())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
