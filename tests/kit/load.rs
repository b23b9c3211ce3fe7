//! Senders of many requests, as the benches measure and tests/loss counts:
//! captured spans with ids that tell what arrived, at a rate or as fast as
//! they are answered.

pub mod ids;
mod link;
mod pace;
mod payload;

pub use link::{Answer, Link};
pub use pace::Pace;
pub use payload::Source;
