//! Arbitrary operations on two WebSockets of `ws-tokio`, each polled a few times and then dropped: no message is lost,
//! none arrives twice or in another order, and nothing hangs.
//!
//! Input: an option byte (0 and 1: who closes in the end; 2: large pipe and messages; 3 to 7: how much a transport
//! moves at once); two bytes that say when the two transports wait; then operations: see `End::step`.

mod finish;
mod model;
mod pipe;
mod receiving;

use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use tokio::io::AsyncWrite;
use ws_proto::{CloseCode, Config, Kind, MaskKeys, Role};
use ws_tokio::{Message, WebSocket, WebSocketReader, WebSocketWriter};

use self::model::{Queued, bytes, message, text};
use self::pipe::{Transport, pair};
use crate::input::{Input, bit};

/// How many operations there are at most, so that no input takes long.
const MAX_STEPS: usize = 200;

/// A WebSocket, in one piece or in two.
#[derive(Debug)]
enum Socket {
    Whole(Box<WebSocket<Transport>>),
    Halves(WebSocketReader<Transport>, WebSocketWriter<Transport>),
    /// In between.
    Gone,
}

#[derive(Debug)]
struct End {
    socket: Socket,
    /// What has arrived of a message that comes in pieces.
    pieces: Vec<u8>,
    /// The next message may be passed over: a reader of one message was dropped, or began in the middle of another.
    skipping: bool,
    /// It may be closing, and what arrives be discarded.
    discarding: bool,
    /// Receiving is over.
    over: bool,
    /// The number of the last message; those of the two ends are far from each other, for each may echo the other's.
    number: usize,
    large: bool,
}

/// Polls a future so many times, and drops it if it is not ready by then.
fn poll_times<F: Future>(polls: u8, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..=polls {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
    }
    None
}

/// Evaluates an expression with whichever part of the socket sends.
macro_rules! sender {
    ($end:expr, $ws:ident => $what:expr) => {
        match &mut $end.socket {
            Socket::Whole($ws) => $what,
            Socket::Halves(_, $ws) => $what,
            Socket::Gone => unreachable!("only in between"),
        }
    };
}

/// Runs the operations in a runtime whose clock stands still until there is nothing else to do.
pub fn run(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(operations(Input::new(data)));
}

async fn operations(mut input: Input<'_>) {
    let options = input.byte();
    let large = bit(options, 2);
    let step = 1 + 5 * usize::from(options >> 3);
    let (capacity, step) = if large { (1 << 20, step << 14) } else { (64, step) };
    let (a, b) = pair(capacity, step, [input.byte(), input.byte()]);
    let config = Config::default().ping_interval(None).write_stall_timeout(None).max_message_size(8 << 20);
    let client = Role::Client(MaskKeys::from_seed([7; 32]));
    let end = |socket, number| End {
        socket,
        pieces: Vec::new(),
        skipping: false,
        discarding: false,
        over: false,
        number,
        large,
    };
    let mut ends = [
        end(Socket::Whole(Box::new(WebSocket::from_upgraded(a, client, config, &[]))), 0),
        end(Socket::Whole(Box::new(WebSocket::from_upgraded(b, Role::Server, config, &[]))), 10 * MAX_STEPS),
    ];
    // What the ends queued.
    let mut queued = [Queued::default(), Queued::default()];
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        let operation = input.byte();
        let how = input.byte();
        let side = usize::from(operation >> 7);
        let [a, b] = &mut queued;
        let (out, incoming) = if side == 0 { (a, b) } else { (b, a) };
        if operation & 0x1F == 0x1F {
            tokio::time::advance(Duration::from_millis(u64::from(how) * 20)).await;
        } else {
            ends[side].step(operation, how, out, incoming);
        }
    }
    finish::finish(options, ends, queued).await;
}

impl End {
    /// One operation: the low bits of the first byte say which, its bit 6 text or binary, the low bits of the second
    /// how often it is polled and the rest how much it is.
    fn step(&mut self, operation: u8, how: u8, out: &mut Queued, incoming: &mut Queued) {
        let kind = if bit(operation, 6) { Kind::Text } else { Kind::Binary };
        let polls = how & 7;
        let len = usize::from(how >> 3) * if self.large { 20_000 } else { 3 };
        self.number += 1;
        let message = message(self.number, kind, len);
        match operation & 0x1F {
            0..=2 => {
                let sent = sender!(self, ws => poll_times(polls, ws.send(message.clone())));
                // It may be queued and not yet with the transport, when the connection ends.
                out.note(message, sent.as_ref().filter(|sent| sent.is_ok() || self.is_never_queued(sent)));
            }
            3 | 4 => {
                let fed = sender!(self, ws => poll_times(polls, ws.feed(message.clone())));
                if fed.is_some() {
                    out.note(message, fed.as_ref());
                }
            }
            5 => {
                let result = sender!(self, ws => ws.try_send(message.clone())).map_err(|(_, back)| {
                    assert_eq!(back, message, "something else comes back");
                });
                out.note(message, Some(&result));
            }
            6 => drop(sender!(self, ws => poll_times(polls, ws.flush()))),
            7 | 8 => self.send_fragment(kind, how, out),
            9 => self.send_reader(kind, polls, len, out),
            10 => self.begin_message(kind, polls, len, out),
            11 => drop(sender!(self, ws => poll_times(polls, ws.feed(Message::Ping(bytes(0, 20).into()))))),
            12 if how > 200 => {
                drop(sender!(self, ws => poll_times(polls, ws.close(CloseCode::NORMAL, "done"))));
                self.closes();
            }
            13 if how > 240 => {
                out.dropped = true;
                drop(sender!(self, ws => poll_times(polls, ws.close_now(CloseCode::GOING_AWAY, ""))));
                self.closes();
            }
            14 => self.split(),
            15 => self.reunite(),
            16..=19 => self.next(polls, incoming),
            20..=22 => self.recv(polls, incoming),
            23..=25 => self.next_chunk(polls, incoming),
            26 => self.next_message(polls, len, incoming),
            27 => self.echo(polls, out, incoming),
            _ => {}
        }
    }

