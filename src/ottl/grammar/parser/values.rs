/*! Values: literals, lists, maps, paths, calls, and calculations with them. */

use super::{
    Name, Parsed, Parser,
    literals::{bytes_of, int_of, text_of},
};
use crate::ottl::{
    ParseError,
    grammar::{
        MAX_DEPTH,
        lexer::{Token, TokenKind},
        tree::{MathOp, Value, ValueKind},
    },
};

impl<'t> Parser<'t> {
    pub(super) fn value(&mut self) -> Parsed<Value> {
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
    pub(super) fn is_call(&self) -> bool {
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

    pub(super) fn sum(&mut self) -> Parsed<Value> {
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
}
