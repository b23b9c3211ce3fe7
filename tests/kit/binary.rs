//! The binary under test with one configuration. It can be killed and started
//! again in one place: the same ports, the same directory.
//!
//! Idea: a configuration is a base, which is a usual pipeline or a ready file,
//! then layers of YAML in which a test says what differs, and last the
//! addresses. wayspan merges them as it does for its users.

use crate::{Backend, PATIENCE, Process, Protocol, free_port, metrics::Page, wait_for, web};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// The repository.
pub fn root() -> &'static Path {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR"));
    kit.ancestors().nth(2).expect("tests/kit is in it")
}

/// A command that runs the binary, which cargo builds beside the tests.
pub fn binary() -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    Command::new(profile.join("wayspan"))
}

/// OTLP in, a memory limit, batches of 20 ms.
const USUAL: &str = "\
processors:
  memory_limiter: {check_interval: 1s, limit_mib: 256}
  batch: {timeout: 20ms}
extensions: {health_check: , zpages: }
service:
  extensions: [health_check, zpages]
";

/// What a binary is started with.
#[derive(Clone)]
pub struct Setup {
    base: Base,
    layers: Vec<String>,
    environment: Vec<(String, String)>,
    prelude: Option<String>,
    readers: String,
    adds_mesh: bool,
}

#[derive(Clone)]
enum Base {
    Usual,
    File(PathBuf),
}

impl Setup {
    /// A usual pipeline of traces to a backend.
    pub fn to(backend: &Backend) -> Self {
        match backend.protocol() {
            Protocol::Grpc => Self::to_grpc(backend.port),
            Protocol::Http => Self::usual().exporter("otlp_http", backend.port),
        }
    }

    /// The same to a port, over gRPC, whether anybody listens or not.
    pub fn to_grpc(port: u16) -> Self {
        Self::usual().exporter("otlp_grpc", port)
    }

    /// Usual components, without exporters and pipelines.
    pub fn usual() -> Self {
        Self {
            base: Base::Usual,
            layers: Vec::new(),
            environment: Vec::new(),
            prelude: None,
            readers: String::new(),
            adds_mesh: false,
        }
    }

    /// A whole file.
    pub fn file(file: impl Into<PathBuf>) -> Self {
        Self {
            base: Base::File(file.into()),
            ..Self::usual()
        }
    }

    /// The exporter of this id sends to a port. Of a usual setup it is the one
    /// of the pipeline `traces`, in plaintext.
    pub fn exporter(self, id: &str, port: u16) -> Self {
        let scheme = match id.starts_with("otlp_http") {
            true => "http://",
            false => "",
        };
        let endpoint = format!("endpoint: '{scheme}127.0.0.1:{port}'");
        match self.base {
            Base::File(_) => self.layer(format!("exporters: {{{id}: {{{endpoint}}}}}")),
            Base::Usual => self.layer(format!(
                "exporters: {{{id}: {{{endpoint}, tls: {{insecure: true}}}}}}\n\
                 service: {{pipelines: {{traces: {{receivers: [otlp], \
                 processors: [memory_limiter, batch], exporters: [{id}]}}}}}}"
            )),
        }
    }

    /// YAML that is merged over what there is; a list replaces a list.
    pub fn layer(mut self, yaml: impl Into<String>) -> Self {
        self.layers.push(yaml.into());
        self
    }

    /// Keys of `protocols.grpc`, in flow style.
    pub fn grpc(self, keys: &str) -> Self {
        self.layer(format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{{keys}}}}}}}}}"
        ))
    }

    /// Keys of `protocols.http`, in flow style.
    pub fn http(self, keys: &str) -> Self {
        self.layer(format!(
            "receivers: {{otlp: {{protocols: {{http: {{{keys}}}}}}}}}"
        ))
    }

    /// How long a batch of the usual setup stays open.
    pub fn batching(self, timeout: &str) -> Self {
        self.layer(format!("processors: {{batch: {{timeout: {timeout}}}}}"))
    }

    /// Further readers of its own metrics: items of a list in flow style.
    pub fn readers(mut self, items: impl Into<String>) -> Self {
        self.readers = items.into();
        self
    }

    /// Runs the binary in a shell after this command.
    pub fn after(mut self, command: &str) -> Self {
        self.prelude = Some(command.to_owned());
        self
    }

    /// Lets it put the mesh processor into pipelines that lack it, as it does for its
    /// users; else a pipeline is what a test says.
    pub fn adding_mesh(mut self) -> Self {
        self.adds_mesh = true;
        self
    }

    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }
}

pub struct Wayspan {
    // Dropped first: its logs are in `dir`.
    process: Option<Process>,
    pub grpc: u16,
    pub http: u16,
    pub health: u16,
    pub metrics: u16,
    pub pages: u16,
    setup: Setup,
    starts: u32,
    dir: TempDir,
}

impl Wayspan {
    /// Starts, and waits until it serves.
    pub fn start(setup: Setup) -> Self {
        let mut wayspan = Self::prepare(setup);
        wayspan.restart();
        wayspan
    }

