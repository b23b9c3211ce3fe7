/*!
`memory_limiter`: how many bytes may be held after acceptance before senders are
refused. The limit is the process's; without a `memory_limiter` it follows from
the memory of the container.
*/

mod available;
pub(crate) mod config;
