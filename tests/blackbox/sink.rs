//! An OTLP/gRPC backend that keeps what it gets.

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::{ResourceSpans, Span},
};
use std::sync::{Arc, Mutex};
use tonic::{Request, Response, Status, transport::Server, transport::server::TcpIncoming};

#[derive(Clone, Default)]
pub struct Sink {
    port: u16,
    got: Arc<Mutex<Vec<ResourceSpans>>>,
}

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.got
            .lock()
            .unwrap()
            .extend(request.into_inner().resource_spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Sink {
    /// Listens on a free port for as long as the runtime lives.
    pub fn start() -> Self {
        Self::start_on(0)
    }

    /// The same on this port.
    pub fn start_on(port: u16) -> Self {
        let incoming = TcpIncoming::bind(([127, 0, 0, 1], port).into()).unwrap();
        let port = incoming.local_addr().unwrap().port();
        let sink = Self {
            port,
            got: Arc::default(),
        };
        let service = TraceServiceServer::new(sink.clone()).max_decoding_message_size(64 << 20);
        tokio::spawn(
            Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming),
        );
        sink
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn resource_spans(&self) -> Vec<ResourceSpans> {
        self.got.lock().unwrap().clone()
    }

    pub fn spans(&self) -> Vec<Span> {
        let all = self.resource_spans();
        all.into_iter()
            .flat_map(|r| r.scope_spans)
            .flat_map(|s| s.spans)
            .collect()
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.spans().into_iter().map(|span| span.name).collect();
        names.sort();
        names
    }

    /// Waits until `count` spans have arrived, and gives them.
    pub async fn wait(&self, count: usize) -> Vec<Span> {
        let sink = self.clone();
        tokio::task::spawn_blocking(move || {
            crate::proc::wait_for(&format!("{count} spans at the sink"), || {
                let spans = sink.spans();
                (spans.len() >= count).then_some(spans)
            })
        })
        .await
        .unwrap()
    }
}
