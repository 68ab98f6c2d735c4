//! Offers and responses of permessage-deflate, beside a naive reader that knows every right parameter by heart; and
//! both sides together.
//!
//! Input: an option byte of the server and one of the client (0: server without takeover; 1: client without takeover; 2
//! to 4: the server's window; 5 to 7: the client's), a second offer of the client like the first, then the values of
//! headers, a line each.

use ws_proto::deflate::{
    ClientMaxWindowBits, DeflateConfig, DeflateOffer, DeflateOffers, DeflateParams, DeflateResponse,
    WindowBits,
};

use crate::input::{Input, bit};

/// What an element has; the inner option is the value, where one may be left out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Element {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<Option<u8>>,
}

/// The elements of all headers: what lies between commas that are not quoted, and is not empty.
fn elements<'v>(values: &[&'v [u8]]) -> Vec<&'v [u8]> {
    let pieces = values.iter().flat_map(|value| split(value, b','));
    pieces.map(trim).filter(|element| !element.is_empty()).collect()
}

fn split(bytes: &[u8], at: u8) -> Vec<&[u8]> {
    let (mut pieces, mut start, mut quoted, mut index) = (Vec::new(), 0, false, 0);
    while index < bytes.len() {
        match bytes[index] {
            b'\\' if quoted => index += 1,
            b'"' => quoted = !quoted,
            byte if byte == at && !quoted => {
                pieces.push(&bytes[start..index]);
                start = index + 1;
            }
            _ => {}
        }
        index += 1;
    }
    pieces.push(&bytes[start..]);
    pieces
}

fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// The element, if it is one of permessage-deflate: right or not.
fn parse(element: &[u8]) -> Option<Option<Element>> {
    let mut parts = split(element, b';').into_iter();
    (trim(parts.next()?) == b"permessage-deflate").then(|| parts.try_fold(Element::default(), parameter))
}

/// One more parameter, if it is right and not there yet.
fn parameter(before: Element, parameter: &[u8]) -> Option<Element> {
    let mut parts = split(parameter, b'=').into_iter().map(trim);
    let mut with = before;
    match (parts.next()?, parts.next(), parts.next()) {
        (b"server_no_context_takeover", None, None) => with.server_no_context_takeover = true,
        (b"client_no_context_takeover", None, None) => with.client_no_context_takeover = true,
        (b"client_max_window_bits", None, None) => with.client_max_window_bits = Some(None),
        (name, Some(value), None) => {
            let right = [&b"8"[..], b"9", b"10", b"11", b"12", b"13", b"14", b"15"];
            let bits = 8 + right.iter().position(|right| *right == value)? as u8;
            match name {
                b"server_max_window_bits" if before.server_max_window_bits.is_none() => {
                    with.server_max_window_bits = Some(bits);
                }
                b"client_max_window_bits" if before.client_max_window_bits.is_none() => {
                    with.client_max_window_bits = Some(Some(bits));
                }
                _ => return None,
            }
        }
        _ => return None,
    }
    // What changed nothing is there twice.
    let twice = match trim(split(parameter, b'=')[0]) {
        b"client_max_window_bits" => before.client_max_window_bits.is_some(),
        _ => with == before,
    };
    (!twice).then_some(with)
}

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).expect("8 to 15")
}

fn as_offer(element: Element) -> DeflateOffer {
    DeflateOffer {
        server_no_context_takeover: element.server_no_context_takeover,
        client_no_context_takeover: element.client_no_context_takeover,
        server_max_window_bits: element.server_max_window_bits.map(bits),
        client_max_window_bits: match element.client_max_window_bits {
            None => ClientMaxWindowBits::NotOffered,
            Some(None) => ClientMaxWindowBits::NoValue,
            Some(Some(value)) => ClientMaxWindowBits::Value(bits(value)),
        },
    }
}

