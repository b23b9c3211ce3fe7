/*!
Which pipelines are run, and without which of their components: decided before any
component is read, since one that nothing uses need not be served.

A pipeline of traces runs without what only adds to it, and is an error without the
rest. One of metrics or logs, which this collector is seldom there for, runs with
what is served, or not at all, and a warning says so; where a file has no other, what is
not served is an error.
*/

use super::{
    pipelines::Draft,
    section::{Reference, Section, Usage},
    unserved::{NO_CONNECTOR, NO_RECEIVER, Verdict},
};
use crate::{
    config::{Reading, Spot},
    connector::ConfiguredConnector,
    exporter::ConfiguredExporter,
    pdata::Signal,
    processor::ProcessorRole,
    receiver::ConfiguredReceiver,
};

/// The pipelines of the file.
pub(super) struct Plan {
    /// Those that are run, without what they run without.
    pub(super) run: Vec<Draft>,
    /// The others; why is reported.
    pub(super) left_out: Vec<Draft>,
}

/// The sections that pipelines name components of.
pub(super) struct Sections<'s, 'n> {
    pub(super) receivers: &'s Section<'n, ConfiguredReceiver>,
    pub(super) processors: &'s Section<'n, ProcessorRole>,
    pub(super) exporters: &'s Section<'n, ConfiguredExporter>,
    pub(super) connectors: &'s Section<'n, ConfiguredConnector>,
}

/// A list of a pipeline.
#[derive(Clone, Copy)]
enum List {
    Receivers,
    Processors,
    Exporters,
}

const LISTS: [List; 3] = [List::Receivers, List::Processors, List::Exporters];

impl Sections<'_, '_> {
    /// Marks what each pipeline uses, takes out of its lists what it runs without, and
    /// finds out which are run.
    pub(super) fn plan(&self, drafts: Vec<Draft>, cx: &Reading<'_>) -> Plan {
        let is_of_traces = |draft: &Draft| draft.signal == Signal::Traces;
        let has_traces = drafts.iter().any(is_of_traces);
        let takers = |draft: &Draft| {
            let receivers = draft.receivers.iter();
            let connectors = receivers.filter_map(|(name, _)| self.connectors.find(name));
            connectors.collect::<Vec<_>>()
        };
        let mut idle: Vec<usize> = drafts.iter().flat_map(takers).collect();
        // Those of other signals first: connectors that lead only to such as are not run are not
        // fed.
        let mut runs: Vec<bool> = Vec::new();
        let mut drafts = drafts;
        for draft in &mut drafts {
            let before = takers(draft);
            let is_run = is_of_traces(draft) || self.plan_other(draft, has_traces, cx);
            if is_run {
                idle.retain(|connector| !before.contains(connector));
            }
            runs.push(is_run);
        }
        let leads_on = |draft: &Draft| {
            let mut exporters = draft.exporters.iter();
            is_of_traces(draft) && exporters.any(|(name, _)| self.leads_on(name, &idle))
        };
        let any_leads_on = drafts.iter().any(leads_on);
        let mut plan = Plan {
            run: Vec::new(),
            left_out: Vec::new(),
        };
        for (mut draft, is_run) in drafts.into_iter().zip(runs) {
            let is_run = is_run
                && (!is_of_traces(&draft)
                    || self.plan_traces(&mut draft, (any_leads_on, &idle), cx));
            match is_run {
                true => plan.run.push(draft),
                false => plan.left_out.push(draft),
            }
        }
        plan
    }

    /// Returns true if an exporter of a pipeline of traces takes something: it is not left out, nor
    /// is it a connector that is `idle`.
    fn leads_on(&self, name: &str, idle: &[usize]) -> bool {
        let connector = self.connectors.find(name);
        let is_idle = connector.is_some_and(|connector| idle.contains(&connector));
        !is_idle && !self.is_left_out(List::Exporters, name)
    }

