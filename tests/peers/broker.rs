//! A real Kafka broker: one process that is its own controller, with listeners in plaintext, with
//! passwords and over TLS.
//!
//! Idea: it can be killed and started again in one place, with the same ports and the same log, so
//! that what it has acknowledged is there afterwards.

use crate::installed::peer;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;
use testkit::{Ca, Process, free_port};

/// Who may sign in at the listener with passwords.
pub const USER: &str = "wayspan";
pub const PASSWORD: &str = "secret";

/// Lines on standard output, from the first.
const LOGGING: &str = "\
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c)%n%throwable
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
";

pub struct Broker {
    process: Option<Process>,
    pub plain: u16,
    /// Asks for a password, in plaintext.
    pub sasl: u16,
    pub tls: u16,
    /// Who has signed for the listener over TLS.
    pub ca: Ca,
    dir: TempDir,
}

impl Broker {
    /// Starts one whose new topics have so many partitions.
    pub fn start(partitions: u32) -> Self {
        Self::start_with(partitions, "")
    }

    /// The same with more lines of `server.properties`.
    pub fn start_with(partitions: u32, more: &str) -> Self {
        let [plain, sasl, tls, controller] = std::array::from_fn(|_| free_port());
        let dir = TempDir::new().unwrap();
        let ca = Ca::new();
        let pair = ca.sign("localhost");
        let keystore = format!("{}{}", pair.key, pair.cert);
        fs::write(dir.path().join("server.pem"), keystore).unwrap();
        fs::write(dir.path().join("logging.properties"), LOGGING).unwrap();
        let home = dir.path().display();
        let mut properties = String::new();
        for line in [
            "process.roles=broker,controller".to_owned(),
            "node.id=1".to_owned(),
            format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
            format!("listeners=PLAIN://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},TLS://127.0.0.1:{tls},CONTROLLER://127.0.0.1:{controller}"),
            format!("advertised.listeners=PLAIN://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},TLS://localhost:{tls}"),
            "listener.security.protocol.map=PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,CONTROLLER:PLAINTEXT".to_owned(),
            "controller.listener.names=CONTROLLER".to_owned(),
            "inter.broker.listener.name=PLAIN".to_owned(),
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
            format!("listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";"),
            "listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;".to_owned(),
            "listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;".to_owned(),
            "ssl.keystore.type=PEM".to_owned(),
            format!("ssl.keystore.location={home}/server.pem"),
            format!("num.partitions={partitions}"),
            "offsets.topic.num.partitions=1".to_owned(),
            "offsets.topic.replication.factor=1".to_owned(),
            "transaction.state.log.num.partitions=1".to_owned(),
            "transaction.state.log.replication.factor=1".to_owned(),
            "transaction.state.log.min.isr=1".to_owned(),
            "share.coordinator.state.topic.replication.factor=1".to_owned(),
            "share.coordinator.state.topic.min.isr=1".to_owned(),
            "group.initial.rebalance.delay.ms=0".to_owned(),
            format!("log.dirs={home}/data"),
            more.to_owned(),
        ] {
            writeln!(properties, "{line}").unwrap();
        }
        fs::write(dir.path().join("server.properties"), properties).unwrap();
        let mut broker = Self {
            process: None,
            plain,
            sasl,
            tls,
            ca,
            dir,
        };
        broker.format();
        broker.restart();
        broker
    }

    /// What clients are to be told.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.plain)
    }

    /// Kills it, as a node that is lost.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again, and waits until it serves.
    pub fn restart(&mut self) {
        self.process = None;
        let mut java = self.java();
        java.args([
            "-Xms64m",
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
        ]);
        java.arg("kafka.Kafka").arg(self.properties());
        let mut process = Process::start(self.dir.path(), "kafka", &mut java);
        let dir = self.dir.path().join("kafka.log");
        process.wait_ready(|| {
            fs::read_to_string(&dir).is_ok_and(|log| log.contains("Kafka Server started"))
        });
        self.process = Some(process);
    }

    fn properties(&self) -> PathBuf {
        self.dir.path().join("server.properties")
    }

    fn format(&self) {
        let mut java = self.java();
        java.args([
            "kafka.tools.StorageTool",
            "format",
            "-t",
            "AAAAAAAAAAAAAAAAAAAAAA",
            "-c",
        ]);
        java.arg(self.properties());
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            java.arg("--add-scram");
            java.arg(format!("{mechanism}=[name={USER},password={PASSWORD}]"));
        }
        let output = java.output().expect("java runs");
        assert!(output.status.success(), "{output:?}");
    }

    fn java(&self) -> Command {
        let mut java = Command::new("java");
        java.arg("-cp").arg(peer("kafka").join("*"));
        let logging = self.dir.path().join("logging.properties");
        java.arg(format!("-Dlog4j2.configurationFile={}", logging.display()));
        java
    }
}
