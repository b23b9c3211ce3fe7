/*!
Consistent probability sampling: what a trace state says of it, and what follows, as the Collector's
`pkg/sampling` has it.
*/

mod threshold;
mod trace_state;

pub(crate) use threshold::{DIGITS, Randomness, Threshold, least_probability};
pub(crate) use trace_state::TraceState;
