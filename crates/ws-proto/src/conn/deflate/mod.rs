//! permessage-deflate (RFC 7692) on a connection that agreed on it.

mod recv;
mod send;

use alloc::boxed::Box;

use super::{Connection, Role};
use crate::deflate::deflater::Deflater;
use crate::deflate::inflater::Inflater;
use crate::deflate::{DeflateConfig, DeflateParams, WindowBits};
use crate::rsv::Rsv;

/// What a connection has beside the rest if permessage-deflate was agreed on. The states of the codec are made when
/// the first message needs them.
#[derive(Debug)]
pub(super) struct PerMessageDeflate {
    params: DeflateParams,
    pub(super) inflater: Inflater,
    pub(super) deflater: Deflater,
    /// Messages of fewer bytes are sent as they are.
    min_size: usize,
    /// Whether messages are compressed from now on.
    enabled: bool,
    /// The compressed bytes of the message that is being received.
    received: u64,
    /// The last bytes of the frame that is being received are inflated.
    frame_inflated: bool,
    /// How many bytes of the message that is being sent in pieces the deflater may hold back.
    held_back: usize,
}

impl Connection {
    /// Switches permessage-deflate on, with the parameters that the opening handshake agreed on; before the first
    /// message. Of `config` it takes how to compress: level, memory, and the size from which on it is worth while.
    ///
    /// From now on RSV1 belongs to this extension (RFC 7692 section 6): messages that carry it are inflated, and the
    /// limits of [`Config`](crate::Config) hold for what comes out. What is sent is compressed, unless
    /// [`set_compression`](Self::set_compression) is off, the message is small, or it does not shrink.
    ///
    /// This costs a few hundred bytes. The states of the codec are made when the first message needs them; see
    /// [`deflate`](crate::deflate) for what they cost.
    ///
    /// ```
    /// use ws_proto::deflate::{DeflateConfig, DeflateParams};
    /// use ws_proto::{Config, Connection, Instant, Message, Role, SendBuf};
    ///
    /// # fn main() -> Result<(), ws_proto::SendError> {
    /// let config = DeflateConfig::new();
    /// let mut conn = Connection::new(Role::Server, Config::default(), Instant::ZERO);
    /// conn.enable_deflate(DeflateParams::default(), &config); // those of the `Agreement`, in earnest
    ///
    /// let mut tx = SendBuf::new([0; 2048]);
    /// conn.send(&mut tx, Message::Text(&"Hello ".repeat(200)))?;
    /// let transmit = conn.poll_transmit(Instant::ZERO, &mut tx).unwrap();
    /// assert_eq!(transmit.slices()[0][0], 0xC1); // FIN, RSV1, text
    /// assert!(transmit.slices()[0].len() < 50);
    /// # Ok(())
    /// # }
    /// ```
    pub fn enable_deflate(&mut self, params: DeflateParams, config: &DeflateConfig) {
        let client = (params.client_max_window_bits, params.client_no_context_takeover);
        let server = (params.server_max_window_bits, params.server_no_context_takeover);
        let (ours, theirs) = match self.role {
            Role::Client(_) => (client, server),
            Role::Server => (server, client),
        };
        self.config.allowed_rsv = self.config.allowed_rsv.union(Rsv::RSV1);
        self.deflate = Some(Box::new(PerMessageDeflate {
            params,
            inflater: Inflater::new(theirs.0, theirs.1),
            deflater: Deflater::new(config, ours.0, ours.1),
            min_size: config.min_size,
            enabled: true,
            received: 0,
            frame_inflated: false,
            held_back: 0,
        }));
        self.update_short_ways();
    }

    /// What was agreed on about permessage-deflate; `None` if it is not in use.
    pub fn deflate_params(&self) -> Option<DeflateParams> {
        self.deflate.as_ref().map(|deflate| deflate.params)
    }

    /// Whether messages that are begun from now on are compressed. Has no effect without permessage-deflate.
    ///
    /// For what is compressed already, such as pictures; and for secrets in one message with something that an attacker
    /// chooses, whose length then tells about them.
    ///
    /// Default: yes, from [`enable_deflate`](Self::enable_deflate) on.
    pub fn set_compression(&mut self, on: bool) {
        if let Some(deflate) = &mut self.deflate {
            deflate.enabled = on;
        }
        self.update_short_ways();
    }

    /// Whether messages that are begun now would be compressed, if they are large enough.
    pub fn is_compressing(&self) -> bool {
        self.deflate.as_ref().is_some_and(|deflate| deflate.enabled)
    }

    /// With which window messages are compressed now, if they are.
    pub(super) fn compresses_with(&self) -> Option<WindowBits> {
        let deflate = self.deflate.as_ref().filter(|deflate| deflate.enabled)?;
        Some(match self.role {
            Role::Client(_) => deflate.params.client_max_window_bits,
            Role::Server => deflate.params.server_max_window_bits,
        })
    }

    /// Whether the message that was received last, or is being received, was compressed.
    pub const fn received_compressed(&self) -> bool {
        self.incoming.is_compressed()
    }

    /// Nothing more will be inflated or compressed: the states of the codec are given back.
    pub(super) fn release_deflate(&mut self) {
        if let Some(deflate) = &mut self.deflate {
            deflate.inflater.release();
            deflate.deflater.release();
        }
    }
}
