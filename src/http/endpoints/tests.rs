#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use std::{cell::Cell, rc::Rc};

/// A connection that can be closed from outside, of either kind.
#[derive(Clone, Debug)]
struct Fake {
    open: Rc<Cell<bool>>,
    shared: bool,
}

impl Fake {
    fn new(shared: bool) -> Self {
        Self {
            open: Rc::new(Cell::new(true)),
            shared,
        }
    }
}

impl Channel for Fake {
    fn share(&self) -> Option<Self> {
        self.shared.then(|| self.clone())
    }
    fn is_open(&self) -> bool {
        self.open.get()
    }
    fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.open, &other.open)
    }
}

const TRIAL: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);

fn endpoints(balancer: Balancer, count: u8) -> (Endpoints<Fake>, Instant) {
    let growth = Growth {
        first: SECOND,
        factor: 2.0,
        longest: 8 * SECOND,
        jitter: 1.0..1.0,
    };
    let mut endpoints = Endpoints::new(balancer, &growth, TRIAL);
    endpoints.replace(&addresses(count));
    (endpoints, Instant::now())
}

fn addresses(count: u8) -> Vec<SocketAddr> {
    (1..=count).map(address).collect()
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 4317))
}

fn refused() -> NoAnswer {
    NoAnswer::passing("refused")
}

/// All connected, by HTTP/2.
fn connected(balancer: Balancer, count: u8) -> (Endpoints<Fake>, Instant) {
    let (mut endpoints, now) = endpoints(balancer, count);
    endpoints.connect(now, now, &[], false);
    for address in addresses(count) {
        endpoints.connected(address, Fake::new(true), now);
    }
    (endpoints, now)
}

fn take(endpoints: &mut Endpoints<Fake>, now: Instant) -> Option<SocketAddr> {
    Some(endpoints.take(now, &[], false)?.address)
}

/// Takes, and ends the request at once.
fn turn(endpoints: &mut Endpoints<Fake>, now: Instant) -> Option<SocketAddr> {
    let taken = endpoints.take(now, &[], false)?;
    endpoints.give_back(taken.address, taken.connection, now);
    Some(taken.address)
}

#[test]
fn addresses_take_turns() {
    let (mut endpoints, now) = connected(Balancer::RoundRobin, 3);
    let turns: Vec<_> = (0..6).map(|_| turn(&mut endpoints, now).unwrap()).collect();
    let mut first = turns[..3].to_vec();
    first.sort();
    assert_eq!(first, addresses(3));
    assert_eq!(turns[..3], turns[3..]);
}

#[test]
fn one_with_fewer_requests_open_comes_first() {
    let (mut endpoints, now) = connected(Balancer::RoundRobin, 2);
    // One answers, the other does not: it gathers no more than its share.
    let slow = take(&mut endpoints, now).unwrap();
    for _ in 0..5 {
        assert_ne!(turn(&mut endpoints, now).unwrap(), slow);
    }
}

#[test]
fn with_pick_first_the_order_is_the_resolvers() {
    let (mut endpoints, now) = connected(Balancer::PickFirst, 3);
    for _ in 0..3 {
        assert_eq!(take(&mut endpoints, now), Some(address(1)));
    }
    endpoints.failed(address(1), now);
    assert_eq!(take(&mut endpoints, now), Some(address(2)));
}

#[test]
fn with_pick_first_the_next_is_tried_when_the_first_hesitates_or_fails() {
    let (mut endpoints, start) = endpoints(Balancer::PickFirst, 3);
    assert_eq!(endpoints.connect(start, start, &[], false), [address(1)]);
    assert_eq!(endpoints.connect(start, start, &[], false), []);
    let later = start + STAGGER;
    assert_eq!(endpoints.connect(later, start, &[], false), [address(2)]);
    endpoints.unreachable(address(1), refused(), later);
    assert_eq!(endpoints.connect(later, start, &[], false), [address(3)]);
}

#[test]
fn no_more_are_connected_to_than_the_most() {
    let (mut endpoints, now) = endpoints(Balancer::RoundRobin, 40);
    let chosen = endpoints.connect(now, now, &[], false);
    assert_eq!(chosen.len(), MOST);
    assert!(endpoints.connect(now, now, &[], false).is_empty());
    // Another takes the place of one that fails.
    endpoints.unreachable(chosen[0], refused(), now);
    let next = endpoints.connect(now, now, &[], false);
    assert!(next.len() == 1 && !chosen.contains(&next[0]));
}

#[test]
fn one_that_fails_is_set_aside_tried_once_and_well_when_it_answers() {
    let (mut endpoints, start) = connected(Balancer::RoundRobin, 2);
    endpoints.failed(address(1), start);
    for _ in 0..4 {
        assert_eq!(turn(&mut endpoints, start), Some(address(2)));
    }
    // Its time has come: one request, and no other before that is answered.
    let due = start + SECOND;
    let tried: Vec<_> = (0..4).map(|_| take(&mut endpoints, due).unwrap()).collect();
    let count = |address| tried.iter().filter(|at| **at == address).count();
    assert_eq!((count(address(1)), count(address(2))), (1, 3));
    // The second time it has to wait longer.
    endpoints.failed(address(1), due);
    let all_to_second = |endpoints: &mut Endpoints<Fake>, now| {
        (0..4).all(|_| take(endpoints, now) == Some(address(2)))
    };
    assert!(all_to_second(&mut endpoints, due + SECOND));
    let due = due + 2 * SECOND;
    assert_eq!(take(&mut endpoints, due), Some(address(1)), "fewest open");
    endpoints.answered(address(1));
    assert_eq!(take(&mut endpoints, due), Some(address(1)));
    endpoints.failed(address(1), due);
    assert!(
        !all_to_second(&mut endpoints, due + SECOND),
        "as the first time"
    );
}

