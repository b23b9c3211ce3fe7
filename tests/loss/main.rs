//! The proof that nothing accepted is lost, from outside: kill -9, backends
//! that misbehave, disks that fill up, damage, signals.
//!
//! `cargo test --test loss`. Idea: `load` remembers which spans were answered,
//! the backend which arrived, both by id, and `accounts` holds what wayspan says
//! of itself against the two. A test's own file says what it does to whom.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accounts;
mod load;
mod mount;
mod service;
mod verdict;

mod away;
mod damage;
mod disk;
mod kill;
mod large;
mod misbehaviour;
mod reconfigured;
mod signals;
mod sigterm;
mod slow;
mod soak;
