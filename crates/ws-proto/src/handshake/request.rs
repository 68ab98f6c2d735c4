//! A request as it was received: what it says, whether it is valid, and the answers to it.

use core::fmt;

use super::Agreement;
use super::accept_key::{AcceptKey, is_key};
use super::error::HandshakeError;
#[cfg(feature = "deflate")]
use super::extensions;
use super::fields::{Headers, Names, Once, as_token, has_token, list};
use super::http::{self, RequestLine};
use super::origin::OriginPolicy;
use super::output::{HeadWriter, check_headers, is_handshake_header};
use super::response::Response;
use super::uri::{Authority, is_path_or_query};
use crate::buf::outbound::Outbound;
#[cfg(feature = "deflate")]
use crate::deflate::{DeflateConfig, DeflateOffer, NegotiationError};

/// How many subprotocols a client may offer. They are held against each other, so that their number has to be
/// bounded; who offers more than two or three is up to something.
const MAX_SUBPROTOCOLS: usize = 32;

/// The head of an HTTP request, in the receive buffer.
///
/// Its grammar is checked, so that no line can be read in two ways; whether it is a valid opening handshake,
/// [`validate`](Self::validate) and [`accept`](Self::accept) say. Getters look at what is there and may be
/// asked before.
#[derive(Clone, Copy)]
pub struct Request<'b> {
    line: RequestLine<'b>,
    headers: Headers<'b>,
}

impl<'b> Request<'b> {
    /// From a complete head; `None` if the bytes are something else.
    pub(super) fn parse(head: &'b [u8]) -> Option<Self> {
        let line = RequestLine::parse(head).ok()?;
        Some(Self { line, headers: Headers::new(http::field_lines(head)) })
    }

