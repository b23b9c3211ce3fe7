//! The binary under test, which is killed and started again in one place: the
//! same ports, the same segment log.

use crate::{
    accounts::{self, Account},
    http1,
    proc::{PATIENCE, Proc, free_port, wait_for},
};
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::PathBuf,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What tests vary.
#[derive(Clone)]
pub struct Setup {
    /// The exporters: id, port of the backend. All are in one pipeline unless
    /// `apart`.
    pub exporters: Vec<(&'static str, u16)>,
    /// Each exporter has a pipeline and a receiver of its own.
    pub apart: bool,
    /// The settings of `file_storage` but its directory, in flow style; None: no
    /// log.
    pub log: Option<&'static str>,
    /// An exporter that has no part of the log.
    pub not_logged: Option<&'static str>,
    /// Where the log is, if not in a directory of the test's own.
    pub directory: Option<PathBuf>,
    pub memory_mib: usize,
    /// `max_elapsed_time`; 0 is forever.
    pub retry_for: &'static str,
    pub drain: &'static str,
}

impl Setup {
    /// One exporter, with a log.
    pub fn logged(port: u16) -> Self {
        Self {
            log: Some("fsync: never"),
            ..Self::unlogged(port)
        }
    }

    /// One exporter, without a log.
    pub fn unlogged(port: u16) -> Self {
        Self {
            exporters: vec![("otlp_grpc", port)],
            apart: false,
            log: None,
            not_logged: None,
            directory: None,
            memory_mib: 256,
            retry_for: "0",
            drain: "25s",
        }
    }
}

pub struct Service {
    // Dropped first: its logs are in `dir`.
    process: Option<Proc>,
    /// Ports of the receivers.
    pub grpc: Vec<u16>,
    /// OTLP/HTTP of the first receiver.
    pub http: u16,
    pub metrics: u16,
    health: u16,
    zpages: u16,
    dir: TempDir,
    log: PathBuf,
    is_logged: bool,
    starts: u32,
}

impl Service {
    pub fn start(setup: &Setup) -> Self {
        let mut service = Self::new(setup);
        service.restart();
        service
    }

    /// Not started yet.
    pub fn new(setup: &Setup) -> Self {
        let receivers = if setup.apart {
            setup.exporters.len()
        } else {
            1
        };
        let dir = TempDir::new().unwrap();
        let log = setup.directory.clone();
        let service = Self {
            grpc: (0..receivers).map(|_| free_port()).collect(),
            http: free_port(),
            metrics: free_port(),
            health: free_port(),
            zpages: free_port(),
            log: log.unwrap_or_else(|| dir.path().join("log")),
            dir,
            is_logged: setup.log.is_some(),
            starts: 0,
            process: None,
        };
        service.configure(setup);
        service
    }

    /// Writes the configuration for the next start.
    pub fn configure(&self, setup: &Setup) {
        let config = self.config(setup);
        fs::write(self.dir.path().join("wayspan.yaml"), config).unwrap();
    }

    fn config(&self, setup: &Setup) -> String {
        let mut config = String::from("receivers:\n");
        for (at, port) in self.grpc.iter().enumerate() {
            let http = match at {
                0 => format!(", http: {{endpoint: \"127.0.0.1:{}\"}}", self.http),
                _ => String::new(),
            };
            writeln!(
                config,
                "  otlp/{at}: {{protocols: {{grpc: {{endpoint: \"127.0.0.1:{port}\"}}{http}}}}}"
            )
            .unwrap();
        }
        let memory = setup.memory_mib;
        write!(
            config,
            "processors:\n  memory_limiter: {{check_interval: 1s, limit_mib: {memory}}}\n  \
             batch: {{timeout: 50ms}}\nexporters:\n"
        )
        .unwrap();
        let retry_for = setup.retry_for;
        for (id, port) in &setup.exporters {
            let endpoint = match id.starts_with("otlp_http") {
                true => format!("http://127.0.0.1:{port}"),
                false => format!("127.0.0.1:{port}"),
            };
            let logged = setup.log.is_some() && setup.not_logged != Some(*id);
            let storage = if logged {
                "{storage: file_storage}"
            } else {
                ""
            };
            write!(
                config,
                "  {id}:\n    endpoint: {endpoint}\n    tls: {{insecure: true}}\n    \
                 timeout: 1s\n    sending_queue: {storage}\n    retry_on_failure: \
                 {{initial_interval: 50ms, max_interval: 100ms, max_elapsed_time: {retry_for}}}\n"
            )
            .unwrap();
        }
        let (health, zpages, metrics) = (self.health, self.zpages, self.metrics);
        write!(
            config,
            "extensions:\n  health_check: {{endpoint: \"127.0.0.1:{health}\"}}\n  \
             zpages: {{endpoint: \"127.0.0.1:{zpages}\"}}\n"
        )
        .unwrap();
        if let Some(settings) = setup.log {
            let log = self.log.display();
            writeln!(config, "  file_storage: {{directory: {log}, {settings}}}").unwrap();
        }
        let storage = if setup.log.is_some() {
            ", file_storage"
        } else {
            ""
        };
        let drain = setup.drain;
        write!(
            config,
            "service:\n  extensions: [health_check, zpages{storage}]\n  \
             wayspan: {{drain_timeout: {drain}}}\n  telemetry: {{metrics: {{readers: [{{pull: \
             {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}}}]}}}}\n  \
             pipelines:\n"
        )
        .unwrap();
        let ids: Vec<_> = setup.exporters.iter().map(|(id, _)| *id).collect();
        for (at, _) in self.grpc.iter().enumerate() {
            let exporters = if setup.apart {
                ids[at].to_owned()
            } else {
                ids.join(", ")
            };
            writeln!(
                config,
                "    traces/{at}: {{receivers: [otlp/{at}], processors: [memory_limiter, batch], \
                 exporters: [{exporters}]}}"
            )
            .unwrap();
        }
        config
    }

