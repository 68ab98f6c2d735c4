//! The closing handshake, and every other way in which a connection ends: once, with the code that belongs to it.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use ws_proto::{CloseCode, Config, Error as Cause, Event, ProtocolError, SendError, Side, State};
use ws_tokio::{Error, Message};

use support::{
    BINARY, CLOSE, PING, PONG, TEXT, client, close_body, close_message, echo, frame, masked, pair, quiet,
    read_frame, recv_all, server, tcp_pair,
};

#[tokio::test]
async fn a_client_that_closes_is_answered_with_its_code_and_reason() {
    let (mut client, mut server) = pair(quiet());
    let serving = tokio::spawn(async move {
        let received = recv_all(&mut server).await;
        (received, server)
    });
    client.close(CloseCode::from(4321), "grüße").await.unwrap();
    let ((messages, error), server) = serving.await.unwrap();
    assert_eq!(messages, [close_message(4321, "grüße")]);
    assert!(error.is_none());
    for connection in [client.connection(), server.connection()] {
        assert_eq!(connection.peer_close(), Some(CloseCode::from(4321)));
        assert_eq!(connection.local_close(), Some(CloseCode::from(4321)));
        assert!(connection.is_clean());
        assert_eq!(connection.state(), State::Closed);
    }
    assert!(server.connection().is_closed_by_peer() && !client.connection().is_closed_by_peer());
}

#[tokio::test]
async fn a_server_that_closes_is_answered_with_its_code_and_reason() {
    let (mut client, mut server) = pair(quiet());
    let serving = tokio::spawn(async move {
        server.close(CloseCode::GOING_AWAY, "restart").await.unwrap();
        server
    });
    let (messages, error) = recv_all(&mut client).await;
    assert_eq!(messages, [close_message(1001, "restart")]);
    assert!(error.is_none());
    let server = serving.await.unwrap();
    for connection in [client.connection(), server.connection()] {
        assert_eq!(connection.peer_close(), Some(CloseCode::GOING_AWAY));
        assert!(connection.is_clean());
    }
}

#[tokio::test]
async fn an_empty_close_is_answered_by_an_empty_one() {
    let (mut raw, io) = tokio::io::duplex(1024);
    let mut ws = server(io, quiet());
    raw.write_all(&masked(CLOSE, b"")).await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(close_message(1005, "")));
    let peer = async {
        assert_eq!(read_frame(&mut raw).await.unwrap(), Some((CLOSE, Vec::new())));
        assert_eq!(read_frame(&mut raw).await.unwrap(), None, "the server ends first");
        drop(raw);
    };
    let (end, ()) = tokio::join!(ws.recv(), peer);
    assert_eq!(end.unwrap(), None);

    let (mut client, mut server) = pair(quiet());
    let (closed, received) =
        tokio::join!(client.close(CloseCode::NO_STATUS, ""), async { recv_all(&mut server).await });
    closed.unwrap();
    assert_eq!(received.0, [close_message(1005, "")]);
    assert_eq!(client.connection().peer_close(), Some(CloseCode::NO_STATUS));
}

#[tokio::test]
async fn both_sides_may_close_at_once() {
    let (mut client, mut server) = pair(quiet());
    let (here, there) =
        tokio::join!(client.close(CloseCode::NORMAL, "here"), server.close(CloseCode::GOING_AWAY, "there"));
    here.unwrap();
    there.unwrap();
    assert_eq!(client.connection().peer_close(), Some(CloseCode::GOING_AWAY));
    assert_eq!(server.connection().peer_close(), Some(CloseCode::NORMAL));
    assert!(client.connection().is_clean() && server.connection().is_clean());
}

#[tokio::test]
async fn closing_sends_what_is_queued_first() {
    let (mut client, mut server) = pair(quiet());
    for n in 0..100_u8 {
        server.feed(Message::binary(vec![n; 5000])).await.unwrap();
    }
    let (closed, (messages, error)) =
        tokio::join!(server.close(CloseCode::NORMAL, ""), recv_all(&mut client));
    closed.unwrap();
    assert!(error.is_none());
    assert_eq!(messages.len(), 101);
    assert!(messages.iter().take(100).zip(0_u8..).all(|(m, n)| *m == Message::binary(vec![n; 5000])));
}