    /// The method, case-sensitive.
    pub fn method(&self) -> &'b str {
        self.line.method
    }

    /// The request target as it was sent: usually path and query, but RFC 6455 section 4.2.1 allows "an
    /// absolute HTTP/HTTPS URI" as well.
    pub fn target(&self) -> &'b str {
        self.line.target
    }

    /// The path of the target, not decoded; `/` if an absolute target has none.
    pub fn path(&self) -> &'b str {
        self.split_target().1
    }

    /// The query of the target, not decoded, without the question mark.
    pub fn query(&self) -> Option<&'b str> {
        self.split_target().2
    }

    /// The value of the first header of this name, whose case does not matter; without white space around it.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers.first(name)
    }

    /// All headers, in their order.
    pub fn headers(&self) -> Headers<'b> {
        self.headers
    }

    /// The first `Host`: a name or address, and perhaps a port.
    pub fn host(&self) -> Option<&'b str> {
        core::str::from_utf8(self.header("Host")?).ok()
    }

    /// The first `Origin`. See [`OriginPolicy`] for what it is worth.
    pub fn origin(&self) -> Option<&'b [u8]> {
        self.header("Origin")
    }

    /// The subprotocols that the client offers, the most preferred first: from all `Sec-WebSocket-Protocol`
    /// headers, which may be several (RFC 6455 section 11.3.4). What is no token is left out; `validate`
    /// complains.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'b str> + use<'b> {
        self.subprotocol_elements().filter_map(as_token)
    }

    /// The client's offers of permessage-deflate, the most preferred first: from all `Sec-WebSocket-Extensions`
    /// headers, which may be several. An offer with a defect is an error, and [`accept`](Self::accept) declines it.
    #[cfg(feature = "deflate")]
    pub fn deflate_offers(&self) -> impl Iterator<Item = Result<DeflateOffer, NegotiationError>> + use<'b> {
        DeflateOffer::parse_all(extensions::values(self.headers))
    }

    /// Whether this asks for a WebSocket at all: whether `Upgrade` lists `websocket`. Otherwise it is a plain
    /// HTTP request, which one may [answer](Self::respond) with a page, or with
    /// [`HandshakeError::NotAnUpgrade`].
    pub fn is_upgrade(&self) -> bool {
        let mut headers = self.headers;
        headers.any(|(name, value)| name.eq_ignore_ascii_case("Upgrade") && has_token(value, "websocket"))
    }

    /// Checks all that RFC 6455 section 4.2.1 demands of a client's opening handshake, and its origin.
    ///
    /// # Errors
    ///
    /// The first violation. [`HandshakeError::respond`] answers it.
    pub fn validate(&self, origins: OriginPolicy<'_>) -> Result<(), HandshakeError> {
        self.key(origins).map(|_| ())
    }

    /// Validates the request, as [`validate`](Self::validate) does, and queues the response that accepts it:
    /// 101, and with it `Sec-WebSocket-Accept`, the subprotocol if one was chosen, the extension if one is agreed
    /// on, and the caller's headers.
    ///
    /// From here on the connection is a WebSocket: `Connection::new(Role::Server, ..)` with the same receive
    /// buffer and the same `tx`, at once. The response is transmitted ahead of its frames.
    ///
    /// # Errors
    ///
    /// The first violation; or a mistake in `options`; or [`HandshakeError::Full`] or
    /// [`HandshakeError::OutputTooSmall`]. Nothing is queued then.
    pub fn accept<'a, O: Outbound>(
        &self,
        options: &AcceptOptions<'a>,
        tx: &mut O,
    ) -> Result<Agreement<'a>, HandshakeError> {
        let key = self.key(options.origins)?;
        if let Some(chosen) = options.subprotocol {
            // RFC 6455 section 4.2.2: "The value chosen MUST be derived from the client's handshake".
            if !self.subprotocols().any(|offered| offered == chosen) {
                return Err(HandshakeError::SubprotocolNotAllowed);
            }
        }
        check_headers(options.headers, is_handshake_header)?;
        #[cfg(feature = "deflate")]
        let deflate = options.deflate.and_then(|config| config.accept(extensions::values(self.headers)));

        let mut head = HeadWriter::new(tx)?;
        head.text("HTTP/1.1 101 Switching Protocols\r\n");
        head.field("Upgrade", "websocket");
        head.field("Connection", "Upgrade");
        head.field_bytes("Sec-WebSocket-Accept", AcceptKey::answering(key).as_bytes());
        if let Some(chosen) = options.subprotocol {
            head.field("Sec-WebSocket-Protocol", chosen);
        }
        #[cfg(feature = "deflate")]
        if let Some(response) = deflate {
            head.display_field(extensions::NAME, &response);
        }
        head.fields(options.headers);
        head.finish()?;
        Ok(Agreement {
            subprotocol: options.subprotocol,
            #[cfg(feature = "deflate")]
            deflate: deflate.map(|response| response.params()),
        })
    }

    /// Queues any response but 101. Transmit it with [`poll_transmit`](super::poll_transmit), then close the
    /// connection; the response says so. A response to HEAD goes without its body.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidResponse`], [`HandshakeError::InvalidHeader`] or
    /// [`HandshakeError::ReservedHeader`] if the response cannot be sent, [`HandshakeError::Full`] or
    /// [`HandshakeError::OutputTooSmall`] if it does not fit. Nothing is queued then.
    pub fn respond<O: Outbound>(&self, response: &Response<'_>, tx: &mut O) -> Result<(), HandshakeError> {
        response.queue(self.method() == "HEAD", tx)
    }

    /// Validates, and gives the key.
    fn key(&self, origins: OriginPolicy<'_>) -> Result<&'b [u8], HandshakeError> {
        let (major, minor) = self.line.version;
        if major != 1 || minor == 0 {
            return Err(HandshakeError::HttpVersion { major, minor });
        }
        if self.method() != "GET" {
            return Err(HandshakeError::MethodNotAllowed);
        }
        let fields = Fields::collect(self.headers);
        if [fields.host, fields.key, fields.version].contains(&Once::Repeated) {
            return Err(HandshakeError::RepeatedHeader);
        }
        let host = self.check_host(fields.host)?;
        if !fields.upgrade {
            return Err(HandshakeError::NotAnUpgrade);
        }
        if fields.body {
            return Err(HandshakeError::Body);
        }
        if !fields.connection {
            return Err(HandshakeError::MissingConnection);
        }
        // The version goes before the rest: other versions may have other rules.
        if fields.version.get() != Some(b"13") {
            return Err(HandshakeError::UnsupportedVersion);
        }
        let key = fields.key.get().filter(|key| is_key(key)).ok_or(HandshakeError::InvalidKey)?;
        self.check_subprotocols()?;
        match fields.origin {
            Once::Absent => Ok(key),
            Once::Present(origin) if origins.allows(origin, &host) => Ok(key),
            _ => Err(HandshakeError::OriginRefused),
        }
    }

    /// The host, which an absolute target must not contradict. RFC 9112 section 3.2.2 would have the server
    /// ignore `Host` then; a proxy before it may have taken that for the truth.
    fn check_host(&self, host: Once<'b>) -> Result<Authority<'b>, HandshakeError> {
        let host = host.get().and_then(|host| core::str::from_utf8(host).ok());
        let host = host.and_then(|host| Authority::parse(host).ok()).ok_or(HandshakeError::InvalidHost)?;
        let (authority, path, query) = self.split_target();
        if !path.starts_with('/') || !is_path_or_query(path) || !query.is_none_or(is_path_or_query) {
            return Err(HandshakeError::InvalidTarget);
        }
        if let Some((scheme, authority)) = authority {
            let port = match scheme {
                _ if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("ws") => 80,
                _ if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss") => 443,
                _ => return Err(HandshakeError::InvalidTarget),
            };
            let authority = Authority::parse(authority).map_err(|_| HandshakeError::InvalidTarget)?;
            if !authority.is_same(&host, Some(port)) {
                return Err(HandshakeError::InvalidHost);
            }
        }
        Ok(host)
    }

    /// RFC 6455 section 4.1: "The elements that comprise this value MUST be non-empty strings with characters
    /// in the range U+0021 to U+007E not including separator characters ... and MUST all be unique strings".
    fn check_subprotocols(&self) -> Result<(), HandshakeError> {
        let mut seen = [""; MAX_SUBPROTOCOLS];
        for (n, element) in self.subprotocol_elements().enumerate() {
            let token = as_token(element).ok_or(HandshakeError::InvalidSubprotocol)?;
            if seen.contains(&token) {
                return Err(HandshakeError::InvalidSubprotocol);
            }
            *seen.get_mut(n).ok_or(HandshakeError::InvalidSubprotocol)? = token;
        }
        Ok(())
    }

    fn subprotocol_elements(&self) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        self.headers
            .filter(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Protocol"))
            .flat_map(|(_, value)| list(value))
    }

    /// Scheme and authority of an absolute target, path and query.
    fn split_target(&self) -> (Option<(&'b str, &'b str)>, &'b str, Option<&'b str>) {
        let (resource, query) = match self.target().split_once('?') {
            Some((resource, query)) => (resource, Some(query)),
            None => (self.target(), None),
        };
        if resource.starts_with('/') {
            return (None, resource, query);
        }
        let Some((scheme, rest)) = resource.split_once("://") else { return (None, resource, query) };
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(slash).unwrap_or((rest, ""));
        (Some((scheme, authority)), if path.is_empty() { "/" } else { path }, query)
    }
}

/// Method, path and the names of the headers: queries and values are often secret.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method())
            .field("path", &self.path())
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// What the handshake looks at, collected in one walk over the headers.
#[derive(Default)]
struct Fields<'b> {
    host: Once<'b>,
    key: Once<'b>,
    origin: Once<'b>,
    version: Once<'b>,
    /// There is, or may be, a body.
    body: bool,
    /// `Connection` lists `upgrade`.
    connection: bool,
    /// `Upgrade` lists `websocket`.
    upgrade: bool,
}

