/*!
`Format`: values in a text with verbs, as Go's `Sprintf` puts them there.

What does not fit its verb is shown with its type, and is no error: `%!d(string=x)`. Lists, maps and times
have no text of their own here.
*/

mod number;
mod texts;

use crate::ottl::{EvalError, arena::TOO_MUCH, value::Value};
use crate::pdata::number::ShowHex;
use std::fmt::Write;
use texts::{cut, pad, put_hex, quoted};

/// The widest a value may be asked to be.
const WIDEST: usize = 1_000_000;

/// What stands between `%` and the letter.
#[derive(Clone, Copy, Debug, Default)]
struct Verb {
    letter: char,
    plus: bool,
    minus: bool,
    space: bool,
    sharp: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// Values by their number, and how many there are.
pub(super) struct Values<'a, 'v> {
    pub(super) count: usize,
    pub(super) get: &'a dyn Fn(usize) -> Result<Value<'v>, EvalError>,
}

/// Appends `format` with values in it.
pub(super) fn sprintf(
    format: &str,
    values: &Values<'_, '_>,
    most: usize,
    out: &mut String,
) -> Result<(), EvalError> {
    let mut reader = Reader {
        rest: format,
        next: 0,
        is_reordered: false,
        most,
    };
    while let Some((before, after)) = reader.rest.split_once('%') {
        out.push_str(before);
        reader.rest = after;
        reader.verb(values, out)?;
        if out.len() > most {
            return Err(TOO_MUCH);
        }
    }
    out.push_str(reader.rest);
    if !reader.is_reordered && reader.next < values.count {
        out.push_str("%!(EXTRA ");
        for i in reader.next..values.count {
            if i > reader.next {
                out.push_str(", ");
            }
            put_typed((values.get)(i)?, out)?;
            if out.len() > most {
                return Err(TOO_MUCH);
            }
        }
        out.push(')');
    }
    Ok(())
}

struct Reader<'f> {
    rest: &'f str,
    /// The number of the next value.
    next: usize,
    /// A verb chose its value by number.
    is_reordered: bool,
    /// What is wider than this is too much anyway.
    most: usize,
}

impl Reader<'_> {
    /// Reads what follows a `%` and appends its value.
    fn verb(&mut self, values: &Values<'_, '_>, out: &mut String) -> Result<(), EvalError> {
        let mut verb = Verb::default();
        loop {
            match self.rest.chars().next() {
                Some('+') => verb.plus = true,
                Some('-') => verb.minus = true,
                Some(' ') => verb.space = true,
                Some('#') => verb.sharp = true,
                Some('0') => verb.zero = true,
                _ => break,
            }
            self.skip(1);
        }
        let mut is_wrong = self.index(values.count);
        verb.width = self.count(values, out)?.unwrap_or_default();
        if self.rest.starts_with('.') {
            self.skip(1);
            is_wrong |= self.index(values.count);
            verb.precision = Some(self.count(values, out)?.unwrap_or_default());
        }
        is_wrong |= self.index(values.count);
        let Some(letter) = self.rest.chars().next() else {
            out.push_str("%!(NOVERB)");
            return Ok(());
        };
        self.skip(letter.len_utf8());
        verb.letter = letter;
        // Go pads with zeros on the left alone.
        verb.zero &= !verb.minus;
        if letter == '%' {
            out.push('%');
        } else if is_wrong {
            out.extend(["%!", letter.encode_utf8(&mut [0; 4]), "(BADINDEX)"]);
        } else if self.next >= values.count {
            out.extend(["%!", letter.encode_utf8(&mut [0; 4]), "(MISSING)"]);
        } else {
            let value = (values.get)(self.next)?;
            self.next += 1;
            return put(value, verb, out);
        }
        Ok(())
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Reads the number of a value in brackets, if there is one; true if it is wrong.
    fn index(&mut self, count: usize) -> bool {
        let Some(inside) = self.rest.strip_prefix('[') else {
            return false;
        };
        self.is_reordered = true;
        let Some((number, rest)) = inside.split_once(']') else {
            self.skip(1);
            return true;
        };
        self.rest = rest;
        match number.parse::<usize>() {
            Ok(n) if (1..=count).contains(&n) => {
                self.next = n - 1;
                false
            }
            _ => true,
        }
    }

    /// Reads a width or a precision, which may be a value's.
    fn count(
        &mut self,
        values: &Values<'_, '_>,
        out: &mut String,
    ) -> Result<Option<usize>, EvalError> {
        if self.rest.starts_with('*') {
            self.skip(1);
            let value = match self.next < values.count {
                true => (values.get)(self.next)?,
                false => Value::Nil,
            };
            self.next += 1;
            let number = match value {
                Value::Int(n) => usize::try_from(n).ok().filter(|n| *n <= WIDEST),
                _ => None,
            };
            if number.is_none() {
                out.push_str("%!(BADWIDTH)");
            }
            return Ok(number.map(|n| n.min(self.most + 1)));
        }
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = self.rest.get(..digits).unwrap_or_default();
        self.skip(digits);
        let number = number.parse().ok().filter(|n| *n <= WIDEST);
        Ok(number.map(|n: usize| n.min(self.most + 1)))
    }
}

