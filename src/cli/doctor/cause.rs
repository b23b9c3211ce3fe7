/*!
From what checks found to the causes, the most likely first. Pure.

A problem that merely follows from another is not a cause: no endpoints where
there is no Service. It is named with the one that it follows from, so that
nothing broken is passed over.
*/

use super::check::{Check, Fix, Inconclusive, Likelihood, Outcome, Problem, Status, Verdict};

/// A check with what it came to.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) check: &'static Check,
    pub(super) verdict: Verdict,
}

impl Checked {
    pub(super) fn status(&self) -> Option<Status> {
        match &self.verdict {
            Ok(outcome) => Some(outcome.status()),
            Err(Inconclusive::Unknown { .. }) => Some(Status::Unknown),
            Err(Inconclusive::NotApplicable) => None,
        }
    }

    pub(super) fn problems(&self) -> &[Problem] {
        match &self.verdict {
            Ok(Outcome { problems, .. }) => problems,
            Err(_) => &[],
        }
    }
}

/// Why traces are missing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cause<'a> {
    pub(super) check: &'static str,
    pub(super) likelihood: Likelihood,
    pub(super) what: &'a str,
    pub(super) evidence: &'a str,
    pub(super) fix: &'a Fix,
    /// What follows from it.
    pub(super) explains: Vec<&'a str>,
}

/// Returns the causes: what is broken before what may be meant, and the beginning of the
/// chain before its end.
pub(super) fn causes(all: &[Checked]) -> Vec<Cause<'_>> {
    let is_broken = |id: &str| {
        let mut named = all.iter().filter(|one| one.check.id == id);
        named.any(|one| one.status() == Some(Status::Broken))
    };
    let reason = |checked: &Checked| {
        let mut reasons = checked.check.follows_from.iter().copied();
        reasons.find(|id| is_broken(id))
    };
    let mut causes: Vec<Cause<'_>> = Vec::new();
    for checked in all.iter().filter(|checked| reason(checked).is_none()) {
        for problem in checked.problems() {
            // What one command mends has one cause.
            let mut before = causes.iter_mut();
            let same =
                |cause: &&mut Cause<'_>| problem.fix.command.is_some() && cause.fix == &problem.fix;
            if let Some(cause) = before.find(same) {
                cause.explains.push(&problem.what);
                continue;
            }
            causes.push(Cause {
                check: checked.check.id,
                likelihood: problem.likelihood,
                what: &problem.what,
                evidence: &problem.evidence,
                fix: &problem.fix,
                explains: Vec::new(),
            });
        }
    }
    for checked in all {
        let Some(mut id) = reason(checked) else {
            continue;
        };
        // What it follows from may follow from something itself.
        for _ in 0..all.len() {
            let above = all.iter().find(|one| one.check.id == id).and_then(reason);
            match above {
                Some(above) => id = above,
                None => break,
            }
        }
        if let Some(cause) = causes.iter_mut().find(|cause| cause.check == id) {
            let told = checked.problems().iter().map(|one| one.what.as_str());
            cause.explains.extend(told);
        }
    }
    causes.sort_by_key(|cause| cause.likelihood);
    causes
}

/// Returns the exit code: 1 when something is broken, else 2 when something could not be
/// told or nothing was looked at, else 0.
pub(super) fn exit_code(all: &[Checked]) -> u8 {
    let worst = all.iter().filter_map(Checked::status).max();
    match worst {
        Some(Status::Broken) => 1,
        Some(Status::Unknown) | None => 2,
        Some(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::{Category, known};
    use crate::cli::doctor::facts::{Answer, Failure};

    const fn check(id: &'static str, follows_from: &'static [&'static str]) -> Check {
        Check::new(Category::Istio, id, "", |_| {
            Err(Inconclusive::NotApplicable)
        })
        .following(follows_from)
    }

    static SERVICE: Check = check("service", &[]);
    static PORT: Check = check("port", &["service"]);
    static SPANS: Check = check("spans", &["sampling", "port", "service"]);
    static SAMPLING: Check = check("sampling", &[]);

    fn broken(check: &'static Check, what: &str) -> Checked {
        let problem = Problem::broken(what, "", Fix::default());
        Checked {
            check,
            verdict: Outcome::one("", problem),
        }
    }

    fn well(check: &'static Check) -> Checked {
        Checked {
            check,
            verdict: Outcome::well(""),
        }
    }

    fn told(all: &[Checked]) -> Vec<(&str, Vec<&str>)> {
        let causes = causes(all).into_iter();
        causes.map(|cause| (cause.what, cause.explains)).collect()
    }

    #[test]
    fn consequences_are_told_with_what_they_follow_from() {
        let all = [
            broken(&SERVICE, "a"),
            broken(&PORT, "b"),
            broken(&SPANS, "c"),
        ];
        assert_eq!(told(&all), [("a", vec!["b", "c"])]);
        let all = [well(&SERVICE), broken(&PORT, "b"), broken(&SPANS, "c")];
        assert_eq!(told(&all), [("b", vec!["c"])]);
        let all = [well(&SERVICE), well(&PORT), broken(&SPANS, "c")];
        assert_eq!(told(&all), [("c", vec![])]);
    }

    #[test]
    fn two_faults_are_two_causes() {
        let all = [
            broken(&SERVICE, "a"),
            broken(&SAMPLING, "b"),
            broken(&SPANS, "c"),
        ];
        assert_eq!(told(&all), [("a", vec![]), ("b", vec!["c"])]);
    }

    #[test]
    fn what_may_be_meant_comes_last_and_explains_nothing() {
        let warning = Checked {
            check: &SAMPLING,
            verdict: Outcome::one("", Problem::warning("w", "", Fix::default())),
        };
        let all = [warning.clone(), broken(&SPANS, "c")];
        assert_eq!(told(&all), [("c", vec![]), ("w", vec![])]);
        assert_eq!(exit_code(&all), 1);
        assert_eq!(exit_code(&[warning]), 0);
    }

    #[test]
    fn what_cannot_be_told_is_not_well() {
        let answer: Answer<u8> = Answer::Failed(Failure::default());
        let verdict = known(&answer).map(|_| Outcome::default());
        let check = &SERVICE;
        assert_eq!(exit_code(&[well(&PORT), Checked { check, verdict }]), 2);
        assert_eq!(exit_code(&[well(&PORT)]), 0);
        assert_eq!(exit_code(&[]), 2);
    }
}
