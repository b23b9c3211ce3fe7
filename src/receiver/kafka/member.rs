/*!
What a member of a group does: it reads records, gives them to the pipelines, and commits where reading
may go on.

While the pipelines have no room, partitions are paused and the member goes on asking, since one that
does not loses its partitions. What an exporter has given up is read again, after a while.
*/

use super::{
    offsets::Offsets,
    settings::KafkaSettings,
    take::take,
    topics::{Contents, Subscription},
};
use crate::{
    backoff::Backoff,
    kafka::client::{Consumer, Failure, IncomingRecord, Partition},
    pdata::Signal,
    pipeline::{AwaitedResult, Refusal},
    receiver::{Fetching, notice::count_refusal},
};
use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};
use tokio::{select, task, time::sleep};

/// Values that may be taken and not settled on a shard: what is more is left in Kafka. It also
/// bounds what is read again after a crash.
const UNSETTLED: usize = 32 << 20;
/// How long records wait for those to be settled before that is looked at again.
const LOOK: Duration = Duration::from_millis(50);
/// How long a member that ends waits for what it has taken to be settled.
const SETTLE: Duration = Duration::from_secs(2);
/// The longest wait for records, so that offsets are committed in time.
const WAIT: Duration = Duration::from_millis(250);
/// Values that are taken in one turn of the shard.
const TURN: usize = 256 << 10;
/// How often the log tells of records that cannot be read.
const TELL: Duration = Duration::from_secs(10);
/// How often topics are looked for that are not there.
const MISSING: Duration = Duration::from_secs(3);
/// The waits before what was lost is read again.
const FIRST_AGAIN: Duration = Duration::from_millis(500);
const LONGEST_AGAIN: Duration = Duration::from_secs(30);

/// It was told to end.
pub(super) struct Stopped;

/// A member, and what it has read.
pub(super) struct Member<'a> {
    settings: &'a KafkaSettings,
    fetching: &'a Fetching,
    consumer: &'a Consumer,
    /// The signals that pipelines take, and what is read for them; None: nothing yet.
    subscribed: Option<([bool; Signal::ALL.len()], Subscription)>,
    /// When topics are looked for again that are missing, or may match; None: none can be.
    list_again: Option<Instant>,
    /// What the log has told is missing.
    missing: String,
    offsets: Offsets<Vec<AwaitedResult>>,
    /// Read, and not taken for want of room.
    waiting: VecDeque<IncomingRecord>,
    /// Nothing is taken before.
    hold_until: Instant,
    paused: BTreeSet<Partition>,
    assigned: BTreeSet<Partition>,
    committed: Instant,
    /// Records that were before it when it last committed.
    lag: u64,
    again: Backoff,
    unreadable: Unreadable,
}

/// Records that cannot be read.
#[derive(Default)]
struct Unreadable {
    /// Since some were last told of.
    untold: u64,
    told: Option<Instant>,
}

impl<'a> Member<'a> {
    pub(super) fn new(
        settings: &'a KafkaSettings,
        fetching: &'a Fetching,
        consumer: &'a Consumer,
    ) -> Self {
        let now = Instant::now();
        Self {
            settings,
            fetching,
            consumer,
            subscribed: None,
            list_again: None,
            missing: String::new(),
            offsets: Offsets::default(),
            waiting: VecDeque::new(),
            hold_until: now,
            paused: BTreeSet::new(),
            assigned: BTreeSet::new(),
            committed: now,
            lag: 0,
            again: Backoff::doubling(FIRST_AGAIN, LONGEST_AGAIN),
            unreadable: Unreadable::default(),
        }
    }

    /// Takes what was read, and reads on.
    ///
    /// # Errors
    ///
    /// When nothing can be read now.
    pub(super) async fn step(&mut self) -> Result<Option<Stopped>, Failure> {
        let fetching = self.fetching;
        select! {
            subscribed = self.subscribe() => subscribed?,
            () = fetching.stopped() => return Ok(Some(Stopped)),
        }
        self.advance().await?;
        self.take_waiting().await;
        self.pause_or_resume().await;
        if self.committed.elapsed() >= self.settings.commit_interval {
            self.commit().await;
            self.measure_lag().await;
        }
        let wait = match self.waiting.is_empty() {
            true => WAIT,
            false => self.hold_until.saturating_duration_since(Instant::now()),
        };
        let read = select! {
            read = self.consumer.poll(wait.min(WAIT)) => read?,
            () = self.fetching.stopped() => return Ok(Some(Stopped)),
        };
        self.waiting.extend(read);
        self.follow_assignment().await;
        Ok(None)
    }

    /// Subscribes to the topics of the signals that pipelines take now.
    async fn subscribe(&mut self) -> Result<(), Failure> {
        let taken = Signal::ALL.map(|signal| self.fetching.ingest.takes(signal));
        let takes = |signal: Signal| taken[signal as usize];
        let topics = &self.settings.topics;
        let is_due = self.list_again.is_some_and(|due| due <= Instant::now());
        let known = self.subscribed.as_ref();
        if known.is_some_and(|(before, _)| *before == taken) && !is_due {
            return Ok(());
        }
        let all = self.consumer.topics().await?;
        let missing = topics.missing(takes, &all);
        let wait = match missing.is_empty() {
            false => Some(MISSING),
            true => {
                (topics.has_patterns(takes)).then_some(self.settings.connection.metadata_refresh)
            }
        };
        self.list_again = wait.map(|wait| Instant::now() + wait);
        let read = topics.resolve(takes, &all);
        let missing = missing.join(", ");
        if !missing.is_empty() && missing != self.missing {
            let Fetching { id, shard, .. } = self.fetching;
            tracing::warn!(
                "receiver {id} (shard {shard}): not there, or not to be seen by this user: topic \
                 {missing}; looking again every {MISSING:?}"
            );
        }
        self.missing = missing;
        if self
            .subscribed
            .as_ref()
            .is_none_or(|(_, before)| *before != read)
        {
            let names = read.keys().map(String::as_str);
            self.consumer.subscribe(names).await?;
        }
        self.subscribed = Some((taken, read));
        Ok(())
    }