/// The queue holds 1 MiB; what is fed beyond waits in front of it, and is accepted all the same.
#[tokio::test]
async fn closing_sends_a_message_that_waits_in_front_of_a_full_queue() {
    let config = quiet().max_message_size(2 << 20);
    // With `close`, with `Reply::close`, as a `Sink`, and with a Close as a message.
    for how in 0..4 {
        let (mut client, mut server) = pair(config);
        client.send(Message::text("go")).await.unwrap();
        server.feed(Message::binary(vec![1; 900_000])).await.unwrap();
        server.feed(Message::binary(vec![2; 900_000])).await.unwrap();
        let closing = async {
            match how {
                0 => server.close(CloseCode::NORMAL, "").await.unwrap(),
                1 => {
                    let (_, mut reply) = server.next().await.unwrap().unwrap();
                    reply.close(CloseCode::NORMAL, "").unwrap();
                    assert_eq!(server.recv().await.unwrap(), Some(close_message(1000, "")));
                    assert_eq!(server.recv().await.unwrap(), None);
                }
                2 => futures_util::SinkExt::close(&mut server).await.unwrap(),
                _ => {
                    server.feed(close_message(1000, "")).await.unwrap();
                    while server.recv().await.unwrap().is_some() {}
                }
            }
        };
        let ((), (messages, error)) = tokio::join!(closing, recv_all(&mut client));
        assert!(error.is_none());
        let sizes: Vec<_> = messages
            .iter()
            .map(|message| match message {
                Message::Binary(bytes) => (bytes[0], bytes.len()),
                _ => (0, 0),
            })
            .collect();
        assert_eq!(sizes, [(1, 900_000), (2, 900_000), (0, 0)], "way {how}");
    }
}

#[tokio::test]
async fn closing_now_drops_what_is_queued() {
    let (mut client, mut server) = pair(quiet());
    for _ in 0..3 {
        server.feed(Message::binary(vec![1; 500_000])).await.unwrap();
    }
    let (closed, (messages, error)) =
        tokio::join!(server.close_now(CloseCode::NORMAL, "now"), recv_all(&mut client));
    closed.unwrap();
    assert!(error.is_none());
    assert_eq!(messages, [close_message(1000, "now")]);
}

#[tokio::test]
async fn closing_discards_what_still_arrives() {
    let (mut raw, io) = tokio::io::duplex(1 << 20);
    let mut ws = client(io, quiet());
    let peer = tokio::spawn(async move {
        let (opcode, body) = read_frame(&mut raw).await.unwrap().unwrap();
        for n in 0..1000_u32 {
            raw.write_all(&frame(BINARY, &n.to_be_bytes())).await.unwrap();
        }
        raw.write_all(&frame(PING, b"still there?")).await.unwrap();
        raw.write_all(&frame(opcode, &body)).await.unwrap();
        raw.shutdown().await.unwrap();
        // Section 5.5.2: a ping is answered until the peer's Close frame has come.
        assert_eq!(read_frame(&mut raw).await.unwrap(), Some((PONG, b"still there?".to_vec())));
        assert_eq!(read_frame(&mut raw).await.unwrap(), None);
    });
    ws.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(ws.connection().is_clean());
    assert_eq!(ws.recv().await.unwrap(), None);
    drop(ws);
    peer.await.unwrap();
}

#[tokio::test]
async fn closing_twice_is_closing_once() {
    let (mut raw, io) = tokio::io::duplex(1024);
    let mut ws = server(io, quiet());
    let peer = tokio::spawn(async move {
        let close = read_frame(&mut raw).await.unwrap().unwrap();
        assert_eq!(close, (CLOSE, close_body(1000, "one")));
        raw.write_all(&masked(CLOSE, &close.1)).await.unwrap();
        assert_eq!(read_frame(&mut raw).await.unwrap(), None, "one Close frame, and the end");
    });
    ws.close(CloseCode::NORMAL, "one").await.unwrap();
    ws.close(CloseCode::GOING_AWAY, "two").await.unwrap();
    ws.close_now(CloseCode::GOING_AWAY, "three").await.unwrap();
    assert_eq!(ws.connection().local_close(), Some(CloseCode::NORMAL));
    let refused = ws.send(Message::text("late")).await;
    assert!(matches!(refused, Err(Error::Send(SendError::Closing))));
    peer.await.unwrap();
}

