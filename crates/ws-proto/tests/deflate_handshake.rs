//! permessage-deflate in the opening handshake of both roles: RFC 7692 section 5, RFC 6455 sections 4 and 9.1.
#![cfg(all(feature = "deflate", feature = "handshake"))]
// A panic is how a helper fails.
#![allow(clippy::unwrap_used)]

mod handshake_support;

use handshake_support::{NONCE, REQUEST, RESPONSE, lines, rx, server, transmitted, tx};
use proptest::prelude::*;
use ws_proto::deflate::{
    ClientMaxWindowBits, DeflateConfig, DeflateOffer, DeflateParams, NegotiationError, WindowBits,
};
use ws_proto::handshake::{
    AcceptOptions, ClientHandshake, ClientRequest, HandshakeError, HandshakeLimits, Uri,
};
use ws_proto::{CloseCode, Instant, SendBuf};

const EXTENSIONS: &str = "Sec-WebSocket-Extensions: ";

fn options() -> AcceptOptions<'static> {
    AcceptOptions::new()
}

fn request() -> ClientRequest<'static> {
    ClientRequest::new(Uri::parse("ws://server.example.com/chat").unwrap())
}

/// The same head with more headers.
fn with(head: &str, headers: &str) -> String {
    head.replacen("\r\n", &format!("\r\n{headers}"), 1)
}

/// The extension header lines of a head.
fn extensions(head: &str) -> Vec<String> {
    lines(head).iter().filter_map(|line| line.strip_prefix(EXTENSIONS)).map(String::from).collect()
}

/// What a server answers to a request with these headers, and what it agreed to.
fn accept(options: &AcceptOptions<'_>, headers: &str) -> (Vec<String>, Option<DeflateParams>) {
    let (complete, handshake, rx) = server(with(REQUEST, headers).as_bytes());
    assert_eq!(complete, Ok(true));
    let mut tx = tx();
    let agreement = handshake.request(&rx).unwrap().accept(options, &mut tx).unwrap();
    (extensions(&transmitted(&mut tx)), agreement.deflate)
}

fn start(request: &ClientRequest<'_>) -> (ClientHandshake, String) {
    let mut tx = tx();
    let limits = HandshakeLimits::default();
    let handshake = ClientHandshake::start(request, NONCE, limits, Instant::ZERO, &mut tx).unwrap();
    (handshake, transmitted(&mut tx))
}

/// What a client makes of a response.
fn finish(request: &ClientRequest<'_>, response: &str) -> Result<Option<DeflateParams>, HandshakeError> {
    let (mut handshake, _) = start(request);
    let mut rx = rx();
    rx.extend_from_slice(response.as_bytes());
    assert_eq!(handshake.poll_receive(Instant::ZERO, &mut rx), Ok(true));
    handshake.finish(request, &rx).map(|agreement| agreement.deflate)
}

#[test]
fn compression_is_opt_in_for_both_roles() {
    let browser = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    assert_eq!(accept(&options(), browser), (vec![], None));
    assert_eq!(options().deflate_config(), None);
    assert_eq!(extensions(&start(&request()).1), [""; 0]);
    assert_eq!(request().deflate_config(), None);

    let config = DeflateConfig::new().level(3);
    let expected = Some(DeflateParams::default());
    assert_eq!(accept(&options().deflate(config), browser), (vec!["permessage-deflate".into()], expected));
    assert_eq!(options().deflate(config).deflate_config(), Some(config));
    let client = request().deflate(config);
    assert_eq!(extensions(&start(&client).1), ["permessage-deflate; client_max_window_bits"]);
    assert_eq!(client.deflate_config(), Some(config));
}

