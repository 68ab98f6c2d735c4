//! The server over mio, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;
use tokio::sync::mpsc;
use ws_example_support::PAGE;
use ws_mio::handshake::{AcceptOptions, HandshakeLimits, Request, Response};
use ws_mio::{Clock, CloseCode, Config, Endpoint, Error, Event, Message, Reply, Step, Timeouts};

use super::{BROWSER, Compression, MAX_MESSAGE, Report, RunningServer};

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);

type Connection = Endpoint<mio::net::TcpStream>;

/// Stops the server when it is dropped.
struct Stop {
    stopped: Arc<AtomicBool>,
    waker: Waker,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.waker.wake().unwrap();
    }
}

pub(super) fn start(compression: Compression) -> RunningServer {
    let (reporter, reports) = mpsc::unbounded_channel();
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let poll = Poll::new().unwrap();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Stop { stopped: Arc::clone(&stopped), waker };
    std::thread::spawn(move || serve(poll, &listener, &stopped, compression, &reporter));
    RunningServer { addr, reports, stop: Box::new(stop) }
}

fn serve(
    mut poll: Poll,
    listener: &TcpListener,
    stopped: &AtomicBool,
    compression: Compression,
    reporter: &mpsc::UnboundedSender<Report>,
) {
    let (mut events, mut timeouts, clock) = (Events::with_capacity(64), Timeouts::new(), Clock::new());
    let mut connections: Slab<(Connection, Option<Error>)> = Slab::new();
    while !stopped.load(Ordering::Relaxed) {
        poll.poll(&mut events, timeouts.poll_duration(clock.now())).unwrap();
        let now = clock.now();
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nodelay(true).unwrap();
            let config = Config::default().max_message_size(MAX_MESSAGE);
            let endpoint = Endpoint::accept(stream, HandshakeLimits::default(), config, now);
            timeouts.set(Token(connections.insert((endpoint, None))), Some(now));
        }
        for event in &events {
            if let Some((endpoint, _)) = connections.get_mut(event.token().0) {
                endpoint.handle_event(event);
                timeouts.set(event.token(), Some(now));
            }
        }
        for token in timeouts.expired(now) {
            let (endpoint, failure) = &mut connections[token.0];
            endpoint.handle_timeout(now);
            loop {
                match endpoint.next(now) {
                    Ok(Some(Step::Request(request, answer))) => {
                        let response = respond(&request, reporter);
                        let offers_echo = request.subprotocols().any(|offered| offered == "echo");
                        let options = AcceptOptions::new();
                        let options = if offers_echo { options.subprotocol("echo") } else { options };
                        let options = compression.config().map_or(options, |config| options.deflate(config));
                        match response {
                            Some(response) => answer.respond(&response).unwrap(),
                            None => drop(answer.accept(&options)),
                        }
                    }
                    Ok(Some(Step::Event(event, reply))) => handle(event, reply),
                    Ok(None) => break,
                    Err(error) => *failure = Some(error),
                }
            }
            endpoint.register(poll.registry(), token).unwrap();
            timeouts.set(token, endpoint.poll_timeout());
            if endpoint.is_closed() {
                let (endpoint, failure) = connections.remove(token.0);
                report(&endpoint, failure, reporter);
            }
        }
    }
}

/// The response to whoever asks for no WebSocket.
fn respond(request: &Request<'_>, reporter: &mpsc::UnboundedSender<Report>) -> Option<Response<'static>> {
    const HTML: &[(&str, &str)] = &[("Content-Type", "text/html; charset=utf-8")];
    if request.is_upgrade() {
        return None;
    }
    Some(match request.path() {
        "/" => Response::new(200).headers(HTML).body(PAGE.as_bytes()),
        "/browser" => Response::new(200).headers(HTML).body(BROWSER.as_bytes()),
        "/result" => {
            let _ = reporter.send(Report::Result(request.query().unwrap_or_default().to_owned()));
            Response::new(200)
        }
        _ => Response::new(404),
    })
}

fn handle(event: Event<'_>, mut reply: Reply<'_>) {
    match event {
        Event::Data(Message::Text("!close")) => {
            reply.close(CloseCode::from(4001), "grüße vom Server").unwrap();
        }
        Event::Data(Message::Text("!ping")) => reply.ping(b"from the server").unwrap(),
        Event::Data(message) => reply.send(message).unwrap(),
        Event::Pong(b"from the server") => reply.send(Message::Text("pong: from the server")).unwrap(),
        _ => {}
    }
}

fn report(endpoint: &Connection, failure: Option<Error>, reporter: &mpsc::UnboundedSender<Report>) {
    let Some(ws) = endpoint.websocket() else { return };
    let code = |code: Option<CloseCode>| code.map(CloseCode::as_u16);
    let error = failure.map(|error| error.to_string());
    let report = Report::Closed { local: code(ws.local_close()), peer: code(ws.peer_close()), error };
    let _ = reporter.send(report);
}
