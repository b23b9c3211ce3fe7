/*!
When requests may leave: at once, or evenly spaced.

A thread of its own keeps the schedule, since the runtime's timer ticks in
milliseconds and would send in bursts, which are cheaper to receive.
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
    let mut given = 0u64;
    while let Some(permits) = permits.upgrade() {
        let due = (begin.elapsed().as_secs_f64() * rate) as u64 + 1;
        permits.add_permits((due - given) as usize);
        given = due;
        drop(permits);
        let next = begin + Duration::from_secs_f64(given as f64 / rate);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}
