//! Edits of a request's spans and resources: `decode(edit(b)) ==
//! edit_model(decode(b))`.

use super::{
    Grammar, Target,
    changes::{Change, check, check_resource},
    oracle::{KEYS, keys},
};
use wayspan::pdata::{Index, Signal, admit};

/// Bytes at the end of an input that say what to change; the request is before them.
const SCRIPT: usize = 24;

pub const TARGET: Target = Target {
    name: "edit",
    run,
    grammar: Grammar::ProtobufThen(SCRIPT),
};

fn run(bytes: &[u8]) {
    let Some((request, script)) = bytes.split_last_chunk::<SCRIPT>() else {
        return;
    };
    let mut index = Index::default();
    let Ok(admitted) = admit(Signal::Traces, request, &keys().0, &mut index) else {
        return;
    };
    let changes = Script { bytes: script, at: 0 }.changes();
    check(request, &changes);
    for entry in &index.resources {
        check_resource(entry.resource.of(&admitted.bytes), &changes);
    }
}

/// Reads changes from bytes, round and round: every script means something.
struct Script<'a> {
    bytes: &'a [u8; SCRIPT],
    at: usize,
}

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let byte = self.bytes[self.at % SCRIPT];
        self.at += 1;
        byte
    }

    fn changes(mut self) -> Vec<Change> {
        (0..self.byte() % 7).map(|_| self.change()).collect()
    }

    fn change(&mut self) -> Change {
        match self.byte() % 8 {
            0..3 => Change::SetStr(self.key(), self.text()),
            3 | 4 => {
                let many = self.byte() % 4;
                Change::Append((0..many).map(|_| (self.key(), self.text())).collect())
            }
            5 => Change::Delete(self.key()),
            6 => Change::Name(self.text()),
            _ => match self.byte() % 2 {
                0 => Change::Status(self.code(), self.text()),
                _ => Change::StatusCode(self.code()),
            },
        }
    }

    fn key(&mut self) -> String {
        match usize::from(self.byte()) % (KEYS.len() + 1) {
            at if at < KEYS.len() => KEYS[at].to_owned(),
            _ => self.text(),
        }
    }

    /// Lengths on both sides of where a length takes another byte.
    fn text(&mut self) -> String {
        let letter = char::from(b'a' + self.byte() % 26);
        let length = match self.byte() {
            short @ 0..200 => usize::from(short) % 9,
            long => 120 + usize::from(long) - 200,
        };
        std::iter::repeat_n(letter, length).collect()
    }

    fn code(&mut self) -> i32 {
        match self.byte() {
            small @ 0..200 => i32::from(small) % 4,
            other => i32::MIN + i32::from(other),
        }
    }
}
