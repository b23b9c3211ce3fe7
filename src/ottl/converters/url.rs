/*!
`URL`: the parts of a URL, by the names of the semantic conventions, as Go's `net/url` tells them
apart.

A part is decoded where Go decodes it, and `url.original` is the URL put together again.
*/

mod escape;

use super::MapBuilder;
use crate::{
    ottl::{
        Arena, EvalError,
        value::{Value, put_entry},
    },
    pdata::wire::{put_bytes, put_message},
};
use escape::{Part, escaped, kept, unescape};
use std::net::Ipv6Addr;

/// The parts of a URL, decoded.
#[derive(Debug, Default, PartialEq, Eq)]
struct Url {
    scheme: String,
    /// What follows the scheme where that is no path.
    opaque: String,
    user: Option<(String, Option<String>)>,
    host: String,
    path: String,
    /// The path as it is put together again.
    written_path: String,
    query: String,
    ends_in_question_mark: bool,
    /// There is an authority, which may be empty.
    has_authority: bool,
    fragment: String,
    written_fragment: String,
}

pub(super) fn parse<'v>(text: &str, arena: &'v Arena) -> Result<Value<'v>, EvalError> {
    const WRONG: EvalError = EvalError::new("the string is no URL");
    if text.is_empty() {
        return Err(WRONG);
    }
    if let Some(query) = text.strip_prefix('?') {
        return parameters(query, arena)?.ok_or(WRONG);
    }
    let url = split(text).ok_or(WRONG)?;
    let mut map = MapBuilder::default();
    let mut put = |key: &'static str, text: &str| {
        let value = arena.build(|out| Value::Str(text).encode(out))?;
        map.put(key.as_bytes(), value);
        Ok::<_, EvalError>(())
    };
    let (host, port) = host_and_port(&url.host);
    put("url.original", &url.written())?;
    put("url.domain", host)?;
    put("url.scheme", &url.scheme)?;
    put("url.path", &url.path)?;
    if !url.fragment.is_empty() {
        put("url.fragment", &url.fragment)?;
    }
    if let Some((name, password)) = &url.user {
        put("url.user_info", &url.user_info())?;
        if !name.is_empty() {
            put("url.username", name)?;
        }
        if let Some(password) = password {
            put("url.password", password)?;
        }
    }
    if !url.query.is_empty() {
        put("url.query", &url.query)?;
    }
    match url.path.rsplit_once('.') {
        Some((_, extension)) if !extension.is_empty() => put("url.extension", extension)?,
        _ => {}
    }
    if !port.is_empty() {
        let port: i64 = port.parse().map_err(|_| WRONG)?;
        let port = arena.build(|out| Value::Int(port).encode(out))?;
        map.put(b"url.port", port);
    }
    map.build(arena)
}

/// `query`, a map of lists: the values of each parameter. None: it is wrong.
fn parameters<'v>(query: &str, arena: &'v Arena) -> Result<Option<Value<'v>>, EvalError> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = unescape(key, Part::Query).zip(unescape(value, Part::Query));
        match decoded.filter(|_| !pair.contains(';')) {
            Some((key, value)) => pairs.push((key, value)),
            None => return Ok(None),
        }
    }
    if pairs.is_empty() {
        return Ok(Some(Value::Map(&[])));
    }
    // The values of a parameter keep their order.
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut map = MapBuilder::default();
    for values in pairs.chunk_by(|(one, _), (other, _)| one == other) {
        let list = arena.build(|out| {
            put_message(5, out, |out| {
                for (_, value) in values {
                    // A text in a value.
                    put_message(1, out, |out| put_bytes(1, value.as_bytes(), out));
                }
            });
            Ok(())
        })?;
        let key = values.first().map_or("", |(key, _)| key);
        map.put(arena.text(key)?.as_bytes(), list);
    }
    let parameters = arena.build(|out| {
        put_message(6, out, |out| map.write(out));
        Ok(())
    })?;
    let map = arena.build(|out| {
        put_entry(b"query", parameters, out);
        Ok(())
    })?;
    Ok(Some(Value::Map(map)))
}

/// Takes a URL apart.
fn split(text: &str) -> Option<Url> {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    if text.bytes().any(|b| b < b' ' || b == 0x7f) {
        return None;
    }
    let mut url = Url {
        fragment: unescape(fragment, Part::Fragment)?,
        written_fragment: kept(fragment, Part::Fragment),
        ..Url::default()
    };
    if text == "*" {
        text.clone_into(&mut url.path);
        text.clone_into(&mut url.written_path);
        return Some(url);
    }
    let (scheme, rest) = scheme(text)?;
    url.scheme = scheme.to_ascii_lowercase();
    let (rest, query) = match rest.strip_suffix('?').filter(|rest| !rest.contains('?')) {
        Some(rest) => {
            url.ends_in_question_mark = true;
            (rest, "")
        }
        None => rest.split_once('?').unwrap_or((rest, "")),
    };
    query.clone_into(&mut url.query);
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            rest.clone_into(&mut url.opaque);
            return Some(url);
        }
        if rest
            .split('/')
            .next()
            .is_some_and(|first| first.contains(':'))
        {
            return None;
        }
    }
    let mut path = rest;
    let has_authority = !scheme.is_empty() || !rest.starts_with("///");
    if let Some(rest) = rest.strip_prefix("//").filter(|_| has_authority) {
        let (authority, after) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        path = after;
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        url.has_authority = true;
        url.host = read_host(&url.scheme, host)?;
        url.user = match user {
            Some(user) => Some(read_user(user)?),
            None => None,
        };
    }
    url.path = unescape(path, Part::Path)?;
    url.written_path = kept(path, Part::Path);
    Some(url)
}

