/*!
The parser: by recursive descent, going back where the language is ambiguous.

`(` may begin a condition or a calculation; a name may begin a path or a call. Where a way fails and others fail too, the
failure that came furthest is reported.
*/

mod conditions;
mod literals;
mod values;

use super::{
    MAX_DEPTH,
    lexer::{Token, TokenKind, tokens},
    tree::{Argument, Bool, Call, Key, Path, Segment, StatementTree, Value, ValueKind},
};
use crate::ottl::ParseError;
use literals::{int_of, text_of};

/// Parses a statement.
pub(in crate::ottl) fn parse_statement(text: &str) -> Result<StatementTree, ParseError> {
    Parser::of(text)?.whole(|parser| {
        let editor = parser.call(Name::Any)?;
        if editor.name.starts_with(|c: char| c.is_ascii_uppercase()) {
            let message = format!(
                "{} is a converter: it gives a value and changes nothing",
                editor.name
            );
            return Err(ParseError::new(editor.at, editor.name.len(), message)
                .help("a statement begins with an editor such as set or delete_key"));
        }
        if !editor.keys.is_empty() {
            return Err(ParseError::new(
                editor.at,
                editor.name.len(),
                "an editor cannot be indexed",
            ));
        }
        let condition = match parser.peek() {
            Some(token) if token.text == "where" => {
                parser.at += 1;
                Some(parser.or()?)
            }
            _ => None,
        };
        Ok(StatementTree { editor, condition })
    })
}

/// Parses a condition.
pub(in crate::ottl) fn parse_condition(text: &str) -> Result<Bool, ParseError> {
    Parser::of(text)?.whole(Parser::or)
}

/// What a name may begin with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Any,
    Converter,
}

struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    /// The next token.
    at: usize,
    /// Length of the text.
    len: usize,
    depth: u32,
    /// The failure that came furthest, and its token.
    furthest: Option<(usize, ParseError)>,
}

type Parsed<T> = Result<T, ParseError>;

impl<'t> Parser<'t> {
    fn of(text: &'t str) -> Parsed<Self> {
        Ok(Self {
            tokens: tokens(text)?,
            at: 0,
            len: text.len(),
            depth: 0,
            furthest: None,
        })
    }

