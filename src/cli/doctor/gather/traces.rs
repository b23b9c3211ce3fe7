/*!
What traces tell of the senders of their spans: whether their clocks agree, and whether
some spans' parents never come. Pure.

A trace is looked at once, however many searches return it. How much is kept does not depend
on how many traces there are.
*/

use crate::{
    cli::doctor::facts::traces::{Orphan, Skew, Traces},
    mesh::{key, model::Span},
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Spans that begin outside of their parents by less than this say nothing of clocks.
const TOLERANCE: u64 = 1_000_000;
/// A trace whose last span is younger may still be coming in: senders and collectors batch.
const SETTLED: u64 = 30_000_000_000;
/// `SPAN_KIND_CONSUMER`: what consumes a message does so at any time after it was sent.
const CONSUMER: u8 = 5;
/// The most pairs of senders, and senders of orphans, that are kept.
const MOST: usize = 200;

/// Takes traces and keeps what they tell.
pub(super) struct Digest {
    now: u64,
    seen: HashSet<Vec<u8>>,
    skews: BTreeMap<(String, String), Skew>,
    orphans: BTreeMap<(String, String), usize>,
}

impl Digest {
    /// `now` is in nanoseconds since 1970.
    pub(super) fn new(now: u64) -> Self {
        Self {
            now,
            seen: HashSet::new(),
            skews: BTreeMap::new(),
            orphans: BTreeMap::new(),
        }
    }

    /// Takes whole traces.
    pub(super) fn add(&mut self, spans: &[Span]) {
        let mut traces: HashMap<&[u8], Vec<&Span>> = HashMap::new();
        for span in spans {
            traces.entry(&span.trace_id).or_default().push(span);
        }
        for (id, trace) in traces {
            if self.seen.insert(id.to_vec()) {
                self.trace(&trace);
            }
        }
    }

    fn trace(&mut self, trace: &[&Span]) {
        let by_id: HashMap<&[u8], &Span> =
            trace.iter().map(|span| (&*span.span_id, *span)).collect();
        let last = trace.iter().map(|span| span.end).max().unwrap_or(0);
        let is_settled = last.saturating_add(SETTLED) < self.now;
        let mut orphans = HashSet::new();
        for span in trace {
            let parent = &*span.parent_span_id;
            if parent.iter().all(|byte| *byte == 0) {
                continue;
            }
            match by_id.get(parent) {
                Some(parent) => self.compare(parent, span),
                None if is_settled => {
                    let caller = span.tag("peer.address").unwrap_or_default();
                    orphans.insert((span.service_name().to_owned(), caller.to_owned()));
                }
                None => {}
            }
        }
        for orphan in orphans {
            if self.orphans.len() < MOST || self.orphans.contains_key(&orphan) {
                *self.orphans.entry(orphan).or_default() += 1;
            }
        }
    }

    fn compare(&mut self, parent: &Span, child: &Span) {
        let senders = sender(parent).zip(sender(child));
        let Some((of_parent, of_child)) = senders.filter(|(one, other)| one != other) else {
            return;
        };
        if child.kind == CONSUMER || parent.start == 0 || child.start == 0 {
            return;
        }
        let pair = (of_parent.to_owned(), of_child.to_owned());
        if self.skews.len() >= MOST && !self.skews.contains_key(&pair) {
            return;
        }
        let skew = self.skews.entry(pair).or_default();
        skew.pairs += 1;
        let lasted = parent.end.saturating_sub(parent.start);
        let apart = child.start.abs_diff(parent.start);
        if apart > lasted.saturating_add(TOLERANCE) {
            skew.outside += 1;
            let milliseconds = i64::try_from(apart / 1_000_000).unwrap_or(i64::MAX);
            if milliseconds > skew.most.saturating_abs() {
                let sign = if child.start < parent.start { -1 } else { 1 };
                skew.most = sign * milliseconds;
            }
        }
    }

    /// Returns what was seen: of clocks that alone where most spans say so.
    pub(super) fn finish(self) -> Traces {
        let skewed = self.skews.into_iter();
        let skewed = skewed.filter(|(_, skew)| skew.outside * 2 > skew.pairs);
        let skews = skewed.map(|((parent, child), skew)| Skew {
            parent,
            child,
            ..skew
        });
        let orphans = self.orphans.into_iter();
        let orphans = orphans.map(|((service, caller), traces)| Orphan {
            service,
            caller,
            traces,
        });
        Traces {
            looked_at: self.seen.len(),
            skews: skews.collect(),
            orphans: orphans.collect(),
        }
    }
}

/// Returns what runs on one clock: the Pod by a proxy's id, else by what an SDK says of itself.
fn sender(span: &Span) -> Option<&str> {
    let node = span.tag(key::NODE_ID).and_then(|id| id.split('~').nth(2));
    let host = || span.tag(key::HOSTNAME).or(span.resource_tag(key::HOSTNAME));
    let sdk = || {
        let keys = ["k8s.pod.name", "host.name"].into_iter();
        keys.filter_map(|key| span.resource_tag(key)).next()
    };
    node.or_else(host).or_else(sdk).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MS: u64 = 1_000_000;
    const NOW: u64 = 1_764_374_400_000 * MS;

    /// A span of a Pod that begins and lasts so many milliseconds, an hour ago.
    fn span(trace: u8, id: u8, parent: u8, pod: &str, begins: i64, lasts: u64) -> Span {
        let hour_ago = NOW - 3_600_000 * MS;
        let start = hour_ago.checked_add_signed(begins * 1_000_000).unwrap();
        let node = format!("sidecar~10.0.0.1~{pod}.shop~shop.svc.cluster.local");
        Span {
            trace_id: vec![trace; 16],
            span_id: vec![id; 8],
            parent_span_id: vec![parent; 8],
            kind: 2,
            start,
            end: start + lasts * MS,
            resource: vec![(key::SERVICE_NAME.to_owned(), format!("{pod}.shop"))],
            attributes: vec![
                (key::NODE_ID.to_owned(), node),
                ("peer.address".to_owned(), "10.0.0.9".to_owned()),
            ],
            ..Span::default()
        }
    }

    fn digest(spans: &[Span]) -> Traces {
        let mut digest = Digest::new(NOW);
        digest.add(spans);
        // A second search returns the same traces.
        digest.add(spans);
        digest.finish()
    }

    #[test]
    fn clocks_that_differ_are_told_from_spans_that_take_their_time() {
        for (name, begins, lasts, most) in [
            ("within", 3, 10, None),
            ("a little early", -3, 10, None),
            ("early", -5000, 10, Some(-5000)),
            ("late", 70_000, 10, Some(70_000)),
            ("at once", 0, 0, None),
            ("within the tolerance", 1, 0, None),
        ] {
            let parent = span(1, 1, 0, "web", 0, lasts);
            let child = span(1, 2, 1, "cart", begins, 1);
            let found = digest(&[parent, child.clone()]);
            let skews = found.skews.iter().map(|skew| skew.most);
            assert_eq!(skews.collect::<Vec<_>>(), Vec::from_iter(most), "{name}");
            if let Some(skew) = found.skews.first() {
                assert_eq!((&*skew.parent, &*skew.child), ("web.shop", "cart.shop"));
            }
        }
        let mut consumer = span(1, 2, 1, "cart", 70_000, 1);
        consumer.kind = CONSUMER;
        assert_eq!(digest(&[span(1, 1, 0, "web", 0, 1), consumer]).skews, []);
        // One straggler among many says nothing of clocks; neither do spans of one sender.
        let mut many = vec![span(1, 1, 0, "web", 0, 1), span(1, 9, 1, "web", 70_000, 1)];
        many.extend((2..6).map(|id| span(1, id, 1, "cart", 0, 1)));
        many.push(span(1, 6, 1, "cart", 70_000, 1));
        assert_eq!(digest(&many).skews, []);
    }

    #[test]
    fn spans_without_their_parents_are_counted_by_trace_once_those_had_time_to_come() {
        let found = digest(&[
            span(1, 1, 0, "web", 0, 9),
            span(1, 2, 7, "cart", 0, 1),
            span(1, 3, 7, "cart", 2, 1),
            span(2, 2, 7, "cart", 0, 1),
        ]);
        let orphan = Orphan {
            service: "cart.shop".to_owned(),
            caller: "10.0.0.9".to_owned(),
            traces: 2,
        };
        assert_eq!((found.looked_at, found.orphans), (2, vec![orphan]));
        assert_eq!(digest(&[span(1, 2, 7, "cart", 3_599_000, 1)]).orphans, []);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut spans = Vec::new();
        for at in 0..1000_u16 {
            let [high, low] = at.to_be_bytes();
            let mut one = span(1, 1, 0, "web", 0, 1);
            one.trace_id = vec![high, low];
            let mut other = span(1, 2, 1, &format!("cart-{at}"), 9000, 1);
            other.trace_id = vec![high, low];
            let mut orphan = span(1, 3, 8, &format!("cart-{at}"), 0, 1);
            orphan.trace_id = vec![high, low];
            spans.extend([one, other, orphan]);
        }
        let found = digest(&spans);
        assert_eq!(found.looked_at, 1000);
        assert_eq!((found.skews.len(), found.orphans.len()), (MOST, MOST));
    }
}
