//! One of the two products with all cases of a table, and the backends behind it.

use super::{
    answers::Answer,
    exporters::{self, Kind},
    fields::{self, Fields},
    requests::Request,
    sink::Sink,
    table::{Case, Compression, Encoding, numbered},
};
use crate::installed::peer;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::{
    collections::HashMap,
    fmt::Write,
    fs,
    net::TcpStream,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};
use testkit::{
    Backend, EXPORT, Grpc, Mode, PATIENCE, Process, Reply, Signal, binary, frames, free_port, http,
    wait_for,
};
use tonic::{Code, Status};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Collector,
    Wayspan,
}

impl Product {
    pub const BOTH: [Self; 2] = [Self::Collector, Self::Wayspan];

    fn name(self) -> &'static str {
        match self {
            Self::Collector => "collector",
            Self::Wayspan => "wayspan",
        }
    }

    /// Its program with this file, after a subcommand.
    pub fn command(self, subcommand: &[&str], file: &Path) -> Command {
        let mut command = match self {
            Self::Collector => Command::new(peer("bin/otelcol")),
            Self::Wayspan => binary(),
        };
        command.args(subcommand).arg("--config").arg(file);
        if self == Self::Wayspan {
            command.arg("--no-auto-mesh");
        }
        command
    }
}

/// The header by which a backend knows whose request it is.
const CASE: &str = "x-case";

pub struct Side {
    product: Product,
    process: Process,
    /// Of the receiver of each case: gRPC, HTTP.
    ports: Vec<[u16; 2]>,
    to: Behind,
}

/// What stands behind a product.
struct Behind {
    grpc: Backend,
    http: Backend,
    other: Sink,
    /// Where files go: this, the number of the case, `.json`.
    files: String,
}

impl Side {
    /// Starts it with these cases, and waits until it listens.
    pub fn start(product: Product, cases: &[Case], dir: &Path) -> Self {
        let ports: Vec<[u16; 2]> = cases
            .iter()
            .map(|case| match case.receiver.starts_with("otlp") {
                true => [free_port(), free_port()],
                false => [0, free_port()],
            })
            .collect();
        let to = Behind {
            grpc: Backend::grpc(),
            http: Backend::http(),
            other: Sink::start(),
            files: format!("{}/{}-", dir.display(), product.name()),
        };
        to.grpc.set(script(cases, |code| {
            Reply::Status(Status::new(
                Code::from_i32(code.into()),
                "as the test wants",
            ))
        }));
        to.http
            .set(script(cases, |status| Reply::http(status, &[], "")));
        let file = dir.join(format!("{}.yaml", product.name()));
        fs::write(&file, config(cases, &ports, &to)).unwrap();
        let mut command = product.command(&[], &file);
        let mut process = Process::start(dir, product.name(), &mut command);
        process.wait_ready(|| {
            let mut all = ports.iter().flatten();
            all.all(|port| *port == 0 || TcpStream::connect(("127.0.0.1", *port)).is_ok())
        });
        Self {
            product,
            process,
            ports,
            to,
        }
    }

    pub fn name(&self) -> &'static str {
        self.product.name()
    }

    /// Where the receiver of a case listens: gRPC, HTTP.
    pub fn ports(&self, case: usize) -> [u16; 2] {
        self.ports[case]
    }

    /// Sends the requests of a case, one after another.
    pub async fn send(&self, case: &Case, requests: &[Request]) -> Vec<Answer> {
        let [grpc, http_port] = self.ports[case.number];
        let mut client = match grpc {
            0 => None,
            grpc => Some(Grpc::connect(grpc).await),
        };
        let (coding, pack) = case.compression.parts();
        let mut answers = Vec::new();
        for request in requests {
            let (path, kind, message) = match (request, case.send) {
                (Request::Otlp(request), Encoding::Grpc) => {
                    let message = pack(&request.encode_to_vec());
                    let framed = frames::grpc(u8::from(!coding.is_empty()), &message);
                    let headers = [("grpc-encoding", coding)];
                    let client = client.as_mut().expect("only receivers of OTLP take it");
                    let reply = client.send("POST", EXPORT, &headers, framed).await;
                    answers.push(Answer::of_grpc(&reply));
                    continue;
                }
                (Request::Otlp(request), Encoding::Proto) => {
                    let message = request.encode_to_vec();
                    ("/v1/traces", "application/x-protobuf", message)
                }
                (Request::Otlp(request), Encoding::Json) => {
                    let message = serde_json::to_vec(request).unwrap();
                    ("/v1/traces", "application/json", message)
                }
                (Request::Json(path, body), _) => {
                    (*path, "application/json", body.clone().into_bytes())
                }
            };
            let headers = [("content-type", kind), ("content-encoding", coding)];
            let given = if coding.is_empty() { 1 } else { 2 };
            let reply = http(http_port, "POST", path, &headers[..given], &pack(&message)).await;
            answers.push(Answer::of_http(&reply));
        }
        answers
    }

    /// Waits for as many spans as the case says.
    pub fn wait(&self, case: &Case) {
        wait_for(&format!("the spans of \"{}\"", case.name), || {
            (self.arrived(case).len() >= case.wait).then_some(())
        });
    }

    /// Ends the process in good order, which empties its queues.
    pub fn stop(&mut self) {
        self.process.terminate();
        let status = self.process.wait_end(PATIENCE);
        assert!(status.success(), "{status}\n{}", self.process.log_tail());
    }

    /// The spans that came out of a case.
    pub fn arrived(&self, case: &Case) -> Vec<Fields> {
        let n = case.number;
        let mut all = exporters::file(Path::new(&self.to.file(n)));
        all.extend(exporters::zipkin(&self.to.other.bodies(&format!("/c{n}"))));
        for backend in [&self.to.grpc, &self.to.http] {
            let records = backend.records();
            let its = records.requests.iter().filter(|request| {
                request.taken
                    && request.signal == Signal::Traces
                    && number(&request.headers) == Some(n)
            });
            for request in its {
                let request = ExportTraceServiceRequest::decode(request.message.clone()).unwrap();
                all.extend(fields::spans(&request.resource_spans));
            }
        }
        all
    }
}

