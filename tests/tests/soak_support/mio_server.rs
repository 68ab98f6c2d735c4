//! The echo server, over mio: one loop.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use ws_mio::handshake::AcceptOptions;
use ws_mio::{Clock, CloseCode, Endpoint, Event, Instant, Message, SendError, Step, Timeouts};

use super::{ACCOUNTS, PLEASE_CLOSE, config, count, limits, tell};

const LISTENER: Token = Token(usize::MAX);

pub(crate) fn serve() {
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(1024));
    let (mut endpoints, mut timeouts, clock) = (Slab::new(), Timeouts::new(), Clock::new());
    let mut listener = TcpListener::bind("0.0.0.0:0".parse().unwrap()).unwrap();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    tell(listener.local_addr().unwrap().port());
    loop {
        match poll.poll(&mut events, timeouts.poll_duration(clock.now())) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            result => result.unwrap(),
        }
        let now = clock.now();
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((io, _)) = listener.accept() {
                    io.set_nodelay(true).unwrap();
                    let endpoint = Endpoint::accept(io, limits(), config(), now);
                    timeouts.set(Token(endpoints.insert(endpoint)), Some(now));
                }
            } else if let Some(endpoint) = endpoints.get_mut(event.token().0) {
                endpoint.handle_event(event);
                timeouts.set(event.token(), Some(now));
            }
        }
        for token in timeouts.expired(now) {
            let endpoint: &mut Endpoint<_> = &mut endpoints[token.0];
            turn(endpoint, now);
            endpoint.register(poll.registry(), token).unwrap();
            timeouts.set(token, endpoint.poll_timeout());
            if endpoint.is_closed() {
                if let Some(ws) = endpoint.websocket() {
                    count(if ws.is_clean() { &ACCOUNTS.clean } else { &ACCOUNTS.broken });
                }
                endpoints.remove(token.0);
            }
        }
    }
}

fn turn(endpoint: &mut Endpoint<TcpStream>, now: Instant) {
    endpoint.handle_timeout(now);
    loop {
        match endpoint.next(now) {
            Ok(None) => return,
            // Told once; that is counted when it is over.
            Err(_) => {}
            Ok(Some(Step::Request(_, answer))) => {
                answer.accept(&AcceptOptions::default()).unwrap();
                count(&ACCOUNTS.opened);
            }
            Ok(Some(Step::Event(Event::Data(message), mut reply))) => {
                count(&ACCOUNTS.messages);
                let answered = match message {
                    Message::Text(PLEASE_CLOSE) => reply.close(CloseCode::GOING_AWAY, "as you wish"),
                    message => reply.send(message),
                };
                assert!(matches!(answered, Ok(()) | Err(SendError::Closing)), "{answered:?}");
            }
            Ok(Some(Step::Event(..))) => {}
        }
    }
}
