/*! Literals: what a single token says. */

use super::Parsed;
use crate::ottl::{
    ParseError,
    grammar::{lexer::Token, unquote::unquote},
};

pub(super) fn text_of(token: Token<'_>) -> Parsed<String> {
    let inside = token.text.get(1..token.text.len() - 1).unwrap_or_default();
    unquote(inside, token.at + 1)
}

pub(super) fn int_of(token: Token<'_>) -> Parsed<i64> {
    let too_large = |_| {
        ParseError::new(
            token.at,
            token.text.len(),
            "an integer of more than 64 bits",
        )
    };
    token.text.parse().map_err(too_large)
}

pub(super) fn bytes_of(token: Token<'_>) -> Parsed<Vec<u8>> {
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
