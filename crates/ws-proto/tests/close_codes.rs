//! The table of close codes, RFC 6455 section 7.4.

use ws_proto::CloseCode;

/// Code, its words, and whether it may be on the wire: RFC 6455 sections 7.4.1 and 7.4.2, and the IANA registry.
const CODES: [(u16, &str, bool); 29] = [
    (0, "reserved", false),
    (999, "reserved", false),
    (1000, "normal closure", true),
    (1001, "going away", true),
    (1002, "protocol error", true),
    (1003, "unsupported data", true),
    (1004, "reserved", false),
    (1005, "no status code", false),
    (1006, "abnormal closure", false),
    (1007, "invalid payload data", true),
    (1008, "policy violation", true),
    (1009, "message too big", true),
    (1010, "mandatory extension missing", true),
    (1011, "internal error", true),
    (1012, "service restart", true),
    (1013, "try again later", true),
    (1014, "bad gateway", true),
    (1015, "TLS handshake failed", false),
    (1016, "reserved", false),
    (1100, "reserved", false),
    (2000, "reserved", false),
    (2999, "reserved", false),
    (3000, "registered", true),
    (3500, "registered", true),
    (3999, "registered", true),
    (4000, "private use", true),
    (4999, "private use", true),
    (5000, "reserved", false),
    (65_535, "reserved", false),
];

#[test]
fn section_7_4_each_code_has_its_words_and_is_sendable_or_not() {
    for (number, words, sendable) in CODES {
        let code = CloseCode::from(number);
        assert_eq!((code.as_u16(), u16::from(code)), (number, number));
        assert_eq!(code.description(), words, "{number}");
        assert_eq!(code.is_sendable(), sendable, "{number}");
        assert_eq!(code.to_string(), format!("{number} {words}"));
        assert_eq!(format!("{code:?}"), format!("CloseCode({number})"));
    }
}
