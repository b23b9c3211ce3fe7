//! The binary under test with the settings that decide about losses: exporters,
//! pipelines, segment log, memory.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    ops::{Deref, DerefMut},
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};
use testkit::accounts::{self, Account};
use testkit::{PATIENCE, Signal, Wayspan, free_port};

/// What tests vary.
#[derive(Clone)]
pub struct Setup {
    /// What the pipelines carry.
    pub signal: Signal,
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
            signal: Signal::Traces,
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
    wayspan: Wayspan,
    /// gRPC ports of the receivers.
    pub ports: Vec<u16>,
    log: PathBuf,
    is_logged: bool,
}

impl Deref for Service {
    type Target = Wayspan;

    fn deref(&self) -> &Wayspan {
        &self.wayspan
    }
}

impl DerefMut for Service {
    fn deref_mut(&mut self) -> &mut Wayspan {
        &mut self.wayspan
    }
}

impl Service {
    pub fn start(setup: &Setup) -> Self {
        let mut service = Self::new(setup);
        service.restart();
        service
    }

    /// Not started yet.
    pub fn new(setup: &Setup) -> Self {
        let wayspan = Wayspan::prepare(testkit::Setup::usual());
        let more = if setup.apart {
            setup.exporters.len() - 1
        } else {
            0
        };
        let mut ports = vec![wayspan.grpc];
        ports.extend((0..more).map(|_| free_port()));
        let log = setup.directory.clone();
        let mut service = Self {
            ports,
            log: log.unwrap_or_else(|| wayspan.dir().join("log")),
            is_logged: setup.log.is_some(),
            wayspan,
        };
        service.configure(setup);
        service
    }

    /// What the next start has.
    pub fn configure(&mut self, setup: &Setup) {
        let layer = self.layer(setup);
        self.wayspan.configure(testkit::Setup::usual().layer(layer));
    }

    fn layer(&self, setup: &Setup) -> String {
        let memory = setup.memory_mib;
        let mut yaml = format!(
            "processors:\n  memory_limiter: {{limit_mib: {memory}}}\n  batch: {{timeout: 50ms}}\n\
             exporters:\n"
        );
        for (id, port) in &setup.exporters {
            let is_logged = setup.log.is_some() && setup.not_logged != Some(*id);
            yaml.push_str(&exporter(id, *port, is_logged, setup.retry_for));
        }
        let mut extensions = "health_check, zpages".to_owned();
        if let Some(settings) = setup.log {
            let log = self.log.display();
            writeln!(
                yaml,
                "extensions:\n  file_storage: {{directory: {log}, {settings}}}"
            )
            .unwrap();
            extensions.push_str(", file_storage");
        }
        let (drain, signal) = (setup.drain, setup.signal.pipeline());
        write!(
            yaml,
            "service:\n  extensions: [{extensions}]\n  wayspan: {{drain_timeout: {drain}}}\n  \
             pipelines:\n"
        )
        .unwrap();
        let ids: Vec<_> = setup.exporters.iter().map(|(id, _)| *id).collect();
        let mut receivers = String::new();
        for (at, port) in self.ports.iter().enumerate() {
            let exporters = match setup.apart {
                true => ids[at].to_owned(),
                false => ids.join(", "),
            };
            let name = match at {
                0 => String::new(),
                at => format!("/{at}"),
            };
            writeln!(
                yaml,
                "    {signal}{name}: {{receivers: [otlp{name}], processors: [memory_limiter, batch], \
                 exporters: [{exporters}]}}"
            )
            .unwrap();
            // The first is the one that is there already.
            if at > 0 {
                let grpc = format!("{{endpoint: \"127.0.0.1:{port}\"}}");
                writeln!(receivers, "  otlp{name}: {{protocols: {{grpc: {grpc}}}}}").unwrap();
            }
        }
        match receivers.is_empty() {
            true => yaml,
            false => format!("receivers:\n{receivers}{yaml}"),
        }
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

    /// A metric that is there from the start.
    pub fn count(&self, selector: &str) -> f64 {
        let page = self.page();
        let sum = page.sum(selector);
        sum.unwrap_or_else(|| panic!("no {selector} in\n{}", page.text()))
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
        self.process().memory() >> 20
    }
}

fn exporter(id: &str, port: u16, is_logged: bool, retry_for: &str) -> String {
    let scheme = match id.starts_with("otlp_http") {
        true => "http://",
        false => "",
    };
    let storage = match is_logged {
        true => "{storage: file_storage}",
        false => "",
    };
    format!(
        "  {id}:\n    endpoint: {scheme}127.0.0.1:{port}\n    tls: {{insecure: true}}\n    \
         timeout: 1s\n    sending_queue: {storage}\n    retry_on_failure: \
         {{initial_interval: 50ms, max_interval: 100ms, max_elapsed_time: {retry_for}}}\n"
    )
}

/// A random moment of a test under load.
pub fn moment(least: u64, most: u64) -> Duration {
    Duration::from_millis(rand::random_range(least..most))
}
