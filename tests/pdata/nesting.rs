/*! Depth is counted as prost counts it, to the level. */

use crate::oracle::agree;
use wayspan::pdata::{Index, Keys, Signal, validate, wire};

/// Wraps `payload` in fields with these numbers, innermost first.
fn wrap(mut payload: Vec<u8>, numbers: &[u32]) -> Vec<u8> {
    for number in numbers {
        let mut outer = Vec::new();
        wire::put_bytes(*number, &payload, &mut outer);
        payload = outer;
    }
    payload
}

/// From a KeyValue up to the request, by way of a span's attributes.
const SPAN_ATTRIBUTE: [u32; 4] = [9, 2, 2, 1];
/// By way of an event of a span.
const EVENT_ATTRIBUTE: [u32; 5] = [3, 11, 2, 2, 1];
/// By way of a resource.
const RESOURCE_ATTRIBUTE: [u32; 3] = [1, 1, 1];

fn accepted(bytes: &[u8]) -> bool {
    validate(
        Signal::Traces,
        bytes,
        &Keys::default(),
        &mut Index::default(),
    )
    .is_ok()
}

#[test]
fn values_nest_to_the_same_depth() {
    let (mut good, mut bad) = (0, 0);
    let text = vec![0x0a, 1, b'x'];
    let unknown = vec![0xa0, 0x06, 1];
    let group = vec![0xa3, 0x06, 0xa0, 0x06, 1, 0xa4, 0x06];
    for leaf in [vec![], text, unknown, group] {
        for path in [&SPAN_ATTRIBUTE[..], &EVENT_ATTRIBUTE, &RESOURCE_ATTRIBUTE] {
            for levels in 0..200 {
                // An array in an array …, then a list in a list …
                let mut array = leaf.clone();
                let mut list = leaf.clone();
                for _ in 0..levels {
                    array = wrap(array, &[1, 5]);
                    list = wrap(list, &[2, 1, 6]);
                }
                for value in [array, list] {
                    let bytes = wrap(wrap(value, &[2]), path);
                    agree(&bytes);
                    if accepted(&bytes) {
                        good += 1
                    } else {
                        bad += 1
                    }
                }
            }
        }
    }
    assert!(good > 500 && bad > 500, "{good} accepted, {bad} refused");
}

#[test]
fn key_values_of_the_usual_shape_obey_the_limit() {
    let plain = [0x0a, 1, b'k', 0x12, 3, 0x0a, 1, b'v'];
    let verdicts = (25..36).map(|levels| {
        let mut list = plain.to_vec();
        for _ in 0..levels {
            list = wrap(list, &[1, 6, 2]);
        }
        let bytes = wrap(list, &SPAN_ATTRIBUTE);
        agree(&bytes);
        accepted(&bytes)
    });
    let verdicts: Vec<_> = verdicts.collect();
    assert!(verdicts.contains(&true) && verdicts.contains(&false));
}

#[test]
fn groups_nest_to_the_same_depth() {
    for levels in 90..110 {
        let groups = |levels: usize| {
            let mut bytes = [0xa3, 0x06].repeat(levels);
            bytes.extend([0xa4, 0x06].repeat(levels));
            bytes
        };
        assert_eq!(accepted(&groups(levels)), levels <= 100);
        for path in [
            &[][..],
            &[1],
            &[2, 1],
            &[2, 2, 1],
            &SPAN_ATTRIBUTE,
            &[15, 2, 2, 1],
        ] {
            agree(&wrap(groups(levels), path));
            let mut unbalanced = groups(levels);
            unbalanced.pop();
            agree(&wrap(unbalanced, path));
        }
    }
}

#[test]
fn every_key_at_every_level() {
    let paths: [&[u32]; 13] = [
        &[],
        &[1],
        &[1, 1],
        &[3, 1, 1],
        &[2, 1],
        &[1, 2, 1],
        &[2, 2, 1],
        &[11, 2, 2, 1],
        &[13, 2, 2, 1],
        &[15, 2, 2, 1],
        &SPAN_ATTRIBUTE,
        &[2, 9, 2, 2, 1],
        &[6, 2, 9, 2, 2, 1],
    ];
    let values: [&[u8]; 9] = [
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 3],
        &[
            0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0,
        ],
        &[],
        &[0],
        &[2, 8, 1],
        &[1, 0xff],
        &[0; 8],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
    ];
    for path in paths {
        for key in 0..160u64 {
            for value in values {
                let mut bytes = Vec::new();
                wire::put_varint(key, &mut bytes);
                bytes.extend(value);
                agree(&wrap(bytes, path));
            }
        }
        for key in [
            u64::from(u32::MAX),
            u64::from(u32::MAX) - 7,
            1 << 32,
            u64::MAX,
        ] {
            let mut bytes = Vec::new();
            wire::put_varint(key, &mut bytes);
            bytes.extend([0; 8]);
            agree(&wrap(bytes, path));
        }
    }
}

#[test]
fn a_refusal_says_where_and_why() {
    let refusal = |bytes: &[u8]| {
        validate(
            Signal::Traces,
            bytes,
            &Keys::default(),
            &mut Index::default(),
        )
        .unwrap_err()
        .to_string()
    };
    let bytes = wrap(vec![0x12, 91, 0], &[2, 1]);
    assert_eq!(
        refusal(&bytes),
        "ScopeSpans.spans: length 91 runs past the end of the message at byte 4"
    );
    assert_eq!(
        refusal(&wrap(vec![0x48, 1], &[2, 2, 1])),
        "Span.attributes: a varint where a length and bytes should be at byte 6"
    );
    assert_eq!(
        refusal(&[0x07]),
        "ExportTraceServiceRequest: wire type 7 does not exist at byte 0"
    );
}
