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
const MAX_MESSAGE: usize = 16 << 20;

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

/// Makes a decoder of what comes over the wire.
pub type MakeDecoder = fn(&DecodeCase, Wire) -> Option<Box<dyn Decode>>;

/// Makes an encoder of the payload, which writes to the output.
pub type MakeEncoder = fn(&EncodeCase, Bytes, Rc<Output>) -> Option<Box<dyn Encode>>;