    fn plan_traces(
        &self,
        draft: &mut Draft,
        (any_leads_on, idle): (bool, &[usize]),
        cx: &Reading<'_>,
    ) -> bool {
        let had_exporters = !draft.exporters.is_empty();
        let comes_through = |(name, _): &&Reference| {
            self.connectors.find(name).is_some() && self.is_left_out(List::Receivers, name)
        };
        let mut lacks_connector = false;
        for (name, spot) in draft.receivers.iter().filter(comes_through) {
            let message = format!(
                "wayspan has no connector {name}, through which spans come to this pipeline"
            );
            cx.error_with_help(Some(*spot), &message, NO_CONNECTOR);
            lacks_connector = true;
        }
        if !lacks_connector
            && !draft.receivers.is_empty()
            && (draft.receivers.iter()).all(|(name, _)| self.is_left_out(List::Receivers, name))
        {
            let names = names(&draft.receivers);
            let message = format!("nothing would be received: wayspan does not serve {names}");
            cx.error_at_key(Some(draft.spot), &message, NO_RECEIVER);
            self.mark_all(draft, Usage::LeftOut);
            return false;
        }
        self.mark_all(draft, Usage::Used);
        for list in LISTS {
            draft
                .list(list)
                .retain(|(name, _)| !self.is_left_out(list, name));
        }
        draft.exporters.retain(|(name, spot)| {
            let leads_on = self.leads_on(name, idle);
            if !leads_on {
                not_fed(name, *spot, cx);
            }
            leads_on
        });
        if had_exporters && draft.exporters.is_empty() {
            leads_nowhere(draft, any_leads_on, cx);
            return false;
        }
        true
    }

    fn plan_other(&self, draft: &mut Draft, has_traces: bool, cx: &Reading<'_>) -> bool {
        let spot = Some(draft.spot);
        if draft.receivers.is_empty() || draft.exporters.is_empty() {
            cx.warn(spot, "not run: it has no receivers or no exporters");
            self.mark_all(draft, Usage::LeftOut);
            return false;
        }
        let is_served = |list, name: &str| self.verdict(list, name).is_none();
        let mut lacking = Vec::new();
        for (list, what) in LISTS.into_iter().zip(["receiver", "processor", "exporter"]) {
            let unserved = draft.list(list).iter();
            let unserved = unserved.filter(|(name, _)| !is_served(list, name));
            lacking.extend(unserved.map(|(name, _)| match self.connectors.find(name) {
                Some(_) => format!("connector {name}"),
                None => format!("{what} {name}"),
            }));
        }
        let is_refused = |(name, _): &Reference| {
            let verdict = self.verdict(List::Processors, name);
            matches!(verdict, Some(Verdict::Refuse(_)))
        };
        let has = |list, references: &[Reference]| {
            references.iter().any(|(name, _)| is_served(list, name))
        };
        let is_run = has(List::Receivers, &draft.receivers)
            && has(List::Exporters, &draft.exporters)
            && !draft.processors.iter().any(is_refused);
        self.mark_all(draft, Usage::LeftOut);
        if !is_run {
            let lacking = lacking.join(", ");
            cx.warn(spot, &format!("not run: wayspan does not serve {lacking}"));
            return false;
        }
        if !has_traces && !lacking.is_empty() {
            let message = format!("wayspan does not serve {}", lacking.join(", "));
            let help = "no pipeline of the file is one of traces, which wayspan is for: leave this \
                        file to the collector that it is for";
            cx.error_at_key(spot, &message, help);
            return false;
        }
        for list in LISTS {
            draft.list(list).retain(|(name, _)| is_served(list, name));
        }
        draft.without = lacking;
        self.mark_all(draft, Usage::Used);
        true
    }

    fn mark_all(&self, draft: &Draft, usage: Usage) {
        for (name, _) in &draft.receivers {
            self.receivers.mark(name, usage);
            self.connectors.mark(name, usage);
        }
        for (name, _) in &draft.processors {
            self.processors.mark(name, usage);
        }
        for (name, _) in &draft.exporters {
            self.exporters.mark(name, usage);
            self.connectors.mark(name, usage);
        }
    }

