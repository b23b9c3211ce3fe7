//! The exporter and the receiver `kafka` without a cluster: what is said, and that nothing is lost.
//! With one they are proven in `tests/peers`.

use crate::spans::good;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkit::{Grpc, Setup, Wayspan, free_port, root};

/// A shipped file, whose cluster is at a port where nobody listens.
fn shipped(file: &str) -> Setup {
    let broker = format!("127.0.0.1:{}", free_port());
    Setup::file(root().join("pipelines").join(file)).env("WAYSPAN_KAFKA_BROKER", broker)
}

/// One that stores what comes in.
fn storing(dir: &TempDir) -> Setup {
    let log = dir.path().display();
    shipped("kafka-exporter.yaml").layer(format!(
        "extensions: {{file_storage: {{directory: '{log}'}}}}"
    ))
}

#[tokio::test]
async fn a_cluster_that_is_away_is_told_of_and_nothing_is_lost() {
    let dir = TempDir::new().unwrap();
    let mut wayspan = Wayspan::start(storing(&dir));
    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(client.export(&good(1)).await.grpc_status(), Some(0));
    wayspan.wait_metric("wayspan_exporter_up{exporter=\"kafka\"}", |up| up == 0.0);
    wayspan.wait_said("delivery failed");
    wayspan.kill();
    wayspan.restart();
    wayspan.wait_metric("wayspan_held_spans", |held| held == 1.0);
    let lost = "wayspan_dropped_spans";
    assert_eq!(wayspan.metric(lost), Some(0.0));
}

/// A receiver says what is wrong, keeps the process running, and does not hold up its end.
#[tokio::test]
async fn a_receiver_waits_for_its_cluster() {
    let mut wayspan = Wayspan::start(shipped("kafka-receiver.yaml"));
    wayspan.wait_said("receiver kafka (shard 0): ");
    wayspan.wait_said("; trying again");
    let accepted = "otelcol_receiver_accepted_spans{receiver=\"kafka\",transport=\"kafka\"}";
    assert_eq!(wayspan.metric(accepted), Some(0.0));
    let begun = Instant::now();
    wayspan.stop();
    assert!(begun.elapsed() < Duration::from_secs(5));
}
