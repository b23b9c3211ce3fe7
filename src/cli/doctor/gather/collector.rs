/*!
The questions to a collector: an empty request over both forms of OTLP, which changes
nothing, and its metrics, twice.
*/

use super::client::Asker;
use crate::cli::doctor::facts::{
    Answer, Failure, FailureKind,
    collector::{Collector, CollectorMetrics, Counts},
};
use bytes::Bytes;
use std::time::Duration;
use tokio::time::sleep;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Between the two looks at the metrics.
const BETWEEN: Duration = Duration::from_secs(1);

/// Where to ask; None: not at all.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::doctor) struct CollectorAddresses {
    pub(in crate::cli::doctor) grpc: Option<String>,
    pub(in crate::cli::doctor) http: Option<String>,
    pub(in crate::cli::doctor) metrics: Option<String>,
}

/// Asks all questions.
pub(in crate::cli::doctor) async fn ask(at: &CollectorAddresses, limit: Duration) -> Collector {
    let mut facts = Collector::default();
    if let Some(url) = &at.grpc {
        let asked = Asker::new(url, limit).call(EXPORT, &()).await;
        facts.grpc_url.clone_from(url);
        facts.grpc = Answer::of(asked.map(|_| ()));
    }
    if let Some(url) = &at.http {
        let asked = Asker::new(url, limit)
            .post("/v1/traces", Bytes::new())
            .await;
        facts.http_url.clone_from(url);
        facts.http = Answer::of(asked.and_then(|reply| match reply.status {
            200 => Ok(()),
            status => Err(refused(format!(
                "{url}/v1/traces answers {status} to an empty request"
            ))),
        }));
    }
    if let Some(url) = &at.metrics {
        facts.metrics_url.clone_from(url);
        let asker = Asker::new(url, limit);
        facts.metrics = Answer::of(metrics(&asker, url).await);
    }
    facts
}

async fn metrics(asker: &Asker, url: &str) -> Result<CollectorMetrics, Failure> {
    let first = scrape(asker, url).await?;
    sleep(BETWEEN).await;
    let second = scrape(asker, url).await?;
    Ok(CollectorMetrics {
        later: second.counts,
        ..first
    })
}

async fn scrape(asker: &Asker, url: &str) -> Result<CollectorMetrics, Failure> {
    let reply = asker.get("").await?;
    if reply.status != 200 {
        return Err(refused(format!("{url} answers {}", reply.status)));
    }
    Ok(CollectorMetrics::parse(&String::from_utf8_lossy(
        &reply.body,
    )))
}

fn refused(cause: String) -> Failure {
    Failure {
        kind: FailureKind::Malformed,
        cause,
        remedy: None,
    }
}

impl CollectorMetrics {
    /// Reads what Prometheus is given.
    pub(super) fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.trim_end().rsplit_once(' ') else {
                continue;
            };
            let Ok(value) = value.parse::<f64>() else {
                continue;
            };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let bare = name.strip_suffix("_total").unwrap_or(name);
            let counts: &mut Counts = &mut found.counts;
            match bare {
                "otelcol_receiver_accepted_spans" => counts.accepted += value,
                "otelcol_receiver_refused_spans" => counts.refused += value,
                "otelcol_exporter_sent_spans" => counts.sent += value,
                "otelcol_exporter_send_failed_spans" => counts.failed += value,
                "otelcol_exporter_enqueue_failed_spans" => counts.lost += value,
                "otelcol_exporter_queue_size" => counts.queued += value,
                "otelcol_exporter_queue_capacity" => found.capacity += value,
                "wayspan_kiali_scheme" => {
                    found.is_wayspan = true;
                    if value > 0.0 {
                        found.scheme = Some(labels.trim_end_matches('}').to_owned());
                    }
                }
                _ => found.is_wayspan |= bare.starts_with("wayspan_"),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_with_and_without_suffixes() {
        let found = CollectorMetrics::parse(
            "# HELP otelcol_receiver_accepted_spans Spans.\n\
             otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"grpc\"} 5\n\
             otelcol_receiver_accepted_spans_total{receiver=\"otlp\",transport=\"http\"} 2\n\
             otelcol_exporter_sent_spans_total{exporter=\"a\"} 3\n\
             otelcol_exporter_queue_size{exporter=\"a\"} 1e1\n\
             otelcol_exporter_queue_capacity{exporter=\"a\"} 100\n\
             wayspan_kiali_scheme{form=\"host\",version=\"2.30\"} 0\n\
             wayspan_kiali_scheme{form=\"waypoint\",version=\"2.7\"} 1\n\
             rubbish\nmore rubbish NaNs\n",
        );
        assert_eq!((found.counts.accepted, found.counts.sent), (7.0, 3.0));
        assert_eq!((found.counts.queued, found.capacity), (10.0, 100.0));
        assert_eq!(
            found.scheme.as_deref(),
            Some("form=\"waypoint\",version=\"2.7\"")
        );
        assert!(found.is_wayspan);
    }
}
