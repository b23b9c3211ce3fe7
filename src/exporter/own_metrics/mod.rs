/*!
Readers of wayspan's own metrics that push: `service.telemetry.metrics.readers[].periodic`.

A reader sends what all metrics say to a backend by OTLP, at an interval, and once more at the
end. What the backend does not take is tried again until the reader's `timeout`; then it is left
to the next push, which has deltas since the last that was taken: nothing is lost but detail.
*/

pub(super) mod config;

pub(crate) use config::read;

use super::{
    Outcome, Sender,
    otlp::{Encoding, OtlpGrpc, OtlpHttp},
};
use crate::{
    backoff::{Backoff, Growth},
    http::{ClientSettings, ConnectOptions},
    pdata::Signal,
    telemetry::{Count, PointWriter, Resource, Snapshot, TemporalityPreference},
};
use bytes::Bytes;
use std::time::{Duration, SystemTime};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout_at},
};

/// How long the last push may take: the process is about to end.
const LAST: Duration = Duration::from_secs(2);

/// What a reader speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Grpc,
    Http,
}

/// A reader that pushes, as the file has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PushReader {
    protocol: Protocol,
    client: ClientSettings,
    /// `exporter.otlp.timeout`: of one attempt.
    attempt: Duration,
    interval: Duration,
    /// `timeout`: of all attempts.
    timeout: Duration,
    preference: TemporalityPreference,
}

/// A reader that can be run.
#[derive(Debug)]
pub(crate) struct Push {
    reader: PushReader,
    sender: ProtocolSender,
}

#[derive(Debug)]
enum ProtocolSender {
    Grpc(Box<OtlpGrpc>),
    Http(OtlpHttp),
}

impl PushReader {
    /// What `validate` and the start say.
    pub(crate) fn describe(&self) -> String {
        let interval = humantime::format_duration(self.interval);
        format!("pushed to {} every {interval}", self.client.url)
    }

    fn growth() -> Growth {
        Growth::from(&super::Retry::default())
    }

    /// Builds it: certificates are read.
    ///
    /// # Errors
    ///
    /// Says which setting is wrong.
    pub(crate) fn build(&self) -> Result<Push, String> {
        let options = ConnectOptions::new(self.attempt, Self::growth());
        let sender = match self.protocol {
            Protocol::Grpc => ProtocolSender::Grpc(OtlpGrpc::build(&self.client, options)?.into()),
            Protocol::Http => {
                let url = |signal| (signal == Signal::Metrics).then(|| self.client.url.clone());
                let sender = OtlpHttp::build(&self.client, url, Encoding::Proto, options)?;
                ProtocolSender::Http(sender)
            }
        };
        Ok(Push {
            reader: self.clone(),
            sender,
        })
    }
}

impl Push {
    /// Pushes what `read` reads until `end`, and once more then.
    pub(crate) async fn run(
        self,
        read: impl Fn() -> Snapshot,
        resource: &Resource,
        end: watch::Receiver<bool>,
    ) {
        let Self { reader, sender } = self;
        match sender {
            ProtocolSender::Grpc(sender) => run(&reader, &*sender, read, resource, end).await,
            ProtocolSender::Http(sender) => run(&reader, &sender, read, resource, end).await,
        }
    }
}

async fn run<S: Sender>(
    reader: &PushReader,
    sender: &S,
    read: impl Fn() -> Snapshot,
    resource: &Resource,
    mut end: watch::Receiver<bool>,
) {
    let mut writer = PointWriter::new(resource, reader.preference);
    let mut ticks = interval_at(Instant::now() + reader.interval, reader.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    loop {
        let is_last = tokio::select! {
            _ = end.wait_for(|end| *end) => true,
            _ = ticks.tick() => false,
        };
        let (snapshot, now) = (read(), SystemTime::now());
        let request = Bytes::from(writer.write(&snapshot, now));
        let patience = match is_last {
            true => reader.timeout.min(LAST),
            false => reader.timeout,
        };
        let pushed = tokio::select! {
            pushed = push(sender, request, Instant::now() + patience) => pushed,
            // What is under way is given up for the last, which has all of it.
            _ = end.wait_for(|end| *end), if !is_last => continue,
        };
        let endpoint = sender.endpoint();
        match pushed {
            Ok(()) => {
                writer.told(snapshot, now);
                if is_failing {
                    tracing::info!("own metrics: {endpoint} takes them again");
                }
                is_failing = false;
            }
            Err(cause) => {
                if !is_failing {
                    tracing::warn!(
                        "own metrics: {endpoint} did not take them, and is asked again: {cause}"
                    );
                }
                is_failing = true;
            }
        }
        if is_last {
            return;
        }
    }
}

/// Sends `request`, if need be several times, until a moment.
///
/// # Errors
///
/// Why the backend did not take it.
async fn push<S: Sender>(sender: &S, request: Bytes, until: Instant) -> Result<(), String> {
    let resent = Count::default();
    let mut backoff = Backoff::new(&PushReader::growth());
    let request = match sender.prepare(Signal::Metrics, &[request]) {
        Ok(request) => request,
        Err(outcome) => return judge(outcome).map(drop),
    };
    let mut cause = "no answer came in time".to_owned();
    loop {
        let Ok(outcome) = timeout_at(until, sender.send(&request, &resent)).await else {
            return Err(cause);
        };
        let Some((why, after)) = judge(outcome)? else {
            return Ok(());
        };
        cause = why;
        let next = Instant::now() + backoff.next_wait().max(after);
        if next >= until {
            return Err(cause);
        }
        sleep_until(next).await;
    }
}

/// What an outcome means: None: it was taken. Some: it may be later, why not now, and how long
/// to wait at least.
///
/// # Errors
///
/// It will not be, whenever it is asked again.
fn judge(outcome: Outcome) -> Result<Option<(String, Duration)>, String> {
    match outcome {
        Outcome::Delivered { rejected: 0, .. } => Ok(None),
        Outcome::Delivered { rejected, message } => {
            tracing::warn!("own metrics: the backend rejected {rejected} data points: {message}");
            Ok(None)
        }
        Outcome::Retry { cause, after, .. } => Ok(Some((cause, after.unwrap_or_default()))),
        Outcome::TooLarge { cause } | Outcome::Invalid { cause } | Outcome::Permanent { cause } => {
            Err(cause)
        }
    }
}