fn put(value: Value<'_>, verb: Verb, out: &mut String) -> Result<(), EvalError> {
    let mut hex = String::new();
    // Writing to a String does not fail.
    let value = match value {
        Value::TraceId(id) => {
            let _ = write!(hex, "{}", ShowHex(&id));
            Value::Str(&hex)
        }
        Value::SpanId(id) => {
            let _ = write!(hex, "{}", ShowHex(&id));
            Value::Str(&hex)
        }
        other => other,
    };
    match (value, verb.letter) {
        (Value::Str(text), 's' | 'v') => pad(cut(text, verb), verb, out),
        (Value::Str(text), 'q') => pad(&quoted(cut(text, verb)), verb, out),
        (Value::Str(text), 'x' | 'X') => put_hex(text.as_bytes(), verb, out),
        (Value::Bytes(bytes), 's') => pad(cut(&String::from_utf8_lossy(bytes), verb), verb, out),
        (Value::Bytes(bytes), 'x' | 'X') => put_hex(bytes, verb, out),
        (Value::Bytes(bytes), 'v' | 'd') => {
            let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
            let _ = write!(out, "[{}]", numbers.join(" "));
        }
        (Value::Bool(b), 't' | 'v') => pad(if b { "true" } else { "false" }, verb, out),
        (Value::Int(n), 'd' | 'v' | 'b' | 'o' | 'O' | 'x' | 'X') => number::put_int(n, verb, out),
        (Value::Int(n), 'c' | 'q' | 'U') => {
            let c = u32::try_from(n).ok().and_then(char::from_u32);
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            match verb.letter {
                'c' => pad(c.encode_utf8(&mut [0; 4]), verb, out),
                'q' => pad(&format!("'{c}'"), verb, out),
                _ => pad(&format!("U+{n:04X}"), verb, out),
            }
        }
        (Value::Double(n), 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'v') => {
            number::put_double(n, verb, out)
        }
        (Value::Nil, 'v') => pad("<nil>", verb, out),
        (value, letter) => {
            out.extend(["%!", letter.encode_utf8(&mut [0; 4]), "("]);
            put_typed(value, out)?;
            out.push(')');
        }
    }
    Ok(())
}

/// A value with its type, as Go shows what it did not expect.
fn put_typed(value: Value<'_>, out: &mut String) -> Result<(), EvalError> {
    let name = match value {
        Value::Nil => {
            out.push_str("<nil>");
            return Ok(());
        }
        Value::Str(_) => "string=",
        Value::Int(_) => "int64=",
        Value::Double(_) => "float64=",
        Value::Bool(_) => "bool=",
        Value::Bytes(_) => "[]uint8=",
        Value::TraceId(_) => "pcommon.TraceID=",
        Value::SpanId(_) => "pcommon.SpanID=",
        _ => return Err(EvalError::new("a value of this type cannot be formatted")),
    };
    out.push_str(name);
    let verb = Verb {
        letter: 'v',
        ..Verb::default()
    };
    put(value, verb, out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(format: &str, values: &[Value<'_>]) -> String {
        let values = Values {
            count: values.len(),
            get: &|i| Ok(values[i]),
        };
        let mut out = String::new();
        sprintf(format, &values, 1000, &mut out).unwrap();
        out
    }

    #[test]
    fn texts_are_those_of_go() {
        use Value::*;
        for (format, values, expected) in [
            ("%s %d", &[Str("a"), Int(5)][..], "a 5"),
            ("100%%", &[], "100%"),
            (
                "%5s|%-5s|%.2s",
                &[Str("é"), Str("b"), Str("çde")],
                "    é|b    |çd",
            ),
            ("%q", &[Str("a\"\n")], r#""a\"\n""#),
            (
                "%x %X % x",
                &[Str("az"), Int(255), Str("az")],
                "617a FF 61 7a",
            ),
            (
                "%05d|%+d|% d|%-4d|",
                &[Int(-42), Int(7), Int(7), Int(7)],
                "-0042|+7| 7|7   |",
            ),
            (
                "%#x %#o %b %O",
                &[Int(255), Int(8), Int(5), Int(8)],
                "0xff 010 101 0o10",
            ),
            ("%.3d %5.2d", &[Int(7), Int(7)], "007    07"),
            ("%c %U %q", &[Int(65), Int(0x263a), Int(97)], "A U+263A 'a'"),
            (
                "%f %.2f %8.1f %e",
                &[Double(1.5), Double(2.675), Double(-3.12), Double(1234.5)],
                "1.500000 2.67     -3.1 1.234500e+03",
            ),
            (
                "%v %v %v %v",
                &[Double(1e20), Double(1e21), Double(0.1), Double(1e-5)],
                "1e+20 1e+21 0.1 1e-05",
            ),
            (
                "%g %g %.3g %G",
                &[Double(100_000.0), Double(1e6), Double(1234.5), Double(1e-7)],
                "100000 1e+06 1.23e+03 1E-07",
            ),
            (
                "%v %f %06.1f %+.1f",
                &[
                    Double(f64::NAN),
                    Double(f64::INFINITY),
                    Double(-1.5),
                    Double(0.25),
                ],
                "NaN +Inf -001.5 +0.2",
            ),
            (
                "%t %v %v",
                &[Bool(true), Bool(false), Nil],
                "true false <nil>",
            ),
            (
                "%d %s %t",
                &[Str("x"), Int(1), Nil],
                "%!d(string=x) %!s(int64=1) %!t(<nil>)",
            ),
            ("%d", &[], "%!d(MISSING)"),
            ("a", &[Int(1), Str("b")], "a%!(EXTRA int64=1, string=b)"),
            ("%", &[], "%!(NOVERB)"),
            ("%[2]s %[1]s", &[Str("a"), Str("b")], "b a"),
            ("%[3]s", &[Str("a")], "%!s(BADINDEX)"),
            ("%*d", &[Int(4), Int(7)], "   7"),
            ("%s %v", &[Bytes(b"hi"), Bytes(&[1, 2])], "hi [1 2]"),
            ("%s", &[SpanId([1; 8])], "0101010101010101"),
            ("%z", &[Double(0.5)], "%!z(float64=0.5)"),
        ] {
            assert_eq!(shown(format, values), expected, "{format}");
        }
    }
}
