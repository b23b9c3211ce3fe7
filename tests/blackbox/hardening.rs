//! Senders that are slow, lie or bring bombs: they are refused or given up, the
//! memory stays within a bound, it shows in counters and log, and a good
//! sender's every request is answered meanwhile.

mod bodies;
mod capacity;
mod slow;

use crate::neighbour::Neighbour;
use testkit::{Backend, Setup, Wayspan};

const MIB: u64 = 1 << 20;

/// Here all senders have one address, and may have many connections.
const MANY_OF_ONE: &str = "service: {wayspan: {max_connections_per_peer: 4000}}";

/// wayspan, where it sends to, and a good sender.
struct Stage {
    backend: Backend,
    wayspan: Wayspan,
    neighbour: Neighbour,
    /// Peak memory before anybody misbehaved.
    before: u64,
    /// What it may grow by at all, in MiB: the memory limit and 64 MiB.
    room: u64,
}

impl Stage {
    /// `grpc_lines` stand in `protocols.grpc`.
    async fn start(grpc_lines: &str) -> Self {
        Self::with_limit(grpc_lines, 256).await
    }

    /// With a memory limit of so many MiB, a fifth more than what is begun to refuse
    /// at.
    async fn with_limit(grpc_lines: &str, mib: u64) -> Self {
        // The binary under test inherits the limit of open files.
        rlimit::increase_nofile_limit(u64::MAX).unwrap();
        let backend = Backend::grpc();
        let limit = format!("processors: {{memory_limiter: {{limit_mib: {mib}}}}}");
        let setup = Setup::to(&backend).grpc(grpc_lines).layer(&limit);
        let wayspan = Wayspan::start(setup.layer(MANY_OF_ONE));
        let neighbour = Neighbour::start(&wayspan);
        neighbour.served(30).await;
        let before = wayspan.process().peak_memory();
        Self {
            backend,
            wayspan,
            neighbour,
            before,
            room: mib + 64,
        }
    }

    /// Checks that a good sender is served now and that the process has never
    /// had more than `most` MiB over what it had before.
    async fn bears(&self, most: u64) {
        self.neighbour.served(30).await;
        let peak = self.wayspan.process().peak_memory();
        let grown = peak.saturating_sub(self.before) / MIB;
        assert!(grown <= most, "{grown} MiB more than before");
    }

    /// The end: all that was good has arrived, and nothing panicked.
    async fn finish(self) {
        self.wayspan.assert_alive();
        self.neighbour.finish(&self.backend).await;
    }

    /// Waits until the counter of the gRPC port or of the HTTP port is `count`.
    fn counted(&self, name: &str, transport: &str, count: f64) {
        let series = format!("{name}{{receiver=\"otlp\",transport=\"{transport}\"}}");
        self.wayspan.wait_metric(&series, |value| value == count);
    }
}
