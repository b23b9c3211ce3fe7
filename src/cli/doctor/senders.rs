/*!
What traces say of the senders of their spans: clocks that differ, and spans whose parents
never come because a hop before them reports nothing.
*/

use super::{
    check::{Category, Check, Fix, Inconclusive, Outcome, Problem, Verdict, count, some_of},
    facts::{
        Facts,
        traces::{Orphan, Skew, Traces},
    },
};
use crate::mesh::workload_of_pod;

/// The checks.
pub(super) static CHECKS: &[Check] = &[
    Check::new(
        Category::Names,
        "trace-clocks",
        "clocks of the senders of spans agree",
        clocks,
    )
    .once_installed(),
    Check::new(
        Category::Names,
        "trace-parents",
        "no span lacks its parent",
        parents,
    )
    .once_installed(),
];

fn traces(facts: &Facts) -> Result<&Traces, Inconclusive> {
    let mut all = facts.jaegers.iter().map(|address| &address.traces);
    all.find(|traces| traces.looked_at > 0)
        .ok_or(Inconclusive::NotApplicable)
}

fn clocks(facts: &Facts) -> Verdict {
    let traces = traces(facts)?;
    let saw = count(traces.looked_at, "trace");
    let Some(worst) = traces.skews.iter().max_by_key(|skew| skew.most.abs()) else {
        return Outcome::well(saw);
    };
    let said = |skew: &Skew| {
        let way = if skew.most < 0 { "before" } else { "after" };
        format!(
            "spans of {} begin up to {} ms {way} their parents of {} ({} of {})",
            skew.child,
            skew.most.abs(),
            skew.parent,
            skew.outside,
            skew.pairs
        )
    };
    let evidence: Vec<String> = traces.skews.iter().map(said).collect();
    let problem = Problem::warning(
        format!(
            "the clocks of {} and {} differ, so that their traces look wrong",
            worst.parent, worst.child
        ),
        some_of(&evidence),
        Fix::text(
            "Let something keep the clocks of the nodes that these run on (chrony, systemd-timesyncd). Kiali searches by \
             time: spans of a clock that is off by minutes are not found",
        ),
    );
    Outcome::one(saw, problem)
}

fn parents(facts: &Facts) -> Verdict {
    let traces = traces(facts)?;
    let saw = count(traces.looked_at, "trace");
    if traces.orphans.is_empty() {
        return Outcome::well(saw);
    }
    let said = |orphan: &Orphan| {
        let by = match caller(facts, &orphan.caller) {
            Some(caller) => format!(", called by {caller}"),
            None if orphan.caller.is_empty() => String::new(),
            None => format!(", called from {}", orphan.caller),
        };
        format!(
            "{}{by}, in {}",
            orphan.service,
            count(orphan.traces, "trace")
        )
    };
    let evidence: Vec<String> = traces.orphans.iter().map(said).collect();
    let mut callers = traces.orphans.iter();
    let first = callers.find_map(|orphan| caller(facts, &orphan.caller));
    let who = first.unwrap_or_else(|| "whoever calls".to_owned());
    let problem = Problem::warning(
        format!("traces are in pieces: spans of {who} take part in them and never come"),
        some_of(&evidence),
        Fix::text(
            "See whether the tracing of these callers goes to this collector: a Telemetry that reaches them, with the same \
             provider and without disableSpanReporting; of applications that trace themselves the exporter. A caller outside of \
             the mesh may report elsewhere",
        ),
    );
    Outcome::one(saw, problem)
}

/// Returns the workload of the Pod that has an address.
fn caller(facts: &Facts, address: &str) -> Option<String> {
    let mut pods = facts.kubernetes.pods.list().iter();
    let pod = pods.find(|pod| !address.is_empty() && pod.status.pod_ip == address)?;
    let meta = &pod.metadata;
    Some(format!(
        "{}/{}",
        meta.namespace,
        workload_of_pod(&meta.name)
    ))
}