    /// Parses with `parse` to the end of the text.
    fn whole<T>(mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let parsed = parse(&mut self).and_then(|parsed| match self.peek() {
            None => Ok(parsed),
            Some(_) => Err(self.expected("the end")),
        });
        parsed.map_err(|error| match self.furthest.take() {
            Some((_, furthest)) if furthest.at > error.at => furthest,
            _ => error,
        })
    }

    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).copied()
    }

    fn kind(&self, ahead: usize) -> Option<TokenKind> {
        self.tokens.get(self.at + ahead).map(|token| token.kind)
    }

    fn is(&self, kind: TokenKind) -> bool {
        self.kind(0) == Some(kind)
    }

    /// Takes the next token if it is of this kind.
    fn take(&mut self, kind: TokenKind) -> Option<Token<'t>> {
        let token = self.peek().filter(|token| token.kind == kind)?;
        self.at += 1;
        Some(token)
    }

    fn want(&mut self, kind: TokenKind, what: &str) -> Parsed<Token<'t>> {
        self.take(kind).ok_or_else(|| self.expected(what))
    }

    /// The error that something else stands here, which is remembered.
    fn expected(&mut self, what: &str) -> ParseError {
        let error = match self.peek() {
            Some(token) => {
                let message = format!("expected {what}, found `{}`", token.text);
                let error = ParseError::new(token.at, token.text.len(), message);
                match token.kind {
                    TokenKind::Equal => error.help("write == to compare"),
                    _ => error,
                }
            }
            None => ParseError::new(self.len, 1, format!("expected {what} at the end")),
        };
        let is_further = |(at, _): &(usize, ParseError)| self.at > *at;
        if self.furthest.as_ref().is_none_or(is_further) {
            self.furthest = Some((self.at, error.clone()));
        }
        error
    }

    /// Parses one level deeper.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            let at = self.peek().map_or(self.len, |token| token.at);
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(ParseError::new(at, 1, message));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Parses, or goes back to where it began.
    fn attempt<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Option<T> {
        let (at, depth) = (self.at, self.depth);
        parse(self)
            .inspect_err(|_| (self.at, self.depth) = (at, depth))
            .ok()
    }

    /// A name: tokens of letters that follow each other.
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(token) = self
            .take(TokenKind::Lower)
            .or_else(|| self.take(TokenKind::Upper))
        {
            name += token.text;
        }
        name
    }

    /// How many tokens the name that begins here has.
    fn name_tokens(&self) -> usize {
        let is_name =
            |ahead: &usize| matches!(self.kind(*ahead), Some(TokenKind::Lower | TokenKind::Upper));
        (0..).take_while(is_name).count()
    }

    fn call(&mut self, name: Name) -> Parsed<Call> {
        let what = match name {
            Name::Any => "the name of a function",
            Name::Converter => "the name of a converter, which begins with an upper-case letter",
        };
        let begin = match self.peek() {
            Some(token) if token.kind == TokenKind::Upper => token,
            Some(token) if token.kind == TokenKind::Lower && name == Name::Any => token,
            _ => return Err(self.expected(what)),
        };
        let name = self.name();
        self.want(TokenKind::LParen, "`(`")?;
        let arguments = self.deeper(Self::arguments)?;
        let keys = self.keys()?;
        Ok(Call {
            at: begin.at,
            name,
            arguments,
            keys,
        })
    }

    fn arguments(&mut self) -> Parsed<Vec<Argument>> {
        let mut arguments = Vec::new();
        if self.take(TokenKind::RParen).is_some() {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.argument()?);
            if self.take(TokenKind::RParen).is_some() {
                return Ok(arguments);
            }
            self.want(TokenKind::Comma, "`,` or `)`")?;
        }
    }

    fn argument(&mut self) -> Parsed<Argument> {
        let is_named =
            self.is(TokenKind::Lower) && self.kind(self.name_tokens()) == Some(TokenKind::Equal);
        let name = is_named.then(|| {
            let at = self.peek().map_or(self.len, |token| token.at);
            let name = self.name();
            self.at += 1;
            (at, name)
        });
        let tokens = self.name_tokens();
        // A name alone, of more than one token, is that of a function.
        let ends = matches!(
            self.kind(tokens),
            None | Some(TokenKind::Comma | TokenKind::RParen)
        );
        let value = match self.peek() {
            Some(first) if first.kind == TokenKind::Upper && tokens > 1 && ends => {
                let name = self.name();
                Value {
                    at: first.at,
                    width: name.len(),
                    kind: ValueKind::Function(name),
                }
            }
            _ => self.value()?,
        };
        Ok(Argument { name, value })
    }

    fn path(&mut self) -> Parsed<Path> {
        let mut segments = Vec::new();
        loop {
            let name = self.want(TokenKind::Lower, "a field, in lower case")?;
            let keys = self.keys()?;
            segments.push(Segment {
                at: name.at,
                name: name.text.to_owned(),
                keys,
            });
            if self.take(TokenKind::Dot).is_none() {
                return Ok(Path { segments });
            }
        }
    }

    fn keys(&mut self) -> Parsed<Vec<Key>> {
        let mut keys = Vec::new();
        while self.take(TokenKind::LBracket).is_some() {
            let is_last = self.kind(1) == Some(TokenKind::RBracket);
            let key = match self.peek() {
                Some(token) if token.kind == TokenKind::String => {
                    self.at += 1;
                    Key::String(text_of(token)?)
                }
                Some(token) if token.kind == TokenKind::Int && is_last => {
                    self.at += 1;
                    Key::Int(int_of(token)?)
                }
                _ => Key::Value(self.deeper(Self::sum)?),
            };
            self.want(TokenKind::RBracket, "`]`")?;
            keys.push(key);
        }
        Ok(keys)
    }
}
