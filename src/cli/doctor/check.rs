/*!
What a check is: a question about [`Facts`] that has a name, a section in
`docs/troubleshooting.md` and an [`Outcome`].

A check is a pure function. It says what it saw, and for each thing that is
wrong a [`Problem`] with its evidence and the fix. It never guesses: what it
cannot know ends it with [`Inconclusive`].
*/

use super::facts::{Answer, Facts, Failure};
use serde::Serialize;

/// A link of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Category {
    Kubernetes,
    Istio,
    Proxies,
    Collector,
    Jaeger,
    Tempo,
    Kiali,
    Names,
    Probe,
}

impl Category {
    /// All of them, in the order of the chain.
    pub(super) const ALL: [Category; 9] = [
        Category::Kubernetes,
        Category::Istio,
        Category::Proxies,
        Category::Collector,
        Category::Jaeger,
        Category::Tempo,
        Category::Kiali,
        Category::Names,
        Category::Probe,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Istio => "istio",
            Self::Proxies => "proxies",
            Self::Collector => "collector",
            Self::Jaeger => "jaeger",
            Self::Tempo => "tempo",
            Self::Kiali => "kiali",
            Self::Names => "names",
            Self::Probe => "probe",
        }
    }
}

/// One check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    /// Its name, which is also its anchor in `docs/troubleshooting.md`.
    pub(super) id: &'static str,
    pub(super) category: Category,
    /// What holds when it is well.
    pub(super) title: &'static str,
    /// Is true when it means something before a collector is installed.
    pub(super) pre: bool,
    /// Checks of which this one's problems are a mere consequence, when they are broken.
    pub(super) follows_from: &'static [&'static str],
    pub(super) run: fn(&Facts) -> Verdict,
}

impl Check {
    /// A check that follows from no other and means something before a collector is installed.
    pub(super) const fn new(
        category: Category,
        id: &'static str,
        title: &'static str,
        run: fn(&Facts) -> Verdict,
    ) -> Self {
        Self {
            id,
            category,
            title,
            pre: true,
            follows_from: &[],
            run,
        }
    }

    /// The same, which means nothing before a collector is installed.
    pub(super) const fn once_installed(self) -> Self {
        Self { pre: false, ..self }
    }

    /// The same, whose problems are a mere consequence of those of `causes`.
    pub(super) const fn following(self, causes: &'static [&'static str]) -> Self {
        Self {
            follows_from: causes,
            ..self
        }
    }
}

/// Returns the checks of `first` and then those of `second`: of both, a check may merely follow.
pub(super) const fn joined<const N: usize>(
    first: &[&'static str],
    second: &[&'static str],
) -> [&'static str; N] {
    assert!(first.len() + second.len() == N);
    let mut all = [""; N];
    let mut at = 0;
    while at < N {
        all[at] = match at < first.len() {
            true => first[at],
            false => second[at - first.len()],
        };
        at += 1;
    }
    all
}

/// What a check came to.
pub(super) type Verdict = Result<Outcome, Inconclusive>;

/// What a check saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) saw: String,
    pub(super) problems: Vec<Problem>,
}

/// Why a check says nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Inconclusive {
    /// It does not concern this mesh, or another check says it all.
    NotApplicable,
    /// What it has to know could not be found out.
    Unknown { why: String, remedy: Option<String> },
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Ok,
    Warning,
    /// It could not be told.
    Unknown,
    Broken,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Broken => "broken",
        }
    }
}

/// How surely a problem keeps traces away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Likelihood {
    /// It alone is enough.
    Certain,
    /// It is enough unless something makes up for it that cannot be seen from here.
    Likely,
    /// It may be meant.
    Possible,
}

impl Likelihood {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    pub(super) likelihood: Likelihood,
    /// What is wrong, in a sentence without a full stop.
    pub(super) what: String,
    /// What it was seen by.
    pub(super) evidence: String,
    pub(super) fix: Fix,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Fix {
    pub(super) text: String,
    /// A command that does it as it stands.
    pub(super) command: Option<String>,
}

impl Fix {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            command: None,
        }
    }

    pub(super) fn command(text: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            command: Some(command.into()),
        }
    }

    /// A fix that applies YAML.
    pub(super) fn apply(text: impl Into<String>, yaml: &str) -> Self {
        let command = format!("kubectl apply -f - <<'EOF'\n{}\nEOF", yaml.trim_end());
        Self::command(text, command)
    }
}

impl Problem {
    /// Something that keeps traces away, certainly.
    pub(super) fn broken(what: impl Into<String>, evidence: impl Into<String>, fix: Fix) -> Self {
        Self {
            likelihood: Likelihood::Certain,
            what: what.into(),
            evidence: evidence.into(),
            fix,
        }
    }

    /// Something that may be meant.
    pub(super) fn warning(what: impl Into<String>, evidence: impl Into<String>, fix: Fix) -> Self {
        Self {
            likelihood: Likelihood::Possible,
            ..Self::broken(what, evidence, fix)
        }
    }

    /// The same, where something that is not seen may make up for it.
    pub(super) fn likely(self) -> Self {
        Self {
            likelihood: Likelihood::Likely,
            ..self
        }
    }

    pub(super) fn status(&self) -> Status {
        match self.likelihood {
            Likelihood::Certain | Likelihood::Likely => Status::Broken,
            Likelihood::Possible => Status::Warning,
        }
    }
}

impl Outcome {
    pub(super) fn well(saw: impl Into<String>) -> Verdict {
        Ok(Self {
            saw: saw.into(),
            problems: Vec::new(),
        })
    }

    pub(super) fn one(saw: impl Into<String>, problem: Problem) -> Verdict {
        Ok(Self {
            saw: saw.into(),
            problems: vec![problem],
        })
    }

    pub(super) fn status(&self) -> Status {
        let problems = self.problems.iter().map(Problem::status);
        problems.max().unwrap_or(Status::Ok)
    }
}

impl From<&Failure> for Inconclusive {
    fn from(failure: &Failure) -> Self {
        Self::Unknown {
            why: failure.cause.clone(),
            remedy: failure.remedy.clone(),
        }
    }
}

/// Returns what was answered, or ends a check.
pub(super) fn known<T>(answer: &Answer<T>) -> Result<&T, Inconclusive> {
    match answer {
        Answer::Got(value) => Ok(value),
        Answer::Failed(failure) => Err(failure.into()),
        Answer::NotAsked => Err(Inconclusive::NotApplicable),
    }
}

/// Returns `one thing`, `2 things`.
pub(super) fn count(number: usize, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{s}")
}

/// Returns the first few of many, for a line.
pub(super) fn some_of<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match names.len() > SHOWN {
        true => format!("{} and {} more", shown.join(", "), names.len() - SHOWN),
        false => shown.join(", "),
    }
}