    /// Whether this error means that the message was refused, and not that the connection ended with it.
    fn is_never_queued(&self, sent: &Result<(), ws_tokio::Error>) -> bool {
        use ws_proto::SendError;
        matches!(sent, Err(ws_tokio::Error::Send(SendError::MessageInProgress | SendError::Full)))
    }

    /// Messages that arrive from now on are discarded.
    fn closes(&mut self) {
        self.discarding = true;
    }

    /// A message was received as a whole.
    fn check(&mut self, message: &Message, incoming: &mut Queued) {
        incoming.check(message, self.skipping || self.discarding);
        self.skipping = false;
    }

    fn send_fragment(&mut self, kind: Kind, how: u8, out: &mut Queued) {
        let fin = bit(how, 3);
        let (kind, begun) = out.fragments.clone().map_or((kind, Vec::new()), |(kind, begun)| (kind, begun));
        let part = match kind {
            Kind::Binary => bytes(self.number, usize::from(how >> 4)),
            Kind::Text => text(self.number, usize::from(how >> 4)).into_bytes(),
        };
        let sent = sender!(self, ws => poll_times(how & 7, ws.send_fragment(kind, &part, fin)));
        let Some(Ok(())) = sent else { return };
        let whole = [&begun[..], &part].concat();
        if !fin {
            out.fragments = Some((kind, whole));
            return;
        }
        out.fragments = None;
        let message = match kind {
            Kind::Binary => Message::binary(whole),
            Kind::Text => Message::text(String::from_utf8(whole).expect("made of text")),
        };
        out.note::<()>(message, Some(&Ok(())));
    }

    fn send_reader(&mut self, kind: Kind, polls: u8, len: usize, out: &mut Queued) {
        let message = message(self.number, kind, len);
        let payload = match &message {
            Message::Text(text) => text.as_str().as_bytes().to_vec(),
            Message::Binary(bytes) => bytes.to_vec(),
            _ => unreachable!("made above"),
        };
        let mut source = &payload[..];
        let sent = sender!(self, ws => poll_times(polls, ws.send_reader(kind, &mut source)));
        match sent {
            Some(Ok(n)) => {
                assert_eq!(n, payload.len() as u64);
                out.note::<()>(message, Some(&Ok(())));
            }
            // Dropped: it was given up, or it was whole already and being flushed. The connection may be closing.
            None => {
                out.note::<()>(message, None);
                self.closes();
            }
            Some(Err(_)) => {}
        }
    }

    /// One message as a stream of bytes, finished or dropped.
    fn begin_message(&mut self, kind: Kind, polls: u8, len: usize, out: &mut Queued) {
        let message = message(self.number, kind, len);
        let payload = match &message {
            Message::Text(text) => text.as_str().as_bytes().to_vec(),
            Message::Binary(bytes) => bytes.to_vec(),
            _ => unreachable!("made above"),
        };
        let finished = sender!(self, ws => {
            let Ok(mut writer) = ws.begin_message(kind) else { return };
            let mut left = &payload[..];
            for _ in 0..=polls {
                let mut cx = Context::from_waker(Waker::noop());
                match Pin::new(&mut writer).poll_write(&mut cx, left) {
                    Poll::Ready(Ok(n)) => left = &left[n..],
                    Poll::Ready(Err(_)) => break,
                    Poll::Pending => {}
                }
                if left.is_empty() {
                    break;
                }
            }
            if left.is_empty() { Some(poll_times(polls, writer.finish())) } else { None }
        });
        match finished {
            Some(result) => out.note(message, result.as_ref().filter(|result| result.is_ok())),
            None => self.closes(),
        }
    }

    fn split(&mut self) {
        self.socket = match core::mem::replace(&mut self.socket, Socket::Gone) {
            Socket::Whole(ws) => {
                let (reader, writer) = ws.split();
                Socket::Halves(reader, writer)
            }
            other => other,
        };
    }

    fn reunite(&mut self) {
        self.socket = match core::mem::replace(&mut self.socket, Socket::Gone) {
            Socket::Halves(reader, writer) => {
                Socket::Whole(Box::new(reader.reunite(writer).expect("two halves of one")))
            }
            other => other,
        };
    }
}