#[test]
fn a_server_takes_the_first_acceptable_offer_of_all_headers_and_says_nothing_without_one() {
    let options =
        options().deflate(DeflateConfig::new().client_max_window_bits(WindowBits::new(12).unwrap()));
    let client_bits = |bits| {
        let params = DeflateParams::default();
        Some(DeflateParams { client_max_window_bits: WindowBits::new(bits).unwrap(), ..params })
    };
    for (headers, answer, params) in [
        (
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
            Some("permessage-deflate; client_max_window_bits=12"),
            client_bits(12),
        ),
        // The client cannot be told.
        ("sec-websocket-extensions:permessage-deflate\r\n", Some("permessage-deflate"), client_bits(15)),
        // Several headers are one list (erratum 3433 of RFC 6455), and the order is the client's preference.
        (
            "Sec-WebSocket-Extensions: x-other, permessage-deflate; client_max_window_bits=7\r\n\
             Sec-WebSocket-Extensions:\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10, permessage-deflate\r\n",
            Some("permessage-deflate; client_max_window_bits=10"),
            client_bits(10),
        ),
        ("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"10\"\r\n", None, None),
        ("Sec-WebSocket-Extensions: ;;\"=\r\n", None, None),
        ("Sec-WebSocket-Extensions: x-webkit-deflate-frame\r\n", None, None),
        ("", None, None),
    ] {
        let (sent, agreed) = accept(&options, headers);
        assert_eq!((sent.first().map(String::as_str), sent.len() <= 1), (answer, true), "{headers}");
        assert_eq!(agreed, params, "{headers}");
    }
}

#[test]
fn the_offers_of_a_request_can_be_looked_at() {
    let header = "Sec-WebSocket-Extensions: permessage-deflate; x, a, permessage-deflate\r\n";
    let (_, handshake, rx) = server(with(REQUEST, header).as_bytes());
    let offers: Vec<_> = handshake.request(&rx).unwrap().deflate_offers().collect();
    assert_eq!(offers, [Err(NegotiationError::UnknownParameter), Ok(DeflateOffer::new())]);
}

#[test]
fn a_client_offers_what_it_was_told_in_order_of_preference() {
    let small = DeflateOffer { server_max_window_bits: WindowBits::new(9), ..DeflateOffer::new() };
    let offers = [small, DeflateConfig::new().offer()];
    let expected = "permessage-deflate; server_max_window_bits=9, permessage-deflate; client_max_window_bits";
    let config = DeflateConfig::new().server_no_context_takeover(true);
    // The order of the calls does not matter.
    for (client, config) in [
        (request().deflate_offers(&offers), DeflateConfig::new()),
        (request().deflate_offers(&offers).deflate(config), config),
        (request().deflate(config).deflate_offers(&offers), config),
    ] {
        assert_eq!(extensions(&start(&client).1), [expected]);
        assert_eq!(client.deflate_config(), Some(config));
        let agreed = finish(&client, &with(RESPONSE, &format!("{EXTENSIONS}permessage-deflate\r\n")));
        assert_eq!(agreed, Ok(Some(DeflateParams::default())), "the second");
    }
    assert_eq!(request().deflate_offers(&[]).deflate_config(), None);
    let derived = request().deflate(config).deflate_offers(&[]);
    assert_eq!(
        extensions(&start(&derived).1),
        ["permessage-deflate; server_no_context_takeover; client_max_window_bits"]
    );
}

