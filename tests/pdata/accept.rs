/*! The accept-set is prost's, and what is accepted is indexed rightly. */

use crate::odd::{Oddities, odd};
use crate::oracle::{agree, keys, survive};
use crate::{cases, fixtures, generate, long};
use proptest::prelude::*;
use prost::Message as _;
use rand::{Rng, SeedableRng, rngs::StdRng};
use wayspan::pdata::{Index, RequestLimits, Signal, validate};

/// One small injury.
pub fn damage(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    if bytes.is_empty() {
        return bytes.push(rng.random());
    }
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..7) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << rng.random_range(0..8),
        2 => bytes[at] = rng.random(),
        // Often a wire type or a length.
        3 => bytes[at] = bytes[at] & !7 | rng.random_range(0..8),
        4 => bytes.insert(at, rng.random()),
        5 => drop(bytes.remove(at)),
        _ => {
            let overlong = rng.random_range(1..12);
            bytes.splice(at..at, std::iter::repeat_n(0x80, overlong));
        }
    }
}

#[test]
fn fixtures_are_accepted_as_they_are() {
    let (keys, _) = keys();
    let mut index = Index::default();
    for body in fixtures() {
        agree(&body);
        validate(Signal::Traces, &body, &keys, &mut index).unwrap();
        assert!(!index.needs_repair && !index.items.is_empty());
    }
}

#[test]
fn odd_fixtures() {
    for (seed, body) in fixtures().iter().enumerate() {
        agree(&odd(body, Oddities::VALID, seed as u64));
        agree(&odd(body, Oddities::ALL, seed as u64));
    }
}

#[test]
fn fixtures_cut_anywhere() {
    let bodies = fixtures();
    for body in bodies.iter().step_by(40) {
        for end in 0..body.len() {
            agree(&body[..end]);
        }
    }
}

#[test]
fn damaged_fixtures() {
    let mut rng = StdRng::seed_from_u64(7);
    for body in fixtures() {
        for _ in 0..12 * long() {
            let mut bytes = body.clone();
            for _ in 0..rng.random_range(1..4) {
                damage(&mut bytes, &mut rng);
            }
            agree(&bytes);
        }
        survive(&body);
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn generated(model in generate::request()) {
        agree(&model.encode_to_vec());
    }

    #[test]
    fn odd_encodings(model in generate::request(), seed in any::<u64>()) {
        let bytes = model.encode_to_vec();
        agree(&odd(&bytes, Oddities::VALID, seed));
        agree(&odd(&bytes, Oddities::ALL, seed));
    }

    #[test]
    fn one_oddity(model in generate::request(), seed in any::<u64>()) {
        let bytes = model.encode_to_vec();
        for oddities in Oddities::each() {
            agree(&odd(&bytes, oddities, seed));
        }
    }

    #[test]
    fn damaged(model in generate::request(), seed in any::<u64>()) {
        let original = odd(&model.encode_to_vec(), Oddities::ALL, seed);
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..6 {
            let mut bytes = original.clone();
            for _ in 0..rng.random_range(1..3) {
                damage(&mut bytes, &mut rng);
            }
            agree(&bytes);
            survive(&bytes);
        }
    }

    #[test]
    fn damaged_span(model in generate::span(), seed in any::<u64>()) {
        let original = model.encode_to_vec();
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..6 {
            let mut bytes = original.clone();
            damage(&mut bytes, &mut rng);
            survive(&bytes);
            let mut wrapped = Vec::new();
            for number in [2, 2, 1] {
                let mut outer = Vec::new();
                wayspan::pdata::wire::put_bytes(number, &bytes, &mut outer);
                bytes.clone_from(&outer);
                wrapped = outer;
            }
            agree(&wrapped);
        }
    }

    #[test]
    fn garbage(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        agree(&bytes);
        survive(&bytes);
    }

    /// Few distinct bytes, all of them tags and small lengths of the schema.
    #[test]
    fn likely_garbage(bytes in prop::collection::vec(
        prop::sample::select(&[0x0a_u8, 0x12, 0x1a, 0x4a, 0x0b, 0x0c, 0x08, 0x7a, 0x00, 1, 2, 4, 9, 30, 0x80][..]),
        0..60,
    )) {
        agree(&bytes);
        survive(&bytes);
    }
}

/// Two bytes each, they would take a hundred times as much in the index.
#[test]
fn more_than_the_index_holds_is_refused() {
    let (keys, _) = keys();
    let mut index = Index::default();
    let empty = [0x0a, 0].repeat(RequestLimits::MOST.entries);
    assert!(validate(Signal::Traces, &empty, &keys, &mut index).is_ok());
    let one_more = [0x0a, 0].repeat(RequestLimits::MOST.entries + 1);
    let error = validate(Signal::Traces, &one_more, &keys, &mut index).unwrap_err();
    assert!(error.to_string().contains("1048576"), "{error}");
}
