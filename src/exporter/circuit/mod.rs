/*!
Decides which request may be sent while a backend is failing.

The circuit of one exporter is closed while its backend answers, and every
request goes at once. A request that fails without any other having been
answered meanwhile opens it. Then all wait but one: after a backoff one request
goes as a probe, and each probe that fails makes the next wait longer. A request
that is answered closes the circuit, and all that wait go at once, oldest first.

- *Oldest* is by the order in which batches were taken from the queue. Probes are
  an exception: batches take turns, so that one that the backend can never answer
  does not hide that others would be.
- A request that fails while others are answered has its own trouble: it waits
  alone, by its own backoff, and holds nobody up.
- What the backend asks for (`RetryInfo`, `Retry-After`) it asks of the exporter:
  nothing is sent until that time has passed.
- Shutdown cuts waits short: what is not delivered by its deadline is lost, so a
  server's longer wish cannot count.
- A batch is given up ([`is_over`](super::retry::is_over)) when an attempt has failed, its own or a
  probe on behalf of all, and the next would come too late. Without
  `max_elapsed` it never is.

[`Circuit`] has the state and whose turn it is, `attempts` has the attempts of
one request. All on one thread, as the exporter is.
*/

mod attempts;
mod state;
#[cfg(test)]
mod tests;

pub(super) use state::Circuit;
