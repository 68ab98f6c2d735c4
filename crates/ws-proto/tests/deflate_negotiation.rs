//! The negotiation of permessage-deflate with the bare types, as one with an opening handshake of their own has it:
//! RFC 7692 sections 5 and 7.1, RFC 6455 section 9.1.
#![cfg(feature = "deflate")]
// A panic is how a helper fails.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use ws_proto::CloseCode;
use ws_proto::deflate::{
    ClientMaxWindowBits, DeflateConfig, DeflateOffer, DeflateOffers, DeflateParams, DeflateResponse,
    NegotiationError as E, WindowBits,
};

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap()
}

fn offers(value: &str) -> Vec<Result<DeflateOffer, E>> {
    DeflateOffer::parse_all([value.as_bytes()]).collect()
}

fn response(value: &str) -> Result<Option<DeflateResponse>, E> {
    DeflateResponse::parse([value.as_bytes()])
}

fn accept(config: DeflateConfig, value: &str) -> Option<String> {
    config.accept([value.as_bytes()]).map(|response| response.to_string())
}

/// What is no element of permessage-deflate, neither in an offer nor in a response, and why not.
const DEFECTS: &[(&str, E)] = &[
    ("server_max_window_bits=7", E::InvalidValue),
    ("server_max_window_bits=16", E::InvalidValue),
    ("server_max_window_bits=0", E::InvalidValue),
    ("server_max_window_bits=1", E::InvalidValue),
    ("server_max_window_bits=08", E::InvalidValue),
    ("server_max_window_bits=010", E::InvalidValue),
    ("server_max_window_bits=\"10\"", E::InvalidValue),
    ("server_max_window_bits=\"1\\0\"", E::InvalidValue),
    ("server_max_window_bits=\"\"", E::Malformed),
    ("server_max_window_bits=", E::Malformed),
    ("server_max_window_bits", E::InvalidValue),
    ("server_max_window_bits=+9", E::InvalidValue),
    ("server_max_window_bits=-9", E::InvalidValue),
    ("server_max_window_bits=9.0", E::InvalidValue),
    ("server_max_window_bits=0x9", E::InvalidValue),
    ("server_max_window_bits=1 0", E::Malformed),
    ("server_max_window_bits=10=10", E::Malformed),
    ("server_max_window_bits=99999999999", E::InvalidValue),
    ("server_max_window_bits=4294967306", E::InvalidValue),
    ("server_max_window_bits=266", E::InvalidValue),
    ("client_max_window_bits=7", E::InvalidValue),
    ("client_max_window_bits=16", E::InvalidValue),
    ("client_max_window_bits=0", E::InvalidValue),
    ("client_max_window_bits=08", E::InvalidValue),
    ("client_max_window_bits=\"10\"", E::InvalidValue),
    ("client_max_window_bits=\"\"", E::Malformed),
    ("client_max_window_bits=", E::Malformed),
    ("client_max_window_bits=+9", E::InvalidValue),
    ("client_max_window_bits=9.0", E::InvalidValue),
    ("client_max_window_bits=99999999999", E::InvalidValue),
    ("server_no_context_takeover=1", E::InvalidValue),
    ("server_no_context_takeover=true", E::InvalidValue),
    ("server_no_context_takeover=\"a\"", E::InvalidValue),
    ("server_no_context_takeover=", E::Malformed),
    ("client_no_context_takeover=0", E::InvalidValue),
    ("client_no_context_takeover=\"\"", E::Malformed),
    ("server_no_context_takeover; server_no_context_takeover", E::RepeatedParameter),
    ("client_no_context_takeover; client_no_context_takeover", E::RepeatedParameter),
    ("server_max_window_bits=10; server_max_window_bits=10", E::RepeatedParameter),
    ("client_max_window_bits=10; server_no_context_takeover; client_max_window_bits=9", E::RepeatedParameter),
    ("x", E::UnknownParameter),
    ("mem_level=8", E::UnknownParameter),
    ("Server_no_context_takeover", E::UnknownParameter),
    ("server_no_context_takeover2", E::UnknownParameter),
    ("client_max_window_bits=10; x=y", E::UnknownParameter),
    ("", E::Malformed),
    (";", E::Malformed),
    ("=10", E::Malformed),
    ("client_max_window_bits=10;", E::Malformed),
    ("client_max_window_bits=\"10", E::Malformed),
    ("\"server_no_context_takeover\"", E::Malformed),
    ("server_no_context_takeover client_no_context_takeover", E::Malformed),
    ("x=\"a b\"", E::Malformed),
    ("x=\"a\\ b\"", E::Malformed),
    ("x=\"\\\"\"", E::Malformed),
];