#[tokio::test]
async fn a_close_that_cannot_be_sent_is_refused_and_changes_nothing() {
    let (mut client, mut server) = pair(quiet());
    let serving = tokio::spawn(async move { echo(&mut server).await });
    let too_long = "x".repeat(124);
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
        let refused = client.close(CloseCode::from(code), "reason").await;
        assert!(
            matches!(refused, Err(Error::Send(SendError::InvalidCloseCode(refused))) if refused.as_u16() == code)
        );
    }
    let refused = client.close(CloseCode::NORMAL, &too_long).await;
    assert!(matches!(refused, Err(Error::Send(SendError::ReasonTooLong))));
    let refused = client.close_now(CloseCode::NORMAL, &too_long).await;
    assert!(matches!(refused, Err(Error::Send(SendError::ReasonTooLong))));
    let refused = client.feed(close_message(1000, &too_long)).await;
    assert!(matches!(refused, Err(Error::Send(SendError::ReasonTooLong))));
    assert_eq!(client.connection().state(), State::Open);

    client.send(Message::text("still open")).await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some(Message::text("still open")));
    client.close(CloseCode::NORMAL, &too_long[..123]).await.unwrap();
    assert!(client.connection().is_clean());
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_peer_that_vanishes_is_an_error_once() {
    for is_client in [false, true] {
        let (mut raw, io) = tokio::io::duplex(1024);
        let mut ws = if is_client { client(io, quiet()) } else { server(io, quiet()) };
        let message = if is_client { frame(TEXT, b"last words") } else { masked(TEXT, b"last words") };
        raw.write_all(&message).await.unwrap();
        // And half a header.
        raw.write_all(&[TEXT]).await.unwrap();
        drop(raw);
        let (messages, error) = recv_all(&mut ws).await;
        assert_eq!(messages, [Message::text("last words")]);
        assert!(matches!(error, Some(Error::Connection(Cause::UnexpectedEof))), "{error:?}");
        assert!(matches!(ws.send(Message::text("anybody?")).await, Err(Error::Send(SendError::Closing))));
        assert!(matches!(ws.flush().await, Err(Error::Send(SendError::Closing))));
        ws.close(CloseCode::NORMAL, "").await.unwrap();
    }
}

#[tokio::test]
async fn the_call_that_comes_first_gets_the_error_and_no_other() {
    let (raw, io) = tokio::io::duplex(16);
    let mut ws = server(io, quiet());
    drop(raw);
    let error = ws.send(Message::binary(vec![0; 1000])).await.unwrap_err();
    assert!(
        matches!(&error, Error::Io(error) if error.kind() == std::io::ErrorKind::BrokenPipe),
        "{error:?}"
    );
    assert!(matches!(ws.send(Message::text("again")).await, Err(Error::Send(SendError::Closing))));
    assert!(matches!(ws.recv().await, Ok(None)));
    assert!(matches!(ws.flush().await, Err(Error::Send(SendError::Closing))));
}

/// A TCP socket that is closed with input unread sends a reset, which would destroy the Close frame on its way.
#[tokio::test]
async fn a_peer_that_violates_the_protocol_sees_why_although_much_of_what_it_sent_is_unread() {
    let invalid_utf8 = masked(TEXT, b"ab\xFF");
    let too_big = masked(BINARY, &vec![0; (1 << 20) + 1])[..14].to_vec();
    let violations = [
        (frame(TEXT, b"not masked"), 1002, Cause::Protocol(ProtocolError::UnmaskedFrame)),
        (masked(0xF1, b""), 1002, Cause::Protocol(ProtocolError::ReservedBits)),
        (masked(CLOSE, &[3]), 1002, Cause::Protocol(ProtocolError::CloseBodyTooShort)),
        (invalid_utf8, 1007, Cause::InvalidUtf8),
        (too_big, 1009, Cause::MessageTooBig { limit: 1 << 20 }),
    ];
    for (violation, code, cause) in violations {
        let (raw, io) = tcp_pair().await;
        let (mut reader, mut writer) = raw.into_split();
        let mut ws = server(io, quiet());
        // Both ways at once, for the server reads on until the peer has ended.
        let peer = tokio::spawn(async move {
            writer.write_all(&violation).await.unwrap();
            let junk = vec![0x5A; 4 << 20];
            let writing = async {
                // Errors would be the reset that must not come before the Close frame is read.
                writer.write_all(&junk).await.unwrap();
                writer
            };
            let reading = async {
                assert_eq!(read_frame(&mut reader).await.unwrap(), Some((CLOSE, close_body(code, ""))));
                assert_eq!(read_frame(&mut reader).await.unwrap(), None, "an end, not a reset");
            };
            tokio::join!(writing, reading);
        });
        let ended = async {
            let result = ws.recv().await;
            let Err(Error::Connection(error)) = result else { panic!("{result:?}") };
            assert_eq!(error, cause);
            assert!(matches!(ws.recv().await, Ok(None)));
        };
        timeout(Duration::from_secs(5), ended).await.unwrap();
        peer.await.unwrap();
    }
}

