//! `Sec-WebSocket-Extensions` in the opening handshake: which extensions there are, and that no others are used.

use super::error::HandshakeError;
use super::fields::Headers;
#[cfg(not(feature = "deflate"))]
use super::fields::list;
#[cfg(feature = "deflate")]
use crate::deflate::{DeflateConfig, DeflateOffer, DeflateOffers, DeflateParams};

/// The header, which may be there several times on both sides (RFC 6455 section 9.1, erratum 3433).
pub(super) const NAME: &str = "Sec-WebSocket-Extensions";

/// The values of all of them, in their order.
pub(super) fn values(headers: Headers<'_>) -> impl Iterator<Item = &[u8]> {
    headers.filter(|(name, _)| name.eq_ignore_ascii_case(NAME)).map(|(_, value)| value)
}

/// Without an extension that could be offered, a response that uses one is wrong. An empty list uses none.
#[cfg(not(feature = "deflate"))]
pub(super) fn check_none(headers: Headers<'_>) -> Result<(), HandshakeError> {
    match values(headers).find_map(|value| list(value).next()) {
        Some(_) => Err(HandshakeError::UnexpectedExtension),
        None => Ok(()),
    }
}

/// The offers of a client, which it chose itself or which are derived from what it wants.
#[cfg(feature = "deflate")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deflate<'a> {
    pub(super) config: Option<DeflateConfig>,
    pub(super) offers: &'a [DeflateOffer],
}

#[cfg(feature = "deflate")]
impl Deflate<'_> {
    /// Gives the offers to a closure: those that are derived exist only for that long.
    pub(super) fn with_offers<R>(&self, f: impl FnOnce(DeflateOffers<'_>) -> R) -> R {
        match &self.config {
            None => f(DeflateOffers::default()),
            Some(config) if self.offers.is_empty() => f(DeflateOffers::new(&[config.offer()])),
            Some(_) => f(DeflateOffers::new(self.offers)),
        }
    }

    pub(super) fn verify(&self, headers: Headers<'_>) -> Result<Option<DeflateParams>, HandshakeError> {
        Ok(self.with_offers(|offers| offers.verify(values(headers)))?)
    }
}
