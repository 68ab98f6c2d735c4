//! What a server answers to an offer that it accepts.

use core::fmt;

use super::extensions::{Elements, Extension};
use super::negotiation_error::NegotiationError;
use super::parameters::{Element, NAME};
use super::params::DeflateParams;
use super::window_bits::WindowBits;

/// The element of `Sec-WebSocket-Extensions` with which a server accepts an offer: an "extension negotiation response"
/// of RFC 7692.
///
/// It comes from two places only, so that what is written is always an answer that the client may be given: a server
/// has [`DeflateConfig::accept`](super::DeflateConfig::accept) make it from an offer, a client [parses](Self::parse)
/// it. Its `Display` is what the header says:
///
/// ```
/// use ws_proto::deflate::{DeflateConfig, WindowBits};
///
/// let config = DeflateConfig::new().client_max_window_bits(WindowBits::new(12).unwrap());
/// let response = config.accept([&b"permessage-deflate; client_max_window_bits"[..]]).unwrap();
/// assert_eq!(response.to_string(), "permessage-deflate; client_max_window_bits=12");
/// assert_eq!(response.params().client_max_window_bits.get(), 12);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct DeflateResponse {
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_max_window_bits: Option<WindowBits>,
    pub(super) client_max_window_bits: Option<WindowBits>,
}

impl DeflateResponse {
    /// Reads the values of all `Sec-WebSocket-Extensions` headers of a response, which may be several. `None` if they
    /// use no extension.
    ///
    /// Whether it answers an offer, [`DeflateOffers::verify`](super::DeflateOffers::verify) says; this is for those
    /// who want to look at a response by itself.
    ///
    /// # Errors
    ///
    /// The first defect of RFC 6455 section 9.1 or RFC 7692 section 7; another extension is one, and so is
    /// permessage-deflate twice. The client fails the connection, then.
    pub fn parse<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Result<Option<Self>, NegotiationError> {
        let mut response = None;
        for element in values.into_iter().flat_map(Elements::new) {
            let extension = Extension::parse(element)?;
            if extension.name != NAME.as_bytes() {
                return Err(NegotiationError::UnexpectedExtension);
            }
            if response.is_some() {
                return Err(NegotiationError::RepeatedExtension);
            }
            let element = Element::parse(extension.parameters)?;
            response = Some(Self {
                server_no_context_takeover: element.server_no_context_takeover,
                client_no_context_takeover: element.client_no_context_takeover,
                server_max_window_bits: element.server_max_window_bits,
                // RFC 7692 section 7.1.2.2: only in an offer may it be without a value.
                client_max_window_bits: match element.client_max_window_bits {
                    Some(None) => return Err(NegotiationError::InvalidValue),
                    Some(bits) => bits,
                    None => None,
                },
            });
        }
        Ok(response)
    }

    /// What it amounts to, for the server that sends it. A client is bound by its hints as well, and asks
    /// [`DeflateOffers::verify`](super::DeflateOffers::verify).
    pub const fn params(&self) -> DeflateParams {
        DeflateParams {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: or_max(self.server_max_window_bits),
            client_max_window_bits: or_max(self.client_max_window_bits),
        }
    }
}

/// The element as it is written into the header.
impl fmt::Display for DeflateResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let element = Element {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits,
            client_max_window_bits: self.client_max_window_bits.map(Some),
        };
        element.fmt(f)
    }
}

const fn or_max(bits: Option<WindowBits>) -> WindowBits {
    match bits {
        Some(bits) => bits,
        None => WindowBits::MAX,
    }
}
