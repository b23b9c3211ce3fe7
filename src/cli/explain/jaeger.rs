/*! The spans that Jaeger holds under a service name, with the traces that they are of. */

use crate::{
    cli::doctor::gather::{jaeger, search::Search},
    mesh::model::Span,
};
use anyhow::{Context as _, ensure};
use std::time::Duration;

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How far back is searched.
const WINDOW: Duration = Duration::from_secs(60 * 60);
/// The most traces.
const MOST: u32 = 20;

/// Returns the spans of the latest traces that have one of this service name.
pub(super) fn spans(url: &str, service: &str) -> anyhow::Result<Vec<Span>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    runtime.block_on(async {
        let client = jaeger::connect(url, PATIENCE).await;
        let client = client.map_err(anyhow::Error::msg)?;
        let search = Search {
            name: service,
            tags: &[],
            window: WINDOW,
            most: MOST,
        };
        let found = client.find(search).await.map_err(anyhow::Error::msg)?;
        ensure!(
            !found.is_empty(),
            "Jaeger at {url} has no spans of {service} of the last hour"
        );
        Ok(found)
    })
}
