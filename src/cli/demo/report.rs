/*! What the demo prints: hops, pages, and what to do about the rest. */

use super::recording::Istio;
use crate::mesh::{
    Kiali, Scheme, key,
    model::Span,
    pages::{self, Question},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

const WAYPOINT: &str = "waypoint";
const CLUSTER: &str = "Kubernetes";

/// Everything that is printed, computed when it is.
#[derive(Debug)]
pub(crate) struct Story<'a> {
    /// The version of Istio whose spans these are.
    pub(crate) istio: Istio,
    /// Who looks for them.
    pub(crate) kiali: &'a Kiali,
    /// Requests sent.
    pub(crate) requests: usize,
    /// Spans as recorded.
    pub(crate) emitted: &'a [Span],
    /// Spans as they came out.
    pub(crate) delivered: &'a [Span],
}

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kiali = self.kiali;
        writeln!(
            f,
            "Twenty visits to bookinfo, as {} reports them.",
            self.istio.describe()
        )?;
        writeln!(
            f,
            "{} spans sent in {} requests over gRPC, {} delivered.",
            self.emitted.len(),
            self.requests,
            self.delivered.len()
        )?;
        writeln!(f, "Naming: {}.\n", Scheme::new(kiali).describe())?;
        write!(f, "{}", self.hops())?;
        writeln!(
            f,
            "\nWhat Kiali {} (namespace_selector {}, use_waypoint_name {}) finds:\n",
            kiali.version, kiali.namespace_selector, kiali.use_waypoint_name
        )?;
        let (table, [before, now, all]) = self.pages();
        write!(f, "{table}")?;
        writeln!(
            f,
            "\nWithout wayspan {before} of {all} pages find their traces, with it {now}."
        )?;
        if self.kiali_has_switch()
            && !kiali.use_waypoint_name
            && self.istio.has_waypoint()
            && now < all
        {
            writeln!(
                f,
                "`use_waypoint_name: true`, in Kiali and here, finds more: try --use-waypoint-name"
            )?;
        }
        Ok(())
    }
}

impl Story<'_> {
    /// Returns true if `use_waypoint_name` means anything to this Kiali.
    fn kiali_has_switch(&self) -> bool {
        let with = Kiali {
            use_waypoint_name: true,
            ..self.kiali.clone()
        };
        Scheme::new(&with).form != Scheme::new(self.kiali).form
    }

    /// One line for each distinct hop: kind, names, destination, how often.
    fn hops(&self) -> Table {
        let emitted: HashMap<(&[u8], &[u8]), &Span> =
            self.emitted.iter().map(|span| (ids(span), span)).collect();
        let mut lines: BTreeMap<[String; 5], usize> = BTreeMap::new();
        for span in self.delivered {
            let before = emitted
                .get(&ids(span))
                .map_or("?", |span| span.service_name());
            let tag = |key| span.tag(key).unwrap_or("-").to_owned();
            let line = [
                span.hop().class.as_str().to_owned(),
                before.to_owned(),
                span.service_name().to_owned(),
                tag(key::DESTINATION_APP),
                tag(key::DESTINATION_NAMESPACE),
            ];
            *lines.entry(line).or_default() += 1;
        }
        let mut table = Table::new(&[
            "HOP",
            "EMITTED AS",
            "NAMED NOW",
            "DESTINATION APP",
            "NAMESPACE",
            "SPANS",
        ]);
        for (line, count) in lines {
            table.row(line.into_iter().chain([count.to_string()]).collect());
        }
        table
    }

    /// One line for each page, and how many find all their traces before, now,
    /// and could.
    fn pages(&self) -> (Table, [usize; 3]) {
        let traces = self
            .emitted
            .iter()
            .map(|span| &span.trace_id)
            .collect::<HashSet<_>>()
            .len();
        let mut table = Table::new(&["PAGE", "ASKS FOR", "BEFORE", "NOW"]);
        let [mut before, mut now, mut all] = [0; 3];
        let waypoint = self.istio.has_waypoint().then_some(WAYPOINT);
        for page in pages::bookinfo(waypoint) {
            let question = Question::new(self.kiali, CLUSTER, &page);
            let found = [self.emitted, self.delivered].map(|spans| question.finds(spans).len());
            before += usize::from(found[0] == traces);
            now += usize::from(found[1] == traces);
            all += 1;
            let [was, is] = found.map(|found| match found {
                0 => "nothing".to_owned(),
                found if found == traces => "found".to_owned(),
                found => format!("{found} of {traces}"),
            });
            let asked = match question.service_name.as_str() {
                "" => "(an empty name)".to_owned(),
                name => name.to_owned(),
            };
            table.row(vec![page.title(), asked, was, is]);
        }
        (table, [before, now, all])
    }
}

fn ids(span: &Span) -> (&[u8], &[u8]) {
    (&span.trace_id, &span.span_id)
}

/// Columns as wide as their longest cell.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(head: &[&str]) -> Self {
        Self {
            rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()],
        }
    }

    fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(String::len)
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::from("  ");
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:<width$}  "));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