#[test]
fn rfc_7692_section_7_a_client_fails_on_a_response_that_answers_no_offer() {
    use NegotiationError as E;
    let bits = WindowBits::new(10).unwrap();
    let client = request().deflate(DeflateConfig::new().server_max_window_bits(bits));
    let invalid = |error| Err(HandshakeError::InvalidExtension(error));
    let good = "permessage-deflate; server_max_window_bits=10";
    for (answer, verdict) in [
        ("", Ok(None)),
        (",", Ok(None)),
        (good, Ok(Some(DeflateParams { server_max_window_bits: bits, ..DeflateParams::default() }))),
        ("permessage-deflate", invalid(E::MissingParameter)),
        ("permessage-deflate; server_max_window_bits=11", invalid(E::TooManyWindowBits)),
        ("permessage-deflate; server_max_window_bits=10; x", invalid(E::UnknownParameter)),
        ("permessage-deflate; server_max_window_bits=7", invalid(E::InvalidValue)),
        ("permessage-deflate; server_max_window_bits=\"10\"", invalid(E::InvalidValue)),
        ("permessage-deflate; server_max_window_bits=", invalid(E::Malformed)),
        (&format!("{good}, permessage-deflate"), invalid(E::RepeatedExtension)),
        (&format!("{good}\r\n{EXTENSIONS}{good}"), invalid(E::RepeatedExtension)),
        (&format!("{good}; client_max_window_bits"), invalid(E::InvalidValue)),
        ("x", Err(HandshakeError::UnexpectedExtension)),
        (&format!("{good}\r\n{EXTENSIONS}x"), Err(HandshakeError::UnexpectedExtension)),
    ] {
        let outcome = finish(&client, &with(RESPONSE, &format!("{EXTENSIONS}{answer}\r\n")));
        assert_eq!(outcome, verdict, "{answer}");
        if let Err(error) = outcome {
            assert_eq!(error.close_code(), Some(CloseCode::MANDATORY_EXTENSION));
            assert_eq!(error.status(), 500);
        }
    }
    assert_eq!(finish(&client, RESPONSE), Ok(None));
    // What is not offered is not answered.
    let unasked = with(RESPONSE, &format!("{EXTENSIONS}permessage-deflate\r\n"));
    assert_eq!(finish(&request(), &unasked), Err(HandshakeError::UnexpectedExtension));
    let strict =
        [DeflateOffer { client_max_window_bits: ClientMaxWindowBits::NotOffered, ..DeflateOffer::new() }];
    let limited = with(RESPONSE, &format!("{EXTENSIONS}permessage-deflate; client_max_window_bits=10\r\n"));
    assert_eq!(finish(&request().deflate_offers(&strict), &limited), invalid(E::UnexpectedParameter));
    // Faults of the handshake itself go before those of extensions, and no Close frame could tell them.
    let no_web_socket = unasked.replace("Upgrade: websocket\r\n", "");
    assert_eq!(finish(&request(), &no_web_socket), Err(HandshakeError::NotAnUpgrade));
    assert_eq!(HandshakeError::NotAnUpgrade.close_code(), None);
}

#[test]
fn a_response_with_the_extension_that_does_not_fit_is_taken_back_whole() {
    let header = format!("{EXTENSIONS}permessage-deflate; server_max_window_bits=10\r\n");
    let (_, handshake, rx) = server(with(REQUEST, &header).as_bytes());
    let request = handshake.request(&rx).unwrap();
    let options = options().deflate(DeflateConfig::new());
    let mut whole = tx();
    request.accept(&options, &mut whole).unwrap();
    let whole = transmitted(&mut whole);
    let mut storage = [0; 512];
    for room in 0..whole.len() {
        let mut tx = SendBuf::new(&mut storage[..room]);
        assert_eq!(
            request.accept(&options, &mut tx).map(|_| ()),
            Err(HandshakeError::OutputTooSmall),
            "{room}"
        );
        assert!(tx.is_empty());
    }
}

proptest! {
    #[test]
    fn any_two_configurations_agree_over_the_handshake(
        (bits_a, bits_b, bits_c, bits_d) in (8..=15_u8, 8..=15_u8, 8..=15_u8, 8..=15_u8),
        flags in any::<[bool; 4]>(),
        wanted in any::<bool>(),
    ) {
        let config = |server, client, a, b| {
            DeflateConfig::new()
                .server_max_window_bits(WindowBits::new(server).unwrap())
                .client_max_window_bits(WindowBits::new(client).unwrap())
                .server_no_context_takeover(a)
                .client_no_context_takeover(b)
        };
        let client = request().deflate(config(bits_a, bits_b, flags[0], flags[1]));
        let (_, sent) = start(&client);
        let (complete, handshake, server_rx) = server(sent.as_bytes());
        prop_assert_eq!(complete, Ok(true));
        let mut options = options();
        if wanted {
            options = options.deflate(config(bits_c, bits_d, flags[2], flags[3]));
        }
        let mut tx = tx();
        let agreement = handshake.request(&server_rx).unwrap().accept(&options, &mut tx).unwrap();
        prop_assert_eq!(agreement.deflate.is_some(), wanted);
        prop_assert_eq!(finish(&client, &transmitted(&mut tx)), Ok(agreement.deflate));
    }
}
