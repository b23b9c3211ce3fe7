/*!
A rehearsal of a large request: the processors run, nothing is written, and what would
go out is added up. It goes the same way as appending, piece by piece, so that the two
cannot come to differ.
*/

use super::{Declined, Engine, ITEM_COST, LastIds, Piece, Progress, Run, known};
use crate::{
    pdata::Index,
    pipeline::{
        Decision, Span, Waiter,
        forecast::{self, Forecast},
        framing::slack,
        group_counts::HeaderBytes,
    },
};
use std::{net::IpAddr, ops::ControlFlow};

/// What the scope of an item that a processor makes is taken to have, in bytes.
const MARKER_SCOPE: usize = 64;

impl Engine {
    /// Foresees what goes out for a request that was read elsewhere, piece by
    /// piece: runs the processors over items that cost `budget` at most. Returns
    /// true at the end.
    ///
    /// # Errors
    ///
    /// When it is too much, or there is no room for it.
    pub(in crate::pipeline) fn foresee(
        &mut self,
        request: &[u8],
        index: &Index,
        peer: IpAddr,
        (progress, forecast): &mut (Progress, Option<Forecast>),
        budget: usize,
    ) -> Result<bool, Declined> {
        let limit = forecast::limit(&self.settings, request.len());
        if forecast.is_none() && self.rewriting.stages.is_empty() {
            let most = forecast::at_most(request.len(), index);
            if most <= limit {
                return self.has_room(most).map(|()| true);
            }
        }
        let forecast = forecast.get_or_insert_with(|| Forecast::new(&self.settings));
        let is_done = if self.rewriting.stages.is_empty() {
            self.foresee_items((request, index), peer, progress, budget, (forecast, limit))
        } else {
            let whole = (request, index);
            let piece = Piece::next(whole, peer, progress, budget, Run::Rehearsal);
            let rewritten = self.rewrite(&piece)?;
            let mut all = Progress::default();
            match rewritten {
                None => {
                    let forecast = (&mut *forecast, limit);
                    self.foresee_items(whole, peer, &mut all, usize::MAX, forecast);
                }
                Some(buffer) => {
                    let (whole, forecast) =
                        ((&buffer.bytes[..], &buffer.index), (&mut *forecast, limit));
                    self.foresee_items(whole, peer, &mut all, usize::MAX, forecast);
                    self.reuse(buffer);
                }
            }
            progress.0 >= index.items.len()
        };
        if forecast.bytes() > limit {
            return Err(Declined::Expands { limit });
        }
        if is_done {
            self.has_room(forecast.bytes())?;
        }
        Ok(is_done)
    }

    /// Runs the processors behind the last rewriter over items, up to a limit of the
    /// forecast.
    fn foresee_items(
        &mut self,
        (request, index): (&[u8], &Index),
        peer: IpAddr,
        progress: &mut Progress,
        budget: usize,
        (forecast, limit): (&mut Forecast, usize),
    ) -> bool {
        for stage in &mut self.stages {
            stage.processor.begin(known(peer));
        }
        let is_done = self.go_through(request, index, progress, budget, |this, span, last| {
            if span.entry.fault.is_none() {
                this.foresee_span(span, last, forecast);
            }
            match forecast.bytes() > limit {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        for stage in &mut self.stages {
            stage.processor.discard();
        }
        is_done
    }

    /// Adds what goes out for one span to `forecast`.
    fn foresee_span(&mut self, span: &Span<'_>, last: &mut LastIds, forecast: &mut Forecast) {
        forecast.keep_to(self.generation);
        let scope = self.scope_id(span, last);
        let resource = self.resource_id(span, last);
        let mut decision = Decision::new(resource, std::mem::take(&mut self.edits));
        decision.edits.clear();
        let bytes = span.entry.bytes.len();
        for stage in &mut self.stages {
            stage
                .processor
                .process(span, &mut self.resources, &mut decision);
            if std::mem::take(&mut decision.follow) {
                let resources = &self.resources;
                stage.processor.foresee(&mut |resource, added| {
                    let headers = HeaderBytes {
                        resource: resources.get(resource).bytes(),
                        scope: MARKER_SCOPE,
                    };
                    forecast.add(resource, None, headers, bytes + added + ITEM_COST);
                });
            }
        }
        let headers = HeaderBytes::of(
            self.resources.get(decision.resource),
            self.scopes.get(scope),
        );
        let added = decision.edits.added_bytes() + ITEM_COST;
        forecast.add(decision.resource, Some(scope), headers, bytes + added);
        self.edits = decision.edits;
    }

    /// Checks that `bytes` may go out at once, with what is allocated for them. With a
    /// segment log too: a slow disk may leave them all in memory.
    fn has_room(&self, bytes: usize) -> Result<(), Declined> {
        let bytes = slack(bytes);
        match self
            .outlet
            .busy(bytes, Waiter::Sender)
            .or(self.outlet.is_full(bytes))
        {
            None => Ok(()),
            Some(busy) => Err(Declined::Busy(busy)),
        }
    }
}
