/*! Which Istio runs, by the images of istiod. */

use crate::cli::doctor::{
    check::{Fix, Inconclusive, Outcome, Problem, Verdict, known, some_of},
    facts::{Facts, objects::Pod},
};
use std::{collections::BTreeSet, fmt};

/// A release of Istio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IstioVersion {
    major: u16,
    minor: u16,
    patch: u16,
}

impl IstioVersion {
    pub(super) const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Reads the tag of an image such as `docker.io/istio/pilot:1.30.0-distroless`.
    pub(super) fn of_image(image: &str) -> Option<Self> {
        let last = image.rsplit('/').next()?;
        let (_, tag) = last.split_once(':')?;
        let tag = tag.split('@').next()?;
        let numbers = tag.split(['-', '_', '+']).next()?;
        let mut numbers = numbers.trim_start_matches('v').split('.');
        let mut number = || numbers.next()?.parse().ok();
        Some(Self::new(number()?, number()?, number().unwrap_or(0)))
    }

    /// Returns true for the two minor releases whose waypoints emit the destination's
    /// host as their spans' service name.
    pub(super) fn names_by_host(self) -> bool {
        self.major == 1 && (self.minor == 28 || self.minor == 29)
    }
}

impl fmt::Display for IstioVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

fn versions(facts: &Facts) -> BTreeSet<IstioVersion> {
    let istiods = facts.kubernetes.istiods.list();
    let images = istiods.iter().flat_map(|pod| &pod.spec.containers);
    let images = images.filter(|one| one.name == "discovery");
    images
        .filter_map(|one| IstioVersion::of_image(&one.image))
        .collect()
}

/// Returns the oldest istiod there is: what it cannot do, part of the mesh cannot.
pub(super) fn of_control_plane(facts: &Facts) -> Option<IstioVersion> {
    versions(facts).first().copied()
}

pub(super) fn control_plane(facts: &Facts) -> Verdict {
    let istiods = known(&facts.kubernetes.istiods)?;
    let namespace = &facts.scope.istio_namespace;
    if istiods.is_empty() {
        let evidence = format!("no Pod in namespace {namespace} has the label app=istiod");
        let fix = Fix::text(
            "If Istio's control plane is elsewhere, name its namespace with --istio-namespace; if it \
             runs outside of this cluster, look at the cluster that has it",
        );
        return Outcome::one(
            "none",
            Problem::broken("istiod does not run", evidence, fix).likely(),
        );
    }
    let found: Vec<String> = versions(facts).iter().map(ToString::to_string).collect();
    let saw = match &found[..] {
        [] => "version not known by its image".to_owned(),
        all => format!("version {}", some_of(all)),
    };
    if istiods.iter().any(Pod::is_ready) {
        return Outcome::well(saw);
    }
    let names: Vec<&str> = istiods.iter().map(|pod| &*pod.metadata.name).collect();
    let first = names.first().ok_or(Inconclusive::NotApplicable)?;
    let problem = Problem::broken(
        "no istiod is ready, so changes of tracing reach no proxy",
        format!("not ready: {}", some_of(&names)),
        Fix::command(
            "Find out why",
            format!("kubectl -n {namespace} describe pod {first}"),
        ),
    );
    Outcome::one(saw, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images() {
        for (image, want) in [
            ("docker.io/istio/pilot:1.30.0", Some((1, 30, 0))),
            (
                "gcr.io:443/istio-release/proxyv2:1.28.3-distroless",
                Some((1, 28, 3)),
            ),
            ("pilot:v1.29", Some((1, 29, 0))),
            ("pilot:1.31.0-rc.1@sha256:00", Some((1, 31, 0))),
            ("pilot:latest", None),
            ("registry:5000/pilot", None),
            ("pilot@sha256:0123", None),
        ] {
            let want = want.map(|(a, b, c)| IstioVersion::new(a, b, c));
            assert_eq!(IstioVersion::of_image(image), want, "{image}");
        }
    }
}
