/*!
Mutations of HTTP/2 frames: one frame of a conversation is changed, moved, repeated
or put in, and its length is then right, mostly.
*/

use super::{EDGES, Mutator};
use crate::targets::frames::{HEAD, PREFACE, head};
use rand::{Rng, seq::IndexedRandom};

/// A frame: kind, flags, stream, payload.
type Frame = (u8, u8, u32, Vec<u8>);

/// The kinds of frames, and a few that nobody knows.
const KINDS: std::ops::Range<u8> = 0..12;
const CONTINUATION: u8 = 9;

impl Mutator {
    /// `octets` with one change to their frames.
    pub(super) fn frames(&mut self, octets: &[u8]) -> Vec<u8> {
        let (mut out, frames) = match octets.strip_prefix(PREFACE) {
            Some(rest) => (PREFACE.to_vec(), rest),
            None => (Vec::new(), octets),
        };
        let (mut frames, rest) = split(frames);
        self.change(&mut frames);
        for (kind, flags, stream, payload) in frames {
            let lies = self.rng.random_bool(0.01);
            let off = if lies {
                self.rng.random_range(-9..=9)
            } else {
                0
            };
            put(&mut out, (kind, flags, stream, payload), off);
        }
        out.extend(rest);
        out
    }

    fn change(&mut self, frames: &mut Vec<Frame>) {
        let all = frames.len();
        if all == 0 {
            let frame = self.frame(&[]);
            return frames.push(frame);
        }
        let at = self.rng.random_range(0..all);
        let other = self.rng.random_range(0..all);
        match self.rng.random_range(0..14) {
            0 => frames[at].1 ^= 1 << self.rng.random_range(0..8),
            1 => frames[at].0 = self.rng.random_range(KINDS),
            2 => frames[at].2 = frames[other].2,
            3 => {
                frames[at].2 = frames[at]
                    .2
                    .wrapping_add_signed(self.rng.random_range(-4..=4))
            }
            4..7 => self.injure(&mut frames[at].3),
            7 => frames.swap(at, other),
            8 => drop(frames.remove(at)),
            9 => {
                let times = 1 << self.rng.random_range(0..6);
                let frame = frames[at].clone();
                drop(frames.splice(at..at, std::iter::repeat_n(frame, times)));
            }
            10 => {
                let donor = self.donor();
                let donor = donor.strip_prefix(PREFACE).unwrap_or(&donor);
                if let Some(frame) = split(donor).0.choose(&mut self.rng) {
                    frames.insert(at, frame.clone());
                }
            }
            11 => {
                // Two frames of one: data, or a header block and the rest of it.
                let (kind, flags, stream, payload) = &mut frames[at];
                let rest = payload.split_off(self.rng.random_range(0..=payload.len()));
                let (kind, first) = match kind {
                    1 | 9 => (CONTINUATION, *flags & !4),
                    kind => (*kind, *flags & !1),
                };
                let second = (kind, std::mem::replace(flags, first), *stream, rest);
                frames.insert(at + 1, second);
            }
            _ => {
                let frame = self.frame(frames);
                frames.insert(at, frame);
            }
        }
    }

    /// A frame of any kind, mostly such as may be, on a stream of `others` or near them.
    fn frame(&mut self, others: &[Frame]) -> Frame {
        let kind = self.rng.random_range(KINDS);
        let stream = match others.choose(&mut self.rng) {
            Some(frame) if self.rng.random_bool(0.6) => frame.2,
            _ => self.rng.random_range(0..16),
        };
        let edge = *EDGES.choose(&mut self.rng).unwrap_or(&0) as u32;
        let payload = match kind {
            4 => {
                let setting = self.rng.random_range(0..8_u16).to_be_bytes();
                [&setting[..], &edge.to_be_bytes()].concat()
            }
            3 | 8 => edge.to_be_bytes().to_vec(),
            2 => vec![0, 0, 0, self.rng.random_range(0..16), 16],
            6 => b"wayspan!".to_vec(),
            _ => {
                let length = self.rng.random_range(0..40);
                (0..length).map(|_| self.rng.random()).collect()
            }
        };
        let on_connection = matches!(kind, 4 | 6 | 7) && self.rng.random_bool(0.9);
        let flags = if self.rng.random() {
            self.rng.random_range(0..6)
        } else {
            0
        };
        (kind, flags, if on_connection { 0 } else { stream }, payload)
    }

    /// Frames of any kind behind the preface and settings that may be.
    pub(super) fn noise_in_frames(&mut self) -> Vec<u8> {
        let mut out = PREFACE.to_vec();
        put(&mut out, (4, 0, 0, Vec::new()), 0);
        let mut frames = Vec::new();
        for _ in 0..self.rng.random_range(0..20) {
            let frame = self.frame(&frames);
            frames.push(frame);
        }
        frames.into_iter().for_each(|frame| put(&mut out, frame, 0));
        out
    }
}

/// The whole frames of `octets`, and what is left.
fn split(mut octets: &[u8]) -> (Vec<Frame>, &[u8]) {
    let mut frames = Vec::new();
    while let Some((length, kind, flags, stream)) = head(octets)
        && let Some((frame, rest)) = octets.split_at_checked(HEAD + length)
    {
        frames.push((kind, flags, stream, frame[HEAD..].to_vec()));
        octets = rest;
    }
    (frames, octets)
}

/// Appends a frame whose length is wrong by `off`.
fn put(out: &mut Vec<u8>, (kind, flags, stream, payload): Frame, off: i32) {
    let length = (payload.len() as u32).saturating_add_signed(off);
    out.extend_from_slice(&length.to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&payload);
}
