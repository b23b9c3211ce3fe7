//! Processes a test starts, the ports they get, and how it waits for them.
//!
//! Idea: every process writes to a log file of its own under the test's
//! directory, and every wait is on a condition with a deadline, so a failure
//! says what was waited for and shows the end of the log.
//! Invariants: a process dies with the value that stands for it, by its own
//! pid; nothing listens beyond 127.0.0.1.

use std::collections::HashSet;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Long enough for a loaded machine; only a failing test waits this long.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Process {
    pub fn start(dir: &Path, name: &str, command: &mut Command) -> Self {
        let log = dir.join(format!("{name}.log"));
        let out = File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap_or_else(|e| panic!("{name} does not start ({command:?}): {e}"));
        Self {
            name: name.to_owned(),
            log,
            child,
        }
    }

    /// Waits for `ready`, and fails at once where the process has ended.
    pub fn wait_ready(&mut self, mut ready: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !ready() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended early ({status})\n{}", self.name, self.log_tail());
            }
            if Instant::now() > deadline {
                panic!("{} was never ready\n{}", self.name, self.log_tail());
            }
            pause();
        }
    }

    /// Waits for a process that ends by itself.
    pub fn wait_end(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > deadline {
                panic!("{} did not end\n{}", self.name, self.log_tail());
            }
            pause();
        }
    }

    /// Asks the process to stop, as Kubernetes does.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(sent.success(), "kill -{name} {}", self.name);
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The memory it has resident now, in bytes (Linux).
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most memory it has had resident so far, in bytes (Linux).
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// A size in `/proc/PID/status`, in bytes.
    fn status(&self, name: &str) -> u64 {
        let file = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(file).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.unwrap().parse::<u64>().unwrap() << 10
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it says this.
    pub fn wait_said(&self, words: &str) {
        wait_for(&format!("\"{words}\" in the log"), || {
            self.log().contains(words).then_some(())
        });
    }

    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let from = lines.len().saturating_sub(40);
        format!(
            "--- end of {}\n{}",
            self.log.display(),
            lines[from..].join("\n")
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log_tail());
        }
    }
}

/// Asks until `probe` gives a value. `what` says in a failure what was missing.
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        pause();
    }
}

/// The one pause between two looks at a condition.
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// A port nobody listens on and no other test of this run was given. Ports that
/// the kernel hands to outgoing connections are avoided: one of those could be
/// taken between this look and the start of the process that gets it.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut given = GIVEN.lock().unwrap_or_else(|e| e.into_inner());
    let given = given.get_or_insert_with(HashSet::new);
    loop {
        let port = rand::random_range(12_000..32_000);
        if given.insert(port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
