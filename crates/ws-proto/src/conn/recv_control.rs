//! Receiving control frames: whole, and dealt with before they are reported.

use super::recv::NextFrame;
use super::{Connection, Timer};
use crate::buf::recv::RecvBuf;
use crate::buf::storage::Storage;
use crate::close_code::CloseCode;
use crate::error::{Error, ProtocolError};
use crate::event::{Ready, ReadyKind};
use crate::time::Instant;
use crate::wire::header::{Header, Opcode};
use crate::wire::mask;

impl Connection {
    /// The same as [`poll_receive`](Self::poll_receive) for control frames alone: `None` as well if a data frame is
    /// next, which stays where it is.
    ///
    /// For a caller that is busy with sending: pings and a Close frame are answered as long as no data is in front of
    /// them.
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive).
    pub fn poll_receive_control<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
    ) -> Result<Option<Ready>, Error> {
        let received = self.receive_with(now, rx, |connection, now, rx| {
            if connection.incoming.is_in_frame() {
                return Ok(None);
            }
            match connection.next_frame(now, rx)? {
                NextFrame::Control(ready) => Ok(Some(ready)),
                NextFrame::Data(_) | NextFrame::Incomplete => Ok(None),
            }
        });
        if received.is_some() { Ok(received) } else { self.nothing_received() }
    }

    /// A control frame, which has arrived as a whole.
    pub(super) fn take_control_frame<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
        header: Header,
    ) -> Result<Ready, Error> {
        let len = header.len as usize;
        let payload = &mut rx.unparsed_mut()[header.size..header.size + len];
        if let Some(key) = header.masking_key {
            mask::apply(key, payload);
        }
        match header.opcode {
            Opcode::Ping => {
                // Section 5.5.2: "it MUST send a Pong frame in response, unless it already received a Close frame".
                if self.config.automatic_pong {
                    let key = self.role.next_key();
                    self.outbox.push_pong(payload, key);
                }
                Ok(Ready { kind: ReadyKind::Ping, number: rx.deliver_whole(header.size, len, false) })
            }
            Opcode::Close => {
                let (code, reason) = parse_close(payload)?;
                self.handle_peer_close(now, code, reason);
                // What is behind the code is the reason.
                let before = len - reason.len();
                let number = rx.deliver_whole(header.size + before, len - before, true);
                Ok(Ready { kind: ReadyKind::Close(code), number })
            }
            // A pong: no other control frame is left.
            _ => {
                if self.timers.is_running(Timer::Pong) && self.keepalive.is_answered_by(payload) {
                    self.timers.stop(Timer::Pong);
                    self.start_timer(Timer::Ping, now);
                }
                Ok(Ready { kind: ReadyKind::Pong, number: rx.deliver_whole(header.size, len, false) })
            }
        }
    }
}

/// The code and the reason in the payload of a Close frame.
fn parse_close(payload: &[u8]) -> Result<(CloseCode, &str), Error> {
    let (code, reason) = match *payload {
        [] => return Ok((CloseCode::NO_STATUS, "")),
        [_] => return Err(ProtocolError::CloseBodyTooShort.into()),
        [high, low, ref reason @ ..] => (CloseCode::from(u16::from_be_bytes([high, low])), reason),
    };
    if !code.is_sendable() {
        return Err(ProtocolError::InvalidCloseCode(code.as_u16()).into());
    }
    let reason = core::str::from_utf8(reason).map_err(|_| Error::InvalidUtf8)?;
    Ok((code, reason))
}
