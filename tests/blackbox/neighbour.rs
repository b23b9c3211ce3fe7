//! A well-behaved sender that goes on while others misbehave.

use crate::spans::good;
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use testkit::{Backend, EXPORT, Grpc, PATIENCE, Wayspan, frames, http};
use tokio::{task::JoinHandle, time::timeout};

/// Sends one span after another over both protocols, over connections that
/// stand and over new ones. Each must be answered with success.
pub struct Neighbour {
    answered: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Neighbour {
    pub fn start(wayspan: &Wayspan) -> Self {
        let (answered, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (grpc, http_port) = (wayspan.grpc, wayspan.http);
        let (count, end) = (Arc::clone(&answered), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let mut standing = Grpc::connect(grpc).await;
            while !end.load(Ordering::Relaxed) {
                let n = 1 + count.load(Ordering::Relaxed);
                let reply = match n % 3 {
                    0 => {
                        let body = frames::grpc(0, &good(n));
                        match standing.try_send("POST", EXPORT, &[], body).await {
                            Ok(reply) => reply.grpc_status(),
                            // A busy shard lets connections go, as any server may.
                            Err(_) => {
                                standing = Grpc::connect(grpc).await;
                                standing.export(&good(n)).await.grpc_status()
                            }
                        }
                    }
                    1 => Grpc::connect(grpc)
                        .await
                        .export(&good(n))
                        .await
                        .grpc_status(),
                    _ => {
                        let kind = ("content-type", "application/x-protobuf");
                        let reply = http(http_port, "POST", "/v1/traces", &[kind], &good(n)).await;
                        Some(reply.status - 200)
                    }
                };
                assert_eq!(reply, Some(0), "request {n} of a good sender");
                count.store(n, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        Self {
            answered,
            stop,
            task,
        }
    }

    /// Waits until `more` further requests were answered.
    pub async fn served(&self, more: u64) {
        let until = self.answered.load(Ordering::Relaxed) + more;
        let waited = timeout(PATIENCE, async {
            while self.answered.load(Ordering::Relaxed) < until && !self.task.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        waited.await.expect("a good sender is answered");
        assert!(!self.task.is_finished(), "a good sender was refused");
    }

    /// Ends, and checks that all it sent has been delivered.
    pub async fn finish(self, backend: &Backend) {
        self.served(3).await;
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        let sent = usize::try_from(self.answered.load(Ordering::Relaxed)).unwrap();
        let spans = backend.wait(sent);
        let good = spans.iter().filter(|span| span.name == "good");
        // What was sent again may be there twice.
        let ids: HashSet<_> = good.map(|span| &span.span_id).collect();
        assert_eq!(ids.len(), sent);
    }
}
