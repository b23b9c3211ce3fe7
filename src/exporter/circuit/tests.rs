#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::{
    attempts::Attempts,
    state::{Circuit, SHUTDOWN_WAIT},
};
use crate::{
    exporter::{Retirement, Retry, shutdown::Deadline},
    telemetry::Outage,
};
use futures_util::{FutureExt, future::join_all};
use std::{cell::RefCell, rc::Rc, time::Duration};
use tokio::{
    select,
    sync::watch,
    time::{Instant, advance, sleep},
};

const SECOND: Duration = Duration::from_secs(1);

fn retry() -> Retry {
    Retry {
        enabled: true,
        initial_interval: SECOND,
        randomization_factor: 0.0,
        multiplier: 2.0,
        max_interval: 4 * SECOND,
        max_elapsed: None,
    }
}

struct Bench {
    circuit: Circuit,
    deadline: watch::Sender<Option<std::time::Instant>>,
}

impl Bench {
    fn new(retry: Retry) -> Self {
        let (deadline, seen) = watch::channel(None);
        Self {
            circuit: Circuit::new(
                &retry,
                Deadline::new(seen, watch::channel(Retirement::No).1),
                Outage::default(),
            ),
            deadline,
        }
    }

    fn attempts(&self) -> Attempts<'_> {
        self.circuit.attempts(self.circuit.number())
    }

    /// Open, by a request of its own that does not come back.
    async fn opened() -> Self {
        let bench = Self::new(retry());
        bench.fail().await;
        bench
    }

    async fn fail(&self) {
        let mut attempts = self.attempts();
        let pass = attempts.begin().await.unwrap();
        attempts.failed(pass, None, "down").unwrap();
    }

    fn is_open(&self) -> bool {
        self.circuit.outage.since().is_some()
    }
}

/// Returns true if `future` would go on now.
fn goes<T>(future: impl Future<Output = T>) -> bool {
    std::pin::pin!(future).now_or_never().is_some()
}

