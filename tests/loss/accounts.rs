//! Scrapes beside a load: what wayspan says became of every span adds up in
//! every single one, at whatever moment.

use rand::Rng;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use testkit::{
    accounts::{self, Account},
    metrics::Page,
};

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
                    let accounts = accounts::read(&page);
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