#[test]
fn rfc_7692_section_7_an_offer_with_a_defect_is_declined_and_the_next_looked_at() {
    for (parameters, defect) in DEFECTS {
        let offer = format!("permessage-deflate; {parameters}");
        assert_eq!(offers(&offer), [Err(*defect)], "{offer}");
        assert_eq!(accept(DeflateConfig::new(), &offer), None, "{offer}");

        // Another header, so that an open quote does not swallow it.
        let next = "permessage-deflate; server_max_window_bits=11";
        let accepted = DeflateConfig::new().accept([offer.as_bytes(), next.as_bytes()]);
        assert_eq!(accepted.map(|response| response.to_string()).as_deref(), Some(next), "{offer}");
        if !parameters.ends_with("\"10") {
            let both = format!("{offer}, {next}, permessage-deflate");
            assert_eq!(accept(DeflateConfig::new(), &both).as_deref(), Some(next), "{offer}");
        }
    }
}

#[test]
fn rfc_7692_section_7_a_response_with_a_defect_fails_the_connection_with_1010() {
    // An offer that allows everything.
    let offer =
        [DeflateOffer { client_max_window_bits: ClientMaxWindowBits::NoValue, ..DeflateOffer::new() }];
    let offers = DeflateOffers::new(&offer);
    let verify = |value: &str| offers.verify([value.as_bytes()]);
    let defects =
        DEFECTS.iter().map(|(parameters, defect)| (format!("permessage-deflate; {parameters}"), *defect));
    let others = [
        ("permessage-deflate; client_max_window_bits", E::InvalidValue),
        ("permessage-deflate, permessage-deflate", E::RepeatedExtension),
        ("permessage-deflate, permessage-deflate; x", E::RepeatedExtension),
        ("permessage-deflate, x", E::UnexpectedExtension),
        ("x, permessage-deflate", E::UnexpectedExtension),
        ("Permessage-Deflate", E::UnexpectedExtension),
        ("permessage-deflate2", E::UnexpectedExtension),
        ("x-webkit-deflate-frame", E::UnexpectedExtension),
        ("permessage-deflate permessage-deflate", E::Malformed),
        ("permessage-deflate=1", E::Malformed),
        ("\"permessage-deflate\"", E::Malformed),
        ("permessage-deflate, ;", E::Malformed),
        (";", E::Malformed),
    ];
    for (value, defect) in defects.chain(others.map(|(value, defect)| (value.to_owned(), defect))) {
        let error = verify(&value).unwrap_err();
        assert_eq!(error, defect, "{value}");
        assert_eq!(error.close_code(), CloseCode::from(1010));
    }
    // Two headers are one list.
    let twice = offers.verify([&b"permessage-deflate"[..], b"permessage-deflate"]);
    assert_eq!(twice, Err(E::RepeatedExtension));
    // An empty list uses nothing, and to decline is no error.
    for none in ["", " ", ",", " ,\t, "] {
        assert_eq!(verify(none), Ok(None), "{none:?}");
    }
    assert_eq!(offers.verify([]), Ok(None));
}

