//! What wayspan says became of every span, and whether that adds up.
//!
//! Invariant: accepted + recovered = delivered + refused + dropped + held, in
//! every single scrape, at whatever moment.

use crate::{Signal, metrics::Page};
use std::collections::BTreeMap;

/// The account of one pipeline and exporter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub accepted: u64,
    pub recovered: u64,
    pub delivered: u64,
    pub refused: u64,
    /// By reason.
    pub dropped: BTreeMap<String, u64>,
    /// By place: open, memory, log.
    pub held: BTreeMap<String, u64>,
}

impl Account {
    pub fn dropped(&self) -> u64 {
        self.dropped.values().sum()
    }

    pub fn held(&self) -> u64 {
        self.held.values().sum()
    }

    pub fn is_balanced(&self) -> bool {
        let came = self.accepted + self.recovered;
        let went = self.delivered + self.refused + self.dropped();
        came == went + self.held()
    }

    pub fn assert_balanced(&self) {
        assert!(self.is_balanced(), "{self:?}");
    }
}

/// The accounts of a page of metrics, by exporter. Each test has an exporter
/// in one pipeline only.
pub fn read(page: &Page) -> BTreeMap<String, Account> {
    let mut accounts = BTreeMap::<String, Account>::new();
    for sample in page.samples() {
        let label = |name| sample.label(name).unwrap_or_default().to_owned();
        let (Some(_), Some(exporter)) = (sample.label("pipeline"), sample.label("exporter")) else {
            continue;
        };
        let mut note = |of: &dyn Fn(&mut Account) -> &mut u64| {
            *of(accounts.entry(exporter.to_owned()).or_default()) = sample.value as u64;
        };
        match became(sample.name) {
            Some("accepted") => note(&|a| &mut a.accepted),
            Some("recovered") => note(&|a| &mut a.recovered),
            Some("delivered") => note(&|a| &mut a.delivered),
            Some("refused") => note(&|a| &mut a.refused),
            Some("dropped") => note(&|a| a.dropped.entry(label("reason")).or_default()),
            Some("held") => note(&|a| a.held.entry(label("in")).or_default()),
            _ => {}
        }
    }
    accounts
}

/// What became of items of any signal, by the name of a metric.
fn became(name: &str) -> Option<&str> {
    let name = name.strip_prefix("wayspan_")?;
    let of = |signal: Signal| name.strip_suffix(signal.plural())?.strip_suffix('_');
    Signal::ALL.into_iter().find_map(of)
}
