/*!
What the doctor prints: a line a check as it goes, then the causes; or all of
it as JSON at the end.
*/

use super::{
    cause::{Cause, Checked, exit_code},
    check::{Category, Inconclusive, Likelihood, Status},
    findings::PageAccount,
};
use serde::Serialize;
use std::io::{self, Write};

/// Where each check is explained.
const MANUAL: &str = "docs/troubleshooting.md";

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Every check, then the causes with their fixes
    Table,
    /// What is not well, and the causes
    Short,
    /// All of it, for programs
    Json,
}

/// Prints the checks of some links of the chain.
pub(super) fn lines(out: &mut dyn Write, all: &[Checked], format: Format) -> io::Result<()> {
    if format == Format::Json {
        return Ok(());
    }
    let mut category: Option<Category> = None;
    for checked in all {
        let Some(status) = checked.status() else {
            continue;
        };
        if format == Format::Short && status == Status::Ok {
            continue;
        }
        let check = checked.check;
        if category.replace(check.category) != Some(check.category) && format == Format::Table {
            writeln!(out, "{}", check.category.name())?;
        }
        write!(out, "  {:<8} {}", status.word(), check.title)?;
        if let Ok(outcome) = &checked.verdict
            && !outcome.saw.is_empty()
        {
            write!(out, ": {}", outcome.saw)?;
        }
        writeln!(out)?;
        match &checked.verdict {
            Ok(outcome) => {
                for problem in &outcome.problems {
                    writeln!(out, "           - {}", problem.what)?;
                    if !problem.evidence.is_empty() && format == Format::Table {
                        writeln!(out, "             {}", problem.evidence)?;
                    }
                }
            }
            Err(Inconclusive::Unknown { why, remedy }) => {
                writeln!(out, "           - {why}")?;
                if let Some(remedy) = remedy {
                    writeln!(out, "             {remedy}")?;
                }
            }
            Err(Inconclusive::NotApplicable) => {}
        }
        if status != Status::Ok && format == Format::Table {
            writeln!(out, "             see {}", hint(check.id))?;
        }
    }
    Ok(())
}

fn hint(id: &str) -> String {
    format!("{MANUAL}#{id}")
}

/// Prints what follows from all checks; for programs every page of Kiali, too.
pub(super) fn end(
    out: &mut dyn Write,
    all: &[Checked],
    causes: &[Cause<'_>],
    pages: impl FnOnce() -> Vec<PageAccount>,
    format: Format,
) -> io::Result<()> {
    match format {
        Format::Json => json(out, all, causes, pages()),
        Format::Table | Format::Short => words(out, all, causes),
    }
}

fn words(out: &mut dyn Write, all: &[Checked], causes: &[Cause<'_>]) -> io::Result<()> {
    let numbered = |status| {
        all.iter()
            .filter(|one| one.status() == Some(status))
            .count()
    };
    if !causes.is_empty() {
        let title = match causes
            .iter()
            .any(|cause| cause.likelihood != Likelihood::Possible)
        {
            true => "Why traces are missing, the most likely cause first:",
            false => "Nothing is broken. What may be meant, and what may be missed:",
        };
        writeln!(out, "\n{title}")?;
    }
    for (at, cause) in causes.iter().enumerate() {
        writeln!(
            out,
            "\n{}. {} ({})",
            at + 1,
            cause.what,
            cause.likelihood.word()
        )?;
        if !cause.evidence.is_empty() {
            writeln!(out, "   seen: {}", cause.evidence)?;
        }
        for what in &cause.explains {
            writeln!(out, "   explains: {what}")?;
        }
        indented(out, &cause.fix.text, "   fix: ", "        ")?;
        if let Some(command) = &cause.fix.command {
            // At the margin, so that it can be copied with its here-document.
            writeln!(out, "\n{command}")?;
        }
    }
    let (well, warnings, unknown, broken) = (
        numbered(Status::Ok),
        numbered(Status::Warning),
        numbered(Status::Unknown),
        numbered(Status::Broken),
    );
    let verdict = match exit_code(all) {
        0 => "The chain is well as far as it was looked at",
        1 => "The chain is broken",
        _ if all.iter().all(|one| one.status().is_none()) => {
            "Nothing was looked at, since there was nobody to ask: see --help for how to give addresses"
        }
        _ => "It could not be told whether the chain is well",
    };
    writeln!(
        out,
        "\n{verdict}: {well} ok, {warnings} with warnings, {unknown} unknown, {broken} broken."
    )
}

fn indented(out: &mut dyn Write, text: &str, first: &str, rest: &str) -> io::Result<()> {
    for (at, line) in text.lines().enumerate() {
        writeln!(out, "{}{line}", if at == 0 { first } else { rest })?;
    }
    Ok(())
}

#[derive(Serialize)]
struct JsonReport<'a> {
    exit_code: u8,
    checks: Vec<JsonCheck<'a>>,
    causes: Vec<JsonCause<'a>>,
    pages: Vec<PageAccount>,
}

#[derive(Serialize)]
struct JsonCheck<'a> {
    category: Category,
    id: &'static str,
    title: &'static str,
    status: Status,
    saw: &'a str,
    problems: Vec<&'a str>,
    hint: String,
}

#[derive(Serialize)]
struct JsonCause<'a> {
    check: &'static str,
    likelihood: Likelihood,
    what: &'a str,
    evidence: &'a str,
    explains: &'a [&'a str],
    fix: &'a super::check::Fix,
    hint: String,
}

fn json(
    out: &mut dyn Write,
    all: &[Checked],
    causes: &[Cause<'_>],
    pages: Vec<PageAccount>,
) -> io::Result<()> {
    let checks = all.iter().filter_map(|checked| {
        let (saw, problems) = match &checked.verdict {
            Ok(outcome) => {
                let problems = outcome.problems.iter().map(|one| &*one.what);
                (&*outcome.saw, problems.collect())
            }
            Err(Inconclusive::Unknown { why, .. }) => (&**why, Vec::new()),
            Err(Inconclusive::NotApplicable) => ("", Vec::new()),
        };
        Some(JsonCheck {
            category: checked.check.category,
            id: checked.check.id,
            title: checked.check.title,
            status: checked.status()?,
            saw,
            problems,
            hint: hint(checked.check.id),
        })
    });
    let report = JsonReport {
        exit_code: exit_code(all),
        checks: checks.collect(),
        causes: causes
            .iter()
            .map(|cause| JsonCause {
                check: cause.check,
                likelihood: cause.likelihood,
                what: cause.what,
                evidence: cause.evidence,
                explains: &cause.explains,
                fix: cause.fix,
                hint: hint(cause.check),
            })
            .collect(),
        pages,
    };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}
