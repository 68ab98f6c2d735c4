//! Receiving control frames: whole, and dealt with before they are reported.

use super::recv::NextFrame;
use super::{Connection, Timer};
use crate::buf::recv::RecvBuf;
use crate::buf::storage::Storage;
use crate::close_code::CloseCode;
use crate::error::{Error, ProtocolError};
use crate::event::{Ready, ReadyKind};
use crate::time::Instant;
use crate::wire::header::{Header, MAX_CONTROL_PAYLOAD, Opcode};
use crate::wire::mask::Mask;

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
        self.receive_with(now, rx, |connection, now, rx| {
            if connection.incoming.is_in_frame() {
                return Ok(None);
            }
            match connection.next_frame(now, rx)? {
                NextFrame::Control(ready) => Ok(Some(ready)),
                NextFrame::Data(_) | NextFrame::Incomplete => Ok(None),
            }
        })
    }

    /// A control frame, which has arrived as a whole.
    pub(super) fn take_control_frame<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
        header: Header,
    ) -> Result<Ready, Error> {
        let payload = rx.take_whole(header.size, header.len as usize);
        if let Some(key) = header.masking_key {
            Mask::new(key).apply(payload);
        }
        match header.opcode {
            Opcode::Ping => {
                // Section 5.5.2: "it MUST send a Pong frame in response, unless it already received a Close frame".
                if self.config.automatic_pong {
                    let key = self.role.next_key();
                    self.outbox.push_pong(payload, key);
                }
                Ok(Ready { kind: ReadyKind::Ping, place: rx.deliver_whole(0, false) })
            }
            Opcode::Close => self.take_close(now, rx, header.len as usize),
            // A pong: no other control frame is left.
            _ => {
                if self.keepalive.is_answered_by(payload) && self.timers.is_running(Timer::Pong) {
                    self.timers.stop(Timer::Pong);
                    self.start_timer(Timer::Ping, now);
                }
                Ok(Ready { kind: ReadyKind::Pong, place: rx.deliver_whole(0, false) })
            }
        }
    }

    /// The Close frame whose payload of `len` bytes was just taken.
    fn take_close<S: Storage>(
        &mut self,
        now: Instant,
        rx: &mut RecvBuf<S>,
        len: usize,
    ) -> Result<Ready, Error> {
        // A copy, so that the answer can be made while the event refers to the buffer; it is small.
        let mut body = [0; MAX_CONTROL_PAYLOAD];
        let place = rx.deliver_whole(0, false);
        let body = &mut body[..len];
        body.copy_from_slice(rx.delivered(place));
        let (code, reason) = match *body {
            [] => (CloseCode::NO_STATUS, &[][..]),
            [_] => return Err(ProtocolError::CloseBodyTooShort.into()),
            [high, low, ref reason @ ..] => (CloseCode::from(u16::from_be_bytes([high, low])), reason),
        };
        if !body.is_empty() && !code.is_sendable() {
            return Err(ProtocolError::InvalidCloseCode(code.as_u16()).into());
        }
        let reason = core::str::from_utf8(reason).map_err(|_| Error::InvalidUtf8)?;
        self.handle_peer_close(now, code, reason);
        Ok(Ready { kind: ReadyKind::Close(code), place: rx.deliver_whole(2, true) })
    }
}