    /// Returns what becomes of a component that a list names. None: it is served, or
    /// is not there.
    fn verdict(&self, list: List, name: &str) -> Option<Verdict> {
        let is_connector = || self.connectors.find(name).is_some();
        match list {
            List::Processors => self.processors.unserved(name),
            _ if is_connector() => self.connectors.unserved(name),
            List::Receivers => self.receivers.unserved(name),
            List::Exporters => self.exporters.unserved(name),
        }
    }

    fn is_left_out(&self, list: List, name: &str) -> bool {
        matches!(self.verdict(list, name), Some(Verdict::LeaveOut(_)))
    }
}

impl Draft {
    fn list(&mut self, list: List) -> &mut Vec<Reference> {
        match list {
            List::Receivers => &mut self.receivers,
            List::Processors => &mut self.processors,
            List::Exporters => &mut self.exporters,
        }
    }
}

/// Says that a pipeline gives nothing to the connector `name`.
pub(super) fn not_fed(name: &str, spot: Spot, cx: &Reading<'_>) {
    let message = format!("{name} is not fed: no pipeline that takes from it is run");
    cx.warn(Some(spot), &message);
}

/// Reports a pipeline without an exporter that is left; an error where no other pipeline of traces leads on.
pub(super) fn leads_nowhere(draft: &Draft, others_lead_on: bool, cx: &Reading<'_>) {
    if others_lead_on {
        let message = "not run: nothing that it leads to is served";
        return cx.warn(Some(draft.spot), message);
    }
    let message = "no exporter is left that wayspan serves";
    let help = "name an exporter that spans are to go to";
    cx.error_at_key(Some(draft.spot), message, help);
}

fn names(references: &[Reference]) -> String {
    let names: Vec<_> = references.iter().map(|(name, _)| name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::{component::load, config::Source};

    #[test]
    fn a_connector_is_not_fed_where_nothing_takes_from_it() {
        let file = |exporters: &str| {
            let source = Source::Text {
                name: "file".to_owned(),
                text: format!(
                    "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}}}\n\
                     connectors: {{spanmetrics: }}\n\
                     exporters: {{debug: , prometheusremotewrite: {{endpoint: 'http://p/write'}}}}\n\
                     service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [{exporters}]}}, \
                     metrics: {{receivers: [spanmetrics], exporters: [prometheusremotewrite]}}}}}}\n"
                ),
            };
            load(&[source])
        };
        let config = file("debug, spanmetrics").unwrap();
        let warnings = config.warnings.join("\n");
        for said in [
            "not run: wayspan does not serve exporter prometheusremotewrite",
            "spanmetrics is not fed: no pipeline that takes from it is run",
        ] {
            assert!(warnings.contains(said), "{warnings}");
        }
        assert_eq!(config.way_of(&config.pipelines[0]), "otlp → batch → debug");
        let refused = file("spanmetrics").unwrap_err().to_string();
        assert!(
            refused.contains("no exporter is left that wayspan serves"),
            "{refused}"
        );
    }

    #[test]
    fn a_file_of_logs_alone_runs_whole_or_not() {
        let logs = |exporters: &str| {
            let source = Source::Text {
                name: "file".to_owned(),
                text: format!(
                    "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}}}\n\
                     exporters: {{debug: , loki: {{endpoint: 'http://loki:3100'}}}}\n\
                     service: {{pipelines: {{logs: {{receivers: [otlp], exporters: [{exporters}]}}}}}}\n"
                ),
            };
            load(&[source])
        };
        assert!(logs("debug").is_ok());
        let refused = logs("debug, loki").unwrap_err().to_string();
        assert!(
            refused.contains("does not serve exporter loki"),
            "{refused}"
        );
        assert!(
            refused.contains("no pipeline of the file is one of traces"),
            "{refused}"
        );
    }
}