/// Section 7.1.1: the server closes TCP first, so that the client does not keep the waiting state.
#[tokio::test(start_paused = true)]
async fn a_client_waits_for_the_server_to_end_the_transport() {
    for client_closes in [true, false] {
        let (mut raw, io) = tokio::io::duplex(1024);
        let mut ws = client(io, quiet());
        if !client_closes {
            raw.write_all(&frame(CLOSE, &close_body(1000, ""))).await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(close_message(1000, "")));
        }
        let peer = async {
            assert_eq!(read_frame(&mut raw).await.unwrap(), Some((CLOSE, close_body(1000, ""))));
            if client_closes {
                raw.write_all(&frame(CLOSE, &close_body(1000, ""))).await.unwrap();
            }
            let early = timeout(Duration::from_secs(9), read_frame(&mut raw)).await;
            assert!(early.is_err(), "the client ended first");
            raw.shutdown().await.unwrap();
            assert_eq!(read_frame(&mut raw).await.unwrap(), None);
        };
        let (closed, ()) = tokio::join!(ws.close(CloseCode::NORMAL, ""), peer);
        closed.unwrap();
        assert!(ws.connection().is_clean());
    }
}

#[tokio::test]
async fn a_reset_behind_a_clean_close_is_no_error() {
    let (raw, io) = tcp_pair().await;
    let mut ws = server(io, quiet());
    let peer = tokio::spawn(async move {
        let mut raw = raw;
        raw.write_all(&masked(CLOSE, &close_body(1000, ""))).await.unwrap();
        assert_eq!(read_frame(&mut raw).await.unwrap(), Some((CLOSE, close_body(1000, ""))));
        raw.set_zero_linger().unwrap();
    });
    assert_eq!(ws.recv().await.unwrap(), Some(close_message(1000, "")));
    assert!(matches!(ws.recv().await, Ok(None)));
    assert!(ws.connection().is_clean());
    peer.await.unwrap();
}