    /// Not started yet.
    pub fn prepare(setup: Setup) -> Self {
        let [grpc, http, health, metrics, pages] = std::array::from_fn(|_| free_port());
        Self {
            process: None,
            grpc,
            http,
            health,
            metrics,
            pages,
            setup,
            starts: 0,
            dir: TempDir::new().unwrap(),
        }
    }

    /// What the next start has.
    pub fn configure(&mut self, setup: Setup) {
        self.setup = setup;
    }

    /// A directory of its own, which stays when it is started again.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts it again, and waits until it serves.
    pub fn restart(&mut self) {
        let health = self.health;
        let process = self.spawn();
        process.wait_ready(|| web::is_healthy(health));
    }

    /// Starts it again, and does not wait.
    pub fn spawn(&mut self) -> &mut Process {
        let running = self.process.as_mut().is_some_and(Process::is_running);
        assert!(!running, "it runs");
        self.starts += 1;
        let setup = &self.setup;
        let mut command = match &setup.prelude {
            None => binary(),
            Some(prelude) => {
                let mut shell = Command::new("sh");
                let script = format!("{prelude}; exec \"$@\"");
                shell
                    .args(["-c", &script, "sh"])
                    .arg(binary().get_program());
                shell
            }
        };
        command.envs(setup.environment.iter().map(|(name, value)| (name, value)));
        if !setup.adds_mesh {
            command.arg("--no-auto-mesh");
        }
        if let Base::File(file) = &setup.base {
            command.arg("--config").arg(file);
        }
        for file in self.write() {
            command.arg("--config").arg(file);
        }
        let name = format!("wayspan-{}", self.starts);
        let process = Process::start(self.dir.path(), &name, &mut command);
        self.process.insert(process)
    }

    /// Writes the layers of its configuration.
    fn write(&self) -> Vec<PathBuf> {
        let setup = &self.setup;
        let usual = matches!(setup.base, Base::Usual).then(|| USUAL.to_owned());
        let layers = usual.into_iter().chain(setup.layers.iter().cloned());
        let mut files = Vec::new();
        for (at, yaml) in layers.chain([self.addresses()]).enumerate() {
            let file = self.dir.path().join(format!("layer-{at}.yaml"));
            fs::write(&file, yaml).unwrap();
            files.push(file);
        }
        files
    }

    /// Writes another configuration of as many layers while it runs, which it has not
    /// been told.
    pub fn rewrite(&mut self, setup: Setup) {
        assert_eq!(setup.layers.len(), self.setup.layers.len(), "its files");
        self.setup = setup;
        self.write();
    }

    /// Asks it to read its configuration again.
    pub fn hang_up(&self) {
        self.process().signal("HUP");
    }

    fn addresses(&self) -> String {
        let Self {
            grpc,
            http,
            health,
            metrics,
            pages,
            setup,
            ..
        } = self;
        let readers = &setup.readers;
        format!(
            "\
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{grpc}'}}, http: {{endpoint: '127.0.0.1:{http}'}}}}}}}}
extensions: {{health_check: {{endpoint: '127.0.0.1:{health}'}}, zpages: {{endpoint: '127.0.0.1:{pages}'}}}}
service: {{telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}}}, {readers}]}}}}}}
"
        )
    }

    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("it was started")
    }

    fn process_mut(&mut self) -> &mut Process {
        self.process.as_mut().expect("it was started")
    }

    /// What it has said since its start.
    pub fn log(&self) -> String {
        self.process().log()
    }

    pub fn wait_said(&self, words: &str) {
        self.process().wait_said(words);
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process().signal("KILL");
        self.process_mut().wait_end(PATIENCE);
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        self.process().terminate();
    }

    /// Waits for the end: the exit code, and what it has said since its start.
    pub fn wait_end(&mut self) -> (Option<i32>, String) {
        let status = self.process_mut().wait_end(PATIENCE);
        (status.code(), self.log())
    }

    /// SIGTERM, then the end of the process, which must be a success.
    pub fn stop(&mut self) {
        self.terminate();
        let (code, _) = self.wait_end();
        assert_eq!(code, Some(0), "{}", self.process().log_tail());
    }

    /// Finds it up after what a test did to it.
    pub fn assert_alive(&self) {
        let answer = web::get(self.health, "/", &[]).unwrap();
        let log = self.log();
        assert_eq!(answer.status, 200, "{}\n{log}", answer.body);
        assert!(!log.contains("panicked"), "{log}");
    }

    pub fn page(&self) -> Page {
        Page::fetch(self.metrics).unwrap()
    }

    /// The sum of the series that a selector takes; see [`crate::metrics`].
    pub fn metric(&self, selector: &str) -> Option<f64> {
        self.page().sum(selector)
    }

    /// Waits until a metric is there and as wanted.
    pub fn wait_metric(&self, selector: &str, wanted: impl Fn(f64) -> bool) {
        wait_for(selector, || {
            self.metric(selector).filter(|value| wanted(*value))
        });
    }

    /// `/debug/pipelinez`.
    pub fn pipelines(&self) -> String {
        web::get(self.pages, "/debug/pipelinez", &[]).unwrap().body
    }
}
