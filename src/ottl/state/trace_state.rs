/*!
The W3C trace state, a list of `key=value`, as OpenTelemetry's parser for Go takes it: one bad member makes the
whole of it bad.
*/

/// So many members there may be.
const MOST: usize = 32;

/// The value of a key; empty where there is none. None: the trace state is bad.
pub(super) fn get<'v>(state: &'v str, key: &str) -> Option<&'v str> {
    let members = members(state)?;
    let found = members.iter().find(|(name, _)| *name == key);
    Some(found.map_or("", |(_, value)| value))
}

/// The trace state with a member in front, without the old one of its key. None: it or
/// the member is bad.
pub(super) fn insert(state: &str, key: &str, value: &str) -> Option<String> {
    let members = members(state)?;
    if !is_key(key) || !is_value(value) {
        return None;
    }
    let others = members.iter().filter(|(name, _)| *name != key);
    let new = (key, value);
    let all = std::iter::once(&new).chain(others).take(MOST);
    let all: Vec<_> = all.map(|(name, value)| format!("{name}={value}")).collect();
    Some(all.join(","))
}

fn members(state: &str) -> Option<Vec<(&str, &str)>> {
    let mut members: Vec<(&str, &str)> = Vec::new();
    for member in state
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']))
    {
        if member.is_empty() {
            continue;
        }
        let (key, value) = member.split_once('=')?;
        let key = key.trim_start_matches([' ', '\t']);
        let value = value.trim_end_matches([' ', '\t']);
        if !is_key(key) || !is_value(value) || members.iter().any(|(name, _)| *name == key) {
            return None;
        }
        members.push((key, value));
    }
    (members.len() <= MOST).then_some(members)
}

fn is_key(key: &str) -> bool {
    let part = |part: &str, most: usize, may_begin_with_digit: bool| {
        let first = part.bytes().next();
        let begins = |b: u8| b.is_ascii_lowercase() || may_begin_with_digit && b.is_ascii_digit();
        let goes_on = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/".contains(&b);
        part.len() <= most && first.is_some_and(begins) && part.bytes().all(goes_on)
    };
    match key.split_once('@') {
        None => part(key, 256, false),
        Some((tenant, system)) => part(tenant, 241, true) && part(system, 14, false),
    }
}

fn is_value(value: &str) -> bool {
    let valid = |b: u8| (b' '..=b'~').contains(&b) && b != b',' && b != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(valid) && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_and_put_in_front() {
        let state = "ot=th:8, vendor@x=a b";
        assert_eq!(get(state, "ot"), Some("th:8"));
        assert_eq!(get(state, "vendor@x"), Some("a b"));
        assert_eq!(get(state, "none"), Some(""));
        assert_eq!(get("", "ot"), Some(""));
        for bad in ["ot", "OT=x", "a=1,a=2", "a=", "a=b=c"] {
            assert_eq!(get(bad, "a"), None, "{bad}");
        }
        assert_eq!(
            insert(state, "new", "1").as_deref(),
            Some("new=1,ot=th:8,vendor@x=a b")
        );
        assert_eq!(
            insert(state, "ot", "2").as_deref(),
            Some("ot=2,vendor@x=a b")
        );
        assert_eq!(insert(state, "ot", "a,b"), None);
    }
}
