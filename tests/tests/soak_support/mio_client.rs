//! The clients, over mio: one loop.

use std::time::{Duration, Instant as Wall};

use mio::net::TcpStream;
use mio::{Events, Poll, Token};
use slab::Slab;
use ws_mio::handshake::{ClientRequest, Uri};
use ws_mio::{
    Clock, CloseCode, Connecting, Event, Instant, Message, SendError, Timeouts, WebSocket, connect,
};

use super::{Accounts, End, PLEASE_CLOSE, Plan, Task, config, count, limits};

// Nearly all of them are open nearly all of the time.
#[allow(clippy::large_enum_variant)]
enum Stage {
    Connecting(Connecting<TcpStream>),
    Open(WebSocket<TcpStream>),
}

/// One connection.
struct Client {
    stage: Stage,
    plan: Plan,
    /// What must come back.
    expected: Option<Vec<u8>>,
    /// When to do what is next.
    due: Instant,
    ending: Option<End>,
}

/// What has become of a connection.
enum Is {
    Broken,
    Clean,
    There,
}

pub(crate) fn run(task: Task<'_>) {
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(1024));
    let (mut clients, mut timeouts, clock) = (Slab::new(), Timeouts::new(), Clock::new());
    let request = ClientRequest::new(Uri::parse("ws://localhost/").unwrap());
    let (mut opened, mut connecting) = (0, 0);
    loop {
        let ends = Wall::now() >= task.until;
        if ends && clients.is_empty() {
            return;
        }
        if !ends {
            (task.look)();
        }
        // Not all at once, so that the backlog of the server suffices.
        while !ends && clients.len() < task.connections && connecting < 200 {
            let stream = TcpStream::connect(task.address(opened)).unwrap();
            let now = clock.now();
            let stage = Stage::Connecting(connect(stream, &request, limits(), now).unwrap());
            let plan = Plan::new(opened);
            let client = Client { stage, plan, expected: None, due: now, ending: None };
            timeouts.set(Token(clients.insert(client)), Some(now));
            opened += 1;
            connecting += 1;
        }
        let wait = timeouts.poll_duration(clock.now()).unwrap_or(Duration::MAX);
        match poll.poll(&mut events, Some(wait.min(Duration::from_millis(100)))) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            result => result.unwrap(),
        }
        let now = clock.now();
        for event in &events {
            if let Some(client) = clients.get_mut(event.token().0) {
                match &mut client.stage {
                    Stage::Connecting(connecting) => connecting.handle_event(event),
                    Stage::Open(ws) => ws.handle_event(event),
                }
                timeouts.set(event.token(), Some(now));
            }
        }
        for token in timeouts.expired(now) {
            let client: &mut Client = &mut clients[token.0];
            if let Stage::Connecting(handshake) = &mut client.stage {
                handshake.handle_timeout(now);
                if !handshake.poll(now).unwrap() {
                    handshake.register(poll.registry(), token).unwrap();
                    timeouts.set(token, handshake.poll_timeout());
                    continue;
                }
                let ws = handshake.finish(&request, config(), now).unwrap();
                ws.io().set_nodelay(true).unwrap();
                client.stage = Stage::Open(ws);
                connecting -= 1;
                count(&task.accounts.opened);
            }
            match client.turn(now, ends, task.accounts) {
                Is::There => {
                    let Stage::Open(ws) = &mut client.stage else { unreachable!() };
                    ws.register(poll.registry(), token).unwrap();
                    let waits = client.expected.is_some() || client.ending.is_some();
                    let due = (!waits).then_some(client.due);
                    timeouts.set(token, ws.poll_timeout().into_iter().chain(due).min());
                    continue;
                }
                Is::Clean => count(&task.accounts.clean),
                Is::Broken => count(&task.accounts.broken),
            }
            timeouts.set(token, None);
            clients.remove(token.0);
        }
    }
}

impl Client {
    fn turn(&mut self, now: Instant, ends: bool, accounts: &Accounts) -> Is {
        let Stage::Open(ws) = &mut self.stage else { return Is::There };
        ws.handle_timeout(now);
        while let Some((event, _)) = ws.next(now).unwrap() {
            match event {
                Event::Data(Message::Binary(bytes)) => {
                    assert_eq!(Some(bytes), self.expected.take().as_deref(), "lost or damaged");
                    count(&accounts.messages);
                    self.due = now + self.plan.pause();
                }
                Event::Data(other) => panic!("{other:?}"),
                Event::Close(_) => assert!(self.ending.is_some()),
                Event::Ping(_) | Event::Pong(_) => {}
            }
        }
        if ws.is_closed() {
            assert!(ws.is_clean() && self.ending.is_some(), "{:?}", ws.outcome());
            if self.ending == Some(End::ServerCloses) {
                assert_eq!(ws.peer_close(), Some(CloseCode::GOING_AWAY));
            }
            return Is::Clean;
        }
        if self.expected.is_some() || self.ending.is_some() || (self.due > now && !ends) {
            return Is::There;
        }
        let message = if ends { None } else { self.plan.message() };
        let done = match (message, self.plan.end()) {
            (Some(message), _) => {
                let result = ws.send(Message::Binary(&message));
                self.expected = Some(message);
                result
            }
            (None, End::Break) => {
                let result = ws.send(Message::Text("an answer that nobody reads"));
                // Written, and not read any more.
                assert!(result.is_ok() && ws.next(now).is_ok());
                return Is::Broken;
            }
            (None, End::Close) => {
                self.ending = Some(End::Close);
                ws.close(now, CloseCode::NORMAL, "that is all")
            }
            (None, End::ServerCloses) => {
                self.ending = Some(End::ServerCloses);
                ws.send(Message::Text(PLEASE_CLOSE))
            }
        };
        assert!(matches!(done, Ok(()) | Err(SendError::Full)), "{done:?}");
        Is::There
    }
}