#[tokio::test]
async fn a_reset_without_a_close_is_an_io_error_once() {
    let (raw, io) = tcp_pair().await;
    let mut ws = server(io, quiet());
    raw.set_zero_linger().unwrap();
    drop(raw);
    let (messages, error) = recv_all(&mut ws).await;
    assert_eq!(messages, []);
    assert!(
        matches!(&error, Some(Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionReset),
        "{error:?}"
    );
}

/// The tasks end because the ends that they talk to are gone; nothing hangs and nothing panics.
#[tokio::test]
async fn an_end_may_be_dropped_at_any_time() {
    for step in 0..5 {
        let (mut client, mut server) = pair(quiet());
        let serving = tokio::spawn(async move { echo(&mut server).await });
        if step > 0 {
            client.feed(Message::binary(vec![0; 300_000])).await.unwrap();
        }
        if step > 1 {
            client.flush().await.unwrap();
        }
        if step > 2 {
            let _ = client.recv().await.unwrap();
        }
        if step > 3 {
            client.feed(close_message(1000, "")).await.unwrap();
            client.flush().await.unwrap();
        }
        drop(client);
        let result = timeout(Duration::from_secs(5), serving).await.unwrap().unwrap();
        assert_eq!(result.is_ok(), step > 3, "{step}: {result:?}");
    }
}

#[tokio::test]
async fn a_dropped_reply_leaves_the_connection_usable() {
    let (mut client, mut server) = pair(quiet());
    client.send(Message::text("one")).await.unwrap();
    client.send(Message::text("two")).await.unwrap();
    let (event, _) = server.next().await.unwrap().unwrap();
    assert_eq!(Message::from(event), Message::text("one"));
    let (event, mut reply) = server.next().await.unwrap().unwrap();
    let Event::Data(message) = event else { panic!("{event:?}") };
    reply.send(message).await.unwrap();
    reply.close(CloseCode::NORMAL, "that is all").unwrap();
    assert!(matches!(reply.close(CloseCode::NORMAL, ""), Err(Error::Send(SendError::Closing))));
    let (_, (messages, error)) = tokio::join!(recv_all(&mut server), recv_all(&mut client));
    assert_eq!(messages, [Message::text("two"), close_message(1000, "that is all")]);
    assert!(error.is_none());
}

#[tokio::test]
async fn without_automatic_close_the_caller_answers() {
    let config: Config = quiet().automatic_close(false);
    let (mut client, mut server) = pair(config);
    let closing = tokio::spawn(async move {
        client.close(CloseCode::NORMAL, "bye").await.unwrap();
        client
    });
    assert_eq!(server.recv().await.unwrap(), Some(close_message(1000, "bye")));
    assert_eq!(server.connection().local_close(), None);
    server.close(CloseCode::from(3000), "so long").await.unwrap();
    let client = closing.await.unwrap();
    assert_eq!(client.connection().peer_close(), Some(CloseCode::from(3000)));
}

#[tokio::test]
async fn the_outcome_says_who_closed_with_both_codes_and_reasons() {
    let (mut near, mut far) = pair(quiet());
    assert!(near.outcome().is_none(), "it has not ended");
    let (closed, seen) = tokio::join!(near.close(CloseCode::from(4000), "enough"), recv_all(&mut far));
    closed.unwrap();
    assert_eq!(seen.0, [close_message(4000, "enough")]);
    for (ws, closed_by) in [(&near, Side::Local), (&far, Side::Peer)] {
        let outcome = ws.outcome().unwrap();
        assert_eq!(outcome.closed_by, Some(closed_by));
        for frame in [outcome.local, outcome.peer] {
            let frame = frame.unwrap();
            assert_eq!((frame.code.as_u16(), frame.reason), (4000, "enough"));
        }
        assert!(outcome.clean && outcome.error.is_none());
    }
}

#[tokio::test]
async fn the_outcome_of_a_failure_has_the_error_and_the_code_that_went_out() {
    let (mut peer, io) = tokio::io::duplex(1 << 16);
    let mut ws = server(io, quiet());
    peer.write_all(&masked(0x83, b"")).await.unwrap();
    peer.shutdown().await.unwrap();
    let (_, error) = recv_all(&mut ws).await;
    assert!(error.is_some());
    let outcome = ws.outcome().unwrap();
    assert_eq!(outcome.closed_by, Some(Side::Local));
    assert_eq!(outcome.local.unwrap().code, CloseCode::PROTOCOL_ERROR);
    assert_eq!((outcome.code(), outcome.clean), (CloseCode::ABNORMAL, false));
    assert!(matches!(outcome.error, Some(Error::Connection(ws_proto::Error::Protocol(_)))));
}

#[tokio::test]
async fn without_automatic_answers_pongs_and_the_close_are_left_to_the_application() {
    let (mut peer, io) = tokio::io::duplex(1 << 16);
    let mut ws = server(io, quiet().automatic_pong(false).automatic_close(false));
    peer.write_all(&masked(PING, b"?")).await.unwrap();
    peer.write_all(&masked(CLOSE, &close_body(4000, "theirs"))).await.unwrap();
    let (event, mut reply) = ws.next().await.unwrap().unwrap();
    assert_eq!(event, Event::Ping(b"?"));
    reply.send_owned(Message::Pong("!".into())).await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(close_message(4000, "theirs")));
    let (ended, ()) = tokio::join!(ws.close(CloseCode::from(4001), "ours"), async {
        assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (PONG, b"!".to_vec()));
        assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (CLOSE, close_body(4001, "ours")));
        peer.shutdown().await.unwrap();
    });
    ended.unwrap();
    let outcome = ws.outcome().unwrap();
    assert_eq!(outcome.closed_by, Some(Side::Peer));
    assert_eq!((outcome.local.unwrap().reason, outcome.peer.unwrap().reason), ("ours", "theirs"));
}
