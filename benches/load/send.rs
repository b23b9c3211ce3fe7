/*!
The sender: warms up, measures for a while, and says what was acknowledged.

The CPU time of the process under test is read by the sender itself at the very
begin of the measured time, so that it and the spans counted from then on belong
together; `benches/run` reads it again when the last span has arrived.
*/

use crate::{histogram::Histogram, usage::cpu_nanos};
use anyhow::ensure;
use serde_json::json;
use std::{cell::RefCell, net::SocketAddr, path::PathBuf, rc::Rc, time::Duration};
use testkit::{
    Protocol, Signal,
    load::{Answer, Link, Pace, Source},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// What to send, where, and how fast.
#[derive(clap::Args)]
pub struct Options {
    /// Where to
    #[arg(long)]
    to: SocketAddr,
    #[arg(long, value_enum, default_value = "grpc")]
    protocol: Protocol,
    /// Folder of captured requests (.pb)
    #[arg(long)]
    payload: PathBuf,
    /// Spans in a request
    #[arg(long, default_value_t = 5)]
    spans: usize,
    /// Spans a second; as fast as answered when not given
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Requests under way on each connection (gRPC)
    #[arg(long, default_value_t = 4)]
    in_flight: usize,
    /// Compress the requests (beforehand; their span ids then repeat)
    #[arg(long)]
    gzip: bool,
    /// Seconds before the measured time
    #[arg(long, default_value_t = 1.0)]
    warm: f64,
    /// Seconds of measured time
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Send one request on each connection, then nothing
    #[arg(long)]
    idle: bool,
    /// Process whose CPU time to count
    #[arg(long)]
    pid: Option<u32>,
}

struct Run {
    source: Source,
    measuring: bool,
    done: bool,
    /// Spans acknowledged while measuring.
    acked: u64,
    requests: u64,
    /// Spans acknowledged and refused in the whole run.
    acked_all: u64,
    refused_all: u64,
    first_refusal: Option<String>,
    latency: Histogram,
}

/// How long a handle waits after a refusal, so as not to spin.
const PAUSE: Duration = Duration::from_millis(5);

/// Runs to the end and prints one line of JSON.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let source = Source::load(&options.payload, options.spans, options.gzip)?;
    let unique = source.ids_are_unique();
    let mut links = Vec::new();
    for _ in 0..options.connections {
        let (protocol, gzip) = (options.protocol, options.gzip);
        links.push(
            Link::connect(
                options.to,
                Signal::Traces,
                protocol,
                gzip,
                options.in_flight,
            )
            .await?,
        );
    }
    let run = Rc::new(RefCell::new(Run {
        source,
        measuring: false,
        done: false,
        acked: 0,
        requests: 0,
        acked_all: 0,
        refused_all: 0,
        first_refusal: None,
        latency: Histogram::default(),
    }));
    let pace = Pace::new(options.rate.map(|rate| rate / options.spans as f64));
    let mut senders = JoinSet::new();
    if options.idle {
        for link in links.iter_mut().flatten() {
            let (frame, _) = run.borrow_mut().source.next_request();
            link.post(frame).await?;
        }
    } else {
        // The first handle of every connection queues before any second one.
        let longest = links.iter().map(Vec::len).max().unwrap_or_default();
        for _ in 0..longest {
            for link in links.iter_mut().filter_map(Vec::pop) {
                senders.spawn_local(send(link, Rc::clone(&run), pace.clone()));
            }
        }
    }

    sleep(Duration::from_secs_f64(options.warm)).await;
    let own = std::process::id();
    let own_before = cpu_nanos(own)?;
    let cpu_before = options.pid.map(cpu_nanos).transpose()?;
    let begin = Instant::now();
    let acked_before = {
        let mut run = run.borrow_mut();
        run.measuring = true;
        run.acked_all
    };
    sleep(Duration::from_secs_f64(options.seconds)).await;
    let (elapsed, own_after) = (begin.elapsed(), cpu_nanos(own)?);
    {
        let mut run = run.borrow_mut();
        run.measuring = false;
        run.done = true;
    }
    pace.end();
    while let Some(ended) = senders.join_next().await {
        ended??;
    }

    let run = run.borrow();
    ensure!(
        options.idle || run.acked > 0,
        "nothing was acknowledged: {:?}",
        run.first_refusal
    );
    let report = json!({
        "seconds": elapsed.as_secs_f64(),
        "acked": run.acked,
        "requests": run.requests,
        "acked_all": run.acked_all,
        "refused_all": run.refused_all,
        "first_refusal": run.first_refusal,
        "unique_ids": unique,
        "p50_us": run.latency.quantile(0.5),
        "p99_us": run.latency.quantile(0.99),
        "acked_since": run.acked_all - acked_before,
        "cpu_before_ns": cpu_before,
        "own_cpu_ns": own_after - own_before,
    });
    println!("{report}");
    Ok(())
}

async fn send(mut link: Link, run: Rc<RefCell<Run>>, pace: Pace) -> anyhow::Result<()> {
    loop {
        pace.turn().await;
        if run.borrow().done {
            return Ok(());
        }
        let (frame, spans) = run.borrow_mut().source.next_request();
        let begin = Instant::now();
        let answer = link.post(frame).await?;
        let micros = begin.elapsed().as_micros() as u64;
        let refused = {
            let mut run = run.borrow_mut();
            let (taken, refused) = match answer {
                Answer::Taken { rejected } => (spans - rejected.min(spans), None),
                Answer::Refused { why, again } => {
                    let hint = if again {
                        ""
                    } else {
                        ", without a word when to try again"
                    };
                    (0, Some(why + hint))
                }
            };
            run.acked_all += taken;
            run.refused_all += spans - taken;
            if run.measuring {
                run.acked += taken;
                run.requests += 1;
                run.latency.record(micros);
            }
            let was_refused = refused.is_some();
            if run.first_refusal.is_none() {
                run.first_refusal = refused;
            }
            was_refused
        };
        if refused {
            sleep(PAUSE).await;
        }
    }
}
