//! Finding the end of a head and refusing what is not HTTP/1.1, at the byte where it shows.

use super::error::{HandshakeError, HttpFault};
use super::limits::HandshakeLimits;
use crate::grammar::{is_token, is_token_byte};

/// How many headers there is room for on the stack while `httparse` looks at them.
pub(super) const MAX_FIELDS: usize = 100;

/// Which of the two heads is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Request,
    Response,
}

/// Looks at each byte of a head once, as it arrives.
///
/// It is stricter than HTTP requires of a recipient, for each liberty that RFC 9112 allows (a bare LF, a
/// folded header, an empty line in front) is one that two recipients of the same bytes may use differently.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner {
    kind: Kind,
    at: At,
    /// How many bytes of this head are looked at.
    scanned: usize,
    fields: usize,
    /// How many bytes the heads before it had.
    spent: usize,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    StartLine,
    /// The LF of the first line or of a header.
    LineFeed,
    LineStart,
    Name,
    Value,
    /// The LF of the empty line.
    LastLineFeed,
    Done,
}

impl Scanner {
    pub(super) const fn new(kind: Kind) -> Self {
        Self { kind, at: At::StartLine, scanned: 0, fields: 0, spent: 0 }
    }

    /// For the head behind this one, on account of the same limits.
    pub(super) const fn next(&self) -> Self {
        let spent = self.spent.saturating_add(self.scanned);
        Self { kind: self.kind, at: At::StartLine, scanned: 0, fields: self.fields, spent }
    }

    /// Goes on where it stopped, in `head`: all bytes of the head that arrived so far, and perhaps more
    /// behind it. Gives the length of the head once it is complete, and the first fault otherwise.
    pub(super) fn scan(
        &mut self,
        head: &[u8],
        limits: &HandshakeLimits,
    ) -> Result<Option<usize>, HandshakeError> {
        for &byte in head.get(self.scanned..).unwrap_or(&[]) {
            if self.at == At::Done {
                break;
            }
            if self.spent.saturating_add(self.scanned) >= limits.max_head_size {
                return Err(HandshakeError::HeadTooLarge { limit: limits.max_head_size });
            }
            self.at = self.step(byte, limits)?;
            self.scanned += 1;
        }
        Ok((self.at == At::Done).then_some(self.scanned))
    }

    #[inline]
    fn step(&mut self, byte: u8, limits: &HandshakeLimits) -> Result<At, HandshakeError> {
        match (self.at, byte) {
            (At::Value, b' '..=b'~' | b'\t' | 0x80..) => Ok(At::Value),
            (At::StartLine | At::Value, b'\r') if self.scanned > 0 => Ok(At::LineFeed),
            (At::StartLine, _) if self.scanned >= limits.max_request_line => {
                Err(HandshakeError::StartLineTooLong { limit: limits.max_request_line })
            }
            (At::StartLine, _) => self.start_line(byte),
            (At::LineFeed, b'\n') => Ok(At::LineStart),
            (At::LastLineFeed, b'\n') => Ok(At::Done),
            (At::LineFeed | At::LastLineFeed, _) => Err(HttpFault::BareCr.into()),
            (At::LineStart, b'\r') => Ok(At::LastLineFeed),
            (At::LineStart, b' ' | b'\t') => Err(HttpFault::Folded.into()),
            (At::LineStart, _) if is_token_byte(byte) => {
                if self.fields >= limits.max_fields {
                    return Err(HandshakeError::TooManyFields { limit: limits.max_fields });
                }
                self.fields += 1;
                Ok(At::Name)
            }
            (At::Name, b':') => Ok(At::Value),
            (At::Name, b' ' | b'\t') => Err(HttpFault::SpaceBeforeColon.into()),
            (At::Name, _) if is_token_byte(byte) => Ok(At::Name),
            (_, b'\n') => Err(HttpFault::BareLf.into()),
            (At::Name | At::LineStart, b' '..=b'~' | b'\r' | 0x80..) => Err(HttpFault::FieldName.into()),
            _ => Err(HttpFault::ControlCharacter.into()),
        }
    }

    fn start_line(&self, byte: u8) -> Result<At, HandshakeError> {
        match (self.kind, byte) {
            // A method and "HTTP" are tokens. This is where TLS on a plain port shows, and an empty line in
            // front.
            _ if self.scanned == 0 && !is_token_byte(byte) => Err(HttpFault::StartLine.into()),
            (_, b' '..=b'~') | (Kind::Response, b'\t' | 0x80..) => Ok(At::StartLine),
            (_, b'\n') => Err(HttpFault::BareLf.into()),
            (_, 0x80..) => Err(HttpFault::StartLine.into()),
            _ => Err(HttpFault::ControlCharacter.into()),
        }
    }
}

