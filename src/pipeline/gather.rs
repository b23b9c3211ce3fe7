/*!
One wake-up for several requests.

At the rates of a mesh a thread is woken for each request of five spans, and
being woken costs more than the request: the kernel's switch, the wake-up of
the sender by the answer, and caches that others have used meanwhile. So a
shard that has run out of work, while requests come densely, sleeps a little
before it looks at its sockets again. At 10 000 spans a second on one shard a
wait of 5 ms halves the CPU time of a span (docs/performance.md).

What must not suffer:

- **Sparse traffic.** Where fewer than two requests are expected within the
  wait, there is none.
- **Senders that wait for answers** before they send more (closed loop): their
  throughput would be the number under way divided by the wait. Their rate
  drops when waiting begins and rises when it ends, which open senders, such as
  Envoy, do not show. So waiting is tried, compared with a spell without, and
  given up for a while where it costs more than [`TOLERATED`].
- **A busy shard** has no moment without work, and so never waits.
*/

use crate::telemetry::ShardLoad;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// Rates are compared over spells of this length at least.
const SPELL: Duration = Duration::from_millis(100);

/// A wait is to gather at most this many requests.
const ENOUGH: f64 = 64.0;

/// Waiting spells between two spells that check what the rate is without.
const CHECK_EVERY: u32 = 20;

/// How far the rate may fall while waiting. Independent senders vary by less
/// within a spell; senders that wait for answers fall to a fraction.
const TOLERATED: f64 = 0.7;

/// How long waiting is given up after it cost throughput; doubles each time.
const HOLD: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    /// No waits until then.
    Eager { until: Option<Instant> },
    /// Waits; the rate without was `reference`.
    Waiting { reference: f64, spells: u32 },
}

/// Decides how long to wait. Knows no clock but what it is told.
#[derive(Debug)]
struct Pace {
    most: Duration,
    mode: Mode,
    hold: Duration,
    /// Requests a second in the last spell.
    rate: f64,
    begun: Option<(Instant, u64)>,
}

impl Pace {
    fn new(most: Duration) -> Self {
        Self {
            most,
            mode: Mode::Eager { until: None },
            hold: HOLD.0,
            rate: 0.0,
            begun: None,
        }
    }

    /// How long to wait at `now`, after so many `requests` in all.
    fn wait(&mut self, now: Instant, requests: u64) -> Duration {
        let (begin, before) = *self.begun.get_or_insert((now, requests));
        let length = now.saturating_duration_since(begin);
        if length >= SPELL {
            self.begun = Some((now, requests));
            self.rate = requests.saturating_sub(before) as f64 / length.as_secs_f64();
            self.end_spell(now);
        }
        match self.mode {
            Mode::Waiting { .. } if self.is_dense() => {
                self.most.min(Duration::from_secs_f64(ENOUGH / self.rate))
            }
            _ => Duration::ZERO,
        }
    }

    fn is_dense(&self) -> bool {
        self.rate * self.most.as_secs_f64() >= 2.0
    }

    fn end_spell(&mut self, now: Instant) {
        self.mode = match self.mode {
            // The spell that ends here had no waits: its rate is the measure.
            Mode::Eager { until } if until.is_none_or(|until| now >= until) && self.is_dense() => {
                Mode::Waiting {
                    reference: self.rate,
                    spells: 0,
                }
            }
            Mode::Waiting { reference, .. } if self.rate < reference * TOLERATED => {
                let until = Some(now + self.hold);
                self.hold = (self.hold * 2).min(HOLD.1);
                Mode::Eager { until }
            }
            Mode::Waiting { spells, .. } if spells >= CHECK_EVERY => {
                self.hold = HOLD.0;
                Mode::Eager { until: None }
            }
            Mode::Waiting { reference, spells } => Mode::Waiting {
                reference,
                spells: spells + 1,
            },
            eager => eager,
        };
    }
}

/// How long a step of [`Gather::wait_briefly`] is, and how many there may be.
/// The segment log's thread takes about half a step to write what came in 5 ms.
const STEP: Duration = Duration::from_micros(100);
const STEPS: u32 = 3;

/// The gathering of one shard. The runtime's hook and the shard share it; both
/// are on the shard's thread, so its lock is never contended.
#[derive(Debug)]
pub struct Gather {
    pace: Mutex<Pace>,
    paused: AtomicBool,
    gathered: AtomicBool,
}

impl Gather {
    /// Waits of `most` at most; zero: none.
    pub fn new(most: Duration) -> Arc<Self> {
        Arc::new(Self {
            pace: Mutex::new(Pace::new(most)),
            paused: AtomicBool::new(false),
            gathered: AtomicBool::new(false),
        })
    }