impl<'b> Fields<'b> {
    fn collect(headers: Headers<'b>) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            match name {
                _ if name.eq_ignore_ascii_case("Connection") => {
                    fields.connection |= has_token(value, "upgrade");
                }
                _ if name.eq_ignore_ascii_case("Content-Length") => fields.body |= value != b"0",
                _ if name.eq_ignore_ascii_case("Host") => fields.host.add(value),
                _ if name.eq_ignore_ascii_case("Origin") => fields.origin.add(value),
                _ if name.eq_ignore_ascii_case("Sec-WebSocket-Key") => fields.key.add(value),
                _ if name.eq_ignore_ascii_case("Sec-WebSocket-Version") => fields.version.add(value),
                _ if name.eq_ignore_ascii_case("Transfer-Encoding") => fields.body = true,
                _ if name.eq_ignore_ascii_case("Upgrade") => fields.upgrade |= has_token(value, "websocket"),
                _ => {}
            }
        }
        fields
    }
}

/// How a request is accepted: by default without a subprotocol, without an extension, without further headers,
/// and from the same origin only.
///
/// ```
/// use ws_proto::handshake::{AcceptOptions, OriginPolicy};
///
/// let options = AcceptOptions::new()
///     .subprotocol("chat.v2")
///     .headers(&[("Set-Cookie", "session=1")])
///     .origins(OriginPolicy::AllowList(&["https://example.com"]));
/// ```
#[derive(Clone, Copy, Default)]
pub struct AcceptOptions<'a> {
    subprotocol: Option<&'a str>,
    headers: &'a [(&'a str, &'a str)],
    origins: OriginPolicy<'a>,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateConfig>,
}

