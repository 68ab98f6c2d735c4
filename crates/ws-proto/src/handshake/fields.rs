//! The headers of a head that was found valid: walked where they lie, stored nowhere.

use core::fmt;

use super::http::split_once;
use crate::grammar::{is_token, trim};

/// The headers of a request or response in their order: names as they were sent, values without the white
/// space around them.
///
/// A value may have bytes beyond ASCII, of whatever encoding (RFC 9110 section 5.5), but no control
/// characters except horizontal tabs.
#[derive(Clone, Copy)]
pub struct Headers<'b> {
    /// Header lines, each with its line end, and perhaps the empty line.
    lines: &'b [u8],
}

impl<'b> Headers<'b> {
    pub(super) const fn new(lines: &'b [u8]) -> Self {
        Self { lines }
    }

    /// The first header of this name; case does not matter.
    pub(super) fn first(mut self, name: &str) -> Option<&'b [u8]> {
        self.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl<'b> Iterator for Headers<'b> {
    type Item = (&'b str, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (line, rest) = split_once(self.lines, b'\n')?;
        self.lines = rest;
        let (name, value) = split_once(line.strip_suffix(b"\r").unwrap_or(line), b':')?;
        Some((core::str::from_utf8(name).ok()?, trim(value)))
    }
}

/// The names alone: values are often secret.
impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.map(|(name, _)| name)).finish()
    }
}

/// Headers to be sent, for debug output: the names alone, as above.
pub(super) struct Names<'a>(pub(super) &'a [(&'a str, &'a str)]);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// A header that should be there at most once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Once<'b> {
    #[default]
    Absent,
    Present(&'b [u8]),
    Repeated,
}

impl<'b> Once<'b> {
    pub(super) fn add(&mut self, value: &'b [u8]) {
        *self = match self {
            Self::Absent => Self::Present(value),
            _ => Self::Repeated,
        };
    }

    /// The value if it is there exactly once.
    pub(super) const fn get(self) -> Option<&'b [u8]> {
        match self {
            Self::Present(value) => Some(value),
            _ => None,
        }
    }
}

/// The elements of a list. RFC 9110 section 5.6.1.2: "A recipient MUST parse and ignore a reasonable number
/// of empty list elements".
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim).filter(|element| !element.is_empty())
}

/// Whether a list has this token, in any case.
pub(super) fn has_token(value: &[u8], token: &str) -> bool {
    list(value).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// The element as text, if it is a token.
pub(super) fn as_token(element: &[u8]) -> Option<&str> {
    if is_token(element) { core::str::from_utf8(element).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9110_section_5_6_a_list_has_no_empty_elements_and_no_white_space_around_them() {
        for (value, elements) in
            [("", &[][..]), (",, ,\t,", &[]), ("a", &["a"]), (" a ,\tb\t, c d ,", &["a", "b", "c d"])]
        {
            let got = list(value.as_bytes()).map(|element| core::str::from_utf8(element).unwrap());
            assert!(got.eq(elements.iter().copied()), "{value:?}");
        }
    }

    #[test]
    fn headers_are_walked_in_order_and_end_at_the_empty_line() {
        let headers = Headers::new(b"A: 1\r\nb:2 \r\na:\t\r\n\r\nc: 3\r\n");
        assert!(headers.eq([("A", &b"1"[..]), ("b", b"2"), ("a", b"")]));
        assert_eq!(headers.first("B"), Some(&b"2"[..]));
        assert_eq!(headers.first("c"), None);
    }
}