#[test]
fn requests_that_fail_together_are_one_failure() {
    let (mut endpoints, start) = connected(Balancer::RoundRobin, 1);
    for _ in 0..10 {
        endpoints.failed(address(1), start);
    }
    assert_eq!(take(&mut endpoints, start), None);
    assert!(take(&mut endpoints, start + SECOND).is_some());
}

#[test]
fn when_none_is_well_those_set_aside_are_used() {
    let (mut endpoints, now) = connected(Balancer::RoundRobin, 2);
    endpoints.failed(address(1), now);
    endpoints.failed(address(2), now);
    assert!(endpoints.take(now, &[], false).is_none());
    let first = endpoints.take(now, &[], true).unwrap().address;
    let second = endpoints.take(now, &[first], true).unwrap().address;
    assert_ne!(first, second);
    assert!(endpoints.take(now, &[first, second], true).is_none());
}

#[test]
fn what_cannot_be_reached_is_tried_once_for_each_who_waits() {
    let (mut endpoints, start) = endpoints(Balancer::RoundRobin, 1);
    assert_eq!(endpoints.connect(start, start, &[], false), [address(1)]);
    assert!(endpoints.is_connecting(&[]) && !endpoints.is_connecting(&[address(1)]));
    endpoints.unreachable(address(1), refused(), start);
    assert!(endpoints.connect(start, start, &[], true).is_empty());
    assert_eq!(endpoints.cause(), Some(refused()));
    // Somebody who begins to wait later.
    let later = start + Duration::from_millis(10);
    assert!(
        endpoints.connect(later, later, &[], false).is_empty(),
        "set aside"
    );
    let tried = [address(1)];
    assert!(endpoints.connect(later, later, &tried, true).is_empty());
    assert_eq!(endpoints.connect(later, later, &[], true), [address(1)]);
}

#[test]
fn the_cause_that_somebody_must_put_right_is_told_first() {
    let (mut endpoints, now) = endpoints(Balancer::RoundRobin, 3);
    let blame = NoAnswer::misconfigured("unknown CA");
    for (at, cause) in [(1, refused()), (2, blame.clone()), (3, refused())] {
        endpoints.unreachable(address(at), cause, now);
    }
    assert_eq!(endpoints.cause(), Some(blame));
}

#[test]
fn a_connection_for_one_request_leaves_and_comes_back() {
    let (mut endpoints, now) = endpoints(Balancer::RoundRobin, 1);
    endpoints.connect(now, now, &[], false);
    endpoints.connected(address(1), Fake::new(false), now);
    let first = endpoints.take(now, &[], false).unwrap();
    assert!(first.connection.is_some());
    // The next has to make its own, and need not wait for anything.
    assert!(
        endpoints
            .take(now, &[], false)
            .unwrap()
            .connection
            .is_none()
    );
    endpoints.give_back(address(1), first.connection, now);
    let connection = endpoints.take(now, &[], false).unwrap().connection.unwrap();
    connection.open.set(false);
    endpoints.give_back(address(1), Some(connection), now);
    assert!(
        endpoints
            .take(now, &[], false)
            .unwrap()
            .connection
            .is_none()
    );
}

#[test]
fn connections_that_are_closed_discarded_or_long_unused_are_not_used() {
    for way in 0..3 {
        let (mut endpoints, now) = connected(Balancer::RoundRobin, 1);
        let taken = endpoints.take(now, &[], false).unwrap();
        let connection = taken.connection.unwrap();
        let mut then = now;
        match way {
            0 => connection.open.set(false),
            1 => endpoints.discard(address(1), &connection),
            _ => {
                endpoints.give_back(address(1), None, now);
                then += IDLE;
            }
        }
        assert!(endpoints.take(then, &[], false).is_none(), "{way}");
        assert_eq!(
            endpoints.connect(then, then, &[], false),
            [address(1)],
            "{way}"
        );
    }
    // With a request under way it is in use.
    let (mut endpoints, now) = connected(Balancer::RoundRobin, 1);
    take(&mut endpoints, now).unwrap();
    assert!(take(&mut endpoints, now + 2 * IDLE).is_some());
}

#[test]
fn addresses_that_stay_keep_what_is_known_of_them() {
    let (mut endpoints, now) = connected(Balancer::RoundRobin, 3);
    endpoints.failed(address(1), now);
    endpoints.replace(&[address(1), address(2), address(2), address(4)]);
    assert_eq!(endpoints.len(), 3);
    assert_eq!(turn(&mut endpoints, now), Some(address(2)));
    assert_eq!(turn(&mut endpoints, now), Some(address(2)));
    assert_eq!(endpoints.connect(now, now, &[], false), [address(4)]);
    // Late news of one that is gone.
    endpoints.connected(address(3), Fake::new(true), now);
    endpoints.give_back(address(3), Some(Fake::new(true)), now);
    assert_eq!(endpoints.len(), 3);
}

#[test]
fn no_more_addresses_are_remembered_than_a_name_has_in_earnest() {
    let (mut endpoints, _) = endpoints(Balancer::RoundRobin, 0);
    let many: Vec<SocketAddr> = (0..2000_u16)
        .map(|n| SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 1)))
        .collect();
    endpoints.replace(&many);
    assert_eq!(endpoints.len(), KNOWN);
}