impl<'a> AcceptOptions<'a> {
    /// The defaults, as [`Default`] gives them, in a `const` context.
    pub const fn new() -> Self {
        Self {
            subprotocol: None,
            headers: &[],
            origins: OriginPolicy::SameOrigin { scheme_is_https: false },
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// Chooses a subprotocol, which must be one of those that the client offers.
    ///
    /// Default: none, and no header for it (RFC 6455 section 4.2.2).
    #[must_use]
    pub const fn subprotocol(mut self, subprotocol: &'a str) -> Self {
        self.subprotocol = Some(subprotocol);
        self
    }

    /// Sends these headers as well. Not those of the handshake: `Connection`, `Content-Length`,
    /// `Transfer-Encoding`, `Upgrade`, and all that begin with `Sec-WebSocket-`.
    ///
    /// Default: none.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [(&'a str, &'a str)]) -> Self {
        self.headers = headers;
        self
    }

    /// Sets from which web sites' scripts the request may come.
    ///
    /// Default: from the same origin, with plain HTTP; a server behind TLS has to say so.
    #[must_use]
    pub const fn origins(mut self, origins: OriginPolicy<'a>) -> Self {
        self.origins = origins;
        self
    }

    /// Agrees to permessage-deflate (RFC 7692) if the client offers it, as [`DeflateConfig::accept`] has it.
    /// [`Agreement::deflate`] tells whether, and with which parameters.
    ///
    /// Default: not agreed to, whatever is offered. Compression costs memory and time for each connection, and lets
    /// sizes tell about secrets that are sent together with what somebody else chose.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config);
        self
    }

    /// The configuration with which permessage-deflate is agreed to, if it is.
    #[cfg(feature = "deflate")]
    pub const fn deflate_config(&self) -> Option<DeflateConfig> {
        self.deflate
    }
}

/// Without the values of headers, which are often secret.
impl fmt::Debug for AcceptOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptOptions")
            .field("subprotocol", &self.subprotocol)
            .field("headers", &Names(self.headers))
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}
