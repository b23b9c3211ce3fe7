/*!
What `benches/run` measures with. Three roles in one binary:

- `send` posts captured requests, each span with ids of its own, at a rate or
  as fast as they are answered, and counts what was acknowledged;
- `sink` receives OTLP and counts spans by id: how many, how many different;
- `relay` is the yardstick: receive, walk, join, send on tonic, nothing else.

Sender and sink decode nothing and run on one thread each, so that they cost
less than what stands between them.
*/

mod histogram;
mod relay;
mod send;
mod sink;
mod usage;

use clap::Parser;

// As the wayspan binary has it, so that it does not make the difference.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Sender, sink and relay of the benches
#[derive(Parser)]
enum Role {
    /// Post spans and print what was acknowledged, as JSON
    Send(send::Options),
    /// Receive spans and count them; GET /stats on the HTTP port gives JSON
    Sink(sink::Options),
    /// Pass spans on, joined into batches
    Relay(relay::Options),
}

fn main() -> anyhow::Result<()> {
    match Role::parse() {
        Role::Send(options) => on_one_thread(send::run(options)),
        Role::Sink(options) => on_one_thread(sink::run(options)),
        Role::Relay(options) => relay::run(options),
    }
}

fn on_one_thread(role: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(tokio::task::LocalSet::new().run_until(role))
}
