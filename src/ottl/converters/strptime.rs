/*!
Times as text, by formats such as `%Y-%m-%dT%H:%M:%S%z`, as the Collector's `ctimefmt` reads and writes them.

Reading is lenient where that is: numbers may lack a leading zero and follow spaces, any number of spaces stands for
any, and a fraction of a second may be longer than its directive. Where no zone is said, a time is of UTC; no zones but
those of UTC are known by their names. A time without a year is of the current one, or of the last.
*/

mod read;
mod write;

pub(super) use read::parse;
pub(super) use write::write;

/// What a format is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'f> {
    Text(&'f str),
    /// The letter behind a `%`.
    Directive(char),
    /// A point or comma, and so many digits of a fraction of a second.
    Fraction(char, usize),
}

/// The letters that may follow a `%`.
const DIRECTIVES: &str = "YymoqbhBdegaAHlIpPMSLfsZzwijkDxFTXrRnt%c";

/// Goes through a format.
fn pieces(format: &str) -> impl Iterator<Item = Piece<'_>> + Clone {
    let mut rest = format;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let mut after = rest.get(first.len_utf8()..)?.chars();
        let digits = |letter| match letter {
            'L' => Some(3),
            'f' => Some(6),
            's' => Some(9),
            _ => None,
        };
        if matches!(first, '.' | ',') && after.next() == Some('%') {
            let digits = after.next().and_then(digits);
            if let Some(digits) = digits {
                rest = rest.get(3..)?;
                return Some(Piece::Fraction(first, digits));
            }
        }
        if first == '%' {
            let letter = rest.get(1..)?.chars().next()?;
            rest = rest.get(1 + letter.len_utf8()..)?;
            return Some(Piece::Directive(letter));
        }
        let is_end = |(i, c): &(usize, char)| *i > 0 && matches!(c, '%' | '.' | ',');
        let end = rest
            .char_indices()
            .find(is_end)
            .map_or(rest.len(), |(i, _)| i);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(text))
    })
}

/// What is wrong with a format, if anything is.
pub(in crate::ottl) fn check_format(format: &str) -> Result<(), String> {
    if format.is_empty() {
        return Err("the format is empty".to_owned());
    }
    if format.contains(|c: char| c.is_ascii_digit()) {
        return Err("a format has no digits: it is written %Y-%m-%d".to_owned());
    }
    if format.ends_with('%') && !format.ends_with("%%") {
        return Err("a single % at the end".to_owned());
    }
    for piece in pieces(format) {
        match piece {
            Piece::Directive(letter @ ('L' | 'f' | 's')) => {
                return Err(format!("%{letter} follows a point or a comma"));
            }
            Piece::Directive(letter) if !DIRECTIVES.contains(letter) => {
                return Err(format!("there is no directive %{letter}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What is wrong with the location or the locale of a time, if anything is.
pub(in crate::ottl) fn check_location(location: &str, locale: &str) -> Result<(), String> {
    if !matches!(
        location,
        "" | "UTC" | "GMT" | "Local" | "Etc/UTC" | "Etc/GMT"
    ) {
        return Err("no zone but UTC is known by its name: read the offset with %z".to_owned());
    }
    match locale.is_empty() || locale.split(['-', '_']).next() == Some("en") {
        true => Ok(()),
        false => Err("times are read in English only: en".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_have_their_pieces() {
        use Piece::*;
        let all = |format| pieces(format).collect::<Vec<_>>();
        assert_eq!(
            all("at %Y.%L%%,%f,"),
            [
                Text("at "),
                Directive('Y'),
                Fraction('.', 3),
                Directive('%'),
                Fraction(',', 6),
                Text(",")
            ]
        );
        assert_eq!(all(".a.%Y"), [Text(".a"), Text("."), Directive('Y')]);
        for wrong in ["", "2006", "%Q", "%S:%L", "%L", "%", "%Y-%é"] {
            assert!(check_format(wrong).is_err(), "{wrong}");
        }
        for right in ["%Y", "%H:%M:%S.%f%z", "%%", "%S,%s", "day"] {
            assert_eq!(check_format(right), Ok(()), "{right}");
        }
    }
}
