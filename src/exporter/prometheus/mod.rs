/*!
`prometheus`: serves the metrics of its pipelines on a port of its own, for Prometheus to scrape, under the names and
labels that the Collector gives them.

A batch is read into the [`store`] when it comes, which takes it; the page is written when somebody asks. The parts:

- `read`: from requests to points; `labels`: what those are called;
- `point`: what a later point does to one that is there;
- `page`: the text.
*/

pub(crate) mod config;
mod labels;
mod page;
mod point;
mod read;
mod settings;
mod sockets;
mod store;

#[cfg(test)]
mod tests;

use super::{Outcome, Sender};
use crate::{
    net::page::{self as web, Guards},
    pdata::Signal,
    prometheus::text::TEXT,
    telemetry::{Count, http::PageRequest},
};
use bytes::Bytes;
use http::StatusCode;
use settings::Settings;
use std::{
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError},
    time::Instant,
};
use store::{NotTaken, Store};

/// Where metrics are.
const PATH: &str = "/metrics";

/// The exporter.
#[derive(Debug)]
struct Prometheus {
    settings: Arc<Settings>,
    store: Arc<Mutex<Store>>,
    socket: Arc<TcpListener>,
    guards: Guards,
    endpoint: String,
}

/// A store that a panic left has whole series, if not all.
fn locked(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sender for Prometheus {
    type Request = ();

    fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn serve(&self) -> impl Future<Output = ()> + 'static {
        let (settings, store) = (Arc::clone(&self.settings), Arc::clone(&self.store));
        let page = move |asked: &PageRequest<'_>| {
            (asked.path == PATH).then(|| {
                let is_open = settings.has_open_metrics && asked.takes_open_metrics;
                let mut store = locked(&store);
                store.expire(Instant::now(), settings.expiration);
                let kind = if is_open { page::OPEN_METRICS } else { TEXT };
                (
                    StatusCode::OK,
                    kind,
                    page::write(&store, &settings, is_open),
                )
            })
        };
        web::serve(Arc::clone(&self.socket), self.guards.clone(), page)
    }

    fn prepare(&self, _: Signal, chunks: &[Bytes]) -> Result<(), Outcome> {
        let request = chunks.concat();
        let read = read::read(&request, &self.settings);
        let left_out = read.left_out;
        let mut store = locked(&self.store);
        let now = Instant::now();
        store.expire(now, self.settings.expiration);
        let taken = store.take(read, now);
        drop(store);
        let endpoint = &self.endpoint;
        static LEFT_OUT: Once = Once::new();
        static OTHER_KIND: Once = Once::new();
        static FULL: Once = Once::new();
        if left_out > 0 {
            LEFT_OUT.call_once(|| {
                tracing::warn!(
                    "{endpoint}: {left_out} metric(s) are not served: they have no temporality or no \
                     name that Prometheus allows, or two labels of one name; said once"
                );
            });
        }
        match taken {
            Ok(()) => {}
            Err(NotTaken::OtherKind) => OTHER_KIND.call_once(|| {
                tracing::warn!(
                    "{endpoint}: a metric has the name of another of a different type, and is not \
                     served; said once"
                );
            }),
            Err(NotTaken::Full) => FULL.call_once(|| {
                tracing::warn!(
                    "{endpoint}: there are too many series, and new ones are not served; said once"
                );
            }),
        }
        Ok(())
    }

    async fn send(&self, (): &(), _: &Count) -> Outcome {
        Outcome::Delivered {
            rejected: 0,
            message: String::new(),
        }
    }
}
