//! Ours: `receive` on a buffer that grows; `send` into a contiguous buffer, and `send_owned` into a queue.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;

use bytes::Bytes;
use ws_proto::{
    Connection, Event, Instant, Kind, MAX_HEADER_SIZE, Message, Outbound, RecvBuf, SendBuf, SendQueue,
};
use ws_tokio::Utf8Bytes;

use super::{Contender, InTurn};
use crate::case::{Decode, Encode, EncodeCase, Output, Role, Tally};
use crate::deflate::connection;
use crate::wire::Wire;

pub(super) const CONTENDER: Contender = Contender {
    name: "ws-proto",
    peer: false,
    decoder: |case, wire| {
        Some(Box::new(Decoder {
            connection: connection(case.role, case.deflate),
            rx: RecvBuf::new(Vec::new()),
            wire,
        }))
    },
    encoder: |case, payload, output| {
        let tx = SendBuf::new(Vec::new());
        Some(if case.deflate.is_some() {
            let mut payloads = InTurn::new(case, &payload, |payload| Payload::new(case, payload));
            encoder(case, output, tx, move |connection, tx| {
                connection.send(tx, payloads.next().as_message()).unwrap();
            })
        } else {
            let payload = Payload::new(case, payload);
            encoder(case, output, tx, move |connection, tx| {
                connection.send(tx, payload.as_message()).unwrap();
            })
        })
    },
};

/// The same with payloads that are owned and shared, which a server sends without copying them.
pub(super) const OWNED: Contender = Contender {
    name: "ws-proto, owned",
    peer: false,
    decoder: |_, _| None,
    encoder: |case, payload, output| {
        (case.deflate.is_none()).then(|| -> Box<dyn Encode> {
            if case.role == Role::Client && !case.content.is_text() {
                return in_place(case, &payload, output);
            }
            let payload = Payload::new(case, payload);
            encoder(case, output, SendQueue::<Bytes>::default(), move |connection, tx| {
                let sent = match &payload {
                    Payload::Binary(payload) => {
                        connection.send_owned(tx, Kind::Binary, payload.clone()).is_ok()
                    }
                    Payload::Text(payload) => connection.send_owned_text(tx, payload.clone()).is_ok(),
                };
                assert!(sent);
            })
        })
    },
};

/// A client that masks the payload where it lies. Each time it is sent it is another one, and so it is no text.
fn in_place(case: &EncodeCase, payload: &[u8], output: Rc<Output>) -> Box<dyn Encode> {
    let frame = [&[0; MAX_HEADER_SIZE][..], payload].concat();
    let home = Rc::new(RefCell::new(vec![frame; case.batch]));
    encoder(case, output, SendQueue::default(), move |connection, tx| {
        let frame = home.borrow_mut().pop().unwrap();
        let frame = Lent { frame, home: Rc::clone(&home) };
        assert!(connection.send_in_place(tx, Kind::Binary, frame, MAX_HEADER_SIZE).is_ok());
    })
}

/// A frame that goes back home when it is sent.
struct Lent {
    frame: Vec<u8>,
    home: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

impl AsMut<[u8]> for Lent {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.frame
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.borrow_mut().push(mem::take(&mut self.frame));
    }
}

/// As an application holds it.
enum Payload {
    Binary(Bytes),
    Text(Utf8Bytes),
}

impl Payload {
    fn new(case: &EncodeCase, payload: Bytes) -> Self {
        if case.content.is_text() { Self::Text(payload.try_into().unwrap()) } else { Self::Binary(payload) }
    }

    #[inline]
    fn as_message(&self) -> Message<'_> {
        match self {
            Self::Binary(payload) => Message::Binary(payload),
            Self::Text(payload) => Message::Text(payload.as_ref()),
        }
    }
}

fn encoder<O: Outbound + 'static>(
    case: &EncodeCase,
    output: Rc<Output>,
    tx: O,
    push: impl FnMut(&mut Connection, &mut O) + 'static,
) -> Box<dyn Encode> {
    Box::new(Encoder { connection: connection(case.role, case.deflate), tx, batch: case.batch, output, push })
}

struct Decoder {
    connection: Connection,
    rx: RecvBuf<Vec<u8>>,
    wire: Wire,
}

impl Decode for Decoder {
    fn decode(&mut self, messages: usize, tally: &mut Tally) {
        let mut left = messages;
        loop {
            while left > 0
                && let Some(event) = self.connection.receive(Instant::ZERO, &mut self.rx).unwrap()
            {
                if let Event::Data(message) = event {
                    tally.message(matches!(message, Message::Text(_)), message.as_bytes());
                    left -= 1;
                }
            }
            if left == 0 {
                return;
            }
            let read = self.wire.read(self.rx.spare_mut());
            self.rx.commit(read);
        }
    }
}

struct Encoder<O, P> {
    connection: Connection,
    tx: O,
    batch: usize,
    output: Rc<Output>,
    push: P,
}

impl<O: Outbound, P: FnMut(&mut Connection, &mut O)> Encode for Encoder<O, P> {
    fn encode(&mut self, messages: usize) {
        for _ in 0..messages / self.batch {
            for _ in 0..self.batch {
                (self.push)(&mut self.connection, &mut self.tx);
            }
            while let Some(mut transmit) = self.connection.poll_transmit(Instant::ZERO, &mut self.tx) {
                let mut written = 0;
                for slice in transmit.slices().iter() {
                    self.output.take(slice);
                    written += slice.len();
                }
                transmit.advance(written);
            }
        }
    }
}
