/*! Processors: a folder each. What they implement is in `crate::pipeline`. */

pub mod mesh;
