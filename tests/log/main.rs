//! The segment log: what is stored is given back, whatever happens to its files.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod basics;
mod check;
mod crash;
mod damage;
mod full;
mod lock;
mod model;
mod recovery;
mod settling;
mod support;
