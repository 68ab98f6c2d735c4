//! The grammar of `Sec-WebSocket-Extensions`, RFC 6455 section 9.1, read where it lies.
//!
//! ```text
//! extension-list  = 1#extension
//! extension       = extension-token *( ";" extension-param )
//! extension-param = token [ "=" (token | quoted-string) ]
//! ```
//!
//! Each byte is looked at a fixed number of times: to find the end of its element, of its parameter, of the name, and
//! to check the token that it belongs to. So the work is linear in the length of the header, whatever it says.

use super::negotiation_error::NegotiationError;
use crate::grammar::{is_token, is_token_byte, trim};

/// The elements of one header that are not empty, each without the white space around it. They are what lies between
/// commas that are not quoted, and may be anything else.
pub(super) struct Elements<'v> {
    rest: &'v [u8],
}

impl<'v> Elements<'v> {
    pub(super) const fn new(value: &'v [u8]) -> Self {
        Self { rest: value }
    }
}

impl<'v> Iterator for Elements<'v> {
    type Item = &'v [u8];

    fn next(&mut self) -> Option<&'v [u8]> {
        while !self.rest.is_empty() {
            let (element, rest) = split(self.rest, b',');
            self.rest = rest.unwrap_or(&[]);
            let element = trim(element);
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    }
}

/// An element: the name of an extension, and what it is followed by.
#[derive(Clone, Copy)]
pub(super) struct Extension<'v> {
    pub(super) name: &'v [u8],
    pub(super) parameters: Parameters<'v>,
}

impl<'v> Extension<'v> {
    pub(super) fn parse(element: &'v [u8]) -> Result<Self, NegotiationError> {
        let (name, rest) = split(element, b';');
        let name = trim(name);
        if !is_token(name) {
            return Err(NegotiationError::Malformed);
        }
        Ok(Self { name, parameters: Parameters { rest } })
    }
}

/// The parameters of an element, in their order. To be given up at the first error.
#[derive(Clone, Copy)]
pub(super) struct Parameters<'v> {
    /// What is behind a semicolon.
    rest: Option<&'v [u8]>,
}

/// One parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Parameter<'v> {
    pub(super) name: &'v [u8],
    pub(super) value: Value<'v>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Value<'v> {
    Absent,
    Token(&'v [u8]),
    /// A quoted string whose content is a token. What it says is nobody's business: no parameter that we know takes
    /// one.
    Quoted,
}

impl<'v> Iterator for Parameters<'v> {
    type Item = Result<Parameter<'v>, NegotiationError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (parameter, rest) = split(self.rest?, b';');
        self.rest = rest;
        Some(parse_parameter(parameter).ok_or(NegotiationError::Malformed))
    }
}

fn parse_parameter(parameter: &[u8]) -> Option<Parameter<'_>> {
    let (name, value) = split(parameter, b'=');
    let name = trim(name);
    if !is_token(name) {
        return None;
    }
    let value = match value.map(trim) {
        None => Value::Absent,
        Some([b'"', quoted @ .., b'"']) if is_quoted_token(quoted) => Value::Quoted,
        Some(token) if is_token(token) => Value::Token(token),
        Some(_) => return None,
    };
    Some(Parameter { name, value })
}

/// RFC 6455 section 9.1: "When using the quoted-string syntax variant, the value after quoted-string unescaping MUST
/// conform to the 'token' ABNF".
fn is_quoted_token(quoted: &[u8]) -> bool {
    let mut escaped = false;
    for &byte in quoted {
        match byte {
            b'\\' if !escaped => escaped = true,
            _ if is_token_byte(byte) => escaped = false,
            _ => return false,
        }
    }
    !quoted.is_empty() && !escaped
}

/// What is before the first `delimiter` outside of quotes, and what is behind it if there is one.
fn split(bytes: &[u8], delimiter: u8) -> (&[u8], Option<&[u8]>) {
    let (mut quoted, mut escaped) = (false, false);
    for (n, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == delimiter && !quoted => return (&bytes[..n], bytes.get(n + 1..)),
            _ => {}
        }
    }
    (bytes, None)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn parse(element: &str) -> Result<(&str, Vec<Parameter<'_>>), NegotiationError> {
        let extension = Extension::parse(element.as_bytes())?;
        let parameters = extension.parameters.collect::<Result<_, _>>()?;
        Ok((core::str::from_utf8(extension.name).unwrap(), parameters))
    }

    #[test]
    fn section_9_1_elements_lie_between_commas_that_are_not_quoted() {
        for (value, elements) in [
            ("", &[][..]),
            (" ,\t, ,", &[]),
            ("a", &["a"]),
            (" a ; b=c ,,\td", &["a ; b=c", "d"]),
            (r#"a; b="c,d", e"#, &[r#"a; b="c,d""#, "e"]),
            (r#"a; b="c\",d", e"#, &[r#"a; b="c\",d""#, "e"]),
            (r"a\,b", &[r"a\", "b"]),
            (r#"a; b="c, d"#, &[r#"a; b="c, d"#]),
        ] {
            let got: Vec<_> = Elements::new(value.as_bytes()).collect();
            assert_eq!(got, elements.iter().map(|element| element.as_bytes()).collect::<Vec<_>>(), "{value}");
        }
    }

    #[test]
    fn section_9_1_an_element_is_a_token_and_parameters_with_or_without_a_value() {
        let parameter = |name: &'static str, value| Parameter { name: name.as_bytes(), value };
        assert_eq!(parse("a"), Ok(("a", Vec::new())));
        let parameters = [
            parameter("b", Value::Absent),
            parameter("c", Value::Token(b"1")),
            parameter("d", Value::Quoted),
            parameter("e", Value::Quoted),
        ];
        assert_eq!(parse("a\t;b; c = 1 ;d=\"2\";e=\"\\3\\x\""), Ok(("a", parameters.to_vec())));
    }

    #[test]
    fn section_9_1_anything_else_is_malformed() {
        for element in [
            ";",
            "a;",
            "a;;b",
            "a; ",
            "a b",
            "a=b",
            "\"a\"",
            "a; b c",
            "a; b=",
            "a; b= ",
            "a; =c",
            "a; b=c d",
            "a; b==c",
            "a; b=c=d",
            "a; \"b\"",
            "a; b=\"",
            "a; b=\"\"",
            "a; b=\"c",
            "a; b=c\"",
            "a; b=\"c d\"",
            "a; b=\"c;d\"",
            "a; b=\"c,d\"",
            "a; b=\"\\\"",
            "a; b=\"c\\\"",
            "a; b=\"\\\\\"",
            "a; b=\"\\\\c\"",
            "a; b=\"\\\"\"",
            "a; b=\"c\"d",
            "a; b=\"c\"\"d\"",
            "a; b=\u{e4}",
            "\u{e4}",
            "a\0",
            "a; b=c\r\n",
            "a; b=\"\\c\\",
            "a/b",
        ] {
            assert_eq!(parse(element), Err(NegotiationError::Malformed), "{element:?}");
        }
    }
}