impl Behind {
    /// Where the exporter of a case writes to, if it writes a file.
    fn file(&self, case: usize) -> String {
        format!("{}{case}.json", self.files)
    }

    /// The keys that say where an exporter of this kind sends a case.
    fn keys(&self, kind: Kind, case: usize) -> String {
        let otlp = |address: String| {
            format!(
                "    endpoint: {address}\n    tls: {{insecure: true}}\n    headers: {{{CASE}: '{case}'}}\n"
            )
        };
        match kind {
            Kind::OtlpGrpc => otlp(format!("127.0.0.1:{}", self.grpc.port)),
            Kind::OtlpHttp => otlp(format!("http://127.0.0.1:{}", self.http.port)),
            Kind::Zipkin => format!(
                "    endpoint: http://127.0.0.1:{}/c{case}\n",
                self.other.port
            ),
            Kind::File => format!("    path: '{}'\n", self.file(case)),
        }
    }
}

/// The case of a request.
fn number(headers: &::http::HeaderMap) -> Option<usize> {
    headers.get(CASE)?.to_str().ok()?.parse().ok()
}

/// Answers with the codes of each case first.
fn script(cases: &[Case], refusal: impl Fn(u16) -> Reply + Send + Sync + 'static) -> Mode {
    let codes: Vec<Vec<u16>> = cases.iter().map(|case| case.backend.clone()).collect();
    let asked: Mutex<HashMap<usize, usize>> = Mutex::default();
    Mode::Script(Arc::new(move |_, request| {
        let Some(case) = number(&request.headers) else {
            return Reply::TAKEN;
        };
        let mut asked = asked.lock().unwrap();
        let nth = asked.entry(case).or_default();
        *nth += 1;
        match codes[case].get(*nth - 1) {
            Some(code) => refusal(*code),
            None => Reply::TAKEN,
        }
    }))
}

/// The file of all cases.
fn config(cases: &[Case], ports: &[[u16; 2]], to: &Behind) -> String {
    let mut receivers = String::new();
    let mut processors = String::new();
    let mut exporters = String::new();
    let mut pipelines = String::new();
    for (case, [in_grpc, in_http]) in cases.iter().zip(ports) {
        let n = case.number;
        let (from, text) = numbered(&case.receiver, n);
        let _ = match in_grpc {
            0 => writeln!(receivers, "{text}    endpoint: '127.0.0.1:{in_http}'"),
            in_grpc => writeln!(
                receivers,
                "{text}    protocols: {{grpc: {{endpoint: '127.0.0.1:{in_grpc}'}}, \
                 http: {{endpoint: '127.0.0.1:{in_http}'}}}}"
            ),
        };
        let (through, text) = numbered(&case.processors, n);
        processors.push_str(&text);
        let (out, text) = numbered(&case.exporter, n);
        exporters.push_str(&text);
        exporters.push_str(&to.keys(Kind::of(&out[0]), n));
        let _ = writeln!(
            pipelines,
            "    traces/c{n}: {{receivers: [{}], processors: [{}], exporters: [{}]}}",
            from[0],
            through.join(", "),
            out[0]
        );
    }
    let processors = match processors.is_empty() {
        true => String::new(),
        false => format!("processors:\n{processors}"),
    };
    format!(
        "receivers:\n{receivers}{processors}exporters:\n{exporters}\
         service:\n  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}\n  pipelines:\n{pipelines}"
    )
}

type Pack = fn(&[u8]) -> Vec<u8>;

impl Compression {
    /// Its name in headers, and what does it.
    fn parts(self) -> (&'static str, Pack) {
        match self {
            Self::None => ("", <[u8]>::to_vec),
            Self::Gzip => ("gzip", frames::gzip),
            Self::Zstd => ("zstd", frames::zstd),
            Self::Deflate => ("deflate", frames::deflate),
            Self::Snappy => ("snappy", frames::snappy_framed),
        }
    }
}
