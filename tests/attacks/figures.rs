//! What was measured beside an attack, the line that shows it, and what is not
//! as it must be.

use crate::honest::{Ledger, SENDERS};
use std::time::Duration;

/// An honest sender's wait, on a slow machine.
const MOST_WAIT: Duration = Duration::from_secs(2);
/// What the process may have beside what it has at rest and what it may hold.
const BESIDES_MIB: u64 = 64;
/// The health page may be red, or late, for so long: it tells that shards are busy.
const MOST_RED: Duration = Duration::from_secs(2);

pub struct Figures {
    pub name: String,
    /// Bytes of one of the attackers' requests; 0 if it has no such.
    pub wire: usize,
    /// Bytes that the attackers sent.
    pub sent: u64,
    /// Their requests, taken and refused, and their connections that ended.
    pub answers: [u64; 3],
    pub honest: [Ledger; SENDERS.len()],
    /// Resident memory, in MiB.
    pub rest_mib: u64,
    pub peak_mib: u64,
    /// The memory limit.
    pub limit_mib: u64,
    /// It took more than its container has, or it crashed.
    pub ended: bool,
    pub red: Duration,
    pub silent: Duration,
    pub unbalanced: Option<String>,
    /// Spans that were still held long after the end, if not all were delivered.
    pub undelivered: Option<String>,
    /// Honest spans that were taken and have not arrived.
    pub missing: usize,
    pub panicked: bool,
}

pub const HEAD: &str = "  \
attack                                            request    sent   taken refused   cut | \
wait: median, longest of gRPC standing, new, HTTP standing, new | no  again | \
 rest  peak  MiB | health metrics | faults";

impl Figures {
    fn longest(&self) -> [Duration; SENDERS.len()] {
        let longest = |ledger: &Ledger| ledger.waits.iter().max().copied().unwrap_or_default();
        self.honest.each_ref().map(longest)
    }

    fn median(&self) -> Duration {
        let all = self.honest.iter().flat_map(|ledger| &ledger.waits);
        let mut all: Vec<_> = all.copied().collect();
        all.sort();
        all.get(all.len() / 2).copied().unwrap_or_default()
    }

    fn refused(&self) -> usize {
        self.honest.iter().map(|ledger| ledger.refused.len()).sum()
    }

    /// Whatever is not as it must be.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        check(!self.ended, "killed".to_owned());
        let most = self.rest_mib + self.limit_mib + BESIDES_MIB;
        check(self.peak_mib <= most, format!("memory over {most}"));
        let waited = self.longest().into_iter().max().unwrap_or_default();
        check(waited < MOST_WAIT, format!("waited {waited:.1?}"));
        let why = self.honest.iter().flat_map(|ledger| &ledger.refused).next();
        let why = why.cloned().unwrap_or_default();
        check(self.refused() == 0, format!("refused: {}", shortened(&why)));
        check(self.red <= MOST_RED, format!("health red {:.1?}", self.red));
        let silent = format!("metrics silent {:.1?}", self.silent);
        check(self.silent <= MOST_RED, silent);
        if let Some(account) = &self.unbalanced {
            check(false, format!("unbalanced: {account}"));
        }
        if let Some(what) = &self.undelivered {
            check(false, format!("not delivered: {what}"));
        }
        check(self.missing == 0, format!("{} spans lost", self.missing));
        check(!self.panicked, "panicked".to_owned());
        faults
    }

    /// The line of the table.
    pub fn line(&self) -> String {
        let wire = match self.wire {
            0 => String::new(),
            wire => bytes(wire as u64),
        };
        let [taken, refused, cut] = self.answers;
        let [a, b, c, d] = self.longest().map(millis);
        let resent: usize = self.honest.iter().map(|ledger| ledger.resent).sum();
        format!(
            "  {:<48} {wire:>8} {:>7} {taken:>7} {refused:>7} {cut:>5} | \
             {:>6} | {a:>6} {b:>6} {c:>6} {d:>6} ms | {:>3} {resent:>3} | \
             {:>3} {:>5} | {:>5} {:>5} | {}",
            self.name,
            bytes(self.sent),
            millis(self.median()),
            self.refused(),
            self.rest_mib,
            self.peak_mib,
            millis(self.red),
            millis(self.silent),
            self.faults().join("; "),
        )
    }
}

fn millis(time: Duration) -> String {
    match time.as_secs_f64() * 1e3 {
        ms if ms < 10.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}
