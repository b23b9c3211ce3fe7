/*!
The parser: by recursive descent, going back where the language is ambiguous.

`(` may begin a condition or a calculation; a name may begin a path or a call. Where a way fails and others fail too, the
failure that came furthest is reported.
*/

use super::{
    MAX_DEPTH,
    lexer::{Token, TokenKind, tokens},
    tree::{
        Argument, Bool, Call, CompareOp, Key, MathOp, Path, Segment, StatementTree, Value,
        ValueKind,
    },
    unquote::unquote,
};
use crate::ottl::ParseError;

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

    fn or(&mut self) -> Parsed<Bool> {
        let mut terms = vec![self.and()?];
        while self.take(TokenKind::Or).is_some() {
            terms.push(self.and()?);
        }
        Ok(single_or(terms, Bool::Or))
    }

    fn and(&mut self) -> Parsed<Bool> {
        let mut values = vec![self.not()?];
        while self.take(TokenKind::And).is_some() {
            values.push(self.not()?);
        }
        Ok(single_or(values, Bool::And))
    }

    fn not(&mut self) -> Parsed<Bool> {
        match self.take(TokenKind::Not) {
            Some(_) => Ok(Bool::Not(Box::new(self.deeper(Self::bool)?))),
            None => self.deeper(Self::bool),
        }
    }

    fn bool(&mut self) -> Parsed<Bool> {
        if let Some(compared) = self.attempt(Self::comparison) {
            return Ok(compared);
        }
        if let Some(literal) = self.take(TokenKind::Boolean) {
            return Ok(Bool::Literal(literal.text == "true"));
        }
        if self.take(TokenKind::LParen).is_some() {
            let inside = self.or()?;
            self.want(TokenKind::RParen, "`)`")?;
            return Ok(inside);
        }
        if self.is(TokenKind::Upper) {
            return self.call(Name::Converter).map(Bool::Call);
        }
        Err(self.expected("a condition"))
    }

    fn comparison(&mut self) -> Parsed<Bool> {
        let left = self.value()?;
        let operator = self.want(TokenKind::Compare, "a comparison such as ==")?;
        let operator = match operator.text {
            "==" => CompareOp::Eq,
            "!=" => CompareOp::Ne,
            "<" => CompareOp::Lt,
            "<=" => CompareOp::Le,
            ">=" => CompareOp::Ge,
            _ => CompareOp::Gt,
        };
        let right = self.value()?;
        Ok(Bool::Compare(operator, Box::new((left, right))))
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

    fn value(&mut self) -> Parsed<Value> {
        self.deeper(Self::value_here)
    }

    fn value_here(&mut self) -> Parsed<Value> {
        let Some(first) = self.peek() else {
            return Err(self.expected("a value"));
        };
        let kind = match first.kind {
            TokenKind::Nil => ValueKind::Nil,
            TokenKind::Boolean => ValueKind::Bool(first.text == "true"),
            TokenKind::String => ValueKind::String(text_of(first)?),
            TokenKind::Bytes => ValueKind::Bytes(bytes_of(first)?),
            TokenKind::LBracket => return self.list(first),
            TokenKind::LBrace => return self.map(first),
            TokenKind::Upper if !self.is_call() => match self.kind(1) {
                Some(TokenKind::Lower) => return Err(self.expected("a value")),
                _ => ValueKind::Enum(first.text.to_owned()),
            },
            _ => return self.sum(),
        };
        self.at += 1;
        Ok(Value {
            at: first.at,
            width: first.text.len(),
            kind,
        })
    }

    /// Returns true if a name and a parenthesis come next.
    fn is_call(&self) -> bool {
        let tokens = self.name_tokens();
        tokens > 0 && self.kind(tokens) == Some(TokenKind::LParen)
    }

    /// Makes the value whose first token is `first` and whose last was taken just now.
    fn since(&self, first: Token<'_>, kind: ValueKind) -> Value {
        let last = self.tokens.get(self.at.saturating_sub(1));
        let end = last.map_or(self.len, |last| last.at + last.text.len());
        Value {
            at: first.at,
            width: end.saturating_sub(first.at),
            kind,
        }
    }

    fn list(&mut self, first: Token<'t>) -> Parsed<Value> {
        self.at += 1;
        let mut values = Vec::new();
        while !self.is(TokenKind::RBracket) {
            // Before the first comma values may follow each other without any.
            if self.take(TokenKind::Comma).is_some() || values.is_empty() {
                values.push(self.value()?);
            } else {
                let value = self.attempt(Self::value);
                values.push(value.ok_or_else(|| self.expected("`,` or `]`"))?);
            }
        }
        self.at += 1;
        Ok(self.since(first, ValueKind::List(values)))
    }

    fn map(&mut self, first: Token<'t>) -> Parsed<Value> {
        self.at += 1;
        let mut entries = Vec::new();
        while self.take(TokenKind::RBrace).is_none() {
            let key = self.want(TokenKind::String, "a key in double quotes, or `}`")?;
            self.want(TokenKind::Colon, "`:`")?;
            entries.push((text_of(key)?, self.value()?));
            let _ = self.take(TokenKind::Comma);
        }
        Ok(self.since(first, ValueKind::Map(entries)))
    }

    fn sum(&mut self) -> Parsed<Value> {
        self.operations(TokenKind::AddSub, Self::product)
    }

    fn product(&mut self) -> Parsed<Value> {
        self.operations(TokenKind::MulDiv, Self::signed)
    }

    fn operations(
        &mut self,
        operators: TokenKind,
        operand: fn(&mut Self) -> Parsed<Value>,
    ) -> Parsed<Value> {
        let Some(first) = self.peek() else {
            return Err(self.expected("a value"));
        };
        let mut left = operand(self)?;
        let mut operations = 0;
        while let Some(operator) = self.take(operators) {
            let operator = match operator.text {
                "+" => MathOp::Add,
                "-" => MathOp::Sub,
                "*" => MathOp::Mul,
                _ => MathOp::Div,
            };
            operations += 1;
            if operations > MAX_DEPTH {
                return Err(ParseError::new(
                    first.at,
                    1,
                    "a calculation of too many parts",
                ));
            }
            let right = operand(self)?;
            left = self.since(first, ValueKind::Math(operator, Box::new((left, right))));
        }
        Ok(left)
    }

    fn signed(&mut self) -> Parsed<Value> {
        let Some(sign) = self.take(TokenKind::AddSub) else {
            return self.operand();
        };
        let operand = self.operand()?;
        let kind = match (sign.text, operand.kind.clone()) {
            ("-", ValueKind::Int(n)) => ValueKind::Group(Box::new(Value {
                kind: ValueKind::Int(-n),
                ..operand
            })),
            ("-", _) => ValueKind::Negative(Box::new(operand)),
            _ => ValueKind::Group(Box::new(operand)),
        };
        Ok(self.since(sign, kind))
    }

    fn operand(&mut self) -> Parsed<Value> {
        let Some(first) = self.peek() else {
            return Err(self.expected("a value"));
        };
        let kind = match first.kind {
            TokenKind::LParen => {
                self.at += 1;
                if self.is(TokenKind::RParen) {
                    return Err(self.expected("a value"));
                }
                let inside = self.deeper(Self::sum)?;
                self.want(TokenKind::RParen, "`)`")?;
                if self.is(TokenKind::Arrow) {
                    let error = ParseError::new(first.at, 1, "a lambda expression");
                    return Err(error.help("none of the functions here takes one"));
                }
                ValueKind::Group(Box::new(inside))
            }
            TokenKind::Float => {
                self.at += 1;
                ValueKind::Float(first.text.parse().unwrap_or(f64::INFINITY))
            }
            TokenKind::Int => {
                self.at += 1;
                ValueKind::Int(int_of(first)?)
            }
            TokenKind::Upper => ValueKind::Call(self.call(Name::Converter)?),
            TokenKind::Lower if self.is_call() => {
                let message = format!("{} is an editor: it gives no value", first.text);
                return Err(ParseError::new(first.at, first.text.len(), message)
                    .help("converters begin with an upper-case letter"));
            }
            TokenKind::Lower => ValueKind::Path(self.path()?),
            _ => return Err(self.expected("a value")),
        };
        Ok(self.since(first, kind))
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

fn single_or(mut of: Vec<Bool>, several: fn(Vec<Bool>) -> Bool) -> Bool {
    match (of.len(), of.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            of.extend(last);
            several(of)
        }
    }
}

fn text_of(token: Token<'_>) -> Parsed<String> {
    let inside = token.text.get(1..token.text.len() - 1).unwrap_or_default();
    unquote(inside, token.at + 1)
}

fn int_of(token: Token<'_>) -> Parsed<i64> {
    let too_large = |_| {
        ParseError::new(
            token.at,
            token.text.len(),
            "an integer of more than 64 bits",
        )
    };
    token.text.parse().map_err(too_large)
}

fn bytes_of(token: Token<'_>) -> Parsed<Vec<u8>> {
    let digits = token.text.as_bytes().get(2..).unwrap_or_default();
    if digits.len() % 2 == 1 {
        let message = "bytes have two digits each";
        return Err(ParseError::new(token.at, token.text.len(), message));
    }
    let digit = |b: u8| char::from(b).to_digit(16).unwrap_or_default() as u8;
    let bytes = digits.chunks(2).map(|pair| match pair {
        [high, low] => digit(*high) << 4 | digit(*low),
        _ => 0,
    });
    Ok(bytes.collect())
}
