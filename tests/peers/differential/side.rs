//! One of the two products with all cases of a table, and the backends behind it.

use super::{
    answers::Answer,
    table::{Case, Compression, Encoding, numbered},
};
use crate::installed::peer;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, trace::v1::ResourceSpans,
};
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
    process: Process,
    /// Of the receiver of each case: gRPC, HTTP.
    ports: Vec<[u16; 2]>,
    grpc: Backend,
    http: Backend,
}

impl Side {
    /// Starts it with these cases, and waits until it listens.
    pub fn start(product: Product, cases: &[Case], dir: &Path) -> Self {
        let ports: Vec<[u16; 2]> = cases
            .iter()
            .map(|_| std::array::from_fn(|_| free_port()))
            .collect();
        let (grpc, http) = (Backend::grpc(), Backend::http());
        grpc.set(script(cases, |code| {
            Reply::Status(Status::new(
                Code::from_i32(code.into()),
                "as the test wants",
            ))
        }));
        http.set(script(cases, |status| Reply::http(status, &[], "")));
        let config = config(cases, &ports, grpc.port, http.port);
        let file = dir.join(format!("{}.yaml", product.name()));
        fs::write(&file, config).unwrap();
        let mut command = product.command(&[], &file);
        let mut process = Process::start(dir, product.name(), &mut command);
        process.wait_ready(|| {
            let mut all = ports.iter().flatten();
            all.all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        });
        Self {
            process,
            ports,
            grpc,
            http,
        }
    }

    /// Where the receiver of a case listens: gRPC, HTTP.
    pub fn ports(&self, case: usize) -> [u16; 2] {
        self.ports[case]
    }

    /// Sends the requests of a case, one after another.
    pub async fn send(&self, case: &Case, requests: &[ExportTraceServiceRequest]) -> Vec<Answer> {
        let [grpc, http] = self.ports[case.number];
        let mut client = Grpc::connect(grpc).await;
        let mut answers = Vec::new();
        for request in requests {
            let (coding, pack) = case.compression.parts();
            answers.push(match case.send {
                Encoding::Grpc => {
                    let message = pack(&request.encode_to_vec());
                    let headers = [("grpc-encoding", coding)];
                    let framed = frames::grpc(u8::from(!coding.is_empty()), &message);
                    let reply = client.send("POST", EXPORT, &headers, framed).await;
                    Answer::of_grpc(&reply)
                }
                Encoding::Proto => {
                    let message = request.encode_to_vec();
                    over_http(http, "application/x-protobuf", coding, &pack(&message)).await
                }
                Encoding::Json => {
                    let message = serde_json::to_vec(request).unwrap();
                    over_http(http, "application/json", coding, &pack(&message)).await
                }
            });
        }
        answers
    }

    /// Waits for as many spans as the case says.
    pub fn wait(&self, case: &Case) {
        wait_for(&format!("the spans of \"{}\"", case.name), || {
            let arrived = self.arrived(case);
            let scopes = arrived.iter().flat_map(|resource| &resource.scope_spans);
            let spans = scopes.map(|scope| scope.spans.len()).sum::<usize>();
            (spans >= case.wait).then_some(())
        });
    }

    /// Ends the process in good order, which empties its queues.
    pub fn stop(&mut self) {
        self.process.terminate();
        let status = self.process.wait_end(PATIENCE);
        assert!(status.success(), "{status}\n{}", self.process.log_tail());
    }

    /// What the backends have taken of a case.
    pub fn arrived(&self, case: &Case) -> Vec<ResourceSpans> {
        let mut all = Vec::new();
        for backend in [&self.grpc, &self.http] {
            let records = backend.records();
            let its = records.requests.iter().filter(|request| {
                request.taken
                    && request.signal == Signal::Traces
                    && number(&request.headers) == Some(case.number)
            });
            for request in its {
                let request = ExportTraceServiceRequest::decode(request.message.clone()).unwrap();
                all.extend(request.resource_spans);
            }
        }
        all
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

async fn over_http(port: u16, kind: &str, coding: &str, body: &[u8]) -> Answer {
    let headers = [("content-type", kind), ("content-encoding", coding)];
    let given = if coding.is_empty() { 1 } else { 2 };
    Answer::of_http(&http(port, "POST", "/v1/traces", &headers[..given], body).await)
}

/// The file of all cases.
fn config(cases: &[Case], ports: &[[u16; 2]], grpc: u16, http: u16) -> String {
    let mut receivers = String::new();
    let mut processors = String::new();
    let mut exporters = String::new();
    let mut pipelines = String::new();
    for (case, [in_grpc, in_http]) in cases.iter().zip(ports) {
        let n = case.number;
        let _ = writeln!(
            receivers,
            "  otlp/c{n}: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{in_grpc}'}}, \
             http: {{endpoint: '127.0.0.1:{in_http}'}}}}}}"
        );
        let (through, text) = numbered(&case.processors, n);
        processors.push_str(&text);
        let (to, text) = numbered(&case.exporter, n);
        let address = match to[0].contains("http") {
            true => format!("http://127.0.0.1:{http}"),
            false => format!("127.0.0.1:{grpc}"),
        };
        let _ = write!(
            exporters,
            "{text}    endpoint: {address}\n    tls: {{insecure: true}}\n    headers: {{{CASE}: '{n}'}}\n"
        );
        let _ = writeln!(
            pipelines,
            "    traces/c{n}: {{receivers: [otlp/c{n}], processors: [{}], exporters: [{}]}}",
            through.join(", "),
            to[0]
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
