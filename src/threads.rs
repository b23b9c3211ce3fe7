/*!
Named threads with a runtime of their own, whose death is seen.

A process that still accepts connections but has lost a part must be restarted,
not kept: a thread that panics turns the health check red.
*/

use crate::telemetry::Health;
use std::{
    io,
    sync::mpsc,
    thread::{self, JoinHandle},
};
use tokio::{
    runtime::{self, LocalOptions},
    task::JoinError,
};

/// The system refused a thread or a runtime.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the {name} thread: {source}")]
pub(crate) struct ThreadError {
    /// Which thread.
    pub(crate) name: String,
    /// The system's answer.
    pub(crate) source: io::Error,
}

/// A thread and what its future came to; `None` if it had no runtime.
pub(crate) type Thread<T> = JoinHandle<Option<T>>;

/// Runs a future to its end on a thread with a single-threaded runtime of its
/// own, with local tasks; `prepare` may add to the runtime. If it panics,
/// `health` turns red.
pub(crate) fn on_runtime<F, Fut, T>(
    name: impl Into<String>,
    health: Health,
    prepare: impl FnOnce(&mut runtime::Builder),
    make: F,
) -> Result<Thread<T>, ThreadError>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T>,
    T: Send + 'static,
{
    let name = name.into();
    let failed = |source| ThreadError {
        name: name.clone(),
        source,
    };
    let mut builder = runtime::Builder::new_current_thread();
    prepare(builder.enable_all());
    let watchdog = Watchdog::new(&name, health);
    // The runtime belongs to its thread, which therefore builds it.
    let (built, outcome) = mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name(format!("wayspan-{name}"))
        .spawn(move || {
            let _watchdog = watchdog;
            match builder.build_local(LocalOptions::default()) {
                Ok(runtime) => {
                    let _ = built.send(Ok(()));
                    Some(runtime.block_on(make()))
                }
                Err(error) => {
                    let _ = built.send(Err(error));
                    None
                }
            }
        })
        .map_err(failed)?;
    match outcome.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(failed(error)),
        Err(gone) => Err(failed(io::Error::other(gone))),
    }
}

/// Goes on with the panic that a task of this thread ended with.
pub(crate) fn die(ended: JoinError) {
    if ended.is_panic() {
        std::panic::resume_unwind(ended.into_panic());
    }
}

/// Turns the health check red when its thread panics.
pub(crate) struct Watchdog {
    name: String,
    health: Health,
}

impl Watchdog {
    /// A guard of the thread called `name`, to be dropped on it.
    pub(crate) fn new(name: &str, health: Health) -> Self {
        Self {
            name: name.to_owned(),
            health,
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if thread::panicking() {
            self.health.thread_died();
            tracing::error!(
                "the {} thread has died because of a bug in wayspan; the health check fails from \
                 now on, so that this process is restarted. Please report the panic message above",
                self.name
            );
        }
    }
}
