/*! The status of a span of version 1, of which several annotations may tell. */

use super::{attribute::Value, model::Text};
use crate::pdata::wire::{put_message, put_nonempty, put_number};

/// What annotations tell of the status.
#[derive(Debug, Default)]
pub(super) struct V1Status<'a> {
    census: Told<'a>,
    status: Told<'a>,
    http: Told<'a>,
    has_error: bool,
}

#[derive(Debug, Default)]
struct Told<'a> {
    code: Option<i32>,
    message: Text<'a>,
}

const UNSET: i32 = 0;
const OK: i32 = 1;
const ERROR: i32 = 2;

impl<'a> V1Status<'a> {
    /// Returns true if an annotation of this name tells of the status alone, and is no
    /// attribute.
    pub(super) fn takes(name: &[u8]) -> bool {
        matches!(
            name,
            b"census.status_code"
                | b"census.status_description"
                | b"opencensus.status_description"
                | b"otel.status_code"
                | b"otel.status_description"
                | b"error"
        )
    }

    /// Notes what an annotation tells.
    pub(super) fn note(&mut self, name: &[u8], value: Value<'_>, text: &Text<'a>) {
        let message = || match value {
            Value::Text(_) => text.clone(),
            _ => Text::default(),
        };
        match name {
            b"census.status_code" => {
                let code = number(value).map(|code| if code == 0 { OK } else { ERROR });
                self.census.code = code.or(self.census.code);
            }
            b"census.status_description" | b"opencensus.status_description" => {
                self.census.message = message();
            }
            // A code that OTLP does not have is passed on.
            b"otel.status_code" => self.status.code = number(value).or(self.status.code),
            b"otel.status_description" => self.status.message = message(),
            b"error" => self.has_error = true,
            b"http.status_code" | b"http.response.status_code" => {
                let code = number(value).map(|code| match code {
                    100..400 => UNSET,
                    _ => ERROR,
                });
                self.http.code = code.or(self.http.code);
            }
            b"http.status_message" => self.http.message = message(),
            _ => {}
        }
    }

    /// Appends the status, if there is one: the first kind of annotation that has a code.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let told = [&self.census, &self.status];
        let of_error = || {
            let messages = told.iter().map(|told| &told.message);
            let message = messages.into_iter().find(|message| !message.is_empty());
            self.has_error.then_some((ERROR, message))
        };
        let code_of = |told: &'_ &Told<'a>| told.code.is_some();
        let found = told.iter().copied().find(code_of);
        let found = found.and_then(|told| Some((told.code?, Some(&told.message))));
        let of_http = || Some((self.http.code?, Some(&self.http.message)));
        let Some((code, message)) = found.or_else(of_error).or_else(of_http) else {
            return;
        };
        let message = message.map_or(&b""[..], |message| message);
        if code != UNSET || !message.is_empty() {
            put_message(15, out, |out| {
                put_nonempty(2, message, out);
                if code != UNSET {
                    // Enums are sign-extended to 64 bits.
                    put_number(3, i64::from(code) as u64, out);
                }
            });
        }
    }
}

fn number(value: Value<'_>) -> Option<i32> {
    match value {
        Value::Int(number) => i32::try_from(number).ok(),
        Value::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}
