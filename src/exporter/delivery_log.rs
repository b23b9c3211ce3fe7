/*!
What an exporter writes to the log: changes, not attempts.

A backend that is away fails every attempt of every request in flight; the
operator needs to hear of it once, then now and then, and when it is back. So
the first failure is logged, a failure with another cause and a reminder at
bounded intervals, and the return with how long it took. Lost items are always
logged, in the words of their signal.
*/

use crate::pdata::Signal;
use std::{cell::RefCell, time::Duration};
use tokio::time::Instant;
use tracing::{error, info, warn};

/// Failures are not logged more often than this, unless nothing was for long.
const QUIET: Duration = Duration::from_secs(10);
/// A failure that goes on is mentioned this often.
const REMINDER: Duration = Duration::from_secs(60);

/// Writes a line with a count under the field name of its signal: names of
/// fields are constants.
macro_rules! log_items {
    ($level:ident, $log:expr, $signal:expr, $count:expr => ($spans:ident, $points:ident, $records:ident), $($rest:tt)*) => {
        match $signal {
            Signal::Traces => log_items!(@ $level, $log, $spans, $count, $($rest)*),
            Signal::Metrics => log_items!(@ $level, $log, $points, $count, $($rest)*),
            Signal::Logs => log_items!(@ $level, $log, $records, $count, $($rest)*),
        }
    };
    (@ $level:ident, $log:expr, $name:ident, $count:expr, $($rest:tt)*) => {
        $level!(exporter = %$log.id, endpoint = %$log.endpoint, $name = $count, $($rest)*)
    };
}

/// The log of one exporter.
#[derive(Debug)]
pub(super) struct DeliveryLog {
    id: String,
    endpoint: String,
    state: RefCell<OutageState>,
}

#[derive(Debug, Default)]
struct OutageState {
    /// When the first of the failures since the last success came.
    failing_since: Option<Instant>,
    /// Is true when any of these failures was logged, and so the return must
    /// be.
    told: bool,
    last: Option<(Instant, String)>,
}

/// What waits for the backend, for the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// The signal of the request that failed.
    pub(super) signal: Signal,
    /// Items of that signal in requests under way or between attempts.
    pub(super) items: u64,
    /// Batches queued behind them.
    pub(super) batches: usize,
}

impl DeliveryLog {
    /// The log of exporter `id`, which delivers to `endpoint`.
    pub(super) fn new(id: String, endpoint: String) -> Self {
        Self {
            id,
            endpoint,
            state: RefCell::default(),
        }
    }

    /// An attempt failed and there will be another after `wait`.
    pub(super) fn failed(
        &self,
        cause: &str,
        misconfigured: bool,
        wait: Duration,
        waiting: Waiting,
    ) {
        if !self.state.borrow_mut().worth_telling(cause, Instant::now()) {
            return;
        }
        let Waiting {
            signal,
            items,
            batches,
        } = waiting;
        let kept = format!("{signal} are kept, trying again in {wait:.1?} and on");
        match misconfigured {
            true => log_items!(
                error, self, signal, items => (spans_held, data_points_held, log_records_held),
                %cause, batches_queued = batches,
                "the backend cannot be used as configured; {kept}"
            ),
            false => log_items!(
                warn, self, signal, items => (spans_held, data_points_held, log_records_held),
                %cause, batches_queued = batches, "delivery failed; {kept}"
            ),
        }
    }

    /// A request was delivered.
    pub(super) fn delivered(&self) {
        let mut state = self.state.borrow_mut();
        let Some(since) = state.failing_since.take() else {
            return;
        };
        if std::mem::take(&mut state.told) {
            let (id, endpoint) = (&self.id, &self.endpoint);
            let away = since.elapsed();
            info!(exporter = %id, %endpoint, "delivering again after {away:.1?}");
        }
    }

    /// The backend took a request and rejected items of it, or had a warning.
    pub(super) fn partial(&self, signal: Signal, rejected: u64, message: &str) {
        log_items!(
            warn, self, signal,
            rejected => (rejected_spans, rejected_data_points, rejected_log_records),
            %message, "the backend answered with partial success"
        );
    }

