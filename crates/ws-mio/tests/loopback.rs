//! Connections over real sockets, driven by mio.

#![allow(clippy::panic, clippy::unwrap_used)] // The helpers of tests may do as tests do.

mod support;

use std::io::{Read, Write};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll};
use support::pair::*;
use support::*;
use ws_mio::{
    Clock, CloseCode, Config, Error, Event, Kind, MaskKeys, Message, Reply, Role, Transport, WebSocket,
};

#[test]
fn messages_of_all_sizes_and_kinds_come_back_as_they_were() {
    let mut pair = Pair::new(Config::default().max_message_size(16 << 20));
    let patterned = |len: usize| (0..len).map(|i| (i * 7) as u8).collect::<Vec<u8>>();
    let sent = vec![
        Got::Text(String::new()),
        Got::Text("Grüße, 世界 🦀".into()),
        Got::Binary(patterned(200)),
        Got::Text("ß".repeat(35_000)),
        Got::Binary(patterned(70_000)),
        Got::Binary(patterned(16 << 20)),
    ];
    let mut got: Vec<Got> = Vec::new();
    for message in &sent {
        match message {
            Got::Text(text) => pair.client().send(Message::Text(text)).unwrap(),
            Got::Binary(bytes) => {
                pair.client().set_send_limit(usize::MAX);
                pair.client().send(Message::Binary(bytes)).unwrap();
            }
            _ => {}
        }
    }
    let count = sent.len();
    let got_ref = std::cell::RefCell::new(&mut got);
    pair.run(echo, |event, _| got_ref.borrow_mut().push(event.into()), |_| got_ref.borrow().len() == count);
    assert!(got == sent);
    assert!(pair.server_errors.is_empty() && pair.client_errors.is_empty());
}

#[test]
fn a_server_sends_large_owned_payloads_to_a_client_that_asked_for_nothing() {
    let mut pair = Pair::new(Config::default());
    let payload = bytes::Bytes::from(vec![b'x'; 1 << 20]);
    pair.server().send_owned(Kind::Text, payload.clone()).unwrap();
    let mut got: Vec<Got> = Vec::new();
    let cell = std::cell::RefCell::new(&mut got);
    pair.run(ignore, |event, _| cell.borrow_mut().push(event.into()), |_| !cell.borrow().is_empty());
    assert!(got == [Got::Text(String::from_utf8(payload.to_vec()).unwrap())]);
    assert!(pair.server().is_drained());
}

#[test]
fn pipelined_small_messages_cost_far_fewer_system_calls_than_messages() {
    let mut pair = Pair::new(Config::default());
    const COUNT: usize = 10_000;
    for _ in 0..COUNT {
        pair.client().send(Message::Binary(&[7; 20])).unwrap();
    }
    let count = std::cell::Cell::new(0);
    pair.run(echo, |_, _| count.set(count.get() + 1), |_| count.get() == COUNT);
    let (server, client) = (pair.server.unwrap(), pair.client.unwrap());
    for ws in [&server, &client] {
        let Counted { reads, writes, .. } = ws.io();
        assert!(*reads < COUNT / 50 && *writes < COUNT / 50, "{reads} reads, {writes} writes");
    }
}

#[test]
fn one_message_at_a_time_costs_the_server_one_read_and_one_write() {
    let mut pair = Pair::new(Config::default());
    const COUNT: usize = 200;
    pair.client().send(Message::Text("x")).unwrap();
    let count = std::cell::Cell::new(1);
    pair.run(
        echo,
        |event, mut reply| {
            if count.get() < COUNT
                && let Event::Data(message) = event
            {
                reply.send(message).unwrap();
            }
            count.set(count.get() + 1);
        },
        |_| count.get() > COUNT,
    );
    let Counted { reads, writes, .. } = pair.server().io();
    assert_eq!(*writes, COUNT);
    if TcpStream::SHORT_MEANS_BLOCKED {
        // One more to find out that nothing is there at first.
        assert!(*reads <= COUNT + 2, "{reads}");
    }
}

#[test]
fn either_end_closes_and_both_know_both_codes() {
    for server_begins in [true, false] {
        let mut pair = Pair::new(Config::default());
        let now = pair.now();
        let (first, code) = if server_begins {
            (pair.server(), CloseCode::GOING_AWAY)
        } else {
            (pair.client(), CloseCode::from(4321))
        };
        first.send(Message::Text("before the close")).unwrap();
        first.close(now, code, "that is all").unwrap();
        let heard = std::cell::RefCell::new(Vec::new());
        let note = |event: Event<'_>, _: Reply<'_>| heard.borrow_mut().push(Got::from(event));
        pair.run(note, note, |pair| pair.server().is_closed() && pair.client().is_closed());
        let heard = heard.into_inner();
        let (message, reason) = (Got::Text("before the close".into()), "that is all".to_owned());
        assert!(heard.starts_with(&[message, Got::Close(code.as_u16(), reason)]), "{heard:?}");
        for ws in [pair.server.as_ref(), pair.client.as_ref()].into_iter().flatten() {
            assert!(ws.is_clean());
            assert_eq!((ws.local_close(), ws.peer_close()), (Some(code), Some(code)));
            assert_eq!(ws.interest(), None);
        }
        assert_ne!(pair.server().is_closed_by_peer(), server_begins);
        assert!(pair.server_errors.is_empty() && pair.client_errors.is_empty());
    }
}

