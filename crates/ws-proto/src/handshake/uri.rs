//! WebSocket URIs, RFC 6455 section 3, in the grammar of RFC 3986.

use core::fmt;
use core::net::Ipv6Addr;

use thiserror::Error as ThisError;

use super::error::HandshakeError;

/// A URI to connect to: `ws://` or `wss://`, a host, and perhaps a port, a path and a query.
///
/// `http://` and `https://` are taken for the same, as browsers do. Nothing is decoded or normalised; what is
/// not valid is refused and not repaired (RFC 6455 section 4.1: "If any of the components are invalid, the
/// client MUST _Fail the WebSocket Connection_").
///
/// ```
/// use ws_proto::handshake::Uri;
///
/// let uri = Uri::parse("wss://[::1]:8443/chat?room=1")?;
/// assert_eq!((uri.is_secure(), uri.host(), uri.port()), (true, "::1", 8443));
/// assert_eq!(uri.resource().to_string(), "/chat?room=1");
/// assert_eq!(uri.host_header().to_string(), "[::1]:8443");
/// # Ok::<(), ws_proto::handshake::HandshakeError>(())
/// ```
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Uri<'u> {
    secure: bool,
    authority: Authority<'u>,
    path: &'u str,
    query: Option<&'u str>,
}

impl<'u> Uri<'u> {
    /// Takes a URI apart.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidUri`], with the reason.
    pub fn parse(uri: &'u str) -> Result<Self, HandshakeError> {
        Ok(Self::parse_uri(uri)?)
    }

    fn parse_uri(uri: &'u str) -> Result<Self, UriError> {
        if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UriError::InvalidCharacter);
        }
        let (scheme, rest) = uri.split_once("://").ok_or(UriError::Scheme)?;
        let secure = match scheme {
            _ if is_one_of(scheme, ["ws", "http"]) => false,
            _ if is_one_of(scheme, ["wss", "https"]) => true,
            _ => return Err(UriError::Scheme),
        };
        // RFC 6455 section 3: "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST
        // NOT be used on these URIs."
        if rest.contains('#') {
            return Err(UriError::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at_checked(end).ok_or(UriError::Host)?;
        let (path, query) = match resource.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (resource, None),
        };
        if !is_path_or_query(resource) {
            return Err(UriError::InvalidCharacter);
        }
        Ok(Self { secure, authority: Authority::parse(authority)?, path, query })
    }

    /// The host without the brackets of an IPv6 address: what to connect to, and the name to verify a
    /// certificate with.
    pub const fn host(&self) -> &'u str {
        self.authority.host
    }

    /// The port; 80, or 443 for `wss`, where the URI has none.
    pub fn port(&self) -> u16 {
        self.authority.port.unwrap_or(self.default_port())
    }

    /// Whether the connection is to be made with TLS. RFC 6455 section 4.1: the TLS handshake goes first,
    /// with the host in the server name indication, and if it fails, so does the connection.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The path; `/` if the URI has none.
    pub const fn path(&self) -> &'u str {
        if self.path.is_empty() { "/" } else { self.path }
    }

    /// The query, which may be empty, without the question mark.
    pub const fn query(&self) -> Option<&'u str> {
        self.query
    }

    /// What the request asks for (RFC 6455 section 3): "/" if "the path component is empty", "?" only "if the
    /// query component is non-empty".
    pub fn resource(&self) -> impl fmt::Display + 'u {
        Resource { path: self.path(), query: self.query.unwrap_or("") }
    }

    /// The value of the `Host` header: the port only "when not using the default port" (RFC 6455 section
    /// 4.1).
    pub fn host_header(&self) -> impl fmt::Display + 'u {
        let port = Some(self.port()).filter(|&port| port != self.default_port());
        Authority { port, ..self.authority }
    }

    const fn default_port(&self) -> u16 {
        if self.secure { 443 } else { 80 }
    }
}

