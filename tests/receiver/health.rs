//! The gRPC health service.

use crate::harness::*;
use tonic::{Code, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test]
async fn serving_until_shutdown_begins() {
    let mut server = Server::grpc();
    let address = format!("http://{}", server.address);
    let mut client = HealthClient::new(
        Channel::from_shared(address)
            .unwrap()
            .connect()
            .await
            .unwrap(),
    );
    for service in ["", "opentelemetry.proto.collector.trace.v1.TraceService"] {
        let response = client.check(about(service)).await.unwrap().into_inner();
        assert_eq!(response.status(), ServingStatus::Serving);
    }
    assert_eq!(
        client.check(about("other")).await.unwrap_err().code(),
        Code::NotFound
    );

    let mut updates = client.watch(about("")).await.unwrap().into_inner();
    let mut unknown = client.watch(about("other")).await.unwrap().into_inner();
    let next = unknown.message().await.unwrap().unwrap();
    assert_eq!(next.status(), ServingStatus::ServiceUnknown);
    assert_eq!(
        updates.message().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );

    server.shutdown.send(true).unwrap();
    assert_eq!(
        updates.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    assert_eq!(updates.message().await.unwrap(), None);
    assert_eq!(unknown.message().await.unwrap(), None);
    // Watchers do not hold the connection open.
    server.ended.wait_for(|ended| *ended == 1).await.unwrap();
    // Health is not counted as OTLP requests.
    assert_eq!(server.counts(), (0, 0));
}
