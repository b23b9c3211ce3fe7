/*!
How Prometheus' text calls and writes things: [`names`] of metrics and labels, and [`text`]. Pure.

wayspan's own metrics and those that the `prometheus` exporter serves are written by it.
*/

pub(crate) mod names;
pub(crate) mod text;
