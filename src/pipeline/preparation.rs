/*!
Reading a request apart from its shard: validating, converting and indexing, for
all pipelines that it goes into.

It needs no more of a pipeline than the keys that its processors read, so it can
run on any thread. Its memory is bounded: half of what it may take is for the
request as it came, half for what is made of it: a converter's request, the
canonical form, the indexes.
*/

use super::{Converted, Converter, Refusal};
use crate::pdata::{self, Index, Keys, RequestLimits, Signal};
use std::{borrow::Cow, sync::Arc};

/// What reading the requests of one listener needs to know.
#[derive(Default)]
pub struct Preparation {
    /// The keys of the pipelines of each signal.
    pub(super) direct: [Vec<Arc<Keys>>; Signal::ALL.len()],
    pub(super) conversions: Vec<ConversionPreparation>,
    /// What its requests have a share of, so that it is known whose they are.
    pub(super) mark: Arc<()>,
}

/// A converter, and the keys of the pipelines that take what it makes.
pub(super) struct ConversionPreparation {
    pub(super) signal: Signal,
    pub(super) keys: Vec<Arc<Keys>>,
    pub(super) converter: Arc<dyn Converter>,
}

/// A request that was read, and whose items can be appended.
#[derive(Debug)]
pub struct PreparedRequest {
    signal: Signal,
    /// The request as it came, where it was not read: see
    /// [`PreparedRequest::unread`].
    raw: Vec<u8>,
    /// For the pipelines of its own signal, and for those of each converter.
    pub(super) parts: Vec<PreparedPart>,
    /// The [`Preparation`]'s.
    pub(super) mark: Arc<()>,
}

/// What goes into some of the pipelines.
#[derive(Debug)]
pub(super) struct PreparedPart {
    /// The converter's number; None: it is the request itself.
    pub(super) conversion: Option<usize>,
    pub(super) signal: Signal,
    pub(super) request: Vec<u8>,
    pub(super) utf8_replaced: u64,
    /// One for each pipeline, in order.
    pub(super) indexes: Vec<Index>,
    /// What the converter says, short of the request.
    pub(super) converted: Converted,
}

impl PreparedRequest {
    /// A request of which nothing was read, for whoever reads it as a whole.
    pub(crate) fn unread(signal: Signal, request: Vec<u8>) -> Self {
        Self {
            signal,
            raw: request,
            parts: Vec::new(),
            mark: Arc::default(),
        }
    }

    /// The signal.
    pub(crate) fn signal(&self) -> Signal {
        self.signal
    }

    /// Returns how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        let part = |part: &PreparedPart| {
            let indexes = part.indexes.iter().map(Index::bytes);
            part.request.len() + indexes.sum::<usize>()
        };
        self.raw.len() + self.parts.iter().map(part).sum::<usize>()
    }

    /// The request as it came, if it was not read.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }
}

impl Preparation {
    /// Returns how long a request may be that is read in so much `memory`.
    pub fn longest(memory: usize) -> usize {
        memory / 2
    }

    /// Reads a request in `memory` bytes.
    ///
    /// # Errors
    ///
    /// When it is malformed, or would take more.
    pub fn prepare(
        &self,
        signal: Signal,
        request: Vec<u8>,
        memory: usize,
    ) -> Result<PreparedRequest, Refusal> {
        if self.direct.iter().all(Vec::is_empty) && self.conversions.is_empty() {
            return Ok(PreparedRequest::unread(signal, request));
        }
        let mut parts = Vec::new();
        let direct = &self.direct[signal as usize];
        let reads = |c: &&ConversionPreparation| c.converter.reads() == signal;
        let conversions = self.conversions.iter();
        let all = direct.len()
            + conversions
                .clone()
                .filter(reads)
                .map(|c| c.keys.len())
                .sum::<usize>();
        let limits = RequestLimits::of_memory(memory / 2 / all.max(1));
        for (at, conversion) in conversions.enumerate().filter(|(_, c)| reads(c)) {
            match conversion.converter.convert(&request, memory / 8) {
                Ok(mut converted) => {
                    let made = std::mem::take(&mut converted.request);
                    let keys = &conversion.keys;
                    let mut part = read(conversion.signal, made, keys, limits)?;
                    part.conversion = Some(at);
                    part.converted = converted;
                    parts.push(part);
                }
                // A pipeline of the request's own signal has all of it.
                Err(_) if !direct.is_empty() => {}
                Err(why) => return Err(Refusal::malformed(why)),
            }
        }
        if !direct.is_empty() {
            parts.insert(0, read(signal, request, direct, limits)?);
        }
        Ok(PreparedRequest {
            signal,
            raw: Vec::new(),
            parts,
            mark: Arc::clone(&self.mark),
        })
    }
}

/// Reads a request for each of some pipelines.
fn read(
    signal: Signal,
    request: Vec<u8>,
    pipelines: &[Arc<Keys>],
    limits: RequestLimits,
) -> Result<PreparedPart, Refusal> {
    let mut part = PreparedPart {
        conversion: None,
        signal,
        request,
        utf8_replaced: 0,
        indexes: Vec::new(),
        converted: Converted::default(),
    };
    for keys in pipelines {
        let mut index = Index::within(limits, part.request.len());
        let admitted = pdata::admit(signal, &part.request, keys, &mut index);
        let admitted = admitted.map_err(Refusal::not_admitted)?;
        // The first pipeline finds it canonical or makes it so; the others find it so.
        part.utf8_replaced += admitted.utf8_replaced;
        if let Cow::Owned(canonical) = admitted.bytes {
            part.request = canonical;
        }
        part.indexes.push(index);
    }
    Ok(part)
}
