/*!
Whether a batch was delivered, for those that wait to hear it ([`Waiter`]): senders, of exporters with
`wait_for_result`, and receivers that fetch, of all exporters.

Where one of them waits, batches carry a [`BatchResult`], and each request that put items into one
an [`AwaitedResult`]. Each exporter reports once; the first failure is the result. A batch that goes
without a report, for whatever reason, was not delivered. One that is left to the segment
log is as good as delivered.
*/

use super::refusal::{RETRY_AFTER, Refusal, RefusalKind};
use tokio::sync::watch;

/// Why items of a batch were not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undelivered {
    /// The cause, in words.
    pub(crate) cause: String,
    /// The backend would refuse them again.
    pub(crate) is_refused: bool,
}

/// Who hears what becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiter {
    /// Who sent it, if some exporter has `wait_for_result`.
    Sender,
    /// A receiver that fetched it: it could fetch it again, and so is given no request for which
    /// an exporter has no room.
    Source,
}

#[derive(Debug, Default)]
struct State {
    /// Exporters that have not reported; None: the batch is not sealed.
    open: Option<usize>,
    failure: Option<Undelivered>,
}

impl State {
    fn report(&mut self, failure: Option<Undelivered>) {
        self.open = self.open.map(|open| open.saturating_sub(1));
        if self.failure.is_none() {
            self.failure = failure;
        }
    }

    fn is_decided(&self) -> bool {
        self.failure.is_some() || self.open == Some(0)
    }
}

/// The result of one batch, which its exporters report.
#[derive(Debug, Default)]
pub struct BatchResult {
    for_senders: watch::Sender<State>,
    for_sources: watch::Sender<State>,
}

impl BatchResult {
    /// The batch is sealed. `waits`: of each exporter that it goes to, whether it has
    /// `wait_for_result`.
    pub(super) fn expect(&self, waits: impl Iterator<Item = bool> + Clone) {
        let waiting = waits.clone().filter(|waits| *waits).count();
        let expect = |state: &mut State, exporters| state.open = Some(exporters);
        (self.for_senders).send_modify(|state| expect(state, waiting));
        (self.for_sources).send_modify(|state| expect(state, waits.count()));
    }

    /// An exporter is done with the batch; `waits`: it has `wait_for_result`.
    pub(crate) fn report(&self, waits: bool, failure: Option<Undelivered>) {
        if waits {
            (self.for_senders).send_modify(|state| state.report(failure.clone()));
        }
        (self.for_sources).send_modify(|state| state.report(failure));
    }

    /// The result, once it is there.
    pub(super) fn awaited(&self, waiter: Waiter) -> AwaitedResult {
        AwaitedResult(match waiter {
            Waiter::Sender => self.for_senders.subscribe(),
            Waiter::Source => self.for_sources.subscribe(),
        })
    }
}

/// The result of a batch to come.
#[derive(Clone, Debug)]
pub struct AwaitedResult(watch::Receiver<State>);

impl PartialEq for AwaitedResult {
    fn eq(&self, other: &Self) -> bool {
        self.0.same_channel(&other.0)
    }
}

impl Eq for AwaitedResult {}

impl AwaitedResult {
    /// Waits for it.
    ///
    /// # Errors
    ///
    /// When something of the batch was not delivered, with what the sender is told.
    pub(crate) async fn get(mut self) -> Result<(), Refusal> {
        let failure = match self.0.wait_for(State::is_decided).await {
            Ok(state) => state.failure.clone(),
            Err(_) => Some(given_up()),
        };
        match failure {
            None => Ok(()),
            Some(Undelivered { cause, is_refused }) => {
                let kind = match is_refused {
                    true => RefusalKind::Malformed,
                    false => RefusalKind::Unavailable {
                        retry_after: RETRY_AFTER,
                    },
                };
                let message = format!("not delivered, in a batch with others: {cause}");
                Err(Refusal::new(kind, message))
            }
        }
    }

    /// The result, if it is there: an error if something of the batch was not delivered.
    #[cfg(any(test, feature = "kafka"))]
    pub(crate) fn now(&self) -> Option<Result<(), Undelivered>> {
        // Asked first: what is reported afterwards is told the next time.
        let is_gone = self.0.has_changed().is_err();
        let state = self.0.borrow();
        match &state.failure {
            Some(failure) => Some(Err(failure.clone())),
            None if state.is_decided() => Some(Ok(())),
            None => is_gone.then(|| Err(given_up())),
        }
    }
}

/// Why a batch was not delivered of which nobody says why.
fn given_up() -> Undelivered {
    Undelivered {
        cause: "the batch was given up".to_owned(),
        is_refused: false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use futures_util::FutureExt;

    fn refused(cause: &str) -> Option<Undelivered> {
        Some(Undelivered {
            cause: cause.to_owned(),
            is_refused: true,
        })
    }

    #[test]
    fn all_exporters_have_to_deliver() {
        let result = BatchResult::default();
        let awaited = result.awaited(Waiter::Sender);
        let now = || awaited.clone().get().now_or_never();
        assert_eq!(now(), None);
        result.expect([true, true].into_iter());
        result.report(true, None);
        assert_eq!(now(), None);
        result.report(true, None);
        assert_eq!(now(), Some(Ok(())));
        // Whoever asks after the end of the batch hears the same.
        drop(result);
        assert_eq!(awaited.get().now_or_never(), Some(Ok(())));
    }

    #[test]
    fn a_source_waits_for_exporters_that_senders_do_not_wait_for() {
        let result = BatchResult::default();
        let [sender, source] = [Waiter::Sender, Waiter::Source].map(|w| result.awaited(w));
        assert_eq!((sender.now(), source.now()), (None, None));
        result.expect([true, false].into_iter());
        result.report(true, None);
        assert_eq!((sender.now(), source.now()), (Some(Ok(())), None));
        let failure = refused("no");
        result.report(false, failure.clone());
        assert_eq!(sender.now(), Some(Ok(())));
        assert_eq!(source.now(), failure.map(Err));
    }

    #[test]
    fn the_first_failure_is_told_at_once() {
        let result = BatchResult::default();
        let awaited = result.awaited(Waiter::Sender);
        result.expect([true, true].into_iter());
        result.report(true, refused("first"));
        result.report(true, refused("second"));
        let refusal = awaited.get().now_or_never().unwrap().unwrap_err();
        assert!(refusal.message.contains("first"), "{}", refusal.message);
        assert_eq!(refusal.kind.retry_after(), None);
    }

    #[test]
    fn a_batch_that_is_gone_was_not_delivered() {
        let result = BatchResult::default();
        let awaited = result.awaited(Waiter::Sender);
        let source = result.awaited(Waiter::Source);
        result.expect([true].into_iter());
        drop(result);
        let refusal = awaited.get().now_or_never().unwrap().unwrap_err();
        assert_eq!(refusal.kind.retry_after(), Some(RETRY_AFTER));
        assert_eq!(source.now(), Some(Err(given_up())));
    }
}