#[tokio::test(start_paused = true)]
async fn while_it_answers_all_go_at_once() {
    let bench = Bench::new(retry());
    let mut attempts: Vec<_> = (0..5).map(|_| bench.attempts()).collect();
    for attempts in &mut attempts {
        let pass = attempts.begin().now_or_never().unwrap().unwrap();
        pass.answered();
    }
    assert!(!bench.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_failure_makes_all_wait_and_one_probe() {
    let bench = Bench::opened().await;
    assert!(bench.is_open());
    let (mut first, mut second) = (bench.attempts(), bench.attempts());
    assert!(!goes(first.begin()));
    let began = Instant::now();
    let (mut waits, mut other) = (first.begin().boxed_local(), second.begin().boxed_local());
    let probe = select! {
        probe = &mut waits => probe.unwrap(),
        _ = &mut other => panic!("two at once"),
    };
    assert_eq!(began.elapsed(), SECOND);
    sleep(10 * SECOND).await;
    assert!((&mut other).now_or_never().is_none(), "one probes");
    drop(waits);
    // It fails: the next wait is longer, and another's turn.
    assert_eq!(first.failed(probe, None, "still down"), Ok(2 * SECOND));
    let probe = other.await.unwrap();
    assert_eq!(began.elapsed(), 13 * SECOND);
    probe.answered();
    assert!(!bench.is_open());
    assert!(goes(first.begin()));
}

#[tokio::test(start_paused = true)]
async fn those_that_waited_go_oldest_first() {
    let bench = Rc::new(Bench::opened().await);
    let order = RefCell::new(Vec::new());
    let mut all: Vec<_> = (0..50).map(|_| bench.attempts()).collect();
    // They come to wait in any order.
    all.rotate_left(20);
    all.swap(3, 30);
    let runs = all.into_iter().map(|mut attempts| {
        let order = &order;
        async move {
            let pass = attempts.begin().await.unwrap();
            order.borrow_mut().push(attempts.number);
            sleep(SECOND).await;
            pass.answered();
        }
    });
    join_all(runs).await;
    let order = order.into_inner();
    // Number 0 has opened the circuit; the oldest that waits is the probe.
    assert_eq!(order, (1..=50).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn who_comes_later_does_not_overtake() {
    let bench = Bench::opened().await;
    let (mut first, mut second) = (bench.attempts(), bench.attempts());
    let mut waits = second.begin().boxed_local();
    assert!((&mut waits).now_or_never().is_none());
    let probe = first.begin().await.unwrap();
    probe.answered();
    let mut third = bench.attempts();
    assert!(!goes(third.begin()), "the second has not gone yet");
    assert!(goes(waits));
    assert!(goes(third.begin()));
}

#[tokio::test(start_paused = true)]
async fn probes_take_turns_so_that_a_hopeless_one_hides_nothing() {
    let bench = Bench::new(retry());
    let mut hopeless = bench.attempts();
    let pass = hopeless.begin().await.unwrap();
    hopeless.failed(pass, None, "no").unwrap();
    let mut healthy = bench.attempts();
    let other = async {
        let pass = healthy.begin().await.unwrap();
        pass.answered();
    };
    let hopeless_one = async {
        let mut failures = 0;
        loop {
            let pass = hopeless.begin().await.unwrap();
            failures += 1;
            assert!(failures < 10, "the other never had its turn");
            hopeless.failed(pass, None, "no").unwrap();
            if hopeless.alone.is_some() {
                return failures;
            }
        }
    };
    let (failures, ()) = tokio::join!(hopeless_one, other);
    // Once as a probe, once after the other was answered.
    assert_eq!(failures, 2);
    assert!(!bench.is_open(), "its trouble is its own");
    let began = Instant::now();
    assert!(goes(bench.attempts().begin()), "nobody else waits");
    hopeless.begin().await.unwrap();
    assert_eq!(began.elapsed(), 4 * SECOND, "its own third wait");
}

#[tokio::test(start_paused = true)]
async fn a_failure_beside_successes_opens_nothing() {
    let bench = Bench::new(retry());
    let (mut bad, mut good) = (bench.attempts(), bench.attempts());
    let bad_pass = bad.begin().await.unwrap();
    good.begin().await.unwrap().answered();
    assert_eq!(bad.failed(bad_pass, None, "odd"), Ok(SECOND));
    assert!(!bench.is_open());
    assert!(goes(bench.attempts().begin()));
}

#[tokio::test(start_paused = true)]
async fn failures_of_one_moment_count_once() {
    let bench = Bench::new(retry());
    let mut all: Vec<_> = (0..10).map(|_| bench.attempts()).collect();
    let mut passes = Vec::new();
    for attempts in &mut all {
        passes.push(attempts.begin().await.unwrap());
    }
    for (attempts, pass) in all.iter_mut().zip(passes) {
        assert_eq!(attempts.failed(pass, None, "down"), Ok(SECOND));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_backend_asks_for_holds_for_all_and_outlasts_a_success() {
    let bench = Bench::new(retry());
    let (mut first, mut second) = (bench.attempts(), bench.attempts());
    let pass = first.begin().await.unwrap();
    let other = second.begin().await.unwrap();
    let began = Instant::now();
    let wish = Some(20 * SECOND);
    assert_eq!(first.failed(pass, wish, "busy"), Ok(20 * SECOND));
    other.answered();
    assert!(!bench.is_open());
    bench.attempts().begin().await.unwrap();
    assert_eq!(began.elapsed(), 20 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_cut_off_is_followed_by_another() {
    let bench = Bench::opened().await;
    let (mut first, mut second) = (bench.attempts(), bench.attempts());
    let probe = first.begin().await.unwrap();
    assert!(!goes(second.begin()));
    drop(probe);
    assert!(goes(second.begin()));
}

#[tokio::test(start_paused = true)]
async fn one_who_leaves_while_waiting_is_replaced() {
    let bench = Bench::opened().await;
    let (mut first, mut second) = (bench.attempts(), bench.attempts());
    let mut waits = first.begin().boxed_local();
    let mut other = second.begin().boxed_local();
    assert!((&mut waits).now_or_never().is_none());
    assert!((&mut other).now_or_never().is_none());
    drop(waits);
    let began = Instant::now();
    other.await.unwrap();
    assert_eq!(began.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn shutdown_cuts_waits_short() {
    let slow = Retry {
        initial_interval: 3600 * SECOND,
        max_interval: 3600 * SECOND,
        ..retry()
    };
    for alone in [false, true] {
        let bench = Bench::new(slow.clone());
        let mut attempts = bench.attempts();
        let pass = attempts.begin().await.unwrap();
        if alone {
            bench.attempts().begin().await.unwrap().answered();
        }
        attempts.failed(pass, Some(3600 * SECOND), "down").unwrap();
        let began = Instant::now();
        let mut waits = attempts.begin().boxed_local();
        let early = tokio::time::timeout(10 * SECOND, &mut waits).await;
        assert!(early.is_err());
        let deadline = std::time::Instant::now() + 60 * SECOND;
        bench.deadline.send_replace(Some(deadline));
        let pass = waits.await.unwrap();
        assert_eq!(began.elapsed(), 10 * SECOND);
        assert_eq!(attempts.failed(pass, None, "down"), Ok(SHUTDOWN_WAIT));
        attempts.begin().await.unwrap();
        assert_eq!(began.elapsed(), 11 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_given_up_when_its_time_is_over() {
    let short = Retry {
        max_elapsed: Some(10 * SECOND),
        ..retry()
    };
    let bench = Bench::new(short);
    let mut attempts = bench.attempts();
    let mut waiting = bench.attempts();
    let began = Instant::now();
    let own = async {
        loop {
            let pass = attempts.begin().await.unwrap();
            if let Err(cause) = attempts.failed(pass, None, "down") {
                return cause;
            }
        }
    };
    // Probes of others speak for one that only waits.
    let others = async {
        sleep(Duration::from_millis(500)).await;
        loop {
            match waiting.begin().await {
                Ok(pass) => waiting.failed(pass, None, "down").map(|_| ()).unwrap_or(()),
                Err(cause) => return cause,
            }
            if waiting.started.elapsed() > 20 * SECOND {
                panic!("never given up");
            }
        }
    };
    let cause = own.await;
    assert!(
        cause.contains("gave up after") && cause.contains("down"),
        "{cause}"
    );
    assert!(began.elapsed() <= 10 * SECOND);
    assert!(others.await.contains("down"));
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_for_weeks() {
    let bench = Bench::new(retry());
    let mut attempts = bench.attempts();
    let week = 7 * 86_400 * SECOND;
    let began = Instant::now();
    let mut probes = 0_u64;
    while began.elapsed() < week {
        let pass = attempts.begin().await.unwrap();
        let wait = attempts.failed(pass, None, "down").unwrap();
        assert!(wait <= 4 * SECOND);
        probes += 1;
        if probes == 100 {
            // The rest of the week in one go.
            advance(week - 3600 * SECOND).await;
        }
    }
    assert!(probes > 900, "{probes}");
    attempts.begin().await.unwrap().answered();
    assert!(!bench.is_open());
}
