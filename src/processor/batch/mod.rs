/*! `batch`: how many items are sealed together, and when. The engine batches. */

pub(crate) mod config;
