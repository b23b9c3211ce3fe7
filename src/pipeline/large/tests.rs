#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::pdata::Signal;
use std::sync::mpsc;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn request() -> PreparedRequest {
    PreparedRequest::unread(Signal::Traces, Vec::new())
}

#[test]
fn one_request_is_in_memory_at_a_time() {
    let (lane, thread) = LargeLane::start(&Memory::new(80 << 20), Health::default()).unwrap();
    let first = lane.submit(
        PEER,
        Box::new(|memory| {
            assert!(memory > 50 << 20, "{memory}");
            Ok(request())
        }),
    );
    let first = first.blocking_recv().unwrap();
    let (began, begins) = mpsc::channel();
    let second = lane.submit(
        PEER,
        Box::new(move |_| {
            began.send(()).unwrap();
            Ok(request())
        }),
    );
    assert!(begins.try_recv().is_err(), "the first is still held");
    drop(first);
    begins.recv().unwrap();
    assert!(second.blocking_recv().unwrap().take().is_ok());
    lane.close();
    thread.join().unwrap();
}

#[test]
fn what_nobody_waits_for_is_not_read_and_a_panic_frees_the_place() {
    let (lane, thread) = LargeLane::start(&Memory::new(80 << 20), Health::default()).unwrap();
    let held = lane.submit(PEER, Box::new(|_| Ok(request())));
    let held = held.blocking_recv().unwrap();
    drop(lane.submit(PEER, Box::new(|_| panic!("nobody waits for this"))));
    let bug = lane.submit(PEER, Box::new(|_| panic!("a bug, on purpose")));
    let after = lane.submit(PEER, Box::new(|_| Err(Refusal::malformed("as it is"))));
    drop(held);
    let bug = bug.blocking_recv().unwrap().take();
    assert_eq!(bug.unwrap_err(), Refusal::failed());
    let after = after.blocking_recv().unwrap().take();
    assert_eq!(after.unwrap_err(), Refusal::malformed("as it is"));
    lane.close();
    thread.join().unwrap();
    let closed = lane.submit(PEER, Box::new(|_| Ok(request())));
    assert!(closed.blocking_recv().is_err());
}