    /// Starts it again, and waits until it takes spans.
    pub fn restart(&mut self) {
        let health = self.health;
        let process = self.spawn();
        process.wait_ready(|| http1::get(health, "/", &[]).is_ok_and(|a| a.status == 200));
    }

    /// Starts it again, and does not wait.
    pub fn spawn(&mut self) -> &mut Proc {
        assert!(self.process.is_none(), "it runs");
        self.starts += 1;
        let mut command = Command::new(env!("CARGO_BIN_EXE_wayspan"));
        command
            .arg("--config")
            .arg(self.dir.path().join("wayspan.yaml"));
        let name = format!("wayspan-{}", self.starts);
        self.process
            .insert(Proc::start(self.dir.path(), &name, &mut command))
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.signal("KILL");
        process.wait_end(PATIENCE);
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        self.process().terminate();
    }

    /// Waits for the end: the exit code, and what it has said since its start.
    pub fn wait_end(&mut self) -> (Option<i32>, String) {
        let mut process = self.process.take().expect("it runs");
        let status = process.wait_end(PATIENCE);
        (status.code(), process.log())
    }

    pub fn process(&self) -> &Proc {
        self.process.as_ref().expect("it runs")
    }

    /// What it has said since its start.
    pub fn said(&self) -> String {
        self.process().log()
    }

    /// Waits until it says this.
    pub fn wait_said(&self, words: &str) {
        wait_for(&format!("\"{words}\" in the log"), || {
            self.said().contains(words).then_some(())
        });
    }

    /// Waits until it knows what earlier runs have left.
    pub fn wait_recovered(&self) {
        self.wait_metric("wayspan_log_unread_lanes", |lanes| lanes == 0.0);
    }

    /// The segments of the log, the oldest first.
    pub fn segments(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.log.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "seg") {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }

    pub fn page(&self) -> String {
        http1::get(self.metrics, "/metrics", &[]).unwrap().body
    }

    /// `/debug/pipelinez`.
    pub fn pipelines(&self) -> String {
        http1::get(self.zpages, "/debug/pipelinez", &[])
            .unwrap()
            .body
    }

    /// The sum of a metric's series.
    pub fn metric(&self, name: &str) -> f64 {
        let page = self.page();
        let values = page.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with(['{', ' ']).then_some(())?;
            rest.rsplit(' ').next()?.parse::<f64>().ok()
        });
        let values: Vec<_> = values.collect();
        assert!(!values.is_empty(), "no {name} in\n{page}");
        values.iter().sum()
    }

    /// Waits until a metric is as wanted.
    pub fn wait_metric(&self, name: &str, wanted: impl Fn(f64) -> bool) {
        wait_for(name, || wanted(self.metric(name)).then_some(()));
    }

    /// The accounts, by exporter; each is balanced.
    pub fn accounts(&self) -> BTreeMap<String, Account> {
        let accounts = accounts::read(&self.page());
        assert!(!accounts.is_empty());
        accounts.values().for_each(Account::assert_balanced);
        accounts
    }

    /// The account of the exporter `otlp_grpc`.
    pub fn account(&self) -> Account {
        self.accounts()["otlp_grpc"].clone()
    }

    /// Waits until nothing is held any more, for any exporter.
    pub fn wait_delivered(&self) {
        if self.is_logged {
            self.wait_recovered();
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let accounts = self.accounts();
            if accounts.values().all(|account| account.held() == 0) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "not delivered: {accounts:#?}\n{}",
                self.process().log_tail()
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// Resident memory now, in MiB.
    pub fn resident_mib(&self) -> u64 {
        let pid = self.process().pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        kib.unwrap().parse::<u64>().unwrap() / 1024
    }
}

/// A random moment of a test under load.
pub fn moment(least: u64, most: u64) -> Duration {
    Duration::from_millis(rand::random_range(least..most))
}
