//! The contenders, each in its recommended fastest form.

mod fastwebsockets;
mod limit;
mod nexus_web;
mod sockudo_ws;
mod tokio_websockets;
mod tungstenite;
mod ws_proto;
#[cfg(feature = "wtx")]
mod wtx;
mod yawc;

use std::rc::Rc;

use bytes::Bytes;

use crate::case::{Decode, DecodeCase, Encode, EncodeCase, Output};
use crate::wire::Wire;

pub use limit::apply_mask;

/// All of them, in the order of the tables: the limit, ours, the peers.
pub const CONTENDERS: &[Contender] = &[
    limit::CONTENDER,
    ws_proto::CONTENDER,
    ws_proto::OWNED,
    tungstenite::CONTENDER,
    nexus_web::CONTENDER,
    fastwebsockets::CONTENDER,
    tokio_websockets::CONTENDER,
    yawc::CONTENDER,
    #[cfg(feature = "wtx")]
    wtx::CONTENDER,
    sockudo_ws::CONTENDER,
];

/// Larger than any message that is measured.
pub(crate) const MAX_MESSAGE: usize = 16 << 20;

/// A library, or the limit.
pub struct Contender {
    /// The name in the tables.
    pub name: &'static str,
    /// Whether it counts as a peer: neither ours nor the limit.
    pub peer: bool,
    /// Makes a decoder, if it can do this.
    pub decoder: MakeDecoder,
    /// Makes an encoder, if it can do this.
    pub encoder: MakeEncoder,
}

/// Messages that are encoded in turn, which those that are compressed are.
struct InTurn<M> {
    messages: Vec<M>,
    next: usize,
}

impl<M> InTurn<M> {
    fn new(case: &EncodeCase, payload: &Bytes, message: impl FnMut(Bytes) -> M) -> Self {
        let starts = (0..payload.len()).step_by(case.size);
        let payloads = starts.map(|start| payload.slice(start..start + case.size));
        Self { messages: payloads.map(message).collect(), next: 0 }
    }

    fn next(&mut self) -> &M {
        let message = &self.messages[self.next];
        self.next = (self.next + 1) % self.messages.len();
        message
    }
}

/// Makes a decoder of what comes over the wire.
pub type MakeDecoder = fn(&DecodeCase, Wire) -> Option<Box<dyn Decode>>;

/// Makes an encoder of the payload, which writes to the output.
pub type MakeEncoder = fn(&EncodeCase, Bytes, Rc<Output>) -> Option<Box<dyn Encode>>;
