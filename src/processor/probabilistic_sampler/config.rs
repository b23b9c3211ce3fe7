/*! The keys of `probabilistic_sampler`. */

use super::{Mode, SamplerFactory, Sampling};
use crate::{
    config::{Id, KeyReader, Setting, Word},
    pdata::{
        Signal,
        sampling::{DIGITS, Threshold, least_probability},
    },
    pipeline::ProcessorFactory,
    processor::{BuildContext, ProcessorRole, ProcessorSettings},
};
use std::sync::Arc;

/// How it is decided, as the file says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModeWord {
    HashSeed,
    Equalizing,
    Proportional,
}

impl Word for ModeWord {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("hash_seed", Self::HashSeed),
        ("", Self::HashSeed),
        ("equalizing", Self::Equalizing),
        ("proportional", Self::Proportional),
    ];
}

/// Where the randomness of log records comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AttributeSource {
    TraceId,
    Record,
}

impl Word for AttributeSource {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("traceID", Self::TraceId),
        ("", Self::TraceId),
        ("record", Self::Record),
    ];
}

/// Checked settings.
#[derive(Clone, Debug)]
struct SamplerSettings {
    percentage: f32,
    word: ModeWord,
    sampling: Sampling,
}

impl ProcessorSettings for SamplerSettings {
    fn signals(&self) -> &'static [Signal] {
        &[Signal::Traces, Signal::Logs]
    }

    fn describe(&self) -> Vec<String> {
        let mode = match self.word {
            ModeWord::HashSeed => "by a hash of the trace id",
            ModeWord::Equalizing => "by the trace id, whatever share was kept before",
            ModeWord::Proportional => "by the trace id, of what was kept before",
        };
        vec![format!(
            "keeps {} % of traces, {mode}",
            self.percentage.min(100.0)
        )]
    }

    fn build(&self, with: &mut BuildContext<'_>) -> Arc<dyn ProcessorFactory> {
        let factory = SamplerFactory::new(self.sampling.clone(), with.signal, with.shards);
        Arc::new(factory)
    }
}

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<ProcessorRole> {
    let percentage = keys.or(
        "sampling_percentage",
        0.0,
        "how many traces are kept, in percent; more than 100 is 100",
    );
    let mode = keys.or(
        "mode",
        ModeWord::HashSeed,
        "`hash_seed`: by a hash of the trace id, for spans that no other sampler has seen; `equalizing`: by the trace id, so that all have this share in the end; `proportional`: by the trace id, this share of what comes",
    );
    let seed = keys.or(
        "hash_seed",
        0_u32,
        "of the hash: samplers in a chain need different ones",
    );
    let fail_closed = keys.or(
        "fail_closed",
        true,
        "spans are dropped that cannot be decided about, since their trace state is wrong, or in `hash_seed` has a decision in it",
    );
    let precision = keys.or(
        "sampling_precision",
        4_u32,
        "hexadecimal digits of thresholds in trace states, 1 to 14",
    );
    let source = keys.or(
        "attribute_source",
        AttributeSource::TraceId,
        "log records: `record`: only `from_attribute` counts",
    );
    let from_attribute: Setting<String> = keys.or(
        "from_attribute",
        String::new(),
        "log records: the attribute whose hash counts where there is no trace id",
    );
    let priority: Setting<String> = keys.or(
        "sampling_priority",
        String::new(),
        "log records: an attribute with a percentage of its own",
    );
    let cx = keys.reading();
    let share = percentage.value as f32;
    let ratio = f64::from(share) / 100.0;
    if !share.is_finite() || ratio < 0.0 || ratio > 0.0 && ratio < least_probability() {
        let message =
            "expected a percentage: 0, or a number that is neither negative nor below 2^-56 of all";
        cx.error(percentage.spot, message);
        return None;
    }
    if !(1..=DIGITS).contains(&precision.value) {
        cx.error(precision.spot, "expected 1 to 14 digits");
        return None;
    }
    if keys.is_used() && share == 0.0 {
        let message = "sampling_percentage is 0, by default: everything is dropped but what has \
                       a sampling priority";
        cx.warn(percentage.spot.or(keys.spot()), message);
    }
    let sampling = Sampling {
        mode: decide(mode.value, share.min(100.0), seed.value, precision.value),
        fails_closed: fail_closed.value,
        precision: precision.value,
        by_trace_id: source.value == AttributeSource::TraceId,
        from_attribute: from_attribute.value,
        priority: priority.value,
    };
    Some(ProcessorRole::Item(Arc::new(SamplerSettings {
        percentage: share,
        word: mode.value,
        sampling,
    })))
}

/// The mode for a percentage of at most 100.
fn decide(word: ModeWord, percentage: f32, seed: u32, precision: u32) -> Mode {
    if percentage == 0.0 {
        return Mode::Never;
    }
    let share = f64::from(percentage) / 100.0;
    match word {
        // A share that is too small to be said was refused.
        ModeWord::Equalizing => {
            Threshold::of_probability(share, precision).map_or(Mode::Never, Mode::Equalizing)
        }
        ModeWord::Proportional => Mode::Proportional { share, precision },
        ModeWord::HashSeed => {
            // In single precision and cut off, as the Collector always did.
            let kept = (percentage * 163.84_f32) as u64;
            match kept {
                0 => Mode::Never,
                kept => Mode::Hash {
                    threshold: Threshold::new(0x4000_u64.saturating_sub(kept) << 42),
                    seed,
                },
            }
        }
    }
}
