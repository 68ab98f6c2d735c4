//! Queuing a head, whole or not at all, and transmitting it.

use core::fmt::{self, Write as _};

use super::error::HandshakeError;
use crate::buf::outbound::{NoRoom, Outbound, Slices};
use crate::grammar::is_token;

/// Queues a head piece by piece. What does not fit is taken back, all of it.
pub(super) struct HeadWriter<'t, O: Outbound> {
    tx: &'t mut O,
    /// How much waited before.
    start: usize,
    result: Result<(), HandshakeError>,
}

impl<'t, O: Outbound> HeadWriter<'t, O> {
    /// # Errors
    ///
    /// `Full` if frames wait: a head is no frame and goes before all of them.
    pub(super) fn new(tx: &'t mut O) -> Result<Self, HandshakeError> {
        let start = tx.buffered();
        if tx.messages() > 0 || start != tx.frame_left() {
            return Err(HandshakeError::Full);
        }
        Ok(Self { tx, start, result: Ok(()) })
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if self.result.is_err() || bytes.is_empty() {
            return;
        }
        self.result = self.tx.push_preamble(bytes).map_err(|no_room| match no_room {
            // Nothing else is in the way.
            NoRoom::Now if self.start > 0 => HandshakeError::Full,
            NoRoom::Now | NoRoom::Never => HandshakeError::OutputTooSmall,
        });
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn field(&mut self, name: &str, value: &str) {
        self.field_bytes(name, value.as_bytes());
    }

    pub(super) fn field_bytes(&mut self, name: &str, value: &[u8]) {
        self.text(name);
        self.text(": ");
        self.bytes(value);
        self.text("\r\n");
    }

    pub(super) fn display_field(&mut self, name: &str, value: &dyn fmt::Display) {
        self.text(name);
        self.text(": ");
        self.display(value);
        self.text("\r\n");
    }

    pub(super) fn display(&mut self, value: &dyn fmt::Display) {
        // Writing never fails by itself, see below.
        let _ = write!(self, "{value}");
    }

    pub(super) fn fields(&mut self, headers: &[(&str, &str)]) {
        for (name, value) in headers {
            self.field(name, value);
        }
    }

    /// Ends the head.
    pub(super) fn finish(self) -> Result<(), HandshakeError> {
        self.finish_with_body(&[])
    }

    pub(super) fn finish_with_body(mut self, body: &[u8]) -> Result<(), HandshakeError> {
        self.text("\r\n");
        self.bytes(body);
        if self.result.is_err() {
            self.tx.truncate_preamble(self.start);
        }
        self.result
    }
}

impl<O: Outbound> fmt::Write for HeadWriter<'_, O> {
    /// Never fails by itself: [`finish`](HeadWriter::finish) tells.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

/// The status line of a response after which the connection is closed, and the headers that say so.
pub(super) fn status_line<O: Outbound>(head: &mut HeadWriter<'_, O>, status: u16) {
    let digits = [status / 100 % 10, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8);
    head.text("HTTP/1.1 ");
    head.bytes(&digits);
    head.text(" ");
    head.text(reason(status));
    head.text("\r\n");
    if status == 426 {
        // RFC 9110 section 15.5.22: "The server MUST send an Upgrade header field in a 426 response to
        // indicate the required protocol(s)", and section 7.8 wants it to be listed in Connection. RFC 6455
        // section 4.4: "it MUST respond with a |Sec-WebSocket-Version| header field ... containing all
        // versions it is willing to use".
        head.field("Connection", "close, Upgrade");
        head.field("Upgrade", "websocket");
        head.field("Sec-WebSocket-Version", "13");
    } else {
        head.field("Connection", "close");
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        // RFC 9112 section 4: "A client SHOULD ignore the reason-phrase content".
        _ => "",
    }
}

/// Checks headers that the caller wants to be sent, before the first byte of anything is queued.
pub(super) fn check_headers(
    headers: &[(&str, &str)],
    is_reserved: impl Fn(&str) -> bool,
) -> Result<(), HandshakeError> {
    for (name, value) in headers {
        if !is_token(name.as_bytes()) || !is_field_value(value) {
            return Err(HandshakeError::InvalidHeader);
        }
        if is_reserved(name) {
            return Err(HandshakeError::ReservedHeader);
        }
    }
    Ok(())
}

/// Printable ASCII, spaces and tabs. HTTP allows more to be received; to send it helps nobody.
pub(super) fn is_field_value(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

/// Headers that are the handshake's own in each direction, or would announce a body. All names that begin
/// with `Sec-WebSocket-` are included: an extension is not negotiated behind the connection's back.
pub(super) fn is_handshake_header(name: &str) -> bool {
    const NAMES: [&str; 4] = ["Connection", "Content-Length", "Transfer-Encoding", "Upgrade"];
    const PREFIX: &str = "Sec-WebSocket-";
    NAMES.iter().any(|own| name.eq_ignore_ascii_case(own))
        || name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// What to transmit of a head that is queued in `tx`, or `None` if nothing is.
///
/// For the time before there is a [`Connection`](crate::Connection), which transmits what is left of a head
/// by itself: for a client's request, and for a response that is not followed by a connection.
pub fn poll_transmit<O: Outbound>(tx: &mut O) -> Option<TransmitHead<'_, O>> {
    if tx.buffered() > 0 { Some(TransmitHead { tx }) } else { None }
}

/// What to transmit of a head. See [`poll_transmit`].
///
/// ```
/// # use ws_proto::handshake::{HandshakeError, poll_transmit};
/// # let mut tx = ws_proto::SendBuf::new([0; 256]);
/// # fn write(bytes: &[u8]) -> usize { bytes.len().min(10) }
/// HandshakeError::Timeout.respond(&mut tx)?;
/// while let Some(mut transmit) = poll_transmit(&mut tx) {
///     let written = write(transmit.slices()[0]);
///     transmit.advance(written);
/// }
/// # Ok::<(), HandshakeError>(())
/// ```
#[derive(Debug)]
pub struct TransmitHead<'t, O> {
    tx: &'t mut O,
}

impl<O: Outbound> TransmitHead<'_, O> {
    /// The slices, at least one, none of them empty.
    pub fn slices(&self) -> Slices<'_> {
        let mut slices = Slices::new();
        self.tx.slices(0, self.tx.buffered(), &mut slices);
        slices
    }

    /// Says that the first `n` bytes of the slices are transmitted. A surplus is ignored.
    pub fn advance(&mut self, n: usize) {
        self.tx.consume(n.min(self.tx.buffered()));
    }
}
