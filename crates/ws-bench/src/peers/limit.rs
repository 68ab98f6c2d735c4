//! The limit: reads headers, unmasks and validates with the fastest known code, and checks nothing else. It holds no
//! state of a connection, and would take any nonsense for a frame; it is a reference, not a bound.

use std::rc::Rc;

use bytes::Bytes;

use super::Contender;
use crate::case::{Decode, Encode, Output, Role, Tally};
use crate::payload::Random;
use crate::wire::Wire;

pub(super) const CONTENDER: Contender = Contender {
    name: "limit",
    peer: false,
    decoder: |case, wire| {
        (case.fragments == 1 && case.deflate.is_none()).then(|| -> Box<dyn Decode> {
            let buffer = vec![0; 64 * 1024 + case.size + 16];
            Box::new(Decoder { wire, buffer, parsed: 0, filled: 0 })
        })
    },
    encoder: |case, payload, output| {
        (case.deflate.is_none()).then(|| -> Box<dyn Encode> {
            let keys = (case.role == Role::Client).then(|| Random::new(1));
            let first = if case.content.is_text() { 0x81 } else { 0x82 };
            let buffer = vec![0; case.batch * (payload.len() + 14)];
            Box::new(Encoder { payload, first, keys, buffer, batch: case.batch, output })
        })
    },
};

struct Decoder {
    wire: Wire,
    buffer: Vec<u8>,
    parsed: usize,
    filled: usize,
}

impl Decode for Decoder {
    fn decode(&mut self, messages: usize, tally: &mut Tally) {
        let mut left = messages;
        loop {
            while left > 0
                && let Some((text, start, end)) = self.message()
            {
                let payload = &self.buffer[start..end];
                tally.message(text, payload);
                left -= 1;
            }
            if left == 0 {
                return;
            }
            // Moved once a read, not once a message.
            self.buffer.copy_within(self.parsed..self.filled, 0);
            self.filled -= self.parsed;
            self.parsed = 0;
            self.filled += self.wire.read(&mut self.buffer[self.filled..]);
        }
    }
}

impl Decoder {
    #[inline]
    fn message(&mut self) -> Option<(bool, usize, usize)> {
        let bytes = &mut self.buffer[self.parsed..self.filled];
        let [first, second, ..] = *bytes else { return None };
        let (mut header, len) = match second & 0x7F {
            126 => (4, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
            127 => (10, u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize),
            len => (2, usize::from(len)),
        };
        let mut key = None;
        if second & 0x80 != 0 {
            key = Some(*bytes.get(header..)?.first_chunk()?);
            header += 4;
        }
        let payload = bytes.get_mut(header..header + len)?;
        if let Some(key) = key {
            apply_mask(payload, key);
        }
        let text = first & 0x0F == 1;
        if text && simdutf8::basic::from_utf8(payload).is_err() {
            return None;
        }
        let start = self.parsed + header;
        self.parsed = start + len;
        Some((text, start, self.parsed))
    }
}

struct Encoder {
    payload: Bytes,
    first: u8,
    keys: Option<Random>,
    buffer: Vec<u8>,
    batch: usize,
    output: Rc<Output>,
}

impl Encode for Encoder {
    fn encode(&mut self, messages: usize) {
        for _ in 0..messages / self.batch {
            let mut end = 0;
            for _ in 0..self.batch {
                end = self.push(end);
            }
            self.output.take(&self.buffer[..end]);
        }
    }
}

impl Encoder {
    #[inline]
    fn push(&mut self, start: usize) -> usize {
        let len = self.payload.len();
        let out = &mut self.buffer[start..];
        let mask = if self.keys.is_some() { 0x80 } else { 0 };
        out[0] = self.first;
        let mut header = match len {
            0..=125 => {
                out[1] = mask | len as u8;
                2
            }
            126..=0xFFFF => {
                out[1] = mask | 126;
                out[2..4].copy_from_slice(&(len as u16).to_be_bytes());
                4
            }
            _ => {
                out[1] = mask | 127;
                out[2..10].copy_from_slice(&(len as u64).to_be_bytes());
                10
            }
        };
        if let Some(keys) = &mut self.keys {
            let key = keys.key();
            out[header..header + 4].copy_from_slice(&key);
            header += 4;
            copy_masked(&self.payload, &mut out[header..header + len], key);
        } else {
            out[header..header + len].copy_from_slice(&self.payload);
        }
        start + header + len
    }
}

/// Masks in place with the widest vectors that this processor has.
pub fn apply_mask(payload: &mut [u8], key: [u8; 4]) {
    if payload.len() < 64 { apply_mask_words(payload, key) } else { apply_mask_vectors(payload, key) }
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw", "x86_64+avx2"))]
fn apply_mask_vectors(payload: &mut [u8], key: [u8; 4]) {
    apply_mask_words(payload, key);
}

#[inline(always)]
fn apply_mask_words(payload: &mut [u8], key: [u8; 4]) {
    let wide = wide(key);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    rest.iter_mut().zip(wide.to_ne_bytes()).for_each(|(byte, key)| *byte ^= key);
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw", "x86_64+avx2"))]
fn copy_masked(payload: &[u8], out: &mut [u8], key: [u8; 4]) {
    let wide = wide(key);
    let (words, rest) = payload.as_chunks::<8>();
    let (out_words, out_rest) = out.as_chunks_mut::<8>();
    for (out, word) in out_words.iter_mut().zip(words) {
        *out = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    out_rest.iter_mut().zip(rest).zip(wide.to_ne_bytes()).for_each(|((out, byte), key)| *out = byte ^ key);
}

#[inline(always)]
fn wide([a, b, c, d]: [u8; 4]) -> u64 {
    u64::from_ne_bytes([a, b, c, d, a, b, c, d])
}
