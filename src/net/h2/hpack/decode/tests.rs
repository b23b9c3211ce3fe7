//! The examples of RFC 7541, Appendix C, and blocks that are none.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use proptest::prelude::*;

type Fields = Vec<(String, String)>;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn decode(decoder: &mut HpackDecoder, block: &[u8]) -> Result<Fields, BlockFault> {
    let mut got = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    decoder.decode(block, |entry| {
        got.push((text(entry.name), text(entry.value)));
        true
    })?;
    Ok(got)
}

/// Decodes blocks one after another with a table of that size.
fn check(size: usize, blocks: &[(&str, &[(&str, &str)])]) {
    let mut decoder = HpackDecoder {
        table: Table::new(size),
        ..HpackDecoder::default()
    };
    for (block, want) in blocks {
        let got = decode(&mut decoder, &hex(block)).unwrap();
        let got: Vec<_> = got.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(got, *want);
    }
}

const FIRST: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "www.example.com"),
];
const SECOND: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "www.example.com"),
    ("cache-control", "no-cache"),
];
const THIRD: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/index.html"),
    (":authority", "www.example.com"),
    ("custom-key", "custom-value"),
];

#[test]
fn c_2_single_fields() {
    check(
        4096,
        &[
            (
                "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
                &[("custom-key", "custom-header")],
            ),
            (
                "040c 2f73 616d 706c 652f 7061 7468",
                &[(":path", "/sample/path")],
            ),
            (
                "1008 7061 7373 776f 7264 0673 6563 7265 74",
                &[("password", "secret")],
            ),
            ("82", &[(":method", "GET")]),
        ],
    );
}

#[test]
fn c_3_requests() {
    check(
        4096,
        &[
            ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", FIRST),
            ("8286 84be 5808 6e6f 2d63 6163 6865", SECOND),
            (
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
                THIRD,
            ),
        ],
    );
}

#[test]
fn c_4_requests_with_huffman_code() {
    check(
        4096,
        &[
            ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", FIRST),
            ("8286 84be 5886 a8eb 1064 9cbf", SECOND),
            (
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
                THIRD,
            ),
        ],
    );
}

const MONDAY: &str = "Mon, 21 Oct 2013 20:13:21 GMT";
const LATER: &str = "Mon, 21 Oct 2013 20:13:22 GMT";
const COOKIE: &str = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const PLACE: &str = "https://www.example.com";

const RESPONSES: [&[(&str, &str)]; 3] = [
    &[
        (":status", "302"),
        ("cache-control", "private"),
        ("date", MONDAY),
        ("location", PLACE),
    ],
    &[
        (":status", "307"),
        ("cache-control", "private"),
        ("date", MONDAY),
        ("location", PLACE),
    ],
    &[
        (":status", "200"),
        ("cache-control", "private"),
        ("date", LATER),
        ("location", PLACE),
        ("content-encoding", "gzip"),
        ("set-cookie", COOKIE),
    ],
];

#[test]
fn c_5_responses_that_push_fields_out() {
    check(
        256,
        &[
            (
                "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
                 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
                 6c65 2e63 6f6d",
                RESPONSES[0],
            ),
            ("4803 3330 37c1 c0bf", RESPONSES[1]),
            (
                "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
                 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
                 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
                 3d31",
                RESPONSES[2],
            ),
        ],
    );
}

#[test]
fn c_6_the_same_with_huffman_code() {
    check(
        256,
        &[
            (
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
                 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                RESPONSES[0],
            ),
            ("4883 640e ffc1 c0bf", RESPONSES[1]),
            (
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
                 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
                 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
                RESPONSES[2],
            ),
        ],
    );
}

#[test]
fn blocks_that_are_none_are_refused() {
    for (block, word) in [
        ("80", "no table"),
        ("be", "no table"),
        ("7f 80 01 00 00", "no table"),
        ("82 20", "after the first"),
        ("3f e2 1f", "over the limit"),
        ("40", "ends"),
        ("40 03 61", "ends"),
        ("40 01 61 05 62", "ends"),
        ("00 ff ff ff ff ff ff 7f", "too large"),
        ("ff 80 80 80 80 80 80 80 80", "too large"),
        ("40 81 00 00", "Huffman"),
    ] {
        match decode(&mut HpackDecoder::default(), &hex(block)) {
            Err(BlockFault::Broken(why)) => assert!(why.contains(word), "{block}: {why}"),
            other => panic!("{block}: {other:?}"),
        }
    }
}