    /// What the records of a topic are; None: it is not read any more.
    fn contents(&self, topic: &str) -> Option<Contents> {
        let (_, read) = self.subscribed.as_ref()?;
        read.get(topic).copied()
    }

    /// Looks at what became of the records that were taken, and has read again what was lost.
    async fn advance(&mut self) -> Result<(), Failure> {
        let again = self.offsets.advance(|results| self.settings.fate(results));
        if again.is_empty() {
            return Ok(());
        }
        self.hold_until = Instant::now() + self.again.next_wait();
        let Fetching { id, shard, .. } = self.fetching;
        for (partition, offset) in &again {
            self.waiting.retain(|record| record.partition != *partition);
            let (topic, number) = partition;
            tracing::warn!(
                "receiver {id} (shard {shard}): what was read from partition {number} of topic \
                 {topic} was not delivered, and is read again from offset {offset}"
            );
            self.consumer.seek(partition, *offset).await?;
        }
        Ok(())
    }

    /// Gives what was read to the pipelines, as far as they have room.
    async fn take_waiting(&mut self) {
        let mut turn = 0;
        while Instant::now() >= self.hold_until {
            if self.offsets.bytes() > UNSETTLED {
                self.hold_until = Instant::now() + LOOK;
                return;
            }
            let Some(record) = self.waiting.pop_front() else {
                return;
            };
            let Some(contents) = self.contents(&record.partition.0) else {
                continue;
            };
            let results = match take(&record.value, contents, self.fetching).await {
                Ok(results) => {
                    self.fetching.stats.requests.add(1);
                    results
                }
                Err(refusal) => match refusal.kind.retry_after() {
                    Some(after) => {
                        self.hold_until = Instant::now() + after.clamp(LOOK, TELL);
                        self.waiting.push_front(record);
                        return;
                    }
                    None => {
                        self.pass(&record, contents, &refusal);
                        Vec::new()
                    }
                },
            };
            let bytes = record.value.len();
            (self.offsets).take(&record.partition, record.offset, bytes, results);
            turn += bytes;
            if turn >= TURN {
                task::yield_now().await;
                turn = 0;
            }
        }
    }

    /// Counts a record that cannot be read, and tells of it now and then.
    fn pass(&mut self, record: &IncomingRecord, contents: Contents, refusal: &Refusal) {
        let Fetching { id, stats, .. } = self.fetching;
        count_refusal(refusal, stats);
        let unreadable = &mut self.unreadable;
        unreadable.untold += 1;
        if unreadable.told.is_some_and(|told| told.elapsed() < TELL) {
            return;
        }
        unreadable.told = Some(Instant::now());
        let others = std::mem::take(&mut unreadable.untold) - 1;
        let ((topic, partition), offset) = (&record.partition, record.offset);
        let signal = contents.signal;
        tracing::warn!(
            "receiver {id}: the record at offset {offset} of partition {partition} of topic \
             {topic} cannot be taken as {signal}, and is passed ({others} others were since the \
             last such line): {}",
            refusal.message
        );
    }

    /// Fetches nothing while records wait.
    async fn pause_or_resume(&mut self) {
        if self.waiting.is_empty() {
            let paused = std::mem::take(&mut self.paused);
            self.consumer.resume(&paused).await;
        } else if self.paused != self.assigned {
            self.paused.clone_from(&self.assigned);
            self.consumer.pause(&self.paused).await;
        }
    }

    /// Forgets what is of partitions that are another member's now.
    async fn follow_assignment(&mut self) {
        let assigned = self.consumer.assignment().await;
        if assigned == self.assigned {
            return;
        }
        self.offsets.retain(&assigned);
        self.waiting
            .retain(|record| assigned.contains(&record.partition));
        self.paused.retain(|partition| assigned.contains(partition));
        let Fetching { id, shard, .. } = self.fetching;
        tracing::info!(
            "receiver {id} (shard {shard}): reads {} partition(s)",
            assigned.len()
        );
        self.assigned = assigned;
    }

    async fn commit(&mut self) {
        self.committed = Instant::now();
        if self.offsets.due().is_empty() {
            return;
        }
        match self.consumer.commit(self.offsets.due()).await {
            Ok(()) => {
                self.offsets.committed();
                self.again.reset();
            }
            // It is tried again, and what fails for good makes reading fail.
            Err(failure) => tracing::debug!("offsets are not committed: {failure}"),
        }
    }

    /// Records of its partitions that are not settled, as of its last commit.
    pub(super) fn lag(&self) -> u64 {
        self.lag
    }

    async fn measure_lag(&mut self) {
        let mut lag = 0;
        for at in self.consumer.positions().await {
            let mut waiting = self.waiting.iter();
            let waiting = waiting.find(|record| record.partition == at.partition);
            let waiting = waiting.map_or(at.next, |record| record.offset);
            let next = self.offsets.unsettled(&at.partition).unwrap_or(waiting);
            lag += u64::try_from(at.end - next).unwrap_or(0);
        }
        self.lag = lag;
    }

    /// Waits for what was taken to be settled, and commits it.
    pub(super) async fn settle(&mut self) {
        let end = Instant::now() + SETTLE;
        loop {
            // What is lost is for the next member.
            let _ = self.offsets.advance(|results| self.settings.fate(results));
            if self.offsets.is_settled() || Instant::now() >= end {
                break;
            }
            sleep(LOOK).await;
        }
        self.commit().await;
    }
}
