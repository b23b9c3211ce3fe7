//! Requests of all signals with what schemas do not tell: several resources
//! and scopes, fields that nobody knows, items of many sizes.

use crate::{
    Signal,
    wire::{put_bytes, put_fixed64, put_message, put_number},
};

/// A field that no version of OTLP has.
const UNKNOWN: u32 = 4000;

/// A request with two resources, two scopes in each and `items` items in each
/// scope. `n` goes into every item, so requests of different numbers share none.
pub fn request(signal: Signal, n: usize, items: usize) -> Vec<u8> {
    let mut request = Vec::new();
    for resource in ["orders", "payments"] {
        put_message(1, &mut request, |out| {
            put_message(1, out, |out| {
                put_attribute(1, "service.name", resource, out)
            });
            for scope in ["first", "second"] {
                put_message(2, out, |out| {
                    put_message(1, out, |out| put_bytes(1, scope.as_bytes(), out));
                    for item in 0..items {
                        let text = format!("{resource} {scope} {n} {item}");
                        put_message(2, out, |out| put_item(signal, &text, item, out));
                    }
                });
            }
        });
    }
    request
}

/// The number of items of such a request, as the Collector counts them: a
/// metric has two points.
pub fn count(signal: Signal, items: usize) -> usize {
    match signal {
        Signal::Metrics => 8 * items,
        Signal::Traces | Signal::Logs => 4 * items,
    }
}

fn put_item(signal: Signal, text: &str, size: usize, out: &mut Vec<u8>) {
    // From a few bytes to more than one of a connection's buffers.
    let filler = "x".repeat(size * size * 40);
    match signal {
        Signal::Traces => {
            put_bytes(1, &[7; 16], out);
            put_bytes(2, &[9; 8], out);
            put_bytes(5, text.as_bytes(), out);
            put_attribute(9, "filler", &filler, out);
        }
        Signal::Logs => {
            put_fixed64(1, 1_700_000_000_000_000_000, out);
            put_message(5, out, |body| put_bytes(1, text.as_bytes(), body));
            put_attribute(6, "filler", &filler, out);
        }
        Signal::Metrics => {
            put_bytes(1, text.as_bytes(), out);
            put_bytes(2, filler.as_bytes(), out);
            put_message(5, out, |gauge| {
                for value in [1.0_f64, 2.0] {
                    put_message(1, gauge, |point| {
                        put_fixed64(3, 1_700_000_000_000_000_000, point);
                        put_fixed64(4, value.to_bits(), point);
                    });
                }
            });
        }
    }
    put_number(UNKNOWN, 42, out);
    put_bytes(UNKNOWN + 1, b"kept as it is", out);
}

/// A `KeyValue` with a text.
fn put_attribute(number: u32, key: &str, value: &str, out: &mut Vec<u8>) {
    put_message(number, out, |attribute| {
        put_bytes(1, key.as_bytes(), attribute);
        put_message(2, attribute, |any| put_bytes(1, value.as_bytes(), any));
    });
}