#[test]
fn an_end_that_is_dropped_at_any_time_is_one_error_at_the_other() {
    for after in 0..4 {
        let mut pair = Pair::new(Config::default());
        for _ in 0..after {
            pair.client().send(Message::Text("x")).unwrap();
        }
        let heard = std::cell::Cell::new(0);
        pair.run(|_, _| heard.set(heard.get() + 1), ignore, |_| heard.get() == after);
        pair.client = None;
        pair.run(ignore, ignore, |pair| pair.server().is_closed());
        assert_eq!(pair.server_errors.len(), 1, "{:?}", pair.server_errors);
        assert!(!pair.server().is_clean());
    }
}

#[test]
fn the_close_frame_reaches_a_peer_that_goes_on_sending_what_nobody_reads() {
    let (server, client) = streams();
    let clock = Clock::new();
    let server = WebSocket::from_upgraded(server.into(), Role::Server, Config::default(), clock.now(), &[]);
    let mut pair = Pair { server: Some(server), client: None, ..Pair::new(Config::default()) };

    // A peer that knows no WebSocket: it violates the protocol, sends on, and reads only at the end.
    let mut peer = std_stream(client);
    let writer = std::thread::spawn(move || {
        peer.write_all(&masked(5, b"")).unwrap();
        for _ in 0..200 {
            peer.write_all(&[0xAA; 10_000]).unwrap();
        }
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let mut received = Vec::new();
        peer.read_to_end(&mut received).unwrap();
        received
    });
    pair.run(ignore, ignore, |pair| pair.server().is_closed());
    drop(pair.server.take());
    assert_eq!(writer.join().unwrap(), unmasked(CLOSE, &close_body(1002, "")));
    assert_eq!(pair.server_errors.len(), 1);
}

#[test]
fn a_peer_that_stops_reading_cannot_hold_the_connection_beyond_the_deadline() {
    let mut pair = Pair::new(Config::default().ping_interval(None));
    // Nobody drives the client. The server has more to send than the sockets hold.
    let client = pair.client.take();
    pair.server().set_send_limit(usize::MAX);
    pair.server().send(Message::Binary(&vec![0; 64 << 20])).unwrap();
    pair.run(ignore, ignore, |pair| !pair.server().has_more());
    let now = pair.now();
    let server = pair.server();
    assert_eq!(server.interest(), Some(Interest::WRITABLE));
    let deadline = server.poll_timeout().unwrap();
    assert!(deadline <= now + Duration::from_secs(30));
    server.handle_timeout(deadline);
    let error = server.next(deadline).unwrap_err();
    assert!(matches!(error, Error::Protocol(ws_proto::Error::Timeout(_))), "{error:?}");
    assert!(server.is_closed());
    drop(client);
}

#[test]
fn paused_writing_holds_messages_back_until_it_is_resumed() {
    let mut pair = Pair::new(Config::default());
    pair.client().pause_writing();
    pair.client().send(Message::Text("late")).unwrap();
    pair.client().ping(b"").unwrap();
    pair.server().send(Message::Text("meanwhile")).unwrap();
    let heard = std::cell::RefCell::new(Vec::new());
    let note = |event: Event<'_>, _: Reply<'_>| heard.borrow_mut().push(Got::from(event));
    pair.run(note, note, |_| !heard.borrow().is_empty());
    assert_eq!(*heard.borrow(), [Got::Text("meanwhile".into())]);
    pair.client().resume_writing();
    pair.run(note, note, |_| heard.borrow().contains(&Got::Text("late".into())));
}

#[test]
fn a_paused_reader_is_told_when_the_connection_breaks() {
    if !cfg!(target_os = "linux") {
        return; // Elsewhere the system may not report it.
    }
    for writing_too in [false, true] {
        let mut pair = Pair::new(Config::default());
        pair.server().pause_reading();
        pair.server().send(Message::Text("unread")).unwrap();
        let client = pair.client.take();
        pair.run(ignore, ignore, |pair| pair.server().is_drained() && !pair.server().has_more());
        if writing_too {
            pair.server().pause_writing();
        }
        // Unread input makes the peer's system reset the connection.
        drop(client);
        pair.run(ignore, ignore, |pair| pair.server().is_closed());
        assert_eq!(pair.server_errors.len(), 1, "{:?}", pair.server_errors);
    }
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_a_transport_too() {
    let (server, client) = mio::net::UnixStream::pair().unwrap();
    let (clock, config) = (Clock::new(), Config::default());
    let role = Role::Client(MaskKeys::from_seed([3; 32]));
    let mut server = WebSocket::from_upgraded(server, Role::Server, config, clock.now(), &[]);
    let mut client = WebSocket::from_upgraded(client, role, config, clock.now(), &[]);
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(4));
    client.send(Message::Text("over a path")).unwrap();
    let mut got: Vec<Got> = Vec::new();
    loop {
        let now = clock.now();
        while let Some((event, reply)) = server.next(now).unwrap() {
            echo(event, reply);
        }
        while let Some((event, _)) = client.next(now).unwrap() {
            got.push(event.into());
        }
        if !got.is_empty() {
            break;
        }
        server.register(poll.registry(), SERVER).unwrap();
        client.register(poll.registry(), CLIENT).unwrap();
        poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
        assert!(!events.is_empty(), "nothing more happens");
        for event in &events {
            match event.token() {
                SERVER => server.handle_event(event),
                _ => client.handle_event(event),
            }
        }
    }
    assert_eq!(got, [Got::Text("over a path".into())]);
}
