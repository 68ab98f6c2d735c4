//! Messages that are owned: copies, or if they are large, with the receive buffer that they lie in.

use bytes::Bytes;
use ws_proto::{Event, Kind, Ready, RecvBuf};

use crate::lent::Lent;
use crate::message::Message;
use crate::utf8_bytes::Utf8Bytes;

/// From how many bytes on a message takes the buffer along. To copy a smaller one costs less than another buffer.
const TAKE_FROM: usize = 64 << 10;
/// How much may have arrived behind the message, which has to be copied then.
const COPY_BEHIND: usize = 8 << 10;

/// The event that `ready` refers to, owned.
pub(crate) fn message(rx: &mut Lent<RecvBuf<Vec<u8>>>, ready: Ready) -> Message {
    take(rx, ready).unwrap_or_else(|| ready.event(rx.get()).into())
}

/// A large message with its buffer. `None` if that is to be copied, and nothing has happened then.
fn take(rx: &mut Lent<RecvBuf<Vec<u8>>>, ready: Ready) -> Option<Message> {
    let buffer = rx.present_mut()?;
    let Event::Data(message) = ready.event(buffer) else { return None };
    let (payload, behind) = (message.as_bytes(), buffer.unparsed());
    // What was inflated, or put together from fragments, may lie elsewhere or not be the last in the buffer.
    let is_last = payload.as_ptr_range().end == behind.as_ptr();
    // A message that is kept for long does not keep more than twice its size.
    let is_most = payload.len() >= buffer.capacity() / 2;
    if payload.len() < TAKE_FROM || !is_most || !is_last || behind.len() > COPY_BEHIND {
        return None;
    }
    let (kind, len, address) = (message.kind(), payload.len(), payload.as_ptr().addr());
    let mut next = Lent::<RecvBuf<Vec<u8>>>::none();
    if !behind.is_empty() {
        next.get_mut().extend_from_slice(behind);
    }
    let storage = core::mem::replace(rx, next).take()?.into_storage();
    let start = address.saturating_sub(storage.as_ptr().addr()).min(storage.len() - len);
    let payload = Bytes::from_owner(Storage(storage)).slice(start..start + len);
    Some(match kind {
        Kind::Binary => Message::Binary(payload),
        // It was checked as it arrived, and is again: it is not this file that vouches for it.
        Kind::Text => Message::Text(Utf8Bytes::try_from(payload).unwrap_or_default()),
    })
}

/// The memory of a receive buffer, which the thread has back when nobody needs the message any more.
struct Storage(Vec<u8>);

impl AsRef<[u8]> for Storage {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        RecvBuf::new(core::mem::take(&mut self.0)).shrink(0);
    }
}

#[cfg(test)]
mod tests {
    use ws_proto::{Config, Connection, Instant, Role};

    use super::*;

    /// Receives what is in `wire`, one event, owned; with whether it lies where it was received.
    fn received(wire: &[u8]) -> (Message, bool, Lent<RecvBuf<Vec<u8>>>) {
        let config = Config::default().max_message_size(1 << 22);
        let mut conn = Connection::new(Role::Server, config, Instant::ZERO);
        let mut rx = Lent::<RecvBuf<Vec<u8>>>::none();
        rx.get_mut().extend_from_slice(wire);
        let ready = conn.poll_receive(Instant::ZERO, rx.get_mut()).unwrap().unwrap();
        let place = match ready.event(rx.get()) {
            Event::Data(message) => message.as_bytes().as_ptr(),
            other => panic!("{other:?}"),
        };
        let message = message(&mut rx, ready);
        let stayed = message.payload().as_ptr() == place;
        (message, stayed, rx)
    }

    /// A masked frame, the key being 0.
    fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = match u16::try_from(payload.len()) {
            Ok(len) => [&[opcode, 0xFE][..], &len.to_be_bytes()].concat(),
            Err(_) => [&[opcode, 0xFF][..], &(payload.len() as u64).to_be_bytes()].concat(),
        };
        frame.extend([0; 4]);
        frame.extend(payload);
        frame
    }

    #[test]
    fn a_large_message_takes_its_buffer_along_and_leaves_what_is_behind_it() {
        let large: Vec<u8> = (0..300_000_u32).map(|n| b'a' + (n % 26) as u8).collect();
        for (opcode, behind, stays) in [
            (0x82, 0, true),
            (0x81, 0, true),
            (0x82, 100, true),
            (0x82, COPY_BEHIND, true),
            (0x82, COPY_BEHIND + 1, false),
        ] {
            let behind: Vec<u8> = (0..behind).map(|n| n as u8).collect();
            let (message, stayed, rx) = received(&[frame(opcode, &large), behind.clone()].concat());
            assert_eq!(message.payload(), large, "{opcode:x}, {}", behind.len());
            assert_eq!(message.as_text().is_some(), opcode == 0x81);
            assert_eq!(stayed, stays, "{opcode:x}, {}", behind.len());
            assert_eq!(rx.get().unparsed(), behind);
        }
    }

    #[test]
    fn a_message_that_is_small_or_in_fragments_is_copied() {
        let (message, stayed, _) = received(&frame(0x82, &vec![7; TAKE_FROM - 1]));
        assert_eq!((message.payload(), stayed), (&vec![7; TAKE_FROM - 1][..], false));
        let payload = vec![7; 100_000];
        let (message, stayed, _) = received(&[frame(0x02, &payload), frame(0x80, &payload)].concat());
        assert_eq!((message.payload(), stayed), (&payload.repeat(2)[..], false));
    }
}