#[test]
fn rfc_6455_section_4_1_without_an_offer_every_extension_fails_the_connection() {
    for value in ["permessage-deflate", "x", ";", ", permessage-deflate"] {
        assert_eq!(
            DeflateOffers::new(&[]).verify([value.as_bytes()]),
            Err(E::UnexpectedExtension),
            "{value}"
        );
    }
    assert_eq!(DeflateOffers::new(&[]).verify([&b" , "[..]]), Ok(None));
    assert!(DeflateOffers::new(&[]).is_empty());
}

/// Offer, what our side wants, the answer.
#[test]
fn rfc_7692_section_7_1_what_a_server_answers() {
    let any = DeflateConfig::new();
    let small = any.server_max_window_bits(bits(10)).client_max_window_bits(bits(11));
    let forgetful = any.server_no_context_takeover(true).client_no_context_takeover(true);
    for (offer, config, answer) in [
        // What browsers send.
        ("permessage-deflate; client_max_window_bits", any, "permessage-deflate"),
        (
            "permessage-deflate; client_max_window_bits",
            small,
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11",
        ),
        // What Autobahn's client offers, without and with demands.
        (
            "permessage-deflate; client_no_context_takeover; client_max_window_bits",
            any,
            "permessage-deflate; client_no_context_takeover",
        ),
        (
            "permessage-deflate; client_no_context_takeover; client_max_window_bits; server_no_context_takeover; \
             server_max_window_bits=9",
            any,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9",
        ),
        (
            "permessage-deflate; server_max_window_bits=15; client_max_window_bits=9",
            any,
            "permessage-deflate; server_max_window_bits=15; client_max_window_bits=9",
        ),
        // 7.1.1.1: agreed to if offered or wished for.
        (
            "permessage-deflate; server_no_context_takeover",
            any,
            "permessage-deflate; server_no_context_takeover",
        ),
        // 7.1.1.2: a hint is worth being agreed to; and it can be asked for unasked.
        (
            "permessage-deflate; client_no_context_takeover",
            any,
            "permessage-deflate; client_no_context_takeover",
        ),
        (
            "permessage-deflate",
            forgetful,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        // 7.1.2.1: "with the same or smaller value as the offer", and not above our own limit.
        (
            "permessage-deflate; server_max_window_bits=12",
            any,
            "permessage-deflate; server_max_window_bits=12",
        ),
        (
            "permessage-deflate; server_max_window_bits=12",
            small,
            "permessage-deflate; server_max_window_bits=10",
        ),
        (
            "permessage-deflate; server_max_window_bits=9",
            small,
            "permessage-deflate; server_max_window_bits=9",
        ),
        ("permessage-deflate", any, "permessage-deflate"),
        // 7.1.2.2: the limit of who can be limited only.
        ("permessage-deflate", small, "permessage-deflate; server_max_window_bits=10"),
        ("permessage-deflate; client_max_window_bits=15", any, "permessage-deflate"),
        (
            "permessage-deflate; client_max_window_bits=12",
            any,
            "permessage-deflate; client_max_window_bits=12",
        ),
        (
            "permessage-deflate; client_max_window_bits=12",
            any.client_max_window_bits(bits(11)),
            "permessage-deflate; client_max_window_bits=11",
        ),
        (
            "permessage-deflate; client_max_window_bits=9",
            any.client_max_window_bits(bits(11)),
            "permessage-deflate; client_max_window_bits=9",
        ),
        // RFC 6455 section 9.1: white space, empty elements, other extensions, whose parameters do not matter.
        (
            "\t, x-other; a=\"permessage-deflate, \\b\", ,permessage-deflate\t;  server_max_window_bits = 8 ",
            any,
            "permessage-deflate; server_max_window_bits=8",
        ),
        // The first of several.
        (
            "permessage-deflate; server_max_window_bits=10, permessage-deflate",
            any,
            "permessage-deflate; server_max_window_bits=10",
        ),
    ] {
        assert_eq!(accept(config, offer).as_deref(), Some(answer), "{offer}");
    }
    for none in
        ["", ",", "x", "x-webkit-deflate-frame", "permessage-deflate2", "PERMESSAGE-DEFLATE", ";", "\"=;"]
    {
        assert_eq!(accept(any, none), None, "{none}");
        assert_eq!(offers(none), [], "{none}");
    }
}

/// What a client makes of a response to its offer: the parameters as the client keeps to them.
#[test]
fn rfc_7692_section_7_1_what_a_client_accepts() {
    let takeover = DeflateParams::default();
    let server_bits = |n| DeflateParams { server_max_window_bits: bits(n), ..takeover };
    let client_bits = |n| DeflateParams { client_max_window_bits: bits(n), ..takeover };
    let server_forgets = DeflateParams { server_no_context_takeover: true, ..takeover };
    let client_forgets = DeflateParams { client_no_context_takeover: true, ..takeover };
    for (offer, answer, verdict) in [
        ("", "", Ok(takeover)),
        // 7.1.1.1: demanded means promised; it may come unasked.
        ("; server_no_context_takeover", "; server_no_context_takeover", Ok(server_forgets)),
        ("; server_no_context_takeover", "", Err(E::MissingParameter)),
        ("", "; server_no_context_takeover", Ok(server_forgets)),
        // 7.1.1.2: may come unasked; the client keeps to its own hint.
        ("", "; client_no_context_takeover", Ok(client_forgets)),
        ("; client_no_context_takeover", "; client_no_context_takeover", Ok(client_forgets)),
        ("; client_no_context_takeover", "", Ok(client_forgets)),
        // 7.1.2.1: there, and not above the offer; it may come unasked.
        ("; server_max_window_bits=10", "; server_max_window_bits=10", Ok(server_bits(10))),
        ("; server_max_window_bits=10", "; server_max_window_bits=8", Ok(server_bits(8))),
        ("; server_max_window_bits=10", "; server_max_window_bits=11", Err(E::TooManyWindowBits)),
        ("; server_max_window_bits=10", "", Err(E::MissingParameter)),
        ("; server_max_window_bits=15", "", Err(E::MissingParameter)),
        ("", "; server_max_window_bits=9", Ok(server_bits(9))),
        ("", "; server_max_window_bits=15", Ok(takeover)),
        // 7.1.2.2: only if offered, and not above the offer; the client keeps to its own hint.
        ("", "; client_max_window_bits=15", Err(E::UnexpectedParameter)),
        ("", "; client_max_window_bits=10", Err(E::UnexpectedParameter)),
        ("; client_max_window_bits", "; client_max_window_bits=8", Ok(client_bits(8))),
        ("; client_max_window_bits", "; client_max_window_bits=15", Ok(takeover)),
        ("; client_max_window_bits", "", Ok(takeover)),
        ("; client_max_window_bits=10", "; client_max_window_bits=10", Ok(client_bits(10))),
        ("; client_max_window_bits=10", "; client_max_window_bits=9", Ok(client_bits(9))),
        ("; client_max_window_bits=10", "; client_max_window_bits=11", Err(E::TooManyWindowBits)),
        ("; client_max_window_bits=10", "", Ok(client_bits(10))),
    ] {
        let offer = offers(&format!("permessage-deflate{offer}"))[0].unwrap();
        let answer = format!("permessage-deflate{answer}");
        let agreed = DeflateOffers::new(&[offer]).verify([answer.as_bytes()]);
        assert_eq!(agreed, verdict.map(Some), "{answer} to {offer}");
        assert_eq!(offer.verify(&response(&answer).unwrap().unwrap()), verdict, "{answer} to {offer}");
    }
}

#[test]
fn rfc_7692_section_5_a_response_may_answer_any_of_several_offers() {
    let header = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10, \
        permessage-deflate; server_max_window_bits=12, permessage-deflate; client_max_window_bits";
    let offered: Vec<_> = offers(header).into_iter().map(Result::unwrap).collect();
    let offered = DeflateOffers::new(&offered);
    assert_eq!(offered.to_string(), header);
    let verify = |value: &str| offered.verify([value.as_bytes()]);
    let agreed = |value: &str| verify(value).unwrap().unwrap().to_string();
    for value in [
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=9",
        "permessage-deflate; server_max_window_bits=12",
        "permessage-deflate; client_max_window_bits=9",
        "permessage-deflate",
    ] {
        assert_eq!(agreed(value), value);
    }
    let third =
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=11; client_max_window_bits=9";
    assert_eq!(agreed(third), third, "with what may come unasked");

    // An answer to none is held against the first.
    let demands = [bits(10), bits(12)]
        .map(|bits| DeflateOffer { server_max_window_bits: Some(bits), ..DeflateOffer::new() });
    let demands = DeflateOffers::new(&demands);
    assert_eq!(demands.verify([&b"permessage-deflate"[..]]), Err(E::MissingParameter));
    let too_large = demands.verify([&b"permessage-deflate; server_max_window_bits=13"[..]]);
    assert_eq!(too_large, Err(E::TooManyWindowBits));
}

#[test]
fn the_default_offer_is_that_of_browsers_and_a_client_offers_what_it_wants() {
    let any = DeflateConfig::new();
    for (config, offer) in [
        (any, "permessage-deflate; client_max_window_bits"),
        (any.client_max_window_bits(bits(10)), "permessage-deflate; client_max_window_bits=10"),
        (
            any.server_max_window_bits(bits(9)),
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits",
        ),
        (
            any.server_no_context_takeover(true).client_no_context_takeover(true),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
        ),
    ] {
        assert_eq!(config.offer().to_string(), offer);
    }
    assert_eq!(DeflateOffer::default().to_string(), "permessage-deflate");
    assert_eq!(DeflateOffer::default(), DeflateOffer::new());
    assert_eq!(DeflateParams::default().to_string(), "permessage-deflate");
}

#[test]
fn a_pathological_header_is_dealt_with_in_a_moment() {
    let fill = |before: &str, unit: &str, after: &str| {
        format!("{before}{}{after}", unit.repeat((64 << 10) / unit.len()))
    };
    let good = "permessage-deflate";
    for (value, expected) in [
        (fill("a; b=\"", "\\c", "\", permessage-deflate"), true),
        (fill("a; b=\"", "\\c", ", permessage-deflate"), false),
        (fill("permessage-deflate; b=\"", "\\c", "\""), false),
        (fill("permessage-deflate; b=\"", "\\", ""), false),
        (fill("b", " ", "x, permessage-deflate"), true),
        (fill("permessage-deflate", " ", ""), true),
        (fill("permessage-deflate", " ", "x"), false),
        (fill("", ";", ""), false),
        (fill("", ",", good), true),
        (fill("", "\"", ""), false),
        (fill("", "=", ""), false),
        (fill("permessage-deflate", ";", ""), false),
        (fill("permessage-deflate", "; client_no_context_takeover", ""), false),
        (fill("permessage-deflate; server_max_window_bits=1", "0", ""), false),
        (fill("", "permessage-deflate;", ""), false),
        (fill("", "permessage-deflate; x,", good), true),
        (format!("{}{good}", "permessage-deflate; server_max_window_bits=7, ".repeat(10_000)), true),
        (format!("{}{good}", "a,".repeat(10_000)), true),
    ] {
        let value = value.as_bytes();
        assert_eq!(DeflateConfig::new().accept([value]).is_some(), expected, "{:?}", &value[..40]);
        // The best of some runs, so that a busy machine does not matter; without optimisation it is slower.
        let run = || {
            let begin = Instant::now();
            let _ = DeflateConfig::new().accept([value]);
            let _ = DeflateOffer::parse_all([value]).count();
            let _ = DeflateOffers::new(&[DeflateOffer::new()]).verify([value]);
            begin.elapsed()
        };
        // Each of the three on its own has a millisecond for 64 KiB.
        let pieces = value.len().div_ceil(64 << 10) as u32;
        let limit = Duration::from_millis(if cfg!(debug_assertions) { 60 } else { 3 }) * pieces;
        let best = (0..10).map(|_| run()).min().unwrap();
        assert!(best < limit, "{best:?} for {} bytes", value.len());
    }
}
