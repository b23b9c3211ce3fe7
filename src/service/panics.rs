/*!
A panic anywhere in the process is in the log, is counted, and turns the health
check red, whoever catches it: a task's runtime, the shard's pipelines, or nobody.
*/

use crate::telemetry::Health;
use std::{panic, thread};

/// Watches the whole process from now on.
pub(crate) fn watch(health: Health) {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        health.panicked();
        let thread = thread::current();
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let why = info.payload_as_str().unwrap_or("no message");
        tracing::error!(
            "a bug: {why} (at {place}, in {}). What was accepted is kept; the health check fails \
             from now on, so that this process is restarted. Please report this message",
            thread.name().unwrap_or("a thread without a name")
        );
        told(info);
    }));
}
