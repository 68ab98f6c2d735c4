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

use crate::case::Contender;

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
