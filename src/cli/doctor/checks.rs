/*! All checks, and running those of some links of the chain. */

use super::{
    cause::Checked,
    check::{Category, Check},
    collector,
    facts::Facts,
    istio, jaeger, kiali, kubernetes, names, probe, proxies, senders, tempo,
};

/// The checks, in the order of the chain.
pub(super) fn all() -> impl Iterator<Item = &'static Check> {
    let tables: [&'static [Check]; 10] = [
        kubernetes::CHECKS,
        istio::CHECKS,
        proxies::CHECKS,
        collector::CHECKS,
        jaeger::CHECKS,
        tempo::CHECKS,
        kiali::CHECKS,
        names::CHECKS,
        senders::CHECKS,
        probe::CHECKS,
    ];
    tables.into_iter().flatten()
}

/// Runs the checks of `categories`; with `pre` those alone that mean something before a
/// collector is installed.
pub(super) fn run(facts: &Facts, categories: &[Category], pre: bool) -> Vec<Checked> {
    all()
        .filter(|check| categories.contains(&check.category) && (check.pre || !pre))
        .map(|check| Checked {
            check,
            verdict: (check.run)(facts),
        })
        .collect()
}
