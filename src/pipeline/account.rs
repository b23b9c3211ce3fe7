/*!
What became of every span of one pipeline on its way to one exporter.

Spans move from one place to another and are never counted in two, so at any
moment

```text
taken + recovered = delivered + refused + dropped + held
```

where *held* is what the open batches have, what is in memory, and what is in
the segment log alone. Each move is one step under a lock, taken once a batch
or a part of one, never for a span; what the shards have in their open batches
they count themselves ([`TakenItems`]). A balance that does not come out is a bug of
ours, not a race of the reader's.
*/

use crate::telemetry::Count;
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Why spans that were accepted are gone without the backend's having judged
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// The exporter had no room, while others of the pipeline had.
    QueueFull,
    /// `retry_on_failure` said to give up.
    GaveUp,
    /// Undelivered when the drain ended, and in no log.
    Shutdown,
    /// Damaged in the segment log, or not readable.
    Damaged,
    /// Lost by a bug, with a message in the log.
    Crashed,
}

impl DropReason {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::QueueFull,
        Self::GaveUp,
        Self::Shutdown,
        Self::Damaged,
        Self::Crashed,
    ];

    /// As metrics and pages have it.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::GaveUp => "gave_up",
            Self::Shutdown => "shutdown",
            Self::Damaged => "damaged",
            Self::Crashed => "crashed",
        }
    }
}

/// Spans that shards have put into batches: one count per shard, and generation of the
/// configuration.
#[derive(Clone, Debug, Default)]
pub struct TakenItems(pub(crate) Vec<Count>);

impl TakenItems {
    fn sum(&self) -> u64 {
        self.0.iter().map(Count::get).sum()
    }
}

/// The counts that an account reads.
#[derive(Debug, Default)]
struct Taken {
    /// What those of earlier generations came to.
    before: u64,
    counts: TakenItems,
}

/// The balance of an [`Account`] at one moment, in spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Put into batches since the start.
    pub(crate) taken: u64,
    /// Found in the log of an earlier run.
    pub(crate) recovered: u64,
    /// The backend took them.
    pub(crate) delivered: u64,
    /// The backend refused them for good.
    pub(crate) refused: u64,
    /// Gone, by [`DropReason`].
    pub(crate) dropped: [u64; DropReason::ALL.len()],
    /// In open batches.
    pub(crate) open: u64,
    /// In sealed batches in memory: waiting, under way, or to be sent again.
    pub in_memory: u64,
    /// In the segment log and not in memory.
    pub(crate) in_log: u64,
}

impl Balance {
    /// Spans that are still here.
    pub(crate) fn held(&self) -> u64 {
        self.open + self.in_memory + self.in_log
    }

    /// Spans gone without the backend's word.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// What came in less what went and what is here: zero.
    pub(crate) fn difference(&self) -> i64 {
        let came = self.taken + self.recovered;
        let went = self.delivered + self.refused + self.dropped() + self.held();
        came.cast_signed().wrapping_sub(went.cast_signed())
    }
}

#[derive(Debug, Default)]
struct Books {
    sealed: u64,
    balance: Balance,
}

/// The books of one pipeline and exporter.
#[derive(Debug, Default)]
pub struct Account {
    taken: Mutex<Taken>,
    books: Mutex<Books>,
    /// Bytes of the sealed batches in memory. Not in the books, since shards ask
    /// for it with every request.
    bytes: AtomicUsize,
}

