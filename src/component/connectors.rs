/*!
What connectors join: the pipelines that give to one, and those that take from it.

An end that no pipeline has is an error. A pipeline that has it may be wrong or not
run, which is reported where it stands: nothing more is said of the connector then than that
it is idle, and what leads nowhere but there, or is fed from nowhere else, is not run either.
*/

use super::{
    Pipeline,
    pipelines::{Components, Draft},
    plan::{Plan, leads_nowhere, not_fed},
    section::Reference,
};
use crate::{
    config::{Id, Reading, Spot},
    connector::ConfiguredConnector,
    pdata::Signal,
};

/// Checks what `connectors` join, and returns the pipelines that are run.
pub(super) fn check(
    plan: &Plan,
    all: &Components<'_, '_>,
    connectors: &[ConfiguredConnector],
    pipelines: Vec<Pipeline>,
    cx: &Reading<'_>,
) -> Vec<Pipeline> {
    let joints = Joints { plan, all };
    for (at, connector) in connectors.iter().enumerate() {
        joints.check_ends(at, connector, &pipelines, cx);
    }
    for pipeline in &pipelines {
        if feeds_itself(pipeline, &pipelines) {
            let message = "this pipeline feeds itself through a connector";
            cx.error_at_key(joints.spot_of(pipeline), message, "");
        }
    }
    match cx.has_errors() {
        true => pipelines,
        false => joints.without_idle(pipelines, cx),
    }
}

/// The pipelines as written, and what they name.
struct Joints<'a, 's, 'n> {
    plan: &'a Plan,
    all: &'a Components<'s, 'n>,
}

impl Joints<'_, '_, '_> {
    fn draft_of(&self, pipeline: &Pipeline) -> Option<&Draft> {
        self.plan.run.iter().find(|draft| draft.id == pipeline.id)
    }

    fn spot_of(&self, pipeline: &Pipeline) -> Option<Spot> {
        self.draft_of(pipeline).map(|draft| draft.spot)
    }

    /// The reference of `list` to connector `at`.
    fn reference<'r>(&self, list: &'r [Reference], at: usize) -> Option<&'r Reference> {
        let mut references = list.iter();
        references.find(|(name, _)| self.all.find_connector(name) == Some(at))
    }

    /// Returns true if each pipeline whose list names connector `at` is among `pipelines`.
    fn are_run(&self, list: fn(&Draft) -> &[Reference], at: usize, pipelines: &[Pipeline]) -> bool {
        let is_run = |id: &Id| pipelines.iter().any(|pipeline| pipeline.id == *id);
        let mut drafts = self.plan.run.iter().chain(&self.plan.left_out);
        drafts.all(|draft| self.reference(list(draft), at).is_none() || is_run(&draft.id))
    }

    /// Reports a connector that leads nowhere, comes from nowhere, or does not join these signals.
    fn check_ends(
        &self,
        at: usize,
        connector: &ConfiguredConnector,
        pipelines: &[Pipeline],
        cx: &Reading<'_>,
    ) {
        let id = &connector.id;
        let feeding = pipelines.iter().filter(|p| p.feeds.contains(&at));
        let fed: Vec<&Pipeline> = pipelines
            .iter()
            .filter(|p| p.fed_by.contains(&at))
            .collect();
        let is_taken = !fed.is_empty() || !self.are_run(|d| &d.receivers, at, pipelines);
        let mut given = Vec::new();
        for pipeline in feeding {
            match connector.settings.gives(pipeline.signal) {
                Some(signal) => given.push(signal),
                None => {
                    let message = format!("connector {id} does not take {}", pipeline.signal);
                    cx.error_at_key(self.spot_of(pipeline), &message, "");
                }
            }
            if !is_taken {
                let message = format!("nothing takes from connector {id}");
                let help = "name it as a receiver of another pipeline";
                cx.error_at_key(self.spot_of(pipeline), &message, help);
            }
        }
        if !self.are_run(|d| &d.exporters, at, pipelines) {
            return;
        }
        for pipeline in fed {
            if !given.contains(&pipeline.signal) {
                let signal = pipeline.signal;
                let message =
                    format!("no pipeline feeds connector {id} with what becomes {signal}");
                let help = "name it as an exporter of another pipeline";
                cx.error_at_key(self.spot_of(pipeline), &message, help);
            }
        }
    }

    /// Takes out connectors with one end, and then pipelines with one, until none is left.
    fn without_idle(&self, mut pipelines: Vec<Pipeline>, cx: &Reading<'_>) -> Vec<Pipeline> {
        loop {
            let given: Vec<usize> = pipelines.iter().flat_map(|p| p.feeds.clone()).collect();
            let taken: Vec<usize> = pipelines.iter().flat_map(|p| p.fed_by.clone()).collect();
            let before = given.len() + taken.len();
            for pipeline in &mut pipelines {
                let draft = self.draft_of(pipeline);
                pipeline.feeds.retain(|at| {
                    let is_idle = !taken.contains(at);
                    let reference = draft.and_then(|d| self.reference(&d.exporters, *at));
                    if let (true, Some((name, spot))) = (is_idle, reference) {
                        not_fed(name, *spot, cx);
                    }
                    !is_idle
                });
                pipeline.fed_by.retain(|at| given.contains(at));
            }
            let leads_on = |p: &Pipeline| !p.exporters.is_empty() || !p.feeds.is_empty();
            let is_led_on = pipelines
                .iter()
                .any(|p| p.signal == Signal::Traces && leads_on(p));
            pipelines.retain(|pipeline| {
                let is_fed = !pipeline.receivers.is_empty() || !pipeline.fed_by.is_empty();
                let Some(draft) = self.draft_of(pipeline) else {
                    return true;
                };
                if !is_fed {
                    let message = "not run: no pipeline that feeds it is run";
                    cx.warn(Some(draft.spot), message);
                } else if !leads_on(pipeline) {
                    let is_led_on = is_led_on || pipeline.signal != Signal::Traces;
                    leads_nowhere(draft, is_led_on, cx);
                }
                is_fed && leads_on(pipeline)
            });
            let left = pipelines.iter().map(|p| p.feeds.len() + p.fed_by.len());
            if left.sum::<usize>() == before {
                return pipelines;
            }
        }
    }
}

fn feeds_itself(start: &Pipeline, pipelines: &[Pipeline]) -> bool {
    let mut reached: Vec<&Pipeline> = Vec::new();
    let mut open = vec![start];
    while let Some(pipeline) = open.pop() {
        let next = |p: &&Pipeline| p.fed_by.iter().any(|at| pipeline.feeds.contains(at));
        for fed in pipelines.iter().filter(next) {
            if fed.id == start.id {
                return true;
            }
            if !reached.iter().any(|p| p.id == fed.id) {
                reached.push(fed);
                open.push(fed);
            }
        }
    }
    false
}
