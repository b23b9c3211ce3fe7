/*!
`probabilistic_sampler`: keeps a share of traces, or of log records.

It keeps exactly what the Collector keeps, and writes the same trace state, so that both may stand in one
chain.
*/

pub(crate) mod config;
mod mode;
mod record;
mod span;
mod stats;

use crate::{
    pdata::{AttributeScratch, Keys, Signal, groups},
    pipeline::{
        IndexedRequest, ProcessorFactory, ProcessorInstance, RewriteError, Rewriter, Rewritten,
    },
    telemetry::Registry,
};
use mode::{Mode, Outcome};
use stats::{SampledStats, SampledTally};

/// What is asked of items, as the file has it.
#[derive(Clone, Debug, PartialEq)]
struct Sampling {
    mode: Mode,
    fails_closed: bool,
    precision: u32,
    /// Log records: a hash of the trace id counts before that of an attribute.
    by_trace_id: bool,
    /// Log records: the attribute whose hash counts.
    from_attribute: String,
    /// Log records: the attribute with a percentage.
    priority: String,
}

/// Makes instances for one pipeline.
#[derive(Debug)]
struct SamplerFactory {
    sampling: Sampling,
    signal: Signal,
    stats: Vec<SampledStats>,
}

impl SamplerFactory {
    fn new(sampling: Sampling, signal: Signal, shards: usize) -> Self {
        Self {
            sampling,
            signal,
            stats: (0..shards).map(|_| SampledStats::default()).collect(),
        }
    }
}

impl ProcessorFactory for SamplerFactory {
    fn instance(&self, shard: usize, _: &mut Keys) -> ProcessorInstance {
        let stats = self.stats.get(shard).cloned().unwrap_or_default();
        ProcessorInstance::Requests(Box::new(Sampler {
            sampling: self.sampling.clone(),
            signal: self.signal,
            tally: SampledTally::new(stats),
            scratch: AttributeScratch::default(),
            text: String::new(),
        }))
    }

    fn register(&self, registry: &Registry, _: &str) {
        stats::register(
            registry,
            self.signal,
            &self.sampling.from_attribute,
            &self.stats,
        );
    }
}

struct Sampler {
    sampling: Sampling,
    signal: Signal,
    tally: SampledTally,
    scratch: AttributeScratch,
    text: String,
}

impl Sampler {
    /// Appends an item if it is kept.
    fn put(&mut self, item: &[u8], out: &mut Vec<u8>) -> Outcome {
        let outcome = match self.signal {
            Signal::Traces => span::put(&self.sampling, item, &mut self.text, out),
            Signal::Logs | Signal::Metrics => {
                record::put(&self.sampling, item, &mut self.scratch, &mut self.text, out)
            }
        };
        self.tally.decided(outcome);
        outcome
    }
}

impl Rewriter for Sampler {
    fn rewrite(
        &mut self,
        request: &IndexedRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Rewritten, RewriteError> {
        let (bytes, index) = (request.request, request.index);
        let mut rewritten = Rewritten::Unchanged;
        let mut is_too_long = false;
        for (resource, items) in groups::resource_groups(index) {
            let payload = resource.resource.of(bytes);
            groups::put_resource_group(bytes, resource, payload, out, |out| {
                for (scope, items) in groups::scope_groups(index, items) {
                    let payload = scope.scope.of(bytes);
                    groups::put_scope_group(bytes, scope, payload, out, |out| {
                        for entry in items {
                            if out.len() > request.most {
                                is_too_long = true;
                                break;
                            }
                            let outcome = self.put(entry.bytes.of(bytes), out);
                            if outcome.writes || !outcome.is_kept {
                                rewritten = Rewritten::Changed;
                            }
                        }
                    });
                }
            });
        }
        match is_too_long {
            true => Err(RewriteError::TooLong),
            false => Ok(rewritten),
        }
    }

    fn end(&mut self) {
        self.tally.publish();
    }

    fn discard(&mut self) {
        self.tally.discard();
    }
}