impl Account {
    /// Books over what these shards take.
    pub fn new(taken: TakenItems) -> Self {
        Self {
            taken: Mutex::new(Taken {
                before: 0,
                counts: taken,
            }),
            books: Mutex::default(),
            bytes: AtomicUsize::new(0),
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads these counts, too: those of the next generation of the pipeline.
    pub(crate) fn also_read(&self, taken: TakenItems) {
        self.taken().counts.0.extend(taken.0);
    }

    /// Keeps the sum of these counts and not them: nobody adds to them any more.
    pub(crate) fn conclude(&self, taken: &TakenItems) {
        let mut all = self.taken();
        let before = all.counts.sum();
        let over = |count: &Count| taken.0.iter().any(|over| over.is(count));
        all.counts.0.retain(|count| !over(count));
        all.before += before - all.counts.sum().min(before);
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Each step is a few additions: a lock that was poisoned guards whole books.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch was sealed and is in memory.
    pub fn sealed(&self, spans: u32, bytes: usize) {
        let mut books = self.books();
        books.sealed += u64::from(spans);
        books.balance.in_memory += u64::from(spans);
        drop(books);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// Spans that shards counted as taken never came into a batch, for want of
    /// room.
    pub(crate) fn passed_by(&self, spans: u64) {
        self.never_sealed(spans, DropReason::QueueFull);
    }

    /// Spans in an open batch are lost with it.
    pub(crate) fn crashed(&self, spans: u64) {
        self.never_sealed(spans, DropReason::Crashed);
    }

    fn never_sealed(&self, spans: u64, reason: DropReason) {
        let mut books = self.books();
        books.sealed += spans;
        books.balance.dropped[reason as usize] += spans;
    }

    /// A sealed batch in memory was left to the log.
    pub(crate) fn left_to_log(&self, spans: u32, bytes: usize) {
        self.kept(u64::from(spans));
        self.released(bytes);
    }

    /// Spans of a batch in memory stay in the log.
    pub(crate) fn kept(&self, spans: u64) {
        let mut books = self.books();
        books.balance.in_memory = books.balance.in_memory.saturating_sub(spans);
        books.balance.in_log += spans;
    }

    /// Spans of an earlier run were found in the log.
    pub(crate) fn recovered(&self, spans: u64) {
        let mut books = self.books();
        books.balance.recovered += spans;
        books.balance.in_log += spans;
    }

    /// Spans were read from the log into memory.
    pub(crate) fn loaded(&self, spans: u64, bytes: usize) {
        let mut books = self.books();
        // More than were known to be there: then they are found now.
        let unknown = spans.saturating_sub(books.balance.in_log);
        books.balance.recovered += unknown;
        books.balance.in_log = (books.balance.in_log + unknown).saturating_sub(spans);
        books.balance.in_memory += spans;
        drop(books);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// Spans in the log cannot be read.
    pub(crate) fn damaged(&self, spans: u64) {
        let mut books = self.books();
        let spans = spans.min(books.balance.in_log);
        books.balance.in_log -= spans;
        books.balance.dropped[DropReason::Damaged as usize] += spans;
    }

    /// The backend answered for spans in memory.
    pub fn answered(&self, delivered: u64, refused: u64) {
        let mut books = self.books();
        let gone = delivered + refused;
        books.balance.in_memory = books.balance.in_memory.saturating_sub(gone);
        books.balance.delivered += delivered;
        books.balance.refused += refused;
    }

    /// Spans in memory are given up.
    pub(crate) fn dropped(&self, spans: u64, reason: DropReason) {
        let mut books = self.books();
        books.balance.in_memory = books.balance.in_memory.saturating_sub(spans);
        books.balance.dropped[reason as usize] += spans;
    }

    /// A batch's bytes are in memory.
    pub(crate) fn held(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// A batch's bytes are in memory no more.
    pub(crate) fn released(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Relaxed);
    }

    /// Bytes of sealed batches in memory.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// How things stand.
    pub fn balance(&self) -> Balance {
        let books = self.books();
        // Read after the books, and counted by the shards before they seal:
        // never less than what was sealed.
        let taken = {
            let taken = self.taken();
            taken.before + taken.counts.sum()
        };
        Balance {
            taken,
            open: taken.saturating_sub(books.sealed),
            ..books.balance
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_balances_after_every_step() {
        let shard = Count::default();
        let account = Account::new(TakenItems(vec![shard.clone(), Count::default()]));
        let check = |at: &str| {
            let balance = account.balance();
            assert_eq!(balance.difference(), 0, "{at}: {balance:?}");
            balance
        };
        shard.add(100);
        assert_eq!(check("open").open, 100);
        account.sealed(60, 6_000);
        account.sealed(40, 4_000);
        let balance = check("sealed");
        assert_eq!((balance.open, balance.in_memory), (0, 100));
        account.left_to_log(40, 4_000);
        assert_eq!(check("left_to_log").in_log, 40);
        assert_eq!(account.bytes(), 6_000);
        account.answered(50, 5);
        account.dropped(3, DropReason::GaveUp);
        account.kept(2);
        account.released(6_000);
        assert_eq!(check("settled").held(), 42);
        account.recovered(10);
        account.loaded(30, 3_000);
        account.damaged(4);
        let balance = check("read");
        assert_eq!((balance.in_memory, balance.in_log), (30, 18));
        assert_eq!(balance.dropped[DropReason::Damaged as usize], 4);
        account.loaded(20, 2_000);
        let balance = check("more than was known");
        assert_eq!((balance.recovered, balance.in_log), (12, 0));
        // A reload: items of the generation before are still sealed.
        let next = Count::default();
        account.also_read(TakenItems(vec![next.clone()]));
        next.add(7);
        shard.add(3);
        assert_eq!(check("two generations").open, 10);
        account.sealed(3, 300);
        account.conclude(&TakenItems(vec![shard.clone()]));
        let balance = check("one generation");
        assert_eq!((balance.taken, balance.open), (110, 7));
    }
}
