/*!
Names of metrics and labels, as the Collector translates them for Prometheus (`otlptranslator`).
*/

/// Units and the words for them.
const UNITS: &[(&str, &str)] = &[
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
];

/// What things are counted by.
const PER_UNITS: &[(&str, &str)] = &[
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// What kind of value a metric has, as far as its name says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Gauge,
    /// A sum that only grows.
    Counter,
    Other,
}

fn is_valid(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ':'
}

/// Makes the name of a metric. None if nothing of it may stand in one.
pub(crate) fn metric(
    name: &str,
    unit: &str,
    named: Named,
    (namespace, has_suffixes): (&str, bool),
) -> Option<String> {
    let namespace = sanitized(namespace);
    let mut tokens: Vec<String> = Vec::new();
    if has_suffixes {
        let parts = name.split(|c| !is_valid(c)).filter(|part| !part.is_empty());
        tokens.extend(parts.map(str::to_owned));
        add_unit(unit, &mut tokens);
        let mut put_last = |word: &str| {
            tokens.retain(|token| token != word);
            tokens.push(word.to_owned());
        };
        if named == Named::Counter {
            put_last("total");
        }
        if unit == "1" && named == Named::Gauge {
            put_last("ratio");
        }
    } else {
        tokens.push(sanitized(name));
    }
    if !namespace.is_empty() {
        tokens.insert(0, namespace);
    }
    let mut made = tokens.join("_");
    if made.starts_with(|c: char| c.is_ascii_digit()) {
        made.insert(0, '_');
    }
    made.contains(|c| c != '_').then_some(made)
}

/// The parts of a text that may stand in a name, joined by underscores.
fn sanitized(text: &str) -> String {
    let parts = text.split(|c| !is_valid(c) && c != '_');
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("_")
}

fn add_unit(unit: &str, tokens: &mut Vec<String>) {
    let (unit, per) = match unit.split_once('/') {
        Some((unit, per)) => (unit, Some(per)),
        None => (unit, None),
    };
    let unit = word(unit, UNITS);
    let per = per.map(|per| word(per, PER_UNITS)).unwrap_or_default();
    let per = match per.is_empty() {
        true => String::new(),
        false => format!("per_{per}"),
    };
    for word in [unit, per] {
        let word = word.trim_end_matches('_');
        if !word.is_empty() && !tokens.iter().any(|token| token == word) {
            tokens.push(word.to_owned());
        }
    }
}

/// The word for a unit. Empty for annotations, such as `{requests}`.
fn word(unit: &str, words: &[(&str, &str)]) -> String {
    let unit = unit.trim();
    if unit.contains(['{', '}']) {
        return String::new();
    }
    let known = words.iter().find(|(symbol, _)| *symbol == unit);
    let word = known.map_or(unit, |(_, word)| word);
    let parts = word.split(|c| !is_valid(c));
    let mut clean = parts.fold(String::new(), |mut clean, part| {
        if !clean.ends_with('_') {
            clean.push('_');
        }
        clean.push_str(part);
        clean
    });
    clean.remove(0);
    clean
}

/// Makes the name of a label. None if nothing of it may stand in one.
pub(crate) fn label(name: &str) -> Option<String> {
    let valid = name.chars().map(|c| match c.is_ascii_alphanumeric() {
        true => c,
        false => '_',
    });
    let mut made: String = valid.collect();
    if made.starts_with(|c: char| c.is_ascii_digit()) {
        made.insert_str(0, "key_");
    }
    made.contains(|c| c != '_').then_some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_called_as_the_collector_calls_them() {
        for (name, unit, named, namespace, expected) in [
            (
                "traces.span.metrics.calls",
                "",
                Named::Counter,
                "",
                "traces_span_metrics_calls_total",
            ),
            (
                "traces.span.metrics.duration",
                "ms",
                Named::Other,
                "",
                "traces_span_metrics_duration_milliseconds",
            ),
            (
                "duration",
                "s",
                Named::Other,
                "mesh",
                "mesh_duration_seconds",
            ),
            (
                "system.filesystem.usage",
                "By",
                Named::Other,
                "",
                "system_filesystem_usage_bytes",
            ),
            (
                "system.network.io",
                "By",
                Named::Counter,
                "",
                "system_network_io_bytes_total",
            ),
            (
                "hw.fan.speed_limit",
                "rpm",
                Named::Gauge,
                "",
                "hw_fan_speed_limit_rpm",
            ),
            (
                "total.requests",
                "{request}",
                Named::Counter,
                "",
                "requests_total",
            ),
            ("cpu.ratio.used", "1", Named::Gauge, "", "cpu_used_ratio"),
            ("speed", "m/s", Named::Gauge, "", "speed_meters_per_second"),
            ("rate", "{packet}/s", Named::Gauge, "", "rate_per_second"),
            ("size_bytes", "By", Named::Gauge, "a-b", "a_b_size_bytes"),
            ("2xx", "", Named::Gauge, "", "_2xx"),
            ("a__b", "", Named::Gauge, "", "a_b"),
            ("job:rate", "", Named::Gauge, "", "job:rate"),
        ] {
            let made = metric(name, unit, named, (namespace, true));
            assert_eq!(made.as_deref(), Some(expected), "{name}");
        }
        assert_eq!(metric("...", "", Named::Gauge, ("", true)), None);
        let plain = |name, namespace| metric(name, "ms", Named::Counter, (namespace, false));
        assert_eq!(plain("a.b_total", "").as_deref(), Some("a_b_total"));
        assert_eq!(plain("1.b", "").as_deref(), Some("_1_b"));
        assert_eq!(plain("a__b", "x").as_deref(), Some("x_a__b"));
    }

    #[test]
    fn labels_have_their_odd_letters_replaced() {
        for (name, expected) in [
            ("service.name", Some("service_name")),
            ("a..b-ü", Some("a__b__")),
            ("1st", Some("key_1st")),
            ("_x", Some("_x")),
            ("", None),
            ("..", None),
        ] {
            assert_eq!(label(name).as_deref(), expected, "{name}");
        }
    }
}
