//! What a client offers, and whether a response answers it.

use core::fmt;

use super::extensions::{Elements, Extension};
use super::negotiation_error::NegotiationError;
use super::parameters::{Element, NAME};
use super::params::DeflateParams;
use super::response::DeflateResponse;
use super::window_bits::WindowBits;

/// One offer of permessage-deflate: an element of a client's `Sec-WebSocket-Extensions`, an "extension negotiation
/// offer" of RFC 7692.
///
/// The default has no parameter at all: the client leaves the server's compressor alone, and is not ready to be
/// limited in its own window. Browsers offer `client_max_window_bits` without a value.
///
/// ```
/// use ws_proto::deflate::{ClientMaxWindowBits, DeflateOffer};
///
/// let offer = DeflateOffer { client_max_window_bits: ClientMaxWindowBits::NoValue, ..DeflateOffer::default() };
/// assert_eq!(offer.to_string(), "permessage-deflate; client_max_window_bits");
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct DeflateOffer {
    /// Demands that the server compresses each message with an empty window (section 7.1.1.1): a client that cannot
    /// keep 32 KiB for what it receives. Default: no.
    pub server_no_context_takeover: bool,
    /// The hint that the client is going to compress each message with an empty window, whatever the response says
    /// (section 7.1.1.2). Default: no.
    pub client_no_context_takeover: bool,
    /// Demands that the server's window is not larger than this (section 7.1.2.1). Default: `None`, any will do. The
    /// response has to repeat it, or a smaller one, even where it is 15.
    pub server_max_window_bits: Option<WindowBits>,
    /// Whether the server may limit the client's window (section 7.1.2.2). Default: it may not.
    pub client_max_window_bits: ClientMaxWindowBits,
}

/// What an offer says about the window of the client's compressor: `client_max_window_bits` of RFC 7692 section
/// 7.1.2.2.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum ClientMaxWindowBits {
    /// Nothing: the response must not limit it.
    #[default]
    NotOffered,
    /// The parameter without a value: the response may limit it.
    NoValue,
    /// The parameter with a value: the response may limit it further, and the hint that the client is not going to use
    /// more than this, whatever the response says.
    Value(WindowBits),
}

impl DeflateOffer {
    /// The offer without parameters, as [`Default`] gives it, in a `const` context.
    pub const fn new() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: None,
            client_max_window_bits: ClientMaxWindowBits::NotOffered,
        }
    }

    /// Reads the values of all `Sec-WebSocket-Extensions` headers of a request, which may be several: the offers of
    /// permessage-deflate in the client's order of preference. An offer with a defect is an error, and is to be
    /// declined (RFC 7692 section 7); the next may be a good one. Other extensions are left out.
    ///
    /// RFC 6455 section 9.1 would have the connection fail where the header does not conform to the grammar. Only the
    /// element in question is declined here: to a server without extensions the header says nothing at all, and a
    /// connection without compression is better than none.
    ///
    /// The work is linear in the length of the values.
    pub fn parse_all<'v>(
        values: impl IntoIterator<Item = &'v [u8]>,
    ) -> impl Iterator<Item = Result<Self, NegotiationError>> {
        values.into_iter().flat_map(Elements::new).filter_map(|element| {
            let extension = Extension::parse(element).ok()?;
            let is_deflate = extension.name == NAME.as_bytes();
            is_deflate.then(|| Element::parse(extension.parameters).map(Self::from))
        })
    }

    /// Whether a response is one to this offer, and what was agreed then. See
    /// [`DeflateOffers::verify`] for a header with everything that may be in it.
    ///
    /// # Errors
    ///
    /// [`NegotiationError::MissingParameter`], [`NegotiationError::TooManyWindowBits`] or
    /// [`NegotiationError::UnexpectedParameter`].
    pub fn verify(&self, response: &DeflateResponse) -> Result<DeflateParams, NegotiationError> {
        let mut params = response.params();
        // Section 7.1.1.1: "A server accepts an extension negotiation offer that includes the
        // "server_no_context_takeover" extension parameter by including" it. It may come unasked.
        if self.server_no_context_takeover && !response.server_no_context_takeover {
            return Err(NegotiationError::MissingParameter);
        }
        // Section 7.1.2.1: "... by including the "server_max_window_bits" extension parameter in the extension
        // negotiation response ... with the same or smaller value". It may come unasked, and does no harm.
        match (self.server_max_window_bits, response.server_max_window_bits) {
            (Some(_), None) => return Err(NegotiationError::MissingParameter),
            (Some(offered), Some(bits)) if bits > offered => return Err(NegotiationError::TooManyWindowBits),
            _ => {}
        }
        // Section 7.1.2.2: a value "equal to or smaller than the received value", and none if there was no parameter.
        match (self.client_max_window_bits, response.client_max_window_bits) {
            (ClientMaxWindowBits::NotOffered, Some(_)) => return Err(NegotiationError::UnexpectedParameter),
            (ClientMaxWindowBits::Value(offered), Some(bits)) if bits > offered => {
                return Err(NegotiationError::TooManyWindowBits);
            }
            (ClientMaxWindowBits::Value(offered), None) => params.client_max_window_bits = offered,
            _ => {}
        }
        params.client_no_context_takeover |= self.client_no_context_takeover;
        Ok(params)
    }
}

