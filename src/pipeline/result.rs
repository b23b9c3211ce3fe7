/*!
Whether a batch was delivered, for senders that wait to hear it (`wait_for_result`).

A batch whose pipeline has an exporter with that key carries a [`BatchResult`], and each
request that put items into it an [`AwaitedResult`]. Each such exporter reports once; the
first failure is the result. A batch that goes without a report, for whatever reason,
was not delivered.
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

#[derive(Debug, Default)]
struct State {
    /// Exporters that have not reported; None: the batch is not sealed.
    open: Option<usize>,
    failure: Option<Undelivered>,
}

impl State {
    fn is_decided(&self) -> bool {
        self.failure.is_some() || self.open == Some(0)
    }
}

/// The result of one batch, which its exporters report.
#[derive(Debug, Default)]
pub struct BatchResult(watch::Sender<State>);

impl BatchResult {
    /// The batch is sealed, and goes to so many exporters that report.
    pub(super) fn expect(&self, exporters: usize) {
        self.0.send_modify(|state| state.open = Some(exporters));
    }

    /// One of them is done with the batch.
    pub(crate) fn report(&self, failure: Option<Undelivered>) {
        self.0.send_modify(|state| {
            state.open = state.open.map(|open| open.saturating_sub(1));
            if state.failure.is_none() {
                state.failure = failure;
            }
        });
    }

    /// The result, once it is there.
    pub(super) fn awaited(&self) -> AwaitedResult {
        AwaitedResult(self.0.subscribe())
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
            Err(_) => Some(Undelivered {
                cause: "the batch was given up".to_owned(),
                is_refused: false,
            }),
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
        let awaited = result.awaited();
        let now = || awaited.clone().get().now_or_never();
        assert_eq!(now(), None);
        result.expect(2);
        result.report(None);
        assert_eq!(now(), None);
        result.report(None);
        assert_eq!(now(), Some(Ok(())));
        // Whoever asks after the end of the batch hears the same.
        drop(result);
        assert_eq!(awaited.get().now_or_never(), Some(Ok(())));
    }

    #[test]
    fn the_first_failure_is_told_at_once() {
        let result = BatchResult::default();
        let awaited = result.awaited();
        result.expect(2);
        result.report(refused("first"));
        result.report(refused("second"));
        let refusal = awaited.get().now_or_never().unwrap().unwrap_err();
        assert!(refusal.message.contains("first"), "{}", refusal.message);
        assert_eq!(refusal.kind.retry_after(), None);
    }

    #[test]
    fn a_batch_that_is_gone_was_not_delivered() {
        let result = BatchResult::default();
        let awaited = result.awaited();
        result.expect(1);
        drop(result);
        let refusal = awaited.get().now_or_never().unwrap().unwrap_err();
        assert_eq!(refusal.kind.retry_after(), Some(RETRY_AFTER));
    }
}