/// The first line of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct RequestLine<'b> {
    pub(super) method: &'b str,
    pub(super) target: &'b str,
    pub(super) version: (u8, u8),
}

impl<'b> RequestLine<'b> {
    /// RFC 9112 section 3: `method SP request-target SP HTTP-version`, with single spaces.
    pub(super) fn parse(head: &'b [u8]) -> Result<Self, HttpFault> {
        let line = core::str::from_utf8(start_line(head)).map_err(|_| HttpFault::StartLine)?;
        let mut parts = line.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(HttpFault::StartLine);
        };
        if !is_token(method.as_bytes()) || target.is_empty() {
            return Err(HttpFault::StartLine);
        }
        Ok(Self { method, target, version: http_version(version.as_bytes())? })
    }
}

/// The first line of a response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct StatusLine<'b> {
    pub(super) version: (u8, u8),
    pub(super) status: u16,
    pub(super) reason: &'b [u8],
}

impl<'b> StatusLine<'b> {
    /// RFC 9112 section 4: `HTTP-version SP status-code SP [ reason-phrase ]`. Some servers leave out the
    /// second space where they have no reason to give.
    pub(super) fn parse(head: &'b [u8]) -> Result<Self, HttpFault> {
        let line = start_line(head);
        let (version, rest) = split_once(line, b' ').ok_or(HttpFault::StartLine)?;
        let (status, reason) = split_once(rest, b' ').unwrap_or((rest, &[]));
        let [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] = *status else {
            return Err(HttpFault::StartLine);
        };
        let status = [a, b, c].iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
        Ok(Self { version: http_version(version)?, status, reason })
    }
}

impl StatusLine<'_> {
    /// Whether another response follows. RFC 9110 section 15.2: "A client MUST be able to parse one or more
    /// 1xx responses received prior to a final response, even if the client does not expect one."
    pub(super) const fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }
}

/// RFC 9112 section 2.3: `HTTP-name "/" DIGIT "." DIGIT`, case-sensitive.
fn http_version(version: &[u8]) -> Result<(u8, u8), HttpFault> {
    match *version {
        [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => {
            Ok((major - b'0', minor - b'0'))
        }
        _ => Err(HttpFault::StartLine),
    }
}

/// Lets `httparse` look at the headers of a complete head that the scanner accepted. What two parsers do not
/// agree on is refused.
pub(super) fn check_fields(head: &[u8]) -> Result<(), HandshakeError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let lines = field_lines(head);
    match httparse::parse_headers(lines, &mut fields) {
        Ok(httparse::Status::Complete((len, _))) if len == lines.len() => Ok(()),
        Err(httparse::Error::TooManyHeaders) => Err(HandshakeError::TooManyFields { limit: MAX_FIELDS }),
        _ => Err(HttpFault::FieldName.into()),
    }
}

/// The first line without its line end.
fn start_line(head: &[u8]) -> &[u8] {
    split_once(head, b'\r').map_or(head, |(line, _)| line)
}

/// All behind the first line.
pub(super) fn field_lines(head: &[u8]) -> &[u8] {
    split_once(head, b'\n').map_or(&[], |(_, rest)| rest)
}

pub(super) fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = bytes.iter().position(|&byte| byte == at)?;
    let (before, rest) = bytes.split_at(position);
    Some((before, rest.get(1..).unwrap_or(&[])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_fed_byte_by_byte_is_scanned_once() {
        let mut head = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
        head.extend(b"X: y\r\n".repeat(90));
        head.extend(b"\r\nbehind");
        let len = head.len() - 6;
        let mut scanner = Scanner::new(Kind::Request);
        for n in 0..head.len() {
            let before = scanner.scanned;
            let complete = scanner.scan(&head[..n], &HandshakeLimits::new()).unwrap();
            assert!(scanner.scanned - before <= 1);
            assert_eq!(complete, (n >= len).then_some(len));
        }
        assert_eq!(scanner.scanned, len);
    }

    #[test]
    fn what_the_scanner_accepts_httparse_accepts_with_the_same_names_and_values() {
        for kind in [Kind::Request, Kind::Response] {
            for byte in 0..=255 {
                for template in ["X?: a", "?: a", "X:?a", "X:a?", "X:?", "X:a?b", "X?a"] {
                    let mut head = b"GET / HTTP/1.1\r\n".to_vec();
                    head.extend(template.bytes().map(|b| if b == b'?' { byte } else { b }));
                    head.extend(b"\r\n\r\n");
                    let mut scanner = Scanner::new(kind);
                    let Ok(Some(len)) = scanner.scan(&head, &HandshakeLimits::new()) else { continue };
                    // A line end in the place of the question mark ends the head earlier.
                    if len == head.len() {
                        check_fields(&head).unwrap();
                    }
                }
            }
        }
    }
}