#[test]
fn a_path_that_is_sent_again_is_known_and_another_is_not() {
    let mut decoder = HpackDecoder::default();
    // "/sample/path"; "/" Huffman-coded; the first, cut.
    let [sample, root, cut] = ["040c2f73616d706c652f70617468", "048163", "040c2f73616d"].map(hex);
    let path = |text: &str| Ok(vec![(":path".to_owned(), text.to_owned())]);
    for _ in 0..2 {
        for (block, want) in [
            (&sample, "/sample/path"),
            (&sample, "/sample/path"),
            (&root, "/"),
        ] {
            assert_eq!(decode(&mut decoder, block), path(want));
        }
    }
    assert_eq!(decode(&mut decoder, &sample), path("/sample/path"));
    assert!(decode(&mut decoder, &cut).is_err());
    // One that is too long to be kept, then a short one.
    let long = "/".to_owned() + &"x".repeat(3000);
    let mut block = vec![4];
    super::super::field(&mut block, &[], long.as_bytes());
    block.drain(1..3);
    for _ in 0..2 {
        assert_eq!(decode(&mut decoder, &block), path(&long));
        assert_eq!(decode(&mut decoder, &root), path("/"));
    }
}

#[test]
fn a_size_update_empties_the_table() {
    let mut decoder = HpackDecoder::default();
    decode(&mut decoder, &hex("40 01 61 01 62")).unwrap();
    assert_eq!(decode(&mut decoder, &[0xbe]).unwrap().len(), 1);
    // Two updates: to nothing, and back to 4096 (RFC 7541, 4.2).
    assert!(decode(&mut decoder, &hex("20 3f e1 1f be")).is_err());
}

#[test]
fn what_follows_enough_changes_the_table_alone_and_is_bounded() {
    let mut decoder = HpackDecoder::default();
    // a: b, remembered; then the same name with another value, not remembered,
    // and c: d, remembered.
    let block = hex("40 01 61 01 62 0f 2f 01 78 40 01 63 01 64");
    let mut seen = 0;
    let enough = |_: Entry<'_>| {
        seen += 1;
        false
    };
    decoder.decode(&block, enough).unwrap();
    assert_eq!(seen, 1);
    let entry = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let got = decode(&mut decoder, &[0xbe, 0xbf]).unwrap();
    assert_eq!(got, [entry("c", "d"), entry("a", "b")]);
    // What is no block is none wherever that shows.
    let broken = decoder.decode(&hex("be 0f 2f 05 78"), |_| false);
    assert_eq!(broken, Err(BlockFault::Broken(CUT)));

    // A name of 4000 octets, and fields that refer to it by two octets or three.
    let mut name = hex("40 7f a1 1e");
    name.extend_from_slice(&[b'n'; 4000]);
    name.push(0);
    for again in [hex("be"), hex("0f 2f 00"), hex("7e 00")] {
        let mut decoder = HpackDecoder::default();
        decode(&mut decoder, &name).unwrap();
        assert_eq!(decode(&mut decoder, &again.repeat(100)).unwrap().len(), 100);
        let mut bounded = |times| decoder.decode(&again.repeat(times), |_| false);
        assert_eq!(bounded(10), Ok(()), "{again:?}");
        assert_eq!(bounded(100), Err(BlockFault::Endless), "{again:?}");
    }
}

proptest! {
    #[test]
    fn noise_does_no_harm(blocks: Vec<Vec<u8>>) {
        let mut decoder = HpackDecoder::default();
        for block in blocks {
            let _ = decode(&mut decoder, &block);
            prop_assert!(decoder.scratch.capacity() <= 2 * KEEP.max(8 * block.len() + 64));
        }
    }
}
