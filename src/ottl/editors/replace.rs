/*! Replacing by pattern: in a value, in all values or keys of a map. */

use super::{edit, set};
use crate::{
    ottl::{
        Arena, EvalError, State,
        arena::TOO_MUCH,
        calls::{Called, Function},
        compile::expression::{Argument, Call, Path},
        converters::{MapBuilder, one_string, pattern},
        eval::Evaluation,
        glob::glob,
        record::Record,
        value::{Value, text_of},
    },
    regexp::Pattern,
};

/// How a replacement is made.
#[derive(Clone, Copy)]
struct Replacement<'v> {
    text: &'v str,
    /// Applied to each replacement.
    function: Option<&'static Function>,
    /// A text with `%s`, into which what the function gives is put.
    format: Option<&'v str>,
    arena: &'v Arena,
}

pub(super) fn run(
    call: &Call,
    target: &Path,
    state: &mut State,
    arena: &Arena,
) -> Result<(), EvalError> {
    let all_patterns = usize::from(call.function.is == Called::ReplaceAllPatterns);
    let with = Evaluation::new(state, arena);
    let is_single = matches!(
        call.function.is,
        Called::ReplacePattern | Called::ReplaceMatch
    );
    let old = match is_single {
        true => with.path(target)?.detach(arena)?,
        false => Value::Nil,
    };
    if is_single && old.is_nil() {
        return Ok(());
    }
    let replacement = Replacement {
        text: arena.text(with.string(call, 2 + all_patterns)?)?,
        function: match call.arguments.get(3 + all_patterns) {
            Some(Some(Argument::Function(function))) => Some(function),
            _ => None,
        },
        format: match with.argument(call, 4 + all_patterns)? {
            Some(format) => Some(arena.text(format.string()?)?),
            None => None,
        },
        arena,
    };
    let pattern = match &call.pattern {
        None if matches!(
            call.function.is,
            Called::ReplaceMatch | Called::ReplaceAllMatches
        ) =>
        {
            std::borrow::Cow::Owned(glob(with.string(call, 1)?).map_err(EvalError::says)?)
        }
        _ => pattern(call, || with.string(call, 1 + all_patterns))?,
    };
    match call.function.is {
        Called::ReplacePattern => match old {
            Value::Str(text) if pattern.is_match(text) => {
                let new = replacement.within(text, &pattern)?;
                set(target, Value::Str(new), state, arena)
            }
            _ => Ok(()),
        },
        Called::ReplaceMatch => match old {
            Value::Str(text) if pattern.is_match(text) => {
                let new = replacement.whole()?;
                set(target, Value::Str(new), state, arena)
            }
            _ => Ok(()),
        },
        Called::ReplaceAllMatches => {
            let new = replacement.whole()?;
            edit(target, state, arena, |map| {
                values(map, &pattern, |_| Ok(new))
            })
        }
        _ if call.text(1) == Some("key") => {
            edit(target, state, arena, |map| keys(map, &pattern, replacement))
        }
        _ => edit(target, state, arena, |map| {
            values(map, &pattern, |text| {
                replacement.within(arena.text(text)?, &pattern)
            })
        }),
    }
}

/// Replaces the strings among the values that match.
fn values<'v>(
    map: &mut Record,
    pattern: &Pattern,
    replace: impl Fn(&str) -> Result<&'v str, EvalError>,
) -> Result<(), EvalError> {
    for at in 0..map.len() {
        let new = match map.value_at(at).map(Value::of) {
            Some(Value::Str(text)) if pattern.is_match(text) => match replace(text) {
                Err(error) if error == TOO_MUCH => return Err(error),
                // A value that cannot be replaced stays.
                Err(_) => continue,
                Ok(new) => new,
            },
            _ => continue,
        };
        map.put_at(at, |out| Value::Str(new).encode(out))?;
    }
    Ok(())
}

/// Replaces in keys. Of keys that become one, the last value counts.
fn keys(
    map: &mut Record,
    pattern: &Pattern,
    replacement: Replacement<'_>,
) -> Result<(), EvalError> {
    if !map
        .attributes()
        .any(|(key, _)| pattern.is_match(text_of(key)))
    {
        return Ok(());
    }
    let mut renamed = MapBuilder::default();
    for (key, payload) in map.attributes() {
        let key = replacement.arena.text(text_of(key))?;
        let payload = replacement.arena.bytes(payload)?;
        let key = match pattern.is_match(key) {
            false => key,
            true => match replacement.within(key, pattern) {
                Err(error) if error == TOO_MUCH => return Err(error),
                // A key that cannot be replaced goes.
                Err(_) => continue,
                Ok(new) => new,
            },
        };
        renamed.put(key.as_bytes(), payload);
    }
    map.clear_attributes();
    for (key, payload) in renamed.entries() {
        map.push(text_of(key), |out| {
            out.extend_from_slice(payload);
            Ok::<_, EvalError>(())
        })?;
    }
    Ok(())
}

impl<'v> Replacement<'v> {
    /// What stands in place of a value that matches.
    fn whole(self) -> Result<&'v str, EvalError> {
        match self.function {
            None => Ok(self.text),
            Some(function) => self.applied(function, self.text),
        }
    }

    /// `text` with each match of `pattern` replaced.
    fn within(self, text: &'v str, pattern: &Pattern) -> Result<&'v str, EvalError> {
        let most = self.arena.left();
        if self.function.is_none() && !self.text.contains('$') {
            return self.plainly(text, pattern, most);
        }
        self.arena.build_text(|out| {
            let mut end = 0;
            let mut expanded = String::new();
            for found in pattern.regex().captures_iter(text) {
                let Some(whole) = found.get(0) else { continue };
                out.push_str(text.get(end..whole.start()).unwrap_or_default());
                end = whole.end();
                match self.function {
                    None => found.expand(self.text, out),
                    Some(function) => {
                        expanded.clear();
                        found.expand(self.text, &mut expanded);
                        out.push_str(self.applied(function, self.arena.text(&expanded)?)?);
                    }
                }
                if out.len() > most {
                    return Err(TOO_MUCH);
                }
            }
            out.push_str(text.get(end..).unwrap_or_default());
            Ok(())
        })
    }

    /// The same where the replacement is no template: groups, for which there is no memory in advance, are not asked for.
    fn plainly(self, text: &str, pattern: &Pattern, most: usize) -> Result<&'v str, EvalError> {
        self.arena.build_text(|out| {
            let mut end = 0;
            for found in pattern.regex().find_iter(text) {
                out.push_str(text.get(end..found.start()).unwrap_or_default());
                out.push_str(self.text);
                end = found.end();
                if out.len() > most {
                    return Err(TOO_MUCH);
                }
            }
            out.push_str(text.get(end..).unwrap_or_default());
            Ok(())
        })
    }

    fn applied(self, function: &Function, text: &'v str) -> Result<&'v str, EvalError> {
        let result = one_string(function, text, self.arena)?;
        let Value::Str(result) = result else {
            return Err(EvalError::new("the function gives no string"));
        };
        let result = self.arena.text(result)?;
        let Some(format) = self.format else {
            return Ok(result);
        };
        match format.split_once("%s") {
            Some((before, after)) if !before.contains('%') && !after.contains('%') => {
                self.arena.build_text(|out| {
                    out.extend([before, result, after]);
                    Ok(())
                })
            }
            _ => Err(EvalError::new(
                "the replacement format must have one %s and no other %",
            )),
        }
    }
}