/// What stands before the first colon, if that is a scheme, and what follows. None: there is no scheme before it.
fn scheme(text: &str) -> Option<(&str, &str)> {
    for (i, b) in text.bytes().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return None,
            b':' => return text.split_once(':'),
            _ => break,
        }
    }
    Some(("", text))
}

fn read_user(text: &str) -> Option<(String, Option<String>)> {
    let is_valid = |b: u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b);
    if !text.bytes().all(is_valid) {
        return None;
    }
    let (name, password) = match text.split_once(':') {
        Some((name, password)) => (name, Some(unescape(password, Part::User)?)),
        None => (text, None),
    };
    Some((unescape(name, Part::User)?, password))
}

fn read_host(scheme: &str, text: &str) -> Option<String> {
    let (name, port) = match text.rfind('[') {
        Some(0) => {
            let (name, port) = text.split_at(text.rfind(']')? + 1);
            let address = name.strip_prefix('[')?.strip_suffix(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (name, port)
        }
        Some(_) => return None,
        None => {
            // Other schemes have lists of hosts.
            let is_strict = matches!(scheme, "http" | "https");
            let colon = if is_strict {
                text.find(':')
            } else {
                text.rfind(':')
            };
            text.split_at(colon.unwrap_or(text.len()))
        }
    };
    let name = is_port(port)
        .then(|| unescape(name, Part::Host))
        .flatten()?;
    Some(name + port)
}

/// Whether it is nothing, or a colon and digits.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()),
        None => text.is_empty(),
    }
}

fn host_and_port(host: &str) -> (&str, &str) {
    let colon = host.rfind(':').unwrap_or(host.len());
    let (name, port) = host.split_at(colon);
    let (name, port) = match is_port(port) {
        true => (name, port.strip_prefix(':').unwrap_or_default()),
        false => (host, ""),
    };
    let inside = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    (inside.unwrap_or(name), port)
}

impl Url {
    fn user_info(&self) -> String {
        match &self.user {
            None => String::new(),
            Some((name, None)) => escaped(name, Part::User),
            Some((name, Some(password))) => {
                escaped(name, Part::User) + ":" + &escaped(password, Part::User)
            }
        }
    }

    /// The URL put together again.
    fn written(&self) -> String {
        let mut text = String::new();
        if !self.scheme.is_empty() {
            text.extend([&self.scheme, ":"]);
        }
        if !self.opaque.is_empty() {
            text.push_str(&self.opaque);
        } else {
            self.write_hierarchy(&mut text);
        }
        if self.ends_in_question_mark || !self.query.is_empty() {
            text.extend(["?", &self.query]);
        }
        if !self.fragment.is_empty() {
            text.extend(["#", &self.written_fragment]);
        }
        text
    }

    fn write_hierarchy(&self, text: &mut String) {
        let is_any = !self.host.is_empty() || self.user.is_some();
        if is_any || self.has_authority && !self.scheme.is_empty() && !self.path.is_empty() {
            text.push_str("//");
        }
        if self.user.is_some() {
            text.extend([&self.user_info(), "@"]);
        }
        text.push_str(&escaped(&self.host, Part::Host));
        // Its first part would be read as a scheme.
        let first = self.written_path.split('/').next();
        if text.is_empty() && first.is_some_and(|part| part.contains(':')) {
            text.push_str("./");
        }
        text.push_str(&self.written_path);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_put_together_as_by_go() {
        for (text, written) in [
            (
                "http://shop.example/cart/42?a=b#c",
                "http://shop.example/cart/42?a=b#c",
            ),
            ("HTTP://Shop:80", "http://Shop:80"),
            ("http://u:p%40@h/a%2fb", "http://u:p%40@h/a%2fb"),
            ("http://h/a b\"c", "http://h/a%20b%22c"),
            ("http://[::1]:8080/", "http://[::1]:8080/"),
            ("/cart?x", "/cart?x"),
            ("/cart?", "/cart?"),
            ("//h/p", "//h/p"),
            ("///p", "///p"),
            ("file:///etc", "file:///etc"),
            ("file:/etc", "file:/etc"),
            ("mailto:jane@example.com", "mailto:jane@example.com"),
            ("cart/42", "cart/42"),
            ("*", "*"),
            ("postgres://a:1,b:2/db", "postgres://a:1,b:2/db"),
            ("http://h#", "http://h"),
            ("#ü", "#%C3%BC"),
        ] {
            assert_eq!(split(text).unwrap().written(), written, "{text}");
        }
        for wrong in [
            ":a",
            "1a:b",
            "http://h:x",
            "http://a b",
            "http://h/%zz",
            "http://a:1:2",
            "http://[1.2.3.4]",
            "http://a[::1]",
            "http://h\n",
            "http://u ser@h",
            "http://%41",
            "a#%",
        ] {
            assert!(split(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn hosts_and_ports_are_apart() {
        for (host, expected) in [
            ("h", ("h", "")),
            ("h:80", ("h", "80")),
            ("h:", ("h", "")),
            ("[::1]:80", ("::1", "80")),
            ("[::1]", ("::1", "")),
        ] {
            assert_eq!(host_and_port(host), expected, "{host}");
        }
    }
}
