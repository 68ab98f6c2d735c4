//! An echo server: many connections in a slab, one loop a thread.
//!
//! The main thread accepts and hands the connections out; each worker serves its own with one `Poll`. Try it with a
//! browser, or with `mio_echo_client`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;
use ws_example_support::{PAGE, ServerArgs, announce};
use ws_mio::handshake::{AcceptOptions, HandshakeError, HandshakeLimits, Request, Response};
use ws_mio::{Answer, Chunk, Clock, CloseCode, Endpoint, Error, Event, Instant, SendError, Step, Timeouts};

const LISTENER: Token = Token(0);
const SIGNALS: Token = Token(1);
/// Of a worker; its other tokens are keys of its slab.
const WAKER: Token = Token(usize::MAX);
/// After an error that accepting again at once would only repeat, as when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = ServerArgs::from_env();
    let mut listener = TcpListener::bind(args.listen)?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let _signals = signals(&poll)?;

    let mut workers = Vec::new();
    for _ in 0..args.threads {
        workers.push(WorkerHandle::start(&args)?);
    }
    announce(listener.local_addr()?, "mio_echo_client");

    // Hands out connections in turn, until a signal comes.
    let mut events = Events::with_capacity(16);
    let (mut next, mut pause) = (0, None);
    'listening: loop {
        match poll.poll(&mut events, pause.take()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        }
        if events.iter().any(|event| event.token() == SIGNALS) {
            break;
        }
        loop {
            match listener.accept() {
                Ok((stream, peer)) => {
                    if !workers[next].give(stream, peer) {
                        break 'listening;
                    }
                    next = (next + 1) % workers.len();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Of the connection that was to be accepted, which is gone.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    pause = Some(ACCEPT_PAUSE);
                    break;
                }
            }
        }
    }

    // No new connections; the workers close theirs, and end when the last one is gone.
    drop(listener);
    eprintln!("closing");
    for worker in workers {
        worker.finish()?;
    }
    Ok(())
}

/// SIGTERM and SIGINT as something that can be polled.
#[cfg(unix)]
fn signals(poll: &Poll) -> io::Result<mio::net::UnixStream> {
    use signal_hook::consts::{SIGINT, SIGTERM};

    let (receiver, sender) = std::os::unix::net::UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM] {
        signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
    }
    receiver.set_nonblocking(true)?;
    let mut receiver = mio::net::UnixStream::from_std(receiver);
    poll.registry().register(&mut receiver, SIGNALS, Interest::READABLE)?;
    Ok(receiver)
}

#[cfg(not(unix))]
fn signals(_poll: &Poll) -> io::Result<()> {
    Ok(())
}

/// The main thread's end of a worker.
struct WorkerHandle {
    inbox: Sender<(TcpStream, SocketAddr)>,
    waker: Arc<Waker>,
    thread: thread::JoinHandle<io::Result<()>>,
}

impl WorkerHandle {
    fn start(args: &ServerArgs) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (sender, inbox) = channel();
        let worker = Worker {
            poll,
            inbox,
            args: args.clone(),
            clock: Clock::new(),
            connections: Slab::new(),
            timeouts: Timeouts::new(),
            closing: false,
        };
        Ok(Self { inbox: sender, waker, thread: thread::spawn(|| worker.run()) })
    }

    /// Says whether the worker is still there.
    fn give(&self, stream: TcpStream, peer: SocketAddr) -> bool {
        self.inbox.send((stream, peer)).is_ok() && self.waker.wake().is_ok()
    }

    fn finish(self) -> io::Result<()> {
        drop(self.inbox);
        self.waker.wake()?;
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
    }
}

/// One loop with its connections.
struct Worker {
    poll: Poll,
    inbox: Receiver<(TcpStream, SocketAddr)>,
    args: ServerArgs,
    clock: Clock,
    connections: Slab<Connection>,
    timeouts: Timeouts,
    closing: bool,
}

struct Connection {
    endpoint: Endpoint<TcpStream>,
    peer: SocketAddr,
    /// How it ended, if it was otherwise than by a closing handshake.
    ending: Option<String>,
}

