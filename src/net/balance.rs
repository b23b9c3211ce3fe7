/*!
Which shard gets a connection, and when one is to give some back.

A shard that does little costs nearly as much as one that does a lot: it is
woken as often. So connections are packed: each goes to the first shard that
still has time, and other shards sleep. What a connection will send is not
known when it comes, and many come at once when a mesh reconnects; until their
shard has been watched for a while, each counts as [`UNKNOWN`].

Long-lived connections may grow busy after they were placed. When one shard is
nearly full while another has time, it is asked to close some: they finish
what is under way (GOAWAY), their senders come back, and are placed anew, as
at the end of `max_connection_age`. Full is a shard that uses up a core: where
it is kept from that, because other processes have the cores or a quota is
spent, a second thread would only compete with it.
*/

use super::handover::ShardSender;
use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

/// How often shards are looked at.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// A shard busier than this gets no more connections while another has time.
const PACKED: f64 = 0.5;
/// A shard that uses more of a core than this, [`LOOKS`] times in a row, lets
/// connections go ...
const FULL: f64 = 0.8;
/// ... if another is less busy than this.
const ROOM: f64 = 0.5;
/// See [`FULL`].
const LOOKS: u32 = 2;
/// How long nothing more is moved after that: senders need time to come back.
/// Doubles while moves leave a shard full, as where one connection fills it.
const SETTLE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(1280));

/// What a connection is taken to need of a shard until the shard has been
/// looked at twice since.
const UNKNOWN: f64 = 0.002;

#[derive(Debug, Default)]
struct Watched {
    rested: Duration,
    used: Duration,
    /// Share of the time it worked, at the last look.
    busy: f64,
    /// At so many looks in a row it had used up its core.
    full: u32,
    /// Connections placed since the last look, and since the one before.
    placed: [u32; 2],
}

impl Watched {
    fn expected(&self) -> f64 {
        self.busy + UNKNOWN * f64::from(self.placed[0] + self.placed[1])
    }
}

/// What is known of the shards' loads.
#[derive(Debug)]
pub(crate) struct ShardLoads {
    shards: Vec<ShardSender>,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    watched: Vec<Watched>,
    looked: Instant,
    settled: Option<Instant>,
    settle: Duration,
}

impl ShardLoads {
    /// Watches `shards`.
    pub(crate) fn new(shards: Vec<ShardSender>) -> Self {
        let watched = shards.iter().map(|_| Watched::default()).collect();
        Self {
            shards,
            state: RefCell::new(State {
                watched,
                looked: Instant::now(),
                settled: None,
                settle: SETTLE.0,
            }),
        }
    }

    /// The shard for one more connection, and its index.
    pub(crate) fn place(&self) -> Option<(usize, &ShardSender)> {
        let mut state = self.state.borrow_mut();
        let at = choose(&state.watched)?;
        state.watched[at].placed[0] += 1;
        Some((at, self.shards.get(at)?))
    }

    /// The shard of an index.
    pub(crate) fn shard(&self, at: usize) -> Option<&ShardSender> {
        self.shards.get(at)
    }

    /// Looks at all shards and, if need be, tells one to let connections go.
    pub(crate) fn look(&self, now: Instant) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let span = now.saturating_duration_since(state.looked);
        state.looked = now;
        for (watched, shard) in state.watched.iter_mut().zip(&self.shards) {
            let load = shard.load();
            watched.see(load.rested(now), load.used(), span);
        }
        if state.settled.is_some_and(|settled| now < settled) {
            return;
        }
        if state.watched.iter().all(|shard| shard.full == 0) {
            state.settle = SETTLE.0;
        }
        let connections: Vec<_> = self.shards.iter().map(ShardSender::connections).collect();
        if let Some((at, count)) = surplus(&state.watched, &connections) {
            tracing::debug!(
                "shard {at} is full while another has time: {count} of its {} connections are \
                 asked to reconnect",
                connections[at]
            );
            self.shards[at].close_connections(count);
            state.settled = Some(now + state.settle);
            state.settle = (state.settle * 2).min(SETTLE.1);
        }
    }
}

impl Watched {
    fn see(&mut self, rested: Duration, used: Option<Duration>, span: Duration) {
        let share = |now: Duration, before: Duration| {
            let span = span.as_secs_f64().max(f64::MIN_POSITIVE);
            (now.saturating_sub(before).as_secs_f64() / span).clamp(0.0, 1.0)
        };
        self.busy = 1.0 - share(rested, self.rested);
        let core = used.map_or(self.busy, |used| share(used, self.used));
        (self.rested, self.used) = (rested, used.unwrap_or_default());
        self.full = if core > FULL { self.full + 1 } else { 0 };
        self.placed = [0, self.placed[0]];
    }
}