    /// Items were given up, with the bytes of their requests where known.
    pub(super) fn dropped(&self, signal: Signal, items: u64, bytes: Option<usize>, reason: &str) {
        log_items!(
            error, self, signal, items => (spans, data_points, log_records),
            bytes, %reason, "{}s lost", signal.item()
        );
    }
}

impl OutageState {
    fn worth_telling(&mut self, cause: &str, now: Instant) -> bool {
        self.failing_since.get_or_insert(now);
        let worth = match &self.last {
            None => true,
            Some((when, last)) => {
                let ago = now.saturating_duration_since(*when);
                ago >= REMINDER || (ago >= QUIET && (!self.told || last != cause))
            }
        };
        if worth {
            self.told = true;
            self.last = Some((now, cause.to_owned()));
        }
        worth
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    /// What `work` logs.
    fn logged(work: impl FnOnce(&DeliveryLog)) -> Vec<String> {
        #[derive(Clone, Default)]
        struct Text(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Text {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let text = Text::default();
        let writer = text.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let log = DeliveryLog::new("otlp_grpc/jaeger".into(), "jaeger:4317".into());
        tracing::subscriber::with_default(subscriber, || work(&log));
        let text = text.0.lock().unwrap().clone();
        String::from_utf8(text)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn bytes_are_told_where_they_are_known() {
        let lines = logged(|log| {
            log.dropped(Signal::Traces, 40, Some(4096), "refused");
            log.dropped(Signal::Traces, 100, None, "not in time");
        });
        assert!(lines[0].contains("spans=40 bytes=4096"), "{}", lines[0]);
        assert!(lines[1].contains("spans=100"), "{}", lines[1]);
        assert!(!lines[1].contains("bytes"), "{}", lines[1]);
    }

    #[test]
    fn an_outage_is_two_lines() {
        let lines = logged(|log| {
            let waiting = Waiting {
                signal: Signal::Traces,
                items: 40,
                batches: 3,
            };
            log.delivered();
            for _ in 0..100 {
                log.failed("connection refused", false, Duration::from_secs(1), waiting);
            }
            log.delivered();
            log.delivered();
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        for words in [
            "WARN",
            "otlp_grpc/jaeger",
            "jaeger:4317",
            "connection refused",
            "spans_held=40",
        ] {
            assert!(lines[0].contains(words), "{}", lines[0]);
        }
        assert!(lines[1].contains("INFO") && lines[1].contains("delivering again after"));
    }

    #[test]
    fn a_mistake_and_a_loss_are_errors() {
        let lines = logged(|log| {
            let waiting = Waiting {
                signal: Signal::Traces,
                items: 1,
                batches: 0,
            };
            log.failed("no such port", true, Duration::from_secs(1), waiting);
            log.dropped(Signal::Traces, 3, Some(500), "bad attribute");
        });
        assert!(lines[0].contains("ERROR") && lines[0].contains("no such port"));
        assert!(
            lines[1].contains("ERROR") && lines[1].contains("spans=3"),
            "{}",
            lines[1]
        );
    }

    #[test]
    fn tells_of_changes_and_reminds() {
        let mut state = OutageState::default();
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        assert!(state.worth_telling("refused", at(0)));
        assert!(!state.worth_telling("refused", at(1)));
        assert!(
            !state.worth_telling("reset", at(2)),
            "too soon after the first"
        );
        assert!(state.worth_telling("reset", at(11)), "another cause");
        assert!(!state.worth_telling("reset", at(30)));
        assert!(state.worth_telling("reset", at(71)), "a reminder");
    }

    #[test]
    fn a_backend_that_flaps_does_not_fill_the_log() {
        let mut state = OutageState::default();
        let start = Instant::now();
        let mut told = 0;
        for tenth in 0..600 {
            told +=
                u32::from(state.worth_telling("busy", start + Duration::from_millis(tenth * 100)));
            state.failing_since = None;
            state.told = false;
        }
        assert_eq!(told, 6);
    }
}
