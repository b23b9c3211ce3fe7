/*! Whether the Kubernetes API answers, and what of it may not be read. */

use super::{
    check::{Category, Check, Fix, Inconclusive, Outcome, Problem, Verdict, known},
    facts::{Facts, Failure, FailureKind},
};

/// The checks.
pub(super) static CHECKS: &[Check] = &[
    Check::new(
        Category::Kubernetes,
        "kubernetes-api",
        "the API server answers",
        api,
    ),
    Check::new(
        Category::Kubernetes,
        "kubernetes-rights",
        "what is asked for may be read",
        rights,
    ),
];

fn api(facts: &Facts) -> Verdict {
    let version = known(&facts.kubernetes.api)?;
    Outcome::well(format!("version {version}"))
}

/// Every question to the API that failed.
fn failures(facts: &Facts) -> Vec<&Failure> {
    let all = &facts.kubernetes;
    let lists = [
        all.istiods.failure(),
        all.mesh_config.failure(),
        all.namespaces.failure(),
        all.services.failure(),
        all.pods.failure(),
        all.gateways.failure(),
        all.telemetries.failure(),
        all.service_entries.failure(),
    ];
    let of_providers = all.provider_services.iter();
    let of_providers =
        of_providers.flat_map(|one| [one.service.failure(), one.endpoints.failure()]);
    let mut failures: Vec<&Failure> = Vec::new();
    for failure in lists.into_iter().chain(of_providers).flatten() {
        if !failures.contains(&failure) {
            failures.push(failure);
        }
    }
    failures
}

/// A missing right is no fault of the chain: it is named, and the checks that need it
/// are skipped.
fn rights(facts: &Facts) -> Verdict {
    known(&facts.kubernetes.api).map_err(|_| Inconclusive::NotApplicable)?;
    let failures = failures(facts);
    let missing = failures
        .iter()
        .filter(|one| one.kind == FailureKind::Forbidden);
    let problems: Vec<Problem> = missing
        .map(|failure| {
            let text = "Have somebody with the rights run this, or run the doctor as somebody who has them";
            let fix = match &failure.remedy {
                Some(command) => Fix::command(text, command),
                None => Fix::text(text),
            };
            Problem::warning("a right is missing", &failure.cause, fix)
        })
        .collect();
    let saw = match problems.len() {
        0 => String::new(),
        many => format!("{many} rights are missing"),
    };
    Ok(Outcome { saw, problems })
}
