//! ws-mio: the loop of its documentation, with `send_owned` left out, for what is echoed is borrowed.

use std::io;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use ws_mio::handshake::{AcceptOptions, HandshakeLimits};
use ws_mio::{Clock, Config, Endpoint, Event, Step, Timeouts};

use super::MAX_MESSAGE;
use super::mio_loop::wait;

const LISTENER: Token = Token(usize::MAX);

pub(super) fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    let mut listener = TcpListener::from_std(listener);
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    let (mut endpoints, mut timeouts, clock) =
        (Slab::<Endpoint<TcpStream>>::new(), Timeouts::new(), Clock::new());
    let config = Config::default().max_message_size(MAX_MESSAGE);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    loop {
        wait(&mut poll, &mut events, timeouts.poll_duration(clock.now()))?;
        let now = clock.now();
        let serve = |endpoints: &mut Slab<Endpoint<TcpStream>>, timeouts: &mut Timeouts, token: Token| {
            let Some(endpoint) = endpoints.get_mut(token.0) else { return };
            while let Ok(Some(step)) = endpoint.next(now) {
                match step {
                    Step::Request(_, answer) => drop(answer.accept(&AcceptOptions::default())),
                    Step::Event(Event::Data(message), mut reply) => drop(reply.send(message)),
                    Step::Event(..) => {}
                }
            }
            if endpoint.is_closed() || endpoint.register(poll.registry(), token).is_err() {
                timeouts.set(token, None);
                endpoints.remove(token.0);
            } else {
                timeouts.set(token, endpoint.poll_timeout());
            }
        };
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let endpoint = Endpoint::accept(stream, HandshakeLimits::default(), config, now);
                    let token = Token(endpoints.insert(endpoint));
                    serve(&mut endpoints, &mut timeouts, token);
                }
            } else if let Some(endpoint) = endpoints.get_mut(event.token().0) {
                endpoint.handle_event(event);
                serve(&mut endpoints, &mut timeouts, event.token());
            }
        }
        for token in timeouts.expired(now) {
            if let Some(endpoint) = endpoints.get_mut(token.0) {
                endpoint.handle_timeout(now);
                serve(&mut endpoints, &mut timeouts, token);
            }
        }
    }
}
