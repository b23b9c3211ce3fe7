//! What is looked at all the while: memory, the health page, the accounts.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};
use testkit::{Process, Wayspan, accounts, get_within, metrics::Page};

/// Resident memory that is seen last, and at most.
#[derive(Clone, Copy, Default)]
pub struct Memory {
    pub peak: u64,
    /// It took more than its container has, and was killed as there, or it ended.
    pub ended: bool,
}

/// Looks at memory until the end, and kills the process when it has more than
/// its container.
pub fn memory(process: &Process, container: u64, end: &AtomicBool) -> Memory {
    let mut seen = Memory::default();
    while !end.load(Ordering::SeqCst) {
        let Some((now, peak)) = resident(process.pid()) else {
            seen.ended = true;
            break;
        };
        seen.peak = seen.peak.max(peak);
        if now > container {
            process.signal("KILL");
            seen.ended = true;
            break;
        }
        sleep(Duration::from_millis(5));
    }
    seen
}

/// Resident bytes, now and at most; None: the process has ended.
pub fn resident(pid: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let size = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib << 10)
    };
    Some((size("VmRSS:")?, size("VmHWM:")?))
}

/// What the pages said.
#[derive(Default)]
pub struct Pages {
    /// The longest time without a good answer of the health page.
    pub red: Duration,
    /// The longest time without metrics.
    pub silent: Duration,
    /// An account that did not add up.
    pub unbalanced: Option<String>,
}

/// Asks for the pages until the end.
pub fn pages(wayspan: &Wayspan, end: &AtomicBool) -> Pages {
    const PATIENCE: Duration = Duration::from_secs(2);
    let mut seen = Pages::default();
    let (mut green, mut heard) = (Instant::now(), Instant::now());
    while !end.load(Ordering::SeqCst) {
        let health = get_within(PATIENCE, wayspan.health, "/", &[]);
        seen.red = seen.red.max(green.elapsed());
        if health.is_ok_and(|reply| reply.status == 200) {
            green = Instant::now();
        }
        let metrics = Page::fetch_within(PATIENCE, wayspan.metrics);
        seen.silent = seen.silent.max(heard.elapsed());
        if let Ok(page) = metrics {
            heard = Instant::now();
            let accounts = accounts::read(&page);
            if let Some(account) = accounts.values().find(|account| !account.is_balanced()) {
                seen.unbalanced.get_or_insert(format!("{account:?}"));
            }
        }
        sleep(Duration::from_millis(50));
    }
    seen
}