/// The first shard with time, else the least busy.
fn choose(watched: &[Watched]) -> Option<usize> {
    let with_time = watched.iter().position(|shard| shard.expected() < PACKED);
    with_time.or_else(|| least(watched))
}

fn least(watched: &[Watched]) -> Option<usize> {
    let by_load =
        |a: &(usize, &Watched), b: &(usize, &Watched)| a.1.expected().total_cmp(&b.1.expected());
    watched.iter().enumerate().min_by(by_load).map(|(at, _)| at)
}

/// The shard that has too much, and how many of its `connections` would even
/// it out with the least busy one if all were alike.
fn surplus(watched: &[Watched], connections: &[usize]) -> Option<(usize, usize)> {
    let full = |at: &usize| watched[*at].full >= LOOKS && connections[*at] > 1;
    let at = (0..watched.len())
        .filter(full)
        .max_by_key(|at| connections[*at])?;
    let room = &watched[least(watched)?];
    if room.expected() >= ROOM {
        return None;
    }
    let share = (watched[at].busy - room.expected()) / (2.0 * watched[at].busy);
    let count = (connections[at] as f64 * share) as usize;
    Some((at, count.clamp(1, connections[at] - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(busy: &[f64]) -> Vec<Watched> {
        let shard = |busy: &f64| Watched {
            busy: *busy,
            full: if *busy > FULL { LOOKS } else { 0 },
            ..Watched::default()
        };
        busy.iter().map(shard).collect()
    }

    #[test]
    fn connections_are_packed() {
        for (busy, want) in [
            (&[0.0, 0.0][..], Some(0)),
            (&[0.4, 0.0], Some(0)),
            (&[0.6, 0.1], Some(1)),
            (&[0.9, 0.8, 0.7], Some(2)),
            (&[], None),
        ] {
            assert_eq!(choose(&shards(busy)), want, "{busy:?}");
        }
    }

    #[test]
    fn many_at_once_are_spread() {
        let mut watched = shards(&[0.0, 0.0, 0.0]);
        let mut counts = [0; 3];
        for _ in 0..3000 {
            let at = choose(&watched).unwrap_or_default();
            watched[at].placed[0] += 1;
            counts[at] += 1;
        }
        assert_eq!(counts, [1000; 3]);
        // After two looks it is known that they do nothing.
        for shard in &mut watched {
            shard.see(INTERVAL, None, INTERVAL);
            shard.see(2 * INTERVAL, None, INTERVAL);
        }
        assert_eq!(choose(&watched), Some(0));
    }

    #[test]
    fn a_full_shard_lets_half_of_its_connections_go() {
        for (busy, connections, want) in [
            (&[1.0, 0.0][..], &[8, 0][..], Some((0, 4))),
            (&[0.9, 0.3], &[100, 10], Some((0, 33))),
            (&[0.2, 1.0], &[4, 3], Some((1, 1))),
            (&[1.0, 0.0], &[1, 0], None),
            (&[1.0, 0.6], &[8, 8], None),
            (&[0.7, 0.0], &[8, 0], None),
            (&[1.0], &[8], None),
        ] {
            assert_eq!(surplus(&shards(busy), connections), want, "{busy:?}");
        }
    }

    #[test]
    fn busy_is_what_was_not_rested_and_full_who_used_a_core() {
        let ms = Duration::from_millis;
        let mut shard = Watched::default();
        shard.see(ms(200), Some(ms(40)), INTERVAL);
        assert!((shard.busy - 0.2).abs() < 1e-9);
        // No rest, but others had the core for half of the time.
        shard.see(ms(200), Some(ms(165)), INTERVAL);
        assert_eq!((shard.busy, shard.full), (1.0, 0));
        shard.see(ms(200), Some(ms(405)), INTERVAL);
        assert_eq!((shard.busy, shard.full), (1.0, 1));
        shard.see(ms(450), Some(ms(405)), INTERVAL);
        assert_eq!((shard.busy, shard.full), (0.0, 0));
        // Where the kernel does not tell, no rest counts as full.
        shard.see(ms(450), None, INTERVAL);
        assert_eq!((shard.busy, shard.full), (1.0, 1));
    }
}
