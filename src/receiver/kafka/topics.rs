/*!
Which topics are read, and what their records are.

Topics are named, or are all those of the cluster that match a pattern. A topic that is both has the
records that its name stands for.
*/

use crate::{kafka::Encoding, pdata::Signal, regexp::Pattern};
use std::collections::BTreeMap;

/// What the records of a topic are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) signal: Signal,
    pub(super) encoding: Encoding,
}

/// The topics of one signal.
#[derive(Clone, Debug)]
pub(super) struct SignalTopics {
    pub(super) contents: Contents,
    pub(super) names: Vec<String>,
    pub(super) patterns: Vec<Pattern>,
    /// Of those that match a pattern, these are not read.
    pub(super) excluded: Vec<Pattern>,
}

impl SignalTopics {
    fn matches(&self, topic: &str) -> bool {
        let is_in = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.is_match(topic));
        is_in(&self.patterns) && !is_in(&self.excluded)
    }
}

/// All topics of a receiver, by signal.
#[derive(Clone, Debug)]
pub(super) struct Topics(pub(super) Vec<SignalTopics>);

/// What is read, by topic.
pub(super) type Subscription = BTreeMap<String, Contents>;

impl Topics {
    fn of(&self, takes: impl Fn(Signal) -> bool) -> impl Iterator<Item = &SignalTopics> {
        let topics = self.0.iter();
        topics.filter(move |topics| takes(topics.contents.signal))
    }

    /// Returns true if topics that are made later may match.
    pub(super) fn has_patterns(&self, takes: impl Fn(Signal) -> bool) -> bool {
        self.of(takes).any(|topics| !topics.patterns.is_empty())
    }

    /// The names and patterns for which there is nothing among `all` topics of the cluster.
    pub(super) fn missing(&self, takes: impl Fn(Signal) -> bool, all: &[String]) -> Vec<&str> {
        let missing = self.of(takes).flat_map(|topics| {
            let is_missing = |name: &&String| !all.contains(name);
            let names = topics.names.iter().filter(is_missing);
            let matches_none = |pattern: &&Pattern| !all.iter().any(|name| pattern.is_match(name));
            let patterns = topics.patterns.iter().filter(matches_none);
            (names.map(String::as_str)).chain(patterns.map(Pattern::source))
        });
        missing.collect()
    }

    /// The topics of the signals that `takes` says are taken, out of all topics of the cluster.
    pub(super) fn resolve(
        &self,
        takes: impl Fn(Signal) -> bool + Copy,
        all: &[String],
    ) -> Subscription {
        let mut read = Subscription::new();
        for topics in self.of(takes) {
            let matching = all.iter().filter(|topic| topics.matches(topic));
            read.extend(matching.map(|topic| (topic.clone(), topics.contents)));
        }
        for topics in self.of(takes) {
            let named = topics.names.iter().filter(|topic| all.contains(topic));
            read.extend(named.map(|topic| (topic.clone(), topics.contents)));
        }
        read
    }

    /// All of them, as they were written.
    pub(super) fn described(&self, takes: impl Fn(Signal) -> bool) -> String {
        let topics = self.of(takes).flat_map(|topics| {
            let patterns = topics.patterns.iter().map(Pattern::source);
            topics.names.iter().map(String::as_str).chain(patterns)
        });
        topics.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn topics(
        signal: Signal,
        names: &[&str],
        patterns: &[&str],
        excluded: &[&str],
    ) -> SignalTopics {
        let compiled = |patterns: &[&str]| {
            let patterns = patterns
                .iter()
                .map(|pattern| Pattern::new(pattern).unwrap());
            patterns.collect()
        };
        let encoding = Encoding::Proto;
        SignalTopics {
            contents: Contents { signal, encoding },
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            patterns: compiled(patterns),
            excluded: compiled(excluded),
        }
    }

    #[test]
    fn topics_are_named_or_match() {
        let topics = Topics(vec![
            topics(Signal::Traces, &["spans"], &["^spans-"], &["-old$"]),
            topics(Signal::Logs, &["logs"], &["^.*-logs$"], &[]),
        ]);
        let all = [
            "spans",
            "spans-a",
            "spans-old",
            "spans-b-logs",
            "my-spans-c",
        ];
        let all = all.map(str::to_owned);
        let read = |takes: fn(Signal) -> bool| {
            let read = topics.resolve(takes, &all).into_iter();
            let read = read.map(|(topic, contents)| format!("{topic} {}", contents.signal));
            read.collect::<Vec<_>>()
        };
        assert_eq!(
            read(|signal| signal == Signal::Traces),
            ["spans traces", "spans-a traces", "spans-b-logs traces"]
        );
        assert_eq!(
            read(|_| true),
            ["spans traces", "spans-a traces", "spans-b-logs logs"]
        );
        assert_eq!(topics.missing(|_| true, &all), ["logs"]);
        assert_eq!(
            topics.missing(|_| true, &[]),
            ["spans", "^spans-", "logs", "^.*-logs$"]
        );
        assert!(topics.has_patterns(|signal| signal == Signal::Logs));
        assert!(!topics.has_patterns(|signal| signal == Signal::Metrics));
    }
}
