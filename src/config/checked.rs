/*!
The checked configuration: what the rest of the program may rely on.

Nothing past this module checks a value again. Ids are resolved, durations and
sizes are numbers, defaults are filled in.
*/

pub use super::security::*;
use crate::{mesh, pdata::Signal};
use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

/// A component id, `type` or `type/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// The component's type in its current spelling (`otlp_grpc`, not `otlp`).
    pub kind: String,
    /// The part after the slash.
    pub name: Option<String>,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}/{}", self.kind, name),
            None => f.write_str(&self.kind),
        }
    }
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Receivers that some pipeline uses.
    pub receivers: Vec<Receiver>,
    /// Exporters that some pipeline uses.
    pub exporters: Vec<Exporter>,
    /// Pipelines, of any signal.
    pub pipelines: Vec<Pipeline>,
    /// `health_check`, when enabled by `service.extensions`.
    pub health_check: Option<HealthCheck>,
    /// `zpages`, when enabled by `service.extensions`: where `/debug/pipelinez` is.
    pub zpages: Option<SocketAddr>,
    /// The `file_storage` extensions that some exporter's queue names.
    pub storages: Vec<Storage>,
    /// `service.telemetry` and friends.
    pub telemetry: Telemetry,
    /// Bytes that may be held after acceptance before senders are refused
    /// (from `memory_limiter`, else from the cgroup or the machine).
    pub memory_limit: usize,
    /// Shard threads; None: as many as the cores this process may use.
    pub shards: Option<usize>,
    /// How long an idle shard may wait, while requests come densely, so that one
    /// wake-up serves several; zero: never. Default 5 ms, 3 ms with a segment log.
    pub gather: Duration,
    /// Time to drain at shutdown.
    pub drain_timeout: Duration,
    /// Things the operator should know (deprecated spellings and the like), logged at start.
    pub warnings: Vec<String>,
}

/// An `otlp` receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Receiver {
    /// Its id.
    pub id: Id,
    /// `protocols.grpc`.
    pub grpc: Option<GrpcServer>,
    /// `protocols.http`.
    pub http: Option<HttpServer>,
}

/// OTLP/gRPC server settings.
#[derive(Clone, Debug, PartialEq)]
pub struct GrpcServer {
    /// Address to listen on.
    pub endpoint: SocketAddr,
    /// `max_recv_msg_size_mib` in bytes, after inflating. Default 64 MiB.
    pub max_message_bytes: usize,
    /// `max_concurrent_streams` per connection. Default 256.
    pub max_concurrent_streams: u32,
    /// Limit of a request's header list in bytes. Default 16 KiB.
    pub max_header_bytes: u32,
    /// `keepalive.server_parameters`.
    pub keepalive: ServerKeepalive,
    /// `tls`; None: plaintext.
    pub tls: Option<ServerTls>,
    /// `auth`; None: whoever can connect.
    pub auth: Option<ServerAuth>,
}

/// `keepalive.server_parameters`.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerKeepalive {
    /// Close a connection at this age, after a grace. Default: none.
    pub max_connection_age: Option<Duration>,
    /// How long requests in flight may take after that. Default 30 s.
    pub max_connection_age_grace: Duration,
    /// Ping an idle connection after this long. Default 30 s.
    pub time: Duration,
    /// Close it when the answer takes longer than this. Default 10 s.
    pub timeout: Duration,
}

/// OTLP/HTTP server settings.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpServer {
    /// Address to listen on.
    pub endpoint: SocketAddr,
    /// `max_request_body_size` in bytes, after inflating. Default 64 MiB.
    pub max_body_bytes: usize,
    /// `traces_url_path`. Default `/v1/traces`.
    pub traces_path: String,
    /// `logs_url_path`. Default `/v1/logs`.
    pub logs_path: String,
    /// Limit of a request's header list in bytes. Default 16 KiB.
    pub max_header_bytes: u32,
    /// `read_header_timeout`. Default 60 s.
    pub header_timeout: Duration,
    /// `idle_timeout` of a connection. Default none.
    pub idle_timeout: Option<Duration>,
    /// `tls`; None: plaintext.
    pub tls: Option<ServerTls>,
    /// `auth`; None: whoever can connect.
    pub auth: Option<ServerAuth>,
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Its id (`traces`, `logs/x`).
    pub id: Id,
    /// What it carries.
    pub signal: Signal,
    /// Indices into [`Config::receivers`].
    pub receivers: Vec<usize>,
    /// Span processors in order (`batch` and `memory_limiter` are not among them).
    pub processors: Vec<Processor>,
    /// The `memory_limiter`, if the pipeline lists one; its limit is in
    /// [`Config::memory_limit`].
    pub memory_limiter: Option<Id>,
    /// How spans are batched.
    pub batch: Batch,
    /// Indices into [`Config::exporters`].
    pub exporters: Vec<usize>,
}

/// A span processor.
#[derive(Clone, Debug, PartialEq)]
pub struct Processor {
    /// Its id.
    pub id: Id,
    /// Its settings.
    pub kind: ProcessorKind,
}

/// The kinds of span processors.
#[derive(Clone, Debug, PartialEq)]
pub enum ProcessorKind {
    /// `mesh`.
    Mesh(mesh::Settings),
}

/// `batch`. A pipeline without the processor has the same defaults: spans are
/// always batched, since one batch per request would undo the design.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Its id, as metrics show it.
    pub id: Id,
    /// `send_batch_size`: seal at this many spans. Default 8192.
    pub spans: usize,
    /// Seal at this many bytes. Default 3 MiB: Jaeger's gRPC limit is 4 MiB.
    pub bytes: usize,
    /// `timeout`: seal at this age. Default 200 ms.
    pub timeout: Duration,
    /// `send_batch_max_size`: never more spans than this in one batch. 0: no limit.
    pub max_spans: usize,
}