    /// Waits of `most` at most from now on.
    pub(crate) fn set(&self, most: Duration) {
        self.pace().most = most;
    }

    /// Makes a runtime's thread tell `load` when it rests, and wait before it
    /// does. For the runtime of one shard.
    pub(crate) fn install(
        self: &Arc<Self>,
        builder: &mut tokio::runtime::Builder,
        load: ShardLoad,
    ) {
        let (gather, resumed) = (Arc::clone(self), load.clone());
        builder.on_thread_park(move || gather.park(&load));
        builder.on_thread_unpark(move || resumed.resume(Instant::now()));
    }

    fn park(&self, load: &ShardLoad) {
        let now = Instant::now();
        let wait = self.pace().wait(now, load.requests());
        load.rest(now);
        if !wait.is_zero() && !self.paused.load(Relaxed) {
            self.gathered.store(true, Relaxed);
            thread::sleep(wait);
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        // A pace that a panic left is a guess like any other.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops or resumes gathering: answers of the shard depend on being woken.
    pub(crate) fn pause(&self, paused: bool) {
        self.paused.store(paused, Relaxed);
    }

    /// Waits for another thread to be `done`, for a moment at most, and only
    /// where this one has gathered requests, and so has time. What is waited for
    /// need not wake it then, and no request comes between: both would cost more
    /// than the moment.
    pub(crate) fn wait_briefly(&self, done: impl Fn() -> bool) {
        if !self.gathered.swap(false, Relaxed) {
            return;
        }
        for _ in 0..STEPS {
            if done() {
                return;
            }
            thread::sleep(STEP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_millis(5);

    /// Simulated senders against one shard, whose requests take 20 µs each.
    /// Returns the requests of each second.
    fn seconds(seconds: u32, mut arrivals: impl FnMut(Duration, Duration) -> u64) -> Vec<u64> {
        let mut gather = Pace::new(MOST);
        let begin = Instant::now();
        let (mut now, mut total) = (begin, 0);
        let mut out = Vec::new();
        for second in 1..=seconds {
            let before = total;
            while now < begin + Duration::from_secs(second.into()) {
                let wait = gather.wait(now, total);
                // Woken by the next packet at the latest after 0.2 ms.
                let pause = wait.max(Duration::from_micros(200));
                let came = arrivals(now - begin, pause);
                total += came;
                now += pause + Duration::from_micros(20) * came as u32;
            }
            out.push(total - before);
        }
        out
    }

    #[test]
    fn open_senders_are_waited_for() {
        let mut gather = Pace::new(MOST);
        let begin = Instant::now();
        let waits: Vec<_> = (0..1000)
            .map(|ms| gather.wait(begin + Duration::from_millis(ms), 2 * ms))
            .collect();
        assert_eq!(waits[99], Duration::ZERO);
        let waiting = waits.iter().filter(|wait| **wait == MOST).count();
        assert!(waiting > 850, "{waiting}");
    }

    #[test]
    fn sparse_and_very_dense_traffic() {
        for (per_ms, want) in [
            (0.1, Duration::ZERO),
            (0.35, Duration::ZERO),
            (0.5, MOST),
            (64.0, Duration::from_millis(1)),
        ] {
            let mut gather = Pace::new(MOST);
            let begin = Instant::now();
            let mut last = Duration::MAX;
            for ms in 0..500 {
                let requests = (f64::from(ms) * per_ms) as u64;
                last = gather.wait(begin + Duration::from_millis(ms as u64), requests);
            }
            let off = last.abs_diff(want);
            assert!(off < Duration::from_micros(100), "{per_ms}: {last:?}");
        }
    }

    #[test]
    fn senders_that_wait_for_answers_are_not_slowed() {
        // Sixteen requests under way, whatever the pause.
        let closed = seconds(20, |_, _| 16);
        let eager = 16.0 / 520e-6;
        let average = closed.iter().sum::<u64>() as f64 / 20.0;
        assert!(average > 0.9 * eager, "{average} of {eager}: {closed:?}");
    }

    #[test]
    fn waiting_is_given_up_when_senders_change() {
        let mut carry = 0.0;
        let mut arrivals = |at: Duration, pause: Duration| {
            if at > Duration::from_secs(10) {
                return 4;
            }
            carry += 2000.0 * pause.as_secs_f64();
            let came = carry as u64;
            carry -= came as f64;
            came
        };
        let rates = seconds(40, &mut arrivals);
        let eager = 4.0 / 280e-6;
        let late = rates[20..].iter().sum::<u64>() as f64 / 20.0;
        assert!(late > 0.85 * eager, "{late} of {eager}: {rates:?}");
    }
}
