//! What wayspan says became of every span, and whether that adds up.
//!
//! Invariant: accepted + recovered = delivered + refused + dropped + held, in
//! every single scrape, at whatever moment.

use rand::Rng;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use testkit::{Signal, metrics::Page};

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

    pub fn assert_balanced(&self) {
        let came = self.accepted + self.recovered;
        let went = self.delivered + self.refused + self.dropped();
        assert_eq!(came, went + self.held(), "{self:?}");
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

/// Scrapes at random moments while it lives, and finds every account balanced.
pub struct Auditor {
    balanced: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Auditor {
    pub fn watch(metrics: u16) -> Self {
        let (balanced, stop) = <(Arc<AtomicU64>, Arc<AtomicBool>)>::default();
        let (its_balanced, its_stop) = (Arc::clone(&balanced), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !its_stop.load(Ordering::SeqCst) {
                // An error: it is not running just now.
                if let Ok(page) = Page::fetch(metrics) {
                    let accounts = read(&page);
                    assert!(!accounts.is_empty(), "no accounts in\n{}", page.text());
                    accounts.values().for_each(Account::assert_balanced);
                    its_balanced.fetch_add(1, Ordering::SeqCst);
                }
                thread::sleep(Duration::from_millis(rand::rng().random_range(1..60)));
            }
        });
        Self {
            balanced,
            stop,
            thread: Some(thread),
        }
    }

    /// The number of scrapes, all of them balanced.
    pub fn finish(mut self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(matches!(ended, Some(Ok(()))), "an account did not balance");
        let balanced = self.balanced.load(Ordering::SeqCst);
        assert!(balanced > 0, "nothing was scraped");
        balanced
    }
}

impl Drop for Auditor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}
