//! Frames made and read by hand: what the contenders are fed with, and what their output is compared with.

use std::sync::Arc;

use crate::case::{DecodeCase, Reads, Role};
use crate::payload::Random;

/// Messages as they come over the wire, without end: behind the last comes the first again.
#[derive(Clone, Debug)]
pub struct Wire {
    bytes: Arc<[u8]>,
    ends: Arc<[usize]>,
    reads: Reads,
    position: usize,
    message: usize,
}

impl Wire {
    /// The wire of a case and the messages that are on it: as many as make 256 KiB, at least 2.
    pub fn new(case: &DecodeCase) -> (Self, Vec<Vec<u8>>) {
        let count = (256 * 1024 / case.size).clamp(2, 4096);
        let mut random = Random::new(42);
        let messages: Vec<_> =
            (0..count).map(|index| case.content.payload(case.size, 7 * index as u64)).collect();
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for message in &messages {
            let opcode = if case.content.is_text() { 1 } else { 2 };
            let piece = message.len().div_ceil(case.fragments);
            let last = case.fragments - 1;
            for (index, payload) in message.chunks(piece).enumerate() {
                let first = if index == 0 { opcode } else { 0 } | if index == last { 0x80 } else { 0 };
                let key = (case.role == Role::Server).then(|| random.key());
                push_frame(&mut bytes, first, key, payload);
            }
            ends.push(bytes.len());
        }
        (Self::from_parts(bytes, ends, case.reads), messages)
    }

    /// The same wire with the last byte of each message changed so that it is no text.
    #[must_use]
    pub fn spoiled(&self) -> Self {
        let mut bytes = self.bytes.to_vec();
        for &end in self.ends.iter() {
            // What was ASCII is not, and what was the end of a character is missing.
            bytes[end - 1] ^= 0x80;
        }
        Self { bytes: bytes.into(), ..self.clone() }
    }

    /// A wire with these bytes, on which messages end at `ends`.
    pub fn from_parts(bytes: Vec<u8>, ends: Vec<usize>, reads: Reads) -> Self {
        Self { bytes: bytes.into(), ends: ends.into(), reads, position: 0, message: 0 }
    }

    /// The next read: as much as there is room for and comes together.
    #[inline]
    pub fn read(&mut self, out: &mut [u8]) -> usize {
        let next = self.next(out.len());
        out[..next.len()].copy_from_slice(next);
        let n = next.len();
        self.advance(n);
        n
    }

    /// What the next read brings into `room` bytes.
    #[inline]
    pub fn next(&self, room: usize) -> &[u8] {
        let end = match self.reads {
            Reads::Whole => self.ends[self.message],
            Reads::Cut(size) => ((self.position / size + 1) * size).min(self.bytes.len()),
        };
        &self.bytes[self.position..end.min(self.position + room)]
    }

    /// Says that `n` bytes of that were read.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        self.position += n;
        if self.reads == Reads::Whole && self.position == self.ends[self.message] {
            self.message += 1;
        }
        if self.position == self.bytes.len() {
            self.position = 0;
            self.message = 0;
        }
    }
}

/// Adds a frame; `first` is its first byte.
pub fn push_frame(out: &mut Vec<u8>, first: u8, key: Option<[u8; 4]>, payload: &[u8]) {
    let mask = if key.is_some() { 0x80 } else { 0 };
    out.push(first);
    match payload.len() {
        len @ 0..=125 => out.push(mask | len as u8),
        len @ 126..=0xFFFF => {
            out.push(mask | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(mask | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    let key = key.inspect(|key| out.extend_from_slice(key)).unwrap_or_default();
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// A frame that was read.
#[derive(Debug, Eq, PartialEq)]
pub struct Frame {
    /// Its first byte.
    pub first: u8,
    /// Whether it was masked.
    pub masked: bool,
    /// Its payload, unmasked.
    pub payload: Vec<u8>,
}

/// Reads all frames; the last has to be complete.
pub fn read_frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (len, rest) = match second & 0x7F {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
            len => (usize::from(len), rest),
        };
        let masked = second & 0x80 != 0;
        let (key, rest) = if masked { rest.split_at(4) } else { (&[0; 4][..], rest) };
        let (payload, rest) = rest.split_at(len);
        let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        frames.push(Frame { first: *first, masked, payload });
        bytes = rest;
    }
    frames
}
