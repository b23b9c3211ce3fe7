/*! Conditions: `or` binds least, then `and`, then `not`. */

use super::{Name, Parsed, Parser};
use crate::ottl::grammar::{
    lexer::TokenKind,
    tree::{Bool, CompareOp},
};

impl Parser<'_> {
    pub(super) fn or(&mut self) -> Parsed<Bool> {
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
