/*!
Values with a notation of their own: durations, addresses, sizes.
*/

use super::source::Environment;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Longer ones are mistakes, and would overflow when added to a clock.
const MAX_SECONDS: f64 = 10.0 * 365.0 * 86_400.0;

/// Reads a duration as Go writes it: `1h2m3.5s`, `200ms`, `0`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is not a duration such as 5s, 200ms or 1m30s");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.starts_with('-') {
        return Err(format!("\"{text}\": a duration cannot be negative here"));
    }
    if !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(format!(
            "\"{text}\" lacks a unit: write {text}s, {text}ms or {text}m"
        ));
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let scale = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        seconds += number.parse::<f64>().map_err(|_| wrong())? * scale;
        rest = after;
    }
    if text.is_empty() || !seconds.is_finite() {
        return Err(wrong());
    }
    if seconds > MAX_SECONDS {
        return Err(format!("\"{text}\" is more than ten years"));
    }
    // Nanoseconds are all that Go keeps; rounding hides the binary fractions.
    Ok(Duration::from_nanos((seconds * 1e9).round() as u64))
}

/// A duration as [`duration`] reads it.
pub(super) fn show_duration(duration: Duration) -> String {
    let text = humantime::format_duration(duration).to_string();
    text.replace(' ', "")
}

/// What to write for a `$NAME` in an address, where nothing is inserted for it.
pub(crate) fn bare_variable(address: &str) -> Option<String> {
    let (_, name) = address.split_once('$')?;
    let name = name.trim_start_matches(['{', '(']);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let name = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
    Some(format!("for a variable write ${{env:{name}}}"))
}

/// Splits `host:port`, `[v6]:port` or `:port`.
pub(crate) fn host_port(endpoint: &str) -> Result<(&str, u16), String> {
    let wrong = |why: &str| format!("\"{endpoint}\" is not HOST:PORT: {why}");
    if let Some(hint) = bare_variable(endpoint) {
        return Err(wrong(&hint));
    }
    let (host, port) = endpoint
        .rsplit_once(':')
        .ok_or_else(|| wrong("the port is missing"))?;
    let host = match host.strip_prefix('[') {
        Some(host) => host
            .strip_suffix(']')
            .ok_or_else(|| wrong("a `[` is not closed"))?,
        None if host.contains(':') => return Err(wrong("put an IPv6 address in [brackets]")),
        None => host,
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/@?#[]\"\\".contains(c);
    if host.contains(odd) {
        return Err(wrong("the host is not a name or an address"));
    }
    let port = port
        .parse()
        .map_err(|_| wrong("the port is not a number up to 65535"))?;
    Ok((host, port))
}

/// The address to listen on for `host:port`. No host: every address.
/// `localhost` is 127.0.0.1; other names are resolved now.
pub(super) fn listen_address(endpoint: &str, env: &dyn Environment) -> Result<SocketAddr, String> {
    let (host, port) = host_port(endpoint.trim())?;
    match host {
        "" => return Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        "localhost" => return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        _ => {}
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::from((ip, port)));
    }
    let resolved = env
        .addresses(host, port)
        .map_err(|e| format!("cannot find the address of \"{host}\": {e}"))?
        .into_iter()
        .min_by_key(SocketAddr::is_ipv6);
    resolved.ok_or_else(|| format!("\"{host}\" has no address"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_those_of_go() {
        let ms = |text: &str| duration(text).map(|d| d.as_micros() as f64 / 1000.0);
        assert_eq!(ms("200ms"), Ok(200.0));
        assert_eq!(ms("1h2m3.5s"), Ok(3_723_500.0));
        assert_eq!(ms("1.5s"), Ok(1500.0));
        assert_eq!(ms("7us"), Ok(0.007));
        assert_eq!(ms("0"), Ok(0.0));
        assert_eq!(duration("1ns"), Ok(Duration::from_nanos(1)));
        for text in ["0s", "200ms", "1m30s", "10m"] {
            assert_eq!(duration(text).map(show_duration), Ok(text.to_owned()));
        }
        assert!(ms("5").unwrap_err().contains("write 5s"));
        for bad in [
            "",
            "s",
            "5x",
            "5 s",
            "-5s",
            "1..2s",
            ".s",
            "s5",
            "1e9s",
            "99999999h",
            "5d",
        ] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn listen_addresses() {
        fn unset(_: &str) -> Option<String> {
            None
        }
        let addr = |text: &str| listen_address(text, &unset).map(|a| a.to_string());
        assert_eq!(addr("localhost:4317").unwrap(), "127.0.0.1:4317");
        assert_eq!(addr(":4317").unwrap(), "0.0.0.0:4317");
        assert_eq!(addr("0.0.0.0:0").unwrap(), "0.0.0.0:0");
        assert_eq!(addr("[::1]:4317").unwrap(), "[::1]:4317");
        for bad in [
            "",
            "4317",
            "host",
            "::1:4317",
            "[::1:4317",
            "a b:1",
            "h:70000",
            "http://h:1",
        ] {
            assert!(addr(bad).is_err(), "{bad:?}");
        }
        assert!(
            addr("no-such-host.invalid:1")
                .unwrap_err()
                .contains("cannot find the address")
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,20}|[0-9.hmsunµ+-]{0,20}|[\\[\\]:0-9a-f]{0,20}") {
            let _ = duration(&text);
            let _ = host_port(&text);
        }
    }
}
