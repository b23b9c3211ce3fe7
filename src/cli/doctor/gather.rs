/*!
Asking: the part of the doctor that talks to others. It changes nothing, asks
for little, and each question has a time limit. What comes back goes into
[`Facts`](super::facts::Facts) as it is; whether it is good, checks say.
*/

pub(super) mod api;
pub(in crate::cli) mod client;
pub(super) mod collector;
pub(in crate::cli) mod jaeger;
pub(super) mod kiali;
pub(super) mod kubernetes;
pub(super) mod pages;
pub(super) mod probe;
pub(super) mod proxies;
pub(in crate::cli) mod search;
mod stored;
pub(super) mod tempo;
mod traces;
