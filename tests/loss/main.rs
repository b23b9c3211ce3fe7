//! The proof that nothing accepted is lost, from outside: kill -9, backends
//! that misbehave, disks that fill up, damage, signals.
//!
//! `cargo test --test loss`. Idea: `load` remembers which spans were answered,
//! `backend` which arrived, both by id, and `accounts` holds what wayspan says
//! of itself against the two. A test's own file says what it does to whom.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/http.rs"]
mod http1;
#[path = "../support/proc.rs"]
mod proc;

// The sender's side is that of the benches.
#[path = "../../benches/load/client.rs"]
mod client;
#[path = "../../benches/load/ids.rs"]
mod ids;
#[path = "../../benches/load/pace.rs"]
mod pace;
#[allow(dead_code, reason = "benches/load compresses too")]
#[path = "../../benches/load/payload.rs"]
mod payload;
#[path = "../../benches/load/walk.rs"]
mod walk;

mod accounts;
mod backend;
mod load;
mod mount;
mod reply;
mod service;
mod verdict;

mod away;
mod damage;
mod disk;
mod kill;
mod large;
mod misbehaviour;
mod reconfigured;
mod sigterm;
mod slow;
mod soak;