impl Worker {
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while !(self.closing && self.connections.is_empty()) {
            // 1. Sleep until something happens or a deadline comes.
            match self.poll.poll(&mut events, self.timeouts.poll_duration(self.clock.now())) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            let now = self.clock.now();
            // 2. A turn for each connection that something happened to,
            for event in &events {
                if event.token() == WAKER {
                    self.take_connections(now);
                } else if let Some(connection) = self.connections.get_mut(event.token().0) {
                    connection.endpoint.handle_event(event);
                    self.serve(event.token().0, now);
                }
            }
            // 3. and for each whose deadline has come.
            for Token(key) in self.timeouts.expired(now) {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.endpoint.handle_timeout(now);
                    self.serve(key, now);
                }
            }
        }
        Ok(())
    }

    fn take_connections(&mut self, now: Instant) {
        loop {
            match self.inbox.try_recv() {
                Ok((stream, peer)) => {
                    // Small answers leave at once instead of waiting for the acknowledgement of the one before.
                    if let Err(error) = stream.set_nodelay(true) {
                        eprintln!("{peer}: {error}");
                        continue;
                    }
                    let limits = HandshakeLimits::default().timeout(Some(self.args.handshake_timeout));
                    let endpoint = Endpoint::accept(stream, limits, self.args.config(), now);
                    let key = self.connections.insert(Connection { endpoint, peer, ending: None });
                    self.serve(key, now);
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => return self.close_all(now),
            }
        }
    }

    /// One turn of one connection.
    fn serve(&mut self, key: usize, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Connection { endpoint, ending, .. } = connection;
        let options = self.args.accept_options();
        let turn = if self.args.streaming {
            echo_pieces(endpoint, now, &options, ending)
        } else {
            echo(endpoint, now, &options, ending)
        };
        if let Err(error) = turn {
            *ending = Some(error.to_string());
        }
        if !endpoint.is_closed() {
            match endpoint.register(self.poll.registry(), Token(key)) {
                Ok(()) => return self.timeouts.set(Token(key), endpoint.poll_timeout()),
                Err(error) => *ending = Some(error.to_string()),
            }
        }
        self.remove(key);
    }

    /// The server is going away: says so to everyone. The deadline of the closing handshake ends the wait.
    fn close_all(&mut self, now: Instant) {
        self.closing = true;
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            match connection.endpoint.websocket_mut() {
                Some(websocket) => {
                    // Those that are closing already go on with that.
                    let _ = websocket.close(now, CloseCode::GOING_AWAY, "the server is shutting down");
                    self.serve(key, now);
                }
                None => self.remove(key),
            }
        }
    }

    fn remove(&mut self, key: usize) {
        self.timeouts.set(Token(key), None);
        let Connection { endpoint, peer, ending } = self.connections.remove(key);
        match (endpoint.websocket().and_then(|websocket| websocket.outcome()), ending) {
            (Some(outcome), _) => eprintln!("{peer}: {outcome}"),
            (None, Some(ending)) => eprintln!("{peer}: {ending}"),
            (None, None) => eprintln!("{peer}: left during the opening handshake"),
        }
    }
}

/// One turn in which every message is echoed.
fn echo(
    endpoint: &mut Endpoint<TcpStream>,
    now: Instant,
    options: &AcceptOptions<'_>,
    ending: &mut Option<String>,
) -> Result<(), Error> {
    while let Some(step) = endpoint.next(now)? {
        match step {
            Step::Event(Event::Data(message), mut reply) => note_refusal(reply.send(message), ending),
            Step::Event(..) => {}
            Step::Request(request, answer) => *ending = handle_request(&request, answer, options),
        }
    }
    Ok(())
}

/// The same for messages of any size, without ever holding one: each piece goes back as a fragment when it comes.
fn echo_pieces(
    endpoint: &mut Endpoint<TcpStream>,
    now: Instant,
    options: &AcceptOptions<'_>,
    ending: &mut Option<String>,
) -> Result<(), Error> {
    while let Some(step) = endpoint.next_chunk(now)? {
        match step {
            Step::Event(Event::Data(Chunk::Data(piece)), mut reply) => {
                let sent = reply.send_fragment(reply.received_kind(), piece.as_bytes(), false);
                note_refusal(sent, ending);
            }
            Step::Event(Event::Data(Chunk::FrameEnd { fin: true }), mut reply) => {
                note_refusal(reply.send_fragment(reply.received_kind(), &[], true), ending);
            }
            Step::Event(..) => {}
            Step::Request(request, answer) => *ending = handle_request(&request, answer, options),
        }
    }
    Ok(())
}

fn note_refusal(sent: Result<(), SendError>, ending: &mut Option<String>) {
    match sent {
        Ok(()) | Err(SendError::Closing) => {}
        Err(error) => *ending = Some(error.to_string()),
    }
}

/// A WebSocket for those who ask for one, a page for those who come with a browser. Says what to log, if it was not a
/// WebSocket.
fn handle_request(request: &Request<'_>, answer: Answer<'_>, options: &AcceptOptions<'_>) -> Option<String> {
    if request.is_upgrade() {
        let refused = answer.accept(options).err()?;
        return Some(Error::Handshake(refused).to_string());
    }
    let (status, content_type, body) = match (request.method(), request.path()) {
        ("GET" | "HEAD", "/") => (200, "text/html; charset=utf-8", PAGE),
        ("GET" | "HEAD", _) => (404, "text/plain; charset=utf-8", "There is nothing here but /.\n"),
        // Neither; refused with the status that says why.
        _ => {
            let refused = answer.accept(options).err();
            return Some(Error::Handshake(refused.unwrap_or(HandshakeError::MethodNotAllowed)).to_string());
        }
    };
    let headers = [("Content-Type", content_type)];
    let response = Response::new(status).headers(&headers).body(body.as_bytes());
    let what = format!("{} {} answered with {status}", request.method(), request.path());
    Some(match answer.respond(&response) {
        Ok(()) => what,
        Err(error) => error.to_string(),
    })
}
