//! What is measured in memory: the cases, and what a contender has to be able to do.

use std::cell::{Cell, RefCell};

use crate::payload::Content;

/// Which end a contender is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Sends masked frames, receives plain ones.
    Client,
    /// Sends plain frames, receives masked ones.
    Server,
}

impl Role {
    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// How the bytes arrive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reads {
    /// Each read brings one whole message, if there is room for it.
    Whole,
    /// Reads end at each multiple of so many bytes, wherever in a message that is.
    Cut(usize),
}

/// Whether a compressor goes on with the window of the message before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ContextTakeover {
    /// It does, as permessage-deflate has it by default.
    With,
    /// Each message is compressed by itself.
    Without,
}

impl ContextTakeover {
    /// The name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::With => "with takeover",
            Self::Without => "without takeover",
        }
    }
}

/// Messages to be decoded.
#[derive(Clone, Copy, Debug)]
pub struct DecodeCase {
    /// Which end decodes them.
    pub role: Role,
    /// What they consist of.
    pub content: Content,
    /// How long each is, in bytes.
    pub size: usize,
    /// In how many frames each comes.
    pub fragments: usize,
    /// How they arrive.
    pub reads: Reads,
    /// Whether they are compressed, and how.
    pub deflate: Option<ContextTakeover>,
}

/// Messages to be encoded.
#[derive(Clone, Copy, Debug)]
pub struct EncodeCase {
    /// Which end encodes them.
    pub role: Role,
    /// What they consist of.
    pub content: Content,
    /// How long each is, in bytes.
    pub size: usize,
    /// How many are encoded before the output is flushed.
    pub batch: usize,
    /// Whether they are to be compressed, and how. If so, the payload is several messages, one behind the other, which
    /// are encoded in turn: of one alone little would be left behind itself.
    pub deflate: Option<ContextTakeover>,
}

/// Decodes the messages that its case is about, again and again.
pub trait Decode {
    /// Decodes `messages` more.
    fn decode(&mut self, messages: usize, tally: &mut Tally);
}

/// Encodes the message that its case is about, again and again.
pub trait Encode {
    /// Encodes `messages` more, a multiple of a batch, and gives them to the output.
    fn encode(&mut self, messages: usize);
}

/// Counts messages, and looks at their first and last bytes so that nothing of them is left out.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many.
    pub messages: u64,
    /// How many bytes they have.
    pub bytes: u64,
    seen: u8,
    /// The messages themselves, if they are to be compared.
    pub kept: Option<Vec<(bool, Vec<u8>)>>,
}

impl Tally {
    /// Counts a message.
    #[inline]
    pub fn message(&mut self, text: bool, payload: &[u8]) {
        self.messages += 1;
        self.bytes += payload.len() as u64;
        if let [first, .., last] = std::hint::black_box(payload) {
            self.seen ^= first ^ last;
        }
        if let Some(kept) = &mut self.kept {
            kept.push((text, payload.to_vec()));
        }
    }
}

/// Where encoded bytes end: they are looked at, and only kept if they are to be compared.
#[derive(Debug, Default)]
pub struct Output {
    /// Whether the bytes are kept.
    pub keeps: Cell<bool>,
    /// The bytes that were kept.
    pub bytes: RefCell<Vec<u8>>,
    seen: Cell<u8>,
}

impl Output {
    /// Takes what a write would have taken.
    #[inline]
    pub fn take(&self, bytes: &[u8]) {
        if let [first, .., last] = std::hint::black_box(bytes) {
            self.seen.set(self.seen.get() ^ first ^ last);
        }
        if self.keeps.get() {
            self.bytes.borrow_mut().extend_from_slice(bytes);
        }
    }
}