impl From<Element> for DeflateOffer {
    fn from(element: Element) -> Self {
        Self {
            server_no_context_takeover: element.server_no_context_takeover,
            client_no_context_takeover: element.client_no_context_takeover,
            server_max_window_bits: element.server_max_window_bits,
            client_max_window_bits: match element.client_max_window_bits {
                None => ClientMaxWindowBits::NotOffered,
                Some(None) => ClientMaxWindowBits::NoValue,
                Some(Some(bits)) => ClientMaxWindowBits::Value(bits),
            },
        }
    }
}

/// The element as it is written into the header.
impl fmt::Display for DeflateOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let element = Element {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits,
            client_max_window_bits: match self.client_max_window_bits {
                ClientMaxWindowBits::NotOffered => None,
                ClientMaxWindowBits::NoValue => Some(None),
                ClientMaxWindowBits::Value(bits) => Some(Some(bits)),
            },
        };
        element.fmt(f)
    }
}

/// All offers that a client makes, the most preferred first: RFC 7692 section 5 allows several, with different
/// parameters, of which the server accepts one.
///
/// Its `Display` is the value of the header. The last offer is best one that every server can accept:
///
/// ```
/// use ws_proto::deflate::{DeflateOffer, DeflateOffers, WindowBits};
///
/// let small = DeflateOffer { server_max_window_bits: WindowBits::new(10), ..DeflateOffer::new() };
/// let offers = [small, DeflateOffer::new()];
/// let offers = DeflateOffers::new(&offers);
/// assert_eq!(offers.to_string(), "permessage-deflate; server_max_window_bits=10, permessage-deflate");
///
/// let params = offers.verify([&b"permessage-deflate; server_max_window_bits=9"[..]])?.unwrap();
/// assert_eq!(params.server_max_window_bits.get(), 9);
/// assert_eq!(offers.verify([])?, None); // all declined: no compression
/// # Ok::<(), ws_proto::deflate::NegotiationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DeflateOffers<'a>(&'a [DeflateOffer]);

impl<'a> DeflateOffers<'a> {
    /// These offers, in this order.
    pub const fn new(offers: &'a [DeflateOffer]) -> Self {
        Self(offers)
    }

    /// Holds the values of all `Sec-WebSocket-Extensions` headers of a response, which may be several, against the
    /// offers. `None` if all of them were declined, which is no error.
    ///
    /// A response does not say which offer it accepts. The first one that it can be an answer to is taken for it.
    ///
    /// # Errors
    ///
    /// The first defect, or why it is no answer to the first of the offers if it is to none. The client must fail the
    /// connection, then: RFC 6455 section 4.1, RFC 7692 section 7.
    pub fn verify<'v>(
        &self,
        values: impl IntoIterator<Item = &'v [u8]>,
    ) -> Result<Option<DeflateParams>, NegotiationError> {
        let mut values = values.into_iter();
        let Some((first, others)) = self.0.split_first() else {
            // Whatever it is, it was not asked for.
            return match values.find_map(|value| Elements::new(value).next()) {
                Some(_) => Err(NegotiationError::UnexpectedExtension),
                None => Ok(None),
            };
        };
        let Some(response) = DeflateResponse::parse(values)? else { return Ok(None) };
        first.verify(&response).map(Some).or_else(|defect| {
            let params = others.iter().find_map(|offer| offer.verify(&response).ok());
            params.map(Some).ok_or(defect)
        })
    }

    /// Whether there is no offer at all, and therefore no header.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The value of the header: the offers with commas between them.
impl fmt::Display for DeflateOffers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, offer) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(", ")?;
            }
            offer.fmt(f)?;
        }
        Ok(())
    }
}