/// Without the query, which is often secret.
impl fmt::Debug for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uri")
            .field("secure", &self.secure)
            .field("authority", &format_args!("{}", self.authority))
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

struct Resource<'u> {
    path: &'u str,
    query: &'u str,
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)?;
        if self.query.is_empty() {
            return Ok(());
        }
        f.write_str("?")?;
        f.write_str(self.query)
    }
}

/// A host and perhaps a port, as in a URI, in `Host` and in `Origin`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Authority<'u> {
    /// Without brackets.
    pub(super) host: &'u str,
    pub(super) port: Option<u16>,
    bracketed: bool,
}

impl<'u> Authority<'u> {
    pub(super) fn parse(authority: &'u str) -> Result<Self, UriError> {
        if authority.contains('@') {
            return Err(UriError::UserInfo);
        }
        let (host, port, bracketed) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(UriError::Host)?;
                // Zone identifiers are not for others' eyes, and not in the grammar of URIs.
                host.parse::<Ipv6Addr>().map_err(|_| UriError::Host)?;
                match port.strip_prefix(':') {
                    None if !port.is_empty() => return Err(UriError::Host),
                    port => (host, port.unwrap_or(""), true),
                }
            }
            None => {
                let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
                (host, port, false)
            }
        };
        if host.is_empty() || !(bracketed || is_all(host, |byte| is_unreserved(byte) || is_sub_delim(byte))) {
            return Err(UriError::Host);
        }
        let port = match port {
            "" => None,
            _ if !port.bytes().all(|byte| byte.is_ascii_digit()) => return Err(UriError::Port),
            _ => match port.parse() {
                Ok(port) if port > 0 => Some(port),
                _ => return Err(UriError::Port),
            },
        };
        Ok(Self { host, port, bracketed })
    }

    /// Whether both name the same host and port, where `default_port` holds for both.
    pub(super) fn is_same(&self, other: &Self, default_port: Option<u16>) -> bool {
        self.bracketed == other.bracketed
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port.or(default_port) == other.port.or(default_port)
    }
}

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.bracketed { ("[", "]") } else { ("", "") };
        write!(f, "{open}{}{close}", self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// What is wrong with a URI.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ThisError)]
#[non_exhaustive]
pub enum UriError {
    /// It has a fragment (`#`), which RFC 6455 section 3 forbids. A `#` that is meant is written `%23`.
    #[error("a fragment")]
    Fragment,
    /// The host is missing or is no name or address.
    #[error("a missing or invalid host")]
    Host,
    /// It has a space, a control character, something that is not ASCII, a `%` without two digits behind it,
    /// or another character that RFC 3986 does not allow where it is. Percent-encode it.
    #[error("a character that must be percent-encoded")]
    InvalidCharacter,
    /// The port is not a number from 1 to 65535.
    #[error("an invalid port")]
    Port,
    /// The scheme is missing or none of `ws`, `wss`, `http`, `https`.
    #[error("a scheme other than ws and wss")]
    Scheme,
    /// It has a user name or password (`@`), which `ws` URIs do not have (RFC 6455 section 3). Send an
    /// `Authorization` header.
    #[error("a user name or password")]
    UserInfo,
}

fn is_one_of(scheme: &str, names: [&str; 2]) -> bool {
    names.iter().any(|name| scheme.eq_ignore_ascii_case(name))
}

/// RFC 3986 sections 3.3 and 3.4: `pchar`, `/` and `?`.
pub(super) fn is_path_or_query(text: &str) -> bool {
    is_all(text, |byte| {
        is_unreserved(byte) || is_sub_delim(byte) || matches!(byte, b':' | b'@' | b'/' | b'?')
    })
}

/// Whether all is allowed or `%` with two hexadecimal digits.
fn is_all(text: &str, is_allowed: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let ok = match byte {
            b'%' => (0..2).all(|_| bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => is_allowed(byte),
        };
        if !ok {
            return false;
        }
    }
    true
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

const fn is_sub_delim(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}
