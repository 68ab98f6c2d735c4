//! The operations that receive, and what they mean to the model.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, ReadBuf};
use ws_proto::{Chunk, Event, Kind};
use ws_tokio::Message;

use super::model::Queued;
use super::{End, Socket, poll_times};

/// Evaluates an expression with whichever part of the socket receives.
macro_rules! receiver {
    ($end:expr, $ws:ident => $what:expr) => {
        match &mut $end.socket {
            Socket::Whole($ws) => $what,
            Socket::Halves($ws, _) => $what,
            Socket::Gone => unreachable!("only in between"),
        }
    };
}

impl End {
    /// A message was received as a whole, or the rest of it.
    fn received(&mut self, message: Message, incoming: &mut Queued) {
        let begun = core::mem::take(&mut self.pieces);
        let message = match message {
            Message::Binary(rest) => Message::binary([&begun[..], &rest].concat()),
            Message::Text(rest) => Message::text(
                String::from_utf8([&begun[..], rest.as_str().as_bytes()].concat()).expect("text"),
            ),
            // Control frames come between the pieces.
            _ => {
                self.pieces = begun;
                return;
            }
        };
        self.check(&message, incoming);
    }

    pub(super) fn next(&mut self, polls: u8, incoming: &mut Queued) {
        let next = match &mut self.socket {
            Socket::Whole(ws) => poll_times(polls, async {
                ws.next().await.map(|next| next.map(|(event, _)| Message::from(event)))
            }),
            Socket::Halves(ws, _) => {
                poll_times(polls, async { ws.next().await.map(|next| next.map(Message::from)) })
            }
            Socket::Gone => unreachable!("only in between"),
        };
        self.took(next, incoming);
    }

    pub(super) fn recv(&mut self, polls: u8, incoming: &mut Queued) {
        let next = receiver!(self, ws => poll_times(polls, ws.recv()));
        self.took(next, incoming);
    }

    pub(super) fn took(
        &mut self,
        next: Option<Result<Option<Message>, ws_tokio::Error>>,
        incoming: &mut Queued,
    ) {
        match next {
            None => {}
            Some(Ok(Some(message))) => {
                assert!(!self.over, "{message:?} behind the end");
                self.received(message, incoming);
            }
            Some(Ok(None)) => self.over = true,
            Some(Err(error)) => {
                assert!(!self.over, "{error} behind the end");
                self.over = true;
            }
        }
    }

    pub(super) fn next_chunk(&mut self, polls: u8, incoming: &mut Queued) {
        /// A piece, or a message that ends: as text or not.
        enum Piece {
            End(bool),
            Nothing,
            Part(Vec<u8>),
        }
        let piece = |event: Event<'_, Chunk<'_>>, kind: Option<Kind>| match event {
            Event::Data(Chunk::Data(piece)) => Piece::Part(piece.as_bytes().to_vec()),
            Event::Data(Chunk::FrameEnd { fin: true }) => Piece::End(kind == Some(Kind::Text)),
            _ => Piece::Nothing,
        };
        let next = match &mut self.socket {
            Socket::Whole(ws) => poll_times(polls, async {
                let next = ws.next_chunk().await?;
                Ok::<_, ws_tokio::Error>(
                    next.map(|(event, reply)| piece(event, Some(reply.connection().received_kind()))),
                )
            }),
            Socket::Halves(ws, _) => poll_times(polls, async {
                ws.next_chunk().await.map(|next| next.map(|event| piece(event, None)))
            }),
            Socket::Gone => unreachable!("only in between"),
        };
        match next {
            None => {}
            Some(Ok(Some(Piece::Part(part)))) => self.pieces.extend(part),
            Some(Ok(Some(Piece::End(text)))) => {
                let whole = core::mem::take(&mut self.pieces);
                // Only the whole socket says what kind it is; the numbers in front tell as well.
                let is_text = text || whole.first().is_some_and(u8::is_ascii_digit);
                let message = match String::from_utf8(whole) {
                    Ok(text) if is_text => Message::text(text),
                    Ok(text) => Message::binary(text.into_bytes()),
                    Err(_) if text => panic!("text that is none"),
                    Err(error) => Message::binary(error.into_bytes()),
                };
                self.check(&message, incoming);
            }
            Some(Ok(Some(Piece::Nothing))) => {}
            Some(Ok(None) | Err(_)) => self.over = true,
        }
    }

    /// The next message as a stream of bytes, read to its end or dropped before.
    pub(super) fn next_message(&mut self, polls: u8, len: usize, incoming: &mut Queued) {
        let read = receiver!(self, ws => {
            let Some(Ok(Some(mut reader))) = poll_times(polls, ws.next_message()) else {
                // It may have passed over the rest of a message, or a part of that.
                self.skipping = true;
                self.pieces.clear();
                return;
            };
            let mut bytes = vec![0; len + 200];
            let mut buf = ReadBuf::new(&mut bytes);
            let mut ended = false;
            for _ in 0..=polls {
                let mut cx = Context::from_waker(Waker::noop());
                let before = buf.filled().len();
                if let Poll::Ready(result) = Pin::new(&mut reader).poll_read(&mut cx, &mut buf) {
                    ended = result.is_ok() && buf.filled().len() == before && buf.remaining() > 0;
                    if ended || result.is_err() {
                        break;
                    }
                }
            }
            let kind = reader.kind();
            ended.then(|| (kind, buf.filled().to_vec()))
        });
        self.skipping = true;
        self.pieces.clear();
        match read {
            Some((Kind::Text, bytes)) => {
                self.check(&Message::text(String::from_utf8(bytes).expect("text")), incoming);
            }
            Some((Kind::Binary, bytes)) => self.check(&Message::binary(bytes), incoming),
            None => {}
        }
    }

    /// An event, and the answer to it while it lies in the buffer.
    pub(super) fn echo(&mut self, polls: u8, out: &mut Queued, incoming: &mut Queued) {
        let Socket::Whole(ws) = &mut self.socket else { return };
        let echoed = poll_times(polls, ws.next()).map(|next| {
            next.map(|next| {
                next.map(|(event, mut reply)| {
                    let Event::Data(message) = event else { return (Message::from(event), None) };
                    (Message::from(event), poll_times(polls, reply.send(message)))
                })
            })
        });
        if let Some(Ok(Some((message, sent)))) = &echoed
            && self.pieces.is_empty()
        {
            // Dropped, it is not queued.
            if let Some(sent) = sent {
                out.note(message.clone(), Some(sent));
            }
        } else if let Some(Ok(Some((message, Some(Ok(())))))) = &echoed {
            // Only the rest of a message, which is what was echoed.
            out.note::<()>(message.clone(), Some(&Ok(())));
        }
        self.took(echoed.map(|next| next.map(|next| next.map(|(message, _)| message))), incoming);
    }
}