/// An exporter.
#[derive(Clone, Debug, PartialEq)]
pub struct Exporter {
    /// Its id.
    pub id: Id,
    /// What it speaks.
    pub kind: ExporterKind,
    /// `sending_queue`.
    pub queue: SendingQueue,
    /// `retry_on_failure`.
    pub retry: Retry,
    /// `timeout` of one attempt. Default 5 s gRPC, 30 s HTTP.
    pub timeout: Duration,
}

/// The kinds of exporters.
#[derive(Clone, Debug, PartialEq)]
pub enum ExporterKind {
    /// `otlp_grpc` (formerly `otlp`).
    OtlpGrpc(Client),
    /// `otlp_http` (formerly `otlphttp`).
    OtlpHttp(Client, Encoding),
    /// `debug`.
    Debug(Debug),
}

/// Client side of an OTLP connection.
#[derive(Clone, PartialEq)]
pub struct Client {
    /// Full URL of the export call: `http(s)://host:port` for gRPC, with the
    /// path for HTTP. The scheme already follows `tls.insecure`.
    pub url: String,
    /// TLS settings; None: plaintext.
    pub tls: Option<ClientTls>,
    /// `auth`; None: no credentials but what `headers` has.
    pub auth: Option<ClientAuth>,
    /// Extra headers.
    pub headers: Vec<(String, String)>,
    /// Compression of requests. Default none (in-cluster, gzip costs more than all else).
    pub compression: Compression,
    /// How requests are spread over the addresses of the URL's host.
    pub balancer: Balancer,
}

/// `balancer_name`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balancer {
    /// All addresses, in turns.
    #[default]
    RoundRobin,
    /// The first that can be reached.
    PickFirst,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of headers may be secrets.
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Client")
            .field("url", &self.url)
            .field("tls", &self.tls)
            .field("auth", &self.auth)
            .field("headers", &headers)
            .field("compression", &self.compression)
            .field("balancer", &self.balancer)
            .finish()
    }
}

/// Request compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Identity.
    None,
    /// gzip, level 1.
    Gzip,
    /// zstd, level 1.
    Zstd,
}

/// Body encoding of `otlp_http`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf.
    Proto,
    /// OTLP/JSON.
    Json,
}

/// `debug` exporter settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debug {
    /// How much to print.
    pub verbosity: Verbosity,
}

/// How much `debug` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// A line per batch.
    Basic,
    /// A line per span.
    Normal,
    /// Everything.
    Detailed,
}

/// `sending_queue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendingQueue {
    /// `num_consumers`: requests in flight at once. Default 10.
    pub consumers: usize,
    /// `queue_size`: batches that may wait in memory. Default 1000.
    pub batches: usize,
    /// `storage`: index into [`Config::storages`]. None: batches are in memory
    /// only.
    pub storage: Option<usize>,
}

/// `file_storage`: where the segment log is, and how careful it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Its id.
    pub id: Id,
    /// Default `/var/lib/otelcol/file_storage`.
    pub directory: PathBuf,
    /// Make the directory if it is missing. Default true.
    pub create_directory: bool,
    /// When written bytes are made safe against the loss of the machine.
    /// Default [`Fsync::Never`], as in the Collector.
    pub fsync: Fsync,
    /// `timeout`: a write that takes longer counts as failed for those who wait
    /// for it: they are answered from memory. Default 1 s.
    pub timeout: Duration,
    /// `max_size_mib` in bytes, of all files together. Default 4 GiB.
    pub max_bytes: u64,
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.max_bytes >> 20;
        write!(f, "{}, at most {mib} MiB, ", self.directory.display())?;
        match self.fsync {
            Fsync::Always => f.write_str("synced before each answer"),
            Fsync::Interval(every) => {
                write!(f, "synced every {}", humantime::format_duration(every))
            }
            Fsync::Never => f.write_str("synced by the operating system"),
        }
    }
}

/// When the segment log is synced to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// Before a sender is answered: survives the loss of power.
    Always,
    /// At most this often, besides.
    Interval(Duration),
    /// When the kernel likes: survives the end of the process, however it comes.
    Never,
}

/// `retry_on_failure`.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Default true.
    pub enabled: bool,
    /// Default 5 s in the Collector; ours 1 s.
    pub initial_interval: Duration,
    /// Default 0.5.
    pub randomization_factor: f64,
    /// Default 1.5.
    pub multiplier: f64,
    /// Default 30 s.
    pub max_interval: Duration,
    /// Give up after this long; None: never. Default 300 s, and never where the
    /// queue has a storage.
    pub max_elapsed: Option<Duration>,
}

/// `health_check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Address to listen on.
    pub endpoint: SocketAddr,
    /// `path`. Default `/`.
    pub path: String,
    /// `tls`; None: plaintext.
    pub tls: Option<ServerTls>,
}

impl HealthCheck {
    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }
}

/// `service.telemetry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Where Prometheus metrics are served; None: off (`level: none`).
    pub metrics: Option<SocketAddr>,
    /// Append `_total` to counters (`without_type_suffix: false`).
    pub type_suffix: bool,
    /// `logs.level`.
    pub log_level: LogLevel,
    /// `logs.encoding: json`.
    pub log_json: bool,
}

/// `service.telemetry.logs.level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// debug
    Debug,
    /// info
    Info,
    /// warn
    Warn,
    /// error
    Error,
}
