//! What holds for every header and every pair of configurations in the negotiation of permessage-deflate: RFC 7692
//! sections 7 and 7.1.
#![cfg(feature = "deflate")]
// A panic is how a helper fails.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use ws_proto::deflate::{
    ClientMaxWindowBits, DeflateConfig, DeflateOffer, DeflateOffers, DeflateResponse, NegotiationError,
    WindowBits,
};

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap()
}

fn offers(value: &str) -> Vec<Result<DeflateOffer, NegotiationError>> {
    DeflateOffer::parse_all([value.as_bytes()]).collect()
}

fn response(value: &str) -> Result<Option<DeflateResponse>, NegotiationError> {
    DeflateResponse::parse([value.as_bytes()])
}

fn any_bits() -> impl Strategy<Value = WindowBits> {
    (8..=15_u8).prop_map(bits)
}

fn any_config() -> impl Strategy<Value = DeflateConfig> {
    (any_bits(), any_bits(), any::<bool>(), any::<bool>()).prop_map(|(server, client, a, b)| {
        DeflateConfig::new()
            .server_max_window_bits(server)
            .client_max_window_bits(client)
            .server_no_context_takeover(a)
            .client_no_context_takeover(b)
    })
}

fn any_offer() -> impl Strategy<Value = DeflateOffer> {
    let client_bits = prop_oneof![
        Just(ClientMaxWindowBits::NotOffered),
        Just(ClientMaxWindowBits::NoValue),
        any_bits().prop_map(ClientMaxWindowBits::Value),
    ];
    (any::<bool>(), any::<bool>(), proptest::option::of(any_bits()), client_bits).prop_map(
        |(a, b, server, client)| DeflateOffer {
            server_no_context_takeover: a,
            client_no_context_takeover: b,
            server_max_window_bits: server,
            client_max_window_bits: client,
        },
    )
}

/// Headers that come close to being right.
fn near_header() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just("permessage-deflate"),
        2 => Just("server_no_context_takeover"),
        2 => Just("client_no_context_takeover"),
        2 => Just("server_max_window_bits"),
        2 => Just("client_max_window_bits"),
        6 => Just(";"),
        3 => Just(","),
        3 => Just("="),
        1 => Just("\""),
        1 => Just("\\"),
        2 => Just(" "),
        1 => Just("x"),
        2 => Just("10"),
        1 => Just("7"),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// The rules of RFC 7692 section 7 as a list of names and values, the slow and plain way.
fn is_acceptable(parameters: &[(&str, Option<&str>)]) -> bool {
    let numbers = ["8", "9", "10", "11", "12", "13", "14", "15"];
    parameters.iter().enumerate().all(|(n, (name, value))| {
        let unique = parameters[..n].iter().all(|(other, _)| other != name);
        let valid = match *name {
            "server_no_context_takeover" | "client_no_context_takeover" => value.is_none(),
            "server_max_window_bits" => value.is_some_and(|value| numbers.contains(&value)),
            "client_max_window_bits" => value.is_none_or(|value| numbers.contains(&value)),
            _ => false,
        };
        unique && valid
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(values in proptest::collection::vec(any::<Vec<u8>>(), 0..4)) {
        let slices = || values.iter().map(Vec::as_slice);
        let len: usize = slices().map(<[u8]>::len).sum();
        prop_assert!(DeflateOffer::parse_all(slices()).count() <= len);
        let _ = DeflateConfig::new().accept(slices());
        let _ = DeflateOffers::new(&[DeflateOffer::new()]).verify(slices());
    }

    #[test]
    fn what_is_read_is_written_to_be_read_as_the_same(header in near_header()) {
        for offer in offers(&header).into_iter().flatten() {
            prop_assert_eq!(offers(&offer.to_string()), [Ok(offer)]);
        }
        if let Ok(Some(read)) = response(&header) {
            prop_assert_eq!(response(&read.to_string()), Ok(Some(read)));
            prop_assert!(!offers(&header).is_empty(), "a response is read as an offer too: {}", header);
        }
    }

    #[test]
    fn section_7_exactly_the_offers_without_a_defect_are_accepted(
        parameters in proptest::collection::vec((
            prop_oneof![
                3 => Just("server_no_context_takeover"), 3 => Just("client_no_context_takeover"),
                3 => Just("server_max_window_bits"), 3 => Just("client_max_window_bits"), 1 => Just("x"),
            ],
            proptest::option::of((0..20_u8).prop_map(|n| n.to_string())),
        ), 0..5),
    ) {
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_deref())).collect();
        let mut header = "permessage-deflate".to_owned();
        for (name, value) in &parameters {
            header += &format!("; {name}{}{}", if value.is_some() { "=" } else { "" }, value.unwrap_or(""));
        }
        let accepted = DeflateConfig::new().accept([header.as_bytes()]);
        prop_assert_eq!(accepted.is_some(), is_acceptable(&parameters), "{}", header);
    }

    #[test]
    fn any_two_configurations_agree_over_the_header(client in any_config(), server in any_config()) {
        let offer = client.offer();
        let request = DeflateOffers::new(&[offer]).to_string();
        prop_assert_eq!(offers(&request), [Ok(offer)]);
        let response = server.accept([request.as_bytes()]).unwrap();
        let params = DeflateOffers::new(&[offer]).verify([response.to_string().as_bytes()]);
        prop_assert_eq!(params, Ok(Some(response.params())), "{} to {}", response, request);
    }

    #[test]
    fn any_offer_is_given_an_answer_that_it_allows_and_that_keeps_to_our_own_limits(
        first in any_offer(), second in any_offer(), server in any_config(),
    ) {
        let both = [first, second];
        let request = DeflateOffers::new(&both).to_string();
        prop_assert_eq!(offers(&request), [Ok(first), Ok(second)]);
        let answer = server.accept([request.as_bytes()]).unwrap();
        prop_assert_eq!(answer, server.accept_offer(&first));
        prop_assert_eq!(response(&answer.to_string()), Ok(Some(answer)));
        prop_assert_eq!(DeflateOffers::new(&both).verify([answer.to_string().as_bytes()]), Ok(Some(answer.params())));

        // The rules once more, from what the config offers as a client.
        let (params, limits) = (answer.params(), server.offer());
        let limit = limits.server_max_window_bits.unwrap_or_default();
        prop_assert_eq!(params.server_max_window_bits, limit.min(first.server_max_window_bits.unwrap_or_default()));
        let limit = match limits.client_max_window_bits {
            ClientMaxWindowBits::Value(bits) => bits,
            _ => WindowBits::MAX,
        };
        let client = match first.client_max_window_bits {
            ClientMaxWindowBits::NotOffered => WindowBits::MAX,
            ClientMaxWindowBits::NoValue => limit,
            ClientMaxWindowBits::Value(bits) => bits.min(limit),
        };
        prop_assert_eq!(params.client_max_window_bits, client);
        prop_assert_eq!(
            params.server_no_context_takeover,
            first.server_no_context_takeover || limits.server_no_context_takeover
        );
        prop_assert_eq!(
            params.client_no_context_takeover,
            first.client_no_context_takeover || limits.client_no_context_takeover
        );
    }
}
