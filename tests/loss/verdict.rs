//! The three records held against each other: what senders were told, what the
//! backend got, what wayspan says.

use crate::{
    load::{Load, SPANS},
    service::Service,
};
use std::fmt;
use testkit::Backend;

/// What it came to, in spans.
pub struct Verdict {
    pub answered: u64,
    pub refused: u64,
    pub unanswered: u64,
    /// Of the unanswered, how many have arrived.
    pub arrived_unanswered: u64,
    /// Different spans that the backend took.
    pub taken: u64,
    /// Different spans that the backend refused.
    pub rejected: u64,
    /// Spans that arrived again.
    pub twice: u64,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "answered {}, refused {}, unanswered {} ({} arrived); taken {}, rejected {}, twice {}",
            self.answered,
            self.refused,
            self.unanswered,
            self.arrived_unanswered,
            self.taken,
            self.rejected,
            self.twice,
        )
    }
}

/// Ends the load, waits until wayspan holds nothing any more, and finds that no
/// span that was answered is lost, and that none arrived which was refused.
pub fn nothing_lost(what: &str, load: Load, service: &Service, backend: &Backend) -> Verdict {
    let ledger = load.finish();
    service.wait_delivered();
    let records = backend.records();
    let lost = ledger.lost(&records);
    let sent = |requests: &[u64]| (requests.len() * SPANS) as u64;
    let verdict = Verdict {
        answered: ledger.answered_spans(),
        refused: sent(&ledger.refused),
        unanswered: sent(&ledger.unanswered),
        arrived_unanswered: ledger.arrived_unanswered(&records),
        taken: records.taken.unique,
        rejected: records.refused.unique,
        twice: records.taken.received - records.taken.unique,
    };
    println!("  {what}: {verdict}");
    assert!(
        lost.is_empty(),
        "{what}: {} spans are lost, of them {:?}\n{:#?}\n{}",
        lost.len(),
        &lost[..lost.len().min(10)],
        service.accounts(),
        service.process().log_tail()
    );
    assert_eq!(records.taken.foreign + records.refused.foreign, 0, "{what}");
    assert!(verdict.answered > 0, "{what}: nothing was sent");
    let behind = ledger.arrived_refused(&records);
    assert_eq!(behind, 0, "{what}: spans arrived whose sender was refused");
    verdict
}
