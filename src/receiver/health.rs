/*!
`grpc.health.v1.Health`: serving, until shutdown begins.

Kubernetes gRPC probes and grpc-go's client-side health checking ask it. The
answer is read off the shutdown channel, so there is no state to keep in step.
*/

use super::{connection::Context, reply::Reply};
use ::http::{Request, Response};
use futures_util::{Stream, StreamExt, stream};
use hyper::body::Incoming;
use std::pin::Pin;
use tokio::sync::watch;
use tonic::Status;
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};
use tower_service::Service;

/// The path prefix of the service's methods.
pub const PREFIX: &str = "/grpc.health.v1.Health/";

/// The services asked about: the whole server and the one that matters.
const KNOWN: [&str; 2] = ["", "opentelemetry.proto.collector.trace.v1.TraceService"];

struct ByShutdown(watch::Receiver<bool>);

fn status(stopping: bool) -> HealthCheckResponse {
    let status = if stopping {
        ServingStatus::NotServing
    } else {
        ServingStatus::Serving
    };
    HealthCheckResponse {
        status: status as i32,
    }
}

type Updates = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for ByShutdown {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        if !KNOWN.contains(&request.get_ref().service.as_str()) {
            return Err(Status::not_found("service not registered"));
        }
        Ok(tonic::Response::new(status(*self.0.borrow())))
    }

    type WatchStream = Updates;

    async fn watch(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<Updates>, Status> {
        let known = KNOWN.contains(&request.get_ref().service.as_str());
        let stopping = *self.0.borrow();
        let first = if known {
            status(stopping)
        } else {
            HealthCheckResponse {
                status: ServingStatus::ServiceUnknown as i32,
            }
        };
        // The stream ends with the shutdown, or it would hold the connection open.
        let mut shutdown = self.0.clone();
        let last = async move {
            if stopping {
                return None;
            }
            if shutdown.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
            known.then(|| Ok(status(true)))
        };
        let updates =
            stream::iter([Ok(first)]).chain(stream::once(last).filter_map(std::future::ready));
        Ok(tonic::Response::new(Box::pin(updates)))
    }
}

/// Answers a call of the health service.
pub async fn answer(context: &Context, request: Request<Incoming>) -> Response<Reply> {
    let mut server = HealthServer::new(ByShutdown(context.shutdown.clone()))
        // A service name; nothing larger is meant.
        .max_decoding_message_size(4096);
    match server.call(request).await {
        Ok(response) => response.map(Reply::Tonic),
        Err(never) => match never {},
    }
}
