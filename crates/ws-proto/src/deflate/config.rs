//! What one side wants of permessage-deflate, each default with its reason.

use super::offer::{ClientMaxWindowBits, DeflateOffer};
use super::response::DeflateResponse;
use super::window_bits::WindowBits;

/// Whether and how an endpoint compresses: what it negotiates, and what it does with what was agreed.
///
/// The same for both roles. A client derives its offer from it, a server its answer.
///
/// ```
/// use ws_proto::deflate::{DeflateConfig, WindowBits};
///
/// // A server with many connections, and little to win from what was sent before.
/// let config = DeflateConfig::new().server_no_context_takeover(true).client_no_context_takeover(true);
/// // A client that needs no more than 4 KiB to remember what it sent.
/// let config = DeflateConfig::new().client_max_window_bits(WindowBits::new(12).unwrap());
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeflateConfig {
    pub(crate) level: u8,
    pub(crate) memory_level: u8,
    pub(crate) min_size: usize,
    pub(crate) server_max_window_bits: WindowBits,
    pub(crate) client_max_window_bits: WindowBits,
    pub(crate) server_no_context_takeover: bool,
    pub(crate) client_no_context_takeover: bool,
}

impl DeflateConfig {
    /// The defaults, as [`Default`] gives them, in a `const` context.
    pub const fn new() -> Self {
        Self {
            level: 1,
            memory_level: 5,
            min_size: 64,
            server_max_window_bits: WindowBits::MAX,
            client_max_window_bits: WindowBits::MAX,
            server_no_context_takeover: false,
            client_no_context_takeover: false,
        }
    }

    /// How hard the compressor tries: 1, the fastest, to 9, the smallest. Values outside count as the nearest of these.
    /// It is not negotiated.
    ///
    /// Default: 1. A server compresses for all its clients at once; 2 and more compress text by a quarter better and take
    /// two to five times as long, the more the smaller the messages are.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = one_to_nine(level);
        self
    }

    /// How much memory the compressor takes beside its window, 1 to 9, as zlib counts it. Values outside count as the
    /// nearest of these. It is not negotiated.
    ///
    /// Default: 5. zlib's is 8, which takes [a good deal more](super#what-it-costs) and hardly compresses better what
    /// messages usually are.
    #[must_use]
    pub const fn memory_level(mut self, level: u8) -> Self {
        self.memory_level = one_to_nine(level);
        self
    }

    /// Messages of fewer bytes are sent as they are, which RFC 7692 section 6 leaves to the sender. It is not
    /// negotiated.
    ///
    /// Default: 64. Little is won below that, and often something lost.
    #[must_use]
    pub const fn min_size(mut self, bytes: usize) -> Self {
        self.min_size = bytes;
        self
    }

    /// The largest window that the server is to compress with.
    ///
    /// A client demands it of the server: a smaller one saves it memory for what it receives. A server keeps to it, and
    /// tells the client so.
    ///
    /// Default: 15, no limit; a client then does not mention it.
    #[must_use]
    pub const fn server_max_window_bits(mut self, bits: WindowBits) -> Self {
        self.server_max_window_bits = bits;
        self
    }

    /// The largest window that the client is to compress with.
    ///
    /// A client keeps to it, and tells the server so. A server demands it of the clients that can be told, which are
    /// those that offer `client_max_window_bits`. Others are accepted all the same, with 15: RFC 7692 section 7.1.2.2
    /// has no way to limit them.
    ///
    /// Default: 15, no limit; a client then offers the parameter without a value, so that the server may limit it, as
    /// browsers do.
    #[must_use]
    pub const fn client_max_window_bits(mut self, bits: WindowBits) -> Self {
        self.client_max_window_bits = bits;
        self
    }

    /// Whether the server is to compress each message by itself, without the window of the one before.
    ///
    /// A client demands it of the server; a server does it, and tells the client so. It saves memory between messages,
    /// and costs much of the compression where messages are small and alike.
    ///
    /// Default: no. A server does it anyway for clients that demand it.
    #[must_use]
    pub const fn server_no_context_takeover(mut self, yes: bool) -> Self {
        self.server_no_context_takeover = yes;
        self
    }

    /// Whether the client is to compress each message by itself, without the window of the one before.
    ///
    /// A client does it, and tells the server so. A server demands it of the client, which RFC 7692 section 7.1.1.2
    /// allows whether or not the client offers it.
    ///
    /// Default: no. A server agrees to it anyway with clients that offer it, for it can then forget more.
    #[must_use]
    pub const fn client_no_context_takeover(mut self, yes: bool) -> Self {
        self.client_no_context_takeover = yes;
        self
    }

    /// The offer of a client that wants this.
    pub fn offer(&self) -> DeflateOffer {
        let limit = |bits| (bits != WindowBits::MAX).then_some(bits);
        DeflateOffer {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: limit(self.server_max_window_bits),
            client_max_window_bits: match limit(self.client_max_window_bits) {
                None => ClientMaxWindowBits::NoValue,
                Some(bits) => ClientMaxWindowBits::Value(bits),
            },
        }
    }

    /// The answer of a server that wants this to the first acceptable offer in the values of all
    /// `Sec-WebSocket-Extensions` headers of a request, which may be several. `None` if there is no such offer; no
    /// header is sent then, and nothing compressed.
    ///
    /// Offers with a defect are declined, see [`DeflateOffer::parse_all`]; every other can be accepted.
    pub fn accept<'v>(&self, values: impl IntoIterator<Item = &'v [u8]>) -> Option<DeflateResponse> {
        let offer = DeflateOffer::parse_all(values).find_map(Result::ok)?;
        Some(self.accept_offer(&offer))
    }

    /// The answer of a server that wants this to one offer.
    pub fn accept_offer(&self, offer: &DeflateOffer) -> DeflateResponse {
        let server_bits = offer.server_max_window_bits.unwrap_or_default().min(self.server_max_window_bits);
        // RFC 7692 section 7.1.2.2: "If a received extension negotiation offer doesn't have the
        // "client_max_window_bits" extension parameter, the corresponding extension negotiation response to the offer
        // MUST NOT include" it.
        let client_bits = match offer.client_max_window_bits {
            ClientMaxWindowBits::NotOffered => WindowBits::MAX,
            ClientMaxWindowBits::NoValue => self.client_max_window_bits,
            ClientMaxWindowBits::Value(bits) => bits.min(self.client_max_window_bits),
        };
        DeflateResponse {
            server_no_context_takeover: offer.server_no_context_takeover || self.server_no_context_takeover,
            client_no_context_takeover: offer.client_no_context_takeover || self.client_no_context_takeover,
            // Section 7.1.2.1: a server accepts an offer with it "by including" it, even if it is 15.
            server_max_window_bits: (offer.server_max_window_bits.is_some()
                || server_bits != WindowBits::MAX)
                .then_some(server_bits),
            client_max_window_bits: (client_bits != WindowBits::MAX).then_some(client_bits),
        }
    }
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self::new()
    }
}

const fn one_to_nine(level: u8) -> u8 {
    match level {
        0 => 1,
        1..=9 => level,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_outside_of_1_to_9_count_as_the_nearest() {
        for (given, kept) in [(0, 1), (1, 1), (5, 5), (9, 9), (10, 9), (255, 9)] {
            let config = DeflateConfig::new().level(given).memory_level(given);
            assert_eq!((config.level, config.memory_level), (kept, kept), "{given}");
        }
        assert_eq!(DeflateConfig::new().min_size(7).min_size, 7);
    }
}
