/*!
When requests may leave: at once, or at a mean rate, as independently as the
Envoys of a mesh send them (exponential gaps, the same sequence in every run).

A thread of its own keeps the schedule, since the runtime's timer ticks in
milliseconds and would send in bursts, which are cheaper to receive. When it
wakes late, it catches up, so the mean rate holds.
*/

use std::{
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Gives requests leave to go.
#[derive(Clone)]
pub struct Pace(Option<Arc<Semaphore>>);

impl Pace {
    /// So many requests a second, or no limit.
    pub fn new(per_second: Option<f64>) -> Self {
        Self(per_second.map(|rate| {
            let permits = Arc::new(Semaphore::new(0));
            let keeper = Arc::downgrade(&permits);
            thread::spawn(move || keep(&keeper, rate));
            permits
        }))
    }

    /// Waits for the next place in the schedule. The queue of those who wait
    /// is fair, so connections take turns.
    pub async fn turn(&self) {
        if let Some(permits) = &self.0
            && let Ok(permit) = permits.acquire().await
        {
            permit.forget();
        }
    }

    /// Nobody waits from now on.
    pub fn end(&self) {
        if let Some(permits) = &self.0 {
            permits.close();
        }
    }
}

/// Adds permits as they fall due, for as long as there are senders.
fn keep(permits: &Weak<Semaphore>, rate: f64) {
    let begin = Instant::now();
    let mut gaps = Gaps(0);
    let mut due = 0.0;
    while let Some(permits) = permits.upgrade() {
        let now = begin.elapsed().as_secs_f64();
        let mut ready = 0;
        while due <= now {
            ready += 1;
            due += gaps.next() / rate;
        }
        permits.add_permits(ready);
        drop(permits);
        let next = begin + Duration::from_secs_f64(due);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Exponential gaps of mean 1, from Weyl's sequence through SplitMix64's mixer.
struct Gaps(u64);

impl Gaps {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        // Between 0 and 1, never 0.
        let uniform = ((z >> 11) + 1) as f64 / (1u64 << 53) as f64;
        -uniform.ln()
    }
}