/// What was agreed, if this response is one to this offer.
fn agreed(offer: DeflateOffer, response: Element) -> Option<DeflateParams> {
    let server = response.server_max_window_bits.map(bits);
    let client = response.client_max_window_bits.flatten().map(bits);
    let server_is_right = match (offer.server_max_window_bits, server) {
        (Some(offered), Some(bits)) => bits <= offered,
        (Some(_), None) => false,
        (None, _) => true,
    };
    let client_is_right = match offer.client_max_window_bits {
        ClientMaxWindowBits::NotOffered => client.is_none(),
        ClientMaxWindowBits::NoValue => true,
        ClientMaxWindowBits::Value(offered) => client.is_none_or(|bits| bits <= offered),
    };
    let hint = match offer.client_max_window_bits {
        ClientMaxWindowBits::Value(bits) => bits,
        _ => WindowBits::MAX,
    };
    let takeover_is_right = response.server_no_context_takeover || !offer.server_no_context_takeover;
    (server_is_right && client_is_right && takeover_is_right).then_some(DeflateParams {
        server_no_context_takeover: response.server_no_context_takeover,
        client_no_context_takeover: response.client_no_context_takeover || offer.client_no_context_takeover,
        server_max_window_bits: server.unwrap_or(WindowBits::MAX),
        client_max_window_bits: client.unwrap_or(hint),
    })
}

fn config(options: u8) -> DeflateConfig {
    DeflateConfig::new()
        .server_no_context_takeover(bit(options, 0))
        .client_no_context_takeover(bit(options, 1))
        .server_max_window_bits(bits(8 + (options >> 2 & 7)))
        .client_max_window_bits(bits(8 + (options >> 5)))
}

/// What the two option bytes and the headers say.
pub(super) fn run(input: &mut Input<'_>) {
    let server = config(input.byte());
    let offers = [config(input.byte()).offer(), config(input.byte()).offer()];
    let rest = input.rest();
    let values: Vec<&[u8]> = rest.split(|&byte| byte == b'\n').collect();
    let elements = elements(&values);

    // A server reads them as offers.
    let got: Vec<_> = DeflateOffer::parse_all(values.iter().copied()).map(Result::ok).collect();
    let expected: Vec<_> =
        elements.iter().filter_map(|element| parse(element)).map(|one| one.map(as_offer)).collect();
    assert_eq!(got, expected);
    let accepted = server.accept(values.iter().copied());
    assert_eq!(accepted.is_some(), expected.iter().any(Option::is_some));
    if let (Some(response), Some(offer)) = (accepted, expected.into_iter().flatten().next()) {
        both(&response, offer);
    }

    // A client reads them as the response.
    let parsed: Vec<_> = elements.iter().map(|element| parse(element).flatten()).collect();
    let expected = match parsed[..] {
        [] => Ok(None),
        // Only an offer may leave the value out.
        [Some(Element { client_max_window_bits: Some(None), .. })] => Err(()),
        [Some(element)] => offers.iter().find_map(|offer| agreed(*offer, element)).map(Some).ok_or(()),
        _ => Err(()),
    };
    let verified = DeflateOffers::new(&offers).verify(values.iter().copied());
    assert_eq!(verified.map_err(|_| ()), expected, "{verified:?}");
    let unasked = DeflateOffers::new(&[]).verify(values.iter().copied());
    assert_eq!(unasked.is_ok(), elements.is_empty());

    // What our client offers our server accepts, and the other way round.
    let written = DeflateOffers::new(&offers).to_string();
    let read: Vec<_> = DeflateOffer::parse_all([written.as_bytes()]).collect();
    assert_eq!(read, offers.map(Ok));
    let response = server.accept([written.as_bytes()]).expect("our own offers");
    both(&response, offers[0]);
}

/// A response that we make is one to the offer, and both sides take the same from it.
fn both(response: &DeflateResponse, offer: DeflateOffer) {
    let written = response.to_string();
    assert_eq!(DeflateResponse::parse([written.as_bytes()]), Ok(Some(*response)));
    assert_eq!(offer.verify(response), Ok(response.params()), "{offer:?}: {written}");
}
