//! The exporter `kafka` without a cluster: what is said, and that nothing is lost. With one it is
//! proven in `tests/peers`.

use crate::spans::good;
use tempfile::TempDir;
use testkit::{Grpc, Setup, Wayspan, free_port, root};

/// The shipped file, whose cluster is at a port where nobody listens.
fn shipped(dir: &TempDir) -> Setup {
    let file = root().join("pipelines/kafka-exporter.yaml");
    let log = dir.path().display();
    Setup::file(file)
        .env("WAYSPAN_KAFKA_BROKER", format!("127.0.0.1:{}", free_port()))
        .layer(format!(
            "extensions: {{file_storage: {{directory: '{log}'}}}}"
        ))
}

#[tokio::test]
async fn a_cluster_that_is_away_is_told_of_and_nothing_is_lost() {
    let dir = TempDir::new().unwrap();
    let mut wayspan = Wayspan::start(shipped(&dir));
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
