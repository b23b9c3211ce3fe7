//! Statements of OTTL made at random: both products take the same ones, and
//! what they take does the same to spans.
//!
//! Idea: words of the language are put together so that most statements have a
//! meaning and some have none. All of them are checked in one `validate` of
//! each product, and those that both take are run side by side.

use super::{
    compared,
    side::Product,
    table::{self, Case, Table},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::{collections::BTreeSet, fs};
use tempfile::TempDir;

/// So many are made.
const COUNT: usize = 200;

struct Maker(StdRng);

impl Maker {
    fn pick(&mut self, words: &[&str]) -> String {
        (*words.choose(&mut self.0).unwrap()).to_owned()
    }

    fn key(&mut self) -> String {
        self.pick(&[
            "http.method",
            "http.url",
            "user.email",
            "note",
            "n",
            "ratio",
            "flag",
            "list",
            "map",
            "bytes",
            "none",
            "a",
            "absent",
            "service.name",
            "host.name",
        ])
    }

    fn map(&mut self) -> String {
        self.pick(&["span.attributes", "resource.attributes", "scope.attributes"])
    }

    fn attribute(&mut self) -> String {
        format!("{}[\"{}\"]", self.map(), self.key())
    }

    fn path(&mut self) -> String {
        match self.0.random_range(0..10) {
            0..6 => self.attribute(),
            6 => "span.attributes[\"map\"][\"a\"]".to_owned(),
            7 => "span.attributes[\"list\"][0]".to_owned(),
            _ => self.pick(&[
                "span.name",
                "span.kind",
                "span.kind.string",
                "span.status.code",
                "span.status.message",
                "span.trace_id.string",
                "span.span_id.string",
                "span.parent_span_id",
                "span.trace_state",
                "span.start_time_unix_nano",
                "span.end_time_unix_nano",
                "span.dropped_attributes_count",
                "scope.name",
                "scope.version",
                "resource.schema_url",
                "resource.dropped_attributes_count",
                "span.nothing",
            ]),
        }
    }

    fn text(&mut self) -> String {
        let text = self.pick(&[
            "GET",
            "x",
            "",
            "42",
            "jane@example.com",
            "reviews",
            "a-b-c",
            "Über",
        ]);
        format!("\"{text}\"")
    }

    fn pattern(&mut self) -> String {
        let pattern = self.pick(&[
            "^G",
            "[a-z]+",
            "[0-9]{2,}",
            ".",
            "e(x)?a",
            "^$",
            "\\\\d+",
            "(",
            "b|c",
        ]);
        format!("\"{pattern}\"")
    }

    fn value(&mut self, levels: u32) -> String {
        let kinds = if levels == 0 { 9 } else { 38 };
        let inner = levels.saturating_sub(1);
        match self.0.random_range(0..kinds) {
            0 | 1 => self.text(),
            2 => self.pick(&["0", "1", "42", "-7", "9223372036854775807"]),
            3 => self.pick(&["0.5", "-1.25", "42.0", "1e3", ".5"]),
            4 => self.pick(&[
                "true",
                "false",
                "nil",
                "0x0aff",
                "SPAN_KIND_SERVER",
                "STATUS_CODE_ERROR",
            ]),
            5..9 => self.path(),
            9 => format!(
                "Concat([{}, {}], \"-\")",
                self.value(inner),
                self.value(inner)
            ),
            10 => format!("Int({})", self.value(inner)),
            11 => format!("String({})", self.value(inner)),
            12 => format!("Double({})", self.value(inner)),
            13 => format!("Len({})", self.value(inner)),
            14 => format!("Split({}, \"-\")", self.value(inner)),
            15 => format!("Substring({}, 0, 2)", self.value(inner)),
            16 => {
                let case = self.pick(&["upper", "lower", "snake", "camel", "title"]);
                format!("ConvertCase({}, \"{case}\")", self.value(inner))
            }
            17 => {
                let function = self.pick(&["SHA256", "SHA1", "MD5", "FNV"]);
                format!("{function}({})", self.value(inner))
            }
            18 => format!(
                "ExtractPatterns({}, \"(?P<word>[a-z]+)\")",
                self.value(inner)
            ),
            19 => format!("ParseJSON({})", self.value(inner)),
            20 => format!("{} + {}", self.value(inner), self.value(inner)),
            21 => format!("({} - {}) * 2", self.value(inner), self.value(inner)),
            22 => format!("[{}, {}]", self.element(inner), self.element(inner)),
            23 => format!("{{\"k\": {}}}", self.element(inner)),
            24 => {
                let function = self.pick(&["Trim", "ToLowerCase", "ToUpperCase", "Nothing"]);
                format!("{function}({})", self.value(inner))
            }
            25 => self.condition(inner),
            26 => {
                let format = self.pick(&[
                    "%v-%s",
                    "%5.1f|%d",
                    "%q %x",
                    "%+d%%",
                    "%08.3f %v",
                    "%-4s|%t",
                ]);
                let value = |maker: &mut Self| match maker.0.random_bool(0.5) {
                    true => maker.text(),
                    false => maker.pick(&["7", "-1.25", "1e21", "true", "nil", "255"]),
                };
                format!("Format(\"{format}\", [{}, {}])", value(self), value(self))
            }
            27 => format!("{}({})", self.pick(&["Keys", "Values"]), self.map()),
            28 => format!(
                "Sort({}, \"{}\")",
                self.attribute(),
                self.pick(&["asc", "desc"])
            ),
            29 => {
                let format = self.pick(&[
                    "%Y-%m-%dT%H:%M:%S.%f%z",
                    "%a %d %b %y %l %p",
                    "%c %j",
                    "%F %T,%L",
                ]);
                format!("FormatTime(span.start_time, \"{format}\")")
            }
            30 => {
                let function =
                    self.pick(&["Year", "Month", "Day", "Weekday", "Hour", "Nanosecond"]);
                format!("{function}(span.end_time)")
            }
            31 => {
                let duration = self.pick(&["1s", "7m", "168h", "0s"]);
                format!("UnixNano(TruncateTime(span.end_time, Duration(\"{duration}\")))")
            }
            32 => format!("ParseKeyValue({})", self.value(inner)),
            33 => format!("URL({})", self.attribute()),
            34 => format!(
                "ParseInt({}, {})",
                self.value(inner),
                self.pick(&["10", "0", "16", "1"])
            ),
            35 => format!("Murmur3Hash128({})", self.value(inner)),
            36 => {
                let variant = self.pick(&["base64", "base64-url", "base64-raw", "base32"]);
                format!("Base64Encode({}, \"{variant}\")", self.value(inner))
            }
            _ => format!("ToKeyValueString({}, \"=\", \";\", true)", self.map()),
        }
    }

    /// A value that may stand in a list or map: to the Collector what `Split` gives may not.
    fn element(&mut self, levels: u32) -> String {
        let value = self.value(levels);
        match value.starts_with("Split(") {
            true => self.text(),
            false => value,
        }
    }

    fn condition(&mut self, levels: u32) -> String {
        let inner = levels.saturating_sub(1);
        let kinds = if levels == 0 { 7 } else { 10 };
        match self.0.random_range(0..kinds) {
            0..3 => {
                let comparison = self.pick(&["==", "!=", "<", "<=", ">", ">="]);
                format!("{} {comparison} {}", self.value(inner), self.value(inner))
            }
            3 => format!("IsMatch({}, {})", self.value(inner), self.pattern()),
            4 => {
                let function =
                    self.pick(&["IsString", "IsMap", "IsList", "IsInt", "IsDouble", "IsBool"]);
                format!("{function}({})", self.value(inner))
            }
            5 => {
                let function = self.pick(&["HasPrefix", "HasSuffix"]);
                format!("{function}({}, {})", self.value(inner), self.text())
            }
            6 => self.pick(&[
                "IsRootSpan()",
                "true",
                "span.attributes[\"flag\"]",
                "not IsRootSpan()",
            ]),
            7 => format!("{} and {}", self.condition(inner), self.condition(inner)),
            8 => format!("({} or {})", self.condition(inner), self.condition(inner)),
            _ => format!("not ({})", self.condition(inner)),
        }
    }

    fn statement(&mut self) -> String {
        let editor = match self.0.random_range(0..25) {
            0..8 => format!("set({}, {})", self.path(), self.value(2)),
            8 => format!("delete_key({}, \"{}\")", self.map(), self.key()),
            9 => format!("delete_matching_keys({}, {})", self.map(), self.pattern()),
            10 => format!(
                "keep_keys({}, [\"{}\", \"{}\"])",
                self.map(),
                self.key(),
                self.key()
            ),
            11 => format!("keep_matching_keys({}, {})", self.map(), self.pattern()),
            12 => format!(
                "replace_pattern({}, {}, {})",
                self.path(),
                self.pattern(),
                self.text()
            ),
            13 => format!("replace_match({}, \"*e*\", {})", self.path(), self.text()),
            14 => {
                let mode = self.pick(&["key", "value"]);
                format!(
                    "replace_all_patterns({}, \"{mode}\", {}, {})",
                    self.map(),
                    self.pattern(),
                    self.text()
                )
            }
            15 => format!(
                "replace_all_matches({}, \"*.*\", {})",
                self.map(),
                self.text()
            ),
            16 => format!(
                "truncate_all({}, {})",
                self.map(),
                self.pick(&["0", "3", "10"])
            ),
            17 => format!(
                "limit({}, {}, [\"{}\"])",
                self.map(),
                self.pick(&["1", "3"]),
                self.key()
            ),
            18 => format!(
                "merge_maps({}, {}, \"{}\")",
                self.map(),
                self.attribute(),
                self.pick(&["insert", "update", "upsert"])
            ),
            19 => format!(
                "merge_maps({}, ParseJSON({}), \"upsert\")",
                self.map(),
                self.attribute()
            ),
            20 => format!("append({}, {})", self.attribute(), self.value(0)),
            21 => format!(
                "delete_index({}, {})",
                self.attribute(),
                self.pick(&["0", "1", "-1", "0, 1"])
            ),
            22 => {
                let rest = self.pick(&[
                    "",
                    ", \"p\"",
                    ", depth=1",
                    ", \"\", 3",
                    ", resolve_conflicts=true",
                ]);
                format!("flatten({}{rest})", self.map())
            }
            23 => format!("stringify_all({})", self.map()),
            _ => "set_semconv_span_name(\"1.37.0\", \"was\")".to_owned(),
        };
        match self.0.random_bool(0.5) {
            true => format!("{editor} where {}", self.condition(2)),
            false => editor,
        }
    }
}

/// A processor with one statement.
fn processor(statement: &str) -> String {
    let quoted = statement.replace('\'', "''");
    format!("transform:\n  error_mode: ignore\n  trace_statements: ['{quoted}']\n")
}

/// The numbers of the statements that a product refuses.
fn refused(product: Product, statements: &[String]) -> BTreeSet<usize> {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("statements.yaml");
    let processors: Vec<_> = statements
        .iter()
        .map(|statement| processor(statement))
        .collect();
    fs::write(&file, table::checked(&processors)).unwrap();
    let output = product.command(&["validate"], &file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let numbers = said.split("processors").filter_map(|part| {
        let (_, rest) = part.split_once("transform/c")?;
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        rest[..digits].parse().ok()
    });
    let numbers: BTreeSet<usize> = numbers.collect();
    assert_eq!(output.status.success(), numbers.is_empty(), "{said}");
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements() {
    let mut maker = Maker(StdRng::seed_from_u64(7));
    let statements: BTreeSet<_> = (0..COUNT).map(|_| maker.statement()).collect();
    let statements = Vec::from_iter(statements);
    let [by_collector, by_wayspan] = Product::BOTH.map(|product| refused(product, &statements));
    let mut wrong: Vec<String> = by_collector
        .symmetric_difference(&by_wayspan)
        .map(|n| match by_wayspan.contains(n) {
            true => format!("only wayspan refuses: {}", statements[*n]),
            false => format!("only the Collector refuses: {}", statements[*n]),
        })
        .collect();
    let taken = statements.iter().enumerate();
    let taken = taken.filter(|(n, _)| !by_collector.contains(n) && !by_wayspan.contains(n));
    let cases: Vec<_> = taken
        .map(|(_, statement)| Case::of(statement, processor(statement)))
        .collect();
    assert!(cases.len() > COUNT / 4, "most statements are refused");
    wrong.extend(compared("statements", &Table::of("few", cases)).await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
