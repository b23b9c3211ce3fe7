/*!
Pipelines that a connector joins: what one gives, the other takes unchanged, so they are
run as one. For each way through them there is a pipeline, with the receivers of the first, the
processors of all in order, and batch and exporters of the last.

A pipeline with several ways out runs its processors once for each. They keep no state that
would show; the counters of those processors count each.
*/

use super::Pipeline;
use crate::{config::Id, connector::ConfiguredConnector};

/// As many ways as this are joined; a file has one or two. Pipelines in a row that are each
/// connected twice double them.
const MOST_WAYS: usize = 256;

/// Returns the pipelines that are run. None: there would be too many of them.
pub(super) fn join(
    pipelines: Vec<Pipeline>,
    connectors: &[ConfiguredConnector],
) -> Option<Vec<Pipeline>> {
    let joins = |at: &usize| connectors.get(*at).is_some_and(|c| c.settings.passes_on());
    if !pipelines.iter().any(|p| p.feeds.iter().any(joins)) {
        return Some(pipelines);
    }
    let mut joined = Vec::new();
    // Every pipeline that something else feeds begins a way.
    let mut open: Vec<Pipeline> = (pipelines.iter())
        .filter(|p| !p.receivers.is_empty() || p.fed_by.iter().any(|at| !joins(at)))
        .cloned()
        .collect();
    for way in &mut open {
        way.fed_by.retain(|at| !joins(at));
    }
    open.reverse();
    while let Some(mut way) = open.pop() {
        let on: Vec<usize> = way.feeds.iter().copied().filter(joins).collect();
        way.feeds.retain(|at| !joins(at));
        let next = pipelines.iter().rev().filter(|p| p.signal == way.signal);
        for end in next.filter(|p| p.fed_by.iter().any(|at| on.contains(at))) {
            open.push(extend(&way, end));
        }
        if !way.exporters.is_empty() || !way.feeds.is_empty() {
            joined.push(way);
        }
        if joined.len() + open.len() > MOST_WAYS {
            return None;
        }
    }
    for at in 0..joined.len() {
        let (before, rest) = joined.split_at_mut(at);
        if let Some(way) = rest.first_mut() {
            rename(before, way);
        }
    }
    Some(joined)
}

/// The way `first` goes on through `end`.
fn extend(first: &Pipeline, end: &Pipeline) -> Pipeline {
    let mut processors = first.processors.clone();
    processors.extend(end.processors.iter().cloned());
    Pipeline {
        id: end.id.clone(),
        signal: end.signal,
        receivers: first.receivers.clone(),
        fed_by: first.fed_by.clone(),
        processors,
        memory_limiter: (first.memory_limiter.clone()).or_else(|| end.memory_limiter.clone()),
        batch: end.batch.clone(),
        exporters: end.exporters.clone(),
        feeds: end.feeds.clone(),
    }
}

/// Numbers a way whose name another has: by it metrics and segment logs are told apart.
fn rename(others: &[Pipeline], way: &mut Pipeline) {
    let name = way.id.name.clone();
    let mut number = 2;
    while others.iter().any(|other| other.id == way.id) {
        way.id = Id {
            kind: way.id.kind.clone(),
            name: Some(match &name {
                None => number.to_string(),
                Some(name) => format!("{name}-{number}"),
            }),
        };
        number += 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::component::load;
    use crate::config::Source;

    /// The ways that are run for `pipelines` of a file, as `id: receivers → … → exporters`.
    fn ways(pipelines: &str) -> Vec<String> {
        let file = format!(
            "receivers: {{otlp/a: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}, \
             otlp/b: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}}}\n\
             processors: {{mesh: , mesh/2: , batch: , batch/2: }}\n\
             exporters: {{debug: , debug/2: }}\n\
             connectors: {{forward: , forward/2: }}\n\
             service: {{pipelines: {{{pipelines}}}}}\n"
        );
        let source = Source::Text {
            name: "file".to_owned(),
            text: file,
        };
        let config = load(&[source]).unwrap();
        let ways = config.pipelines.iter();
        ways.map(|way| format!("{}: {}", way.id, config.way_of(way)))
            .collect()
    }

    #[test]
    fn each_way_from_receivers_to_exporters_is_one_pipeline() {
        for (pipelines, expected) in [
            (
                "traces/in: {receivers: [otlp/a], processors: [mesh], exporters: [forward]}, \
                 traces: {receivers: [forward], processors: [batch/2], exporters: [debug]}",
                vec!["traces: otlp/a → mesh → batch/2 → debug"],
            ),
            (
                "traces/a: {receivers: [otlp/a], processors: [mesh], exporters: [forward, debug/2]}, \
                 traces/b: {receivers: [otlp/b], exporters: [forward]}, \
                 traces: {receivers: [forward], processors: [mesh/2, batch], exporters: [debug]}",
                vec![
                    "traces/a: otlp/a → mesh → batch → debug/2",
                    "traces: otlp/a → mesh → mesh/2 → batch → debug",
                    "traces/2: otlp/b → mesh/2 → batch → debug",
                ],
            ),
            (
                "traces: {receivers: [otlp/a], exporters: [forward]}, \
                 traces/m: {receivers: [forward, otlp/b], exporters: [forward/2]}, \
                 traces/x: {receivers: [forward/2], exporters: [debug]}, \
                 traces/y: {receivers: [forward/2], exporters: [debug/2]}, \
                 metrics: {receivers: [otlp/a], exporters: [forward]}, \
                 metrics/x: {receivers: [forward], exporters: [debug]}",
                vec![
                    "traces/x: otlp/a → batch → debug",
                    "traces/y: otlp/a → batch → debug/2",
                    "traces/x-2: otlp/b → batch → debug",
                    "traces/y-2: otlp/b → batch → debug/2",
                    "metrics/x: otlp/a → batch → debug",
                ],
            ),
        ] {
            assert_eq!(ways(pipelines), expected, "{pipelines}");
        }
    }
}
