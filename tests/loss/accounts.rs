//! What wayspan says became of every span, and whether that adds up.
//!
//! Invariant: accepted + recovered = delivered + refused + dropped + held, in
//! every single scrape, at whatever moment.

use crate::http1;
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
pub fn read(page: &str) -> BTreeMap<String, Account> {
    let mut accounts = BTreeMap::<String, Account>::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once('{') else {
            continue;
        };
        let Some((labels, value)) = rest.rsplit_once("} ") else {
            continue;
        };
        // Values with commas are not among the labels that matter.
        let label = |wanted: &str| {
            labels.split(',').find_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                (key == wanted).then(|| value.trim_matches('"').to_owned())
            })
        };
        let (Some(_), Some(exporter)) = (label("pipeline"), label("exporter")) else {
            continue;
        };
        let mut note = |of: &dyn Fn(&mut Account) -> &mut u64| {
            let value: f64 = value.parse().unwrap();
            *of(accounts.entry(exporter.clone()).or_default()) = value as u64;
        };
        match name {
            "wayspan_accepted_spans" => note(&|a| &mut a.accepted),
            "wayspan_recovered_spans" => note(&|a| &mut a.recovered),
            "wayspan_delivered_spans" => note(&|a| &mut a.delivered),
            "wayspan_refused_spans" => note(&|a| &mut a.refused),
            "wayspan_dropped_spans" => {
                let reason = label("reason").unwrap();
                note(&|a| a.dropped.entry(reason.clone()).or_default());
            }
            "wayspan_held_spans" => {
                let place = label("in").unwrap();
                note(&|a| a.held.entry(place.clone()).or_default());
            }
            _ => {}
        }
    }
    accounts
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
                if let Ok(answer) = http1::get(metrics, "/metrics", &[]) {
                    let accounts = read(&answer.body);
                    assert!(!accounts.is_empty(), "no accounts in\n{}", answer.body);
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
