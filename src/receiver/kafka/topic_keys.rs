/*! The keys that say what is read: `traces`, `metrics`, `logs`, and what once held for all of them. */

use super::topics::{Contents, SignalTopics, Topics};
use crate::{
    config::{Field, KeyReader},
    kafka::{Encoding, config::check_topic},
    pdata::Signal,
    regexp::Pattern,
};
use std::collections::BTreeMap;

/// Texts, each with its place.
type Texts = Field<Vec<Field<String>>>;

/// Reads them. What is wrong has been reported.
pub(super) fn topics(keys: &mut KeyReader<'_>) -> Topics {
    let all: Field<String> = keys.get(
        "topic",
        "none",
        "where all signals are read, unless their own are set: files of old have it",
    );
    let encoding: Field<Encoding> =
        keys.get("encoding", "none", "of all signals, unless theirs is set");
    if let Some(name) = all.trimmed() {
        check_topic(name, all.spot, keys);
    }
    let mut named = BTreeMap::new();
    let topics = Signal::ALL.map(|signal| {
        let (shown, default) = match signal {
            Signal::Traces => ("`[otlp_spans]`", "otlp_spans"),
            Signal::Metrics => ("`[otlp_metrics]`", "otlp_metrics"),
            Signal::Logs => ("`[otlp_logs]`", "otlp_logs"),
        };
        keys.section(signal.as_str(), |keys| {
            let many: Texts = keys.get(
                "topics",
                shown,
                "where they are read; one that begins with `^` is a pattern, and stands for all topics that match",
            );
            let one: Field<String> = keys.get("topic", "none", "the same, of one");
            let own: Field<Encoding> = keys.get(
                "encoding",
                "`otlp_proto`",
                "of a record, which is an export request",
            );
            let excluded: Texts = keys.get(
                "exclude_topics",
                "none",
                "patterns of topics that are not read, though one of `topics` matches",
            );
            let contents = Contents {
                signal,
                encoding: own.value.or(encoding.value).unwrap_or(Encoding::Proto),
            };
            let mut topics = SignalTopics {
                contents,
                names: Vec::new(),
                patterns: Vec::new(),
                excluded: patterns(excluded.value.iter().flatten(), keys),
            };
            for topic in many.value.iter().flatten().chain([&one]) {
                let Some(name) = topic.trimmed() else {
                    continue;
                };
                if name.starts_with('^') {
                    topics.patterns.extend(patterns([topic], keys));
                    continue;
                }
                check_topic(name, topic.spot, keys);
                if named.insert(name.to_owned(), signal).is_some_and(|s| s != signal) {
                    let message = format!("topic {name} is read for another signal already");
                    keys.reading().error(topic.spot, &message);
                }
                topics.names.push(name.to_owned());
            }
            if topics.patterns.is_empty() && excluded.value.is_some() {
                let message = "only patterns match topics that could be excluded: begin one of \
                    topics with ^";
                keys.reading().error(excluded.spot, message);
            }
            if topics.names.is_empty() && topics.patterns.is_empty() {
                topics.names.push(all.trimmed().unwrap_or(default).to_owned());
            }
            topics
        })
    });
    Topics(topics.into())
}

fn patterns<'f>(
    texts: impl IntoIterator<Item = &'f Field<String>>,
    keys: &KeyReader<'_>,
) -> Vec<Pattern> {
    let compiled = texts.into_iter().filter_map(|text| {
        let report = |message: String| keys.reading().error(text.spot, &message);
        Pattern::new(text.trimmed()?).map_err(report).ok()
    });
    compiled.collect()
}
