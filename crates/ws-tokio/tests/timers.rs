//! Deadlines, on a clock that the tests move: each fires when it is due, and nothing that a peer does extends it.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, sleep, timeout};
use ws_proto::handshake::{AcceptOptions, ClientRequest, HandshakeError, HandshakeLimits, Response, Uri};
use ws_proto::{CloseCode, Config, Error as Cause, Event, TimeoutReason};
use ws_tokio::{Error, Message, connect_over, receive_request};

use support::{
    BINARY, CLOSE, PING, PONG, TEXT, client, close_body, echo, frame, masked, pair, quiet, read_frame, server,
};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn is_timeout(error: &Error, reason: TimeoutReason) -> bool {
    matches!(error, Error::Connection(Cause::Timeout(found)) if *found == reason)
}

/// Sends the bytes one at a time, each after a while, again and again, until the other side is gone.
fn drip(mut io: DuplexStream, bytes: &'static [u8], every: Duration) -> tokio::task::JoinHandle<Vec<u8>> {
    tokio::spawn(async move {
        for &byte in bytes.iter().cycle() {
            sleep(every).await;
            if io.write_all(&[byte]).await.is_err() {
                break;
            }
        }
        let mut received = Vec::new();
        let _ = io.read_to_end(&mut received).await;
        received
    })
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_client_that_is_silent_or_sends_a_byte_a_second_is_answered_with_408_after_ten_seconds() {
    for every in [1, 1_000_000] {
        let (raw, io) = tokio::io::duplex(1024);
        let peer = drip(raw, b"GET / HTTP/1.1\r\nX: ", secs(every));
        let begun = Instant::now();
        let error = receive_request(io, HandshakeLimits::default()).await.unwrap_err();
        assert!(matches!(error, Error::Handshake(HandshakeError::Timeout)), "{error:?}");
        assert_eq!(begun.elapsed().as_secs(), 10);
        let received = peer.await.unwrap();
        assert!(received.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&received));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_or_sends_a_byte_a_second_is_given_up_after_ten_seconds() {
    let request = ClientRequest::new(Uri::parse("ws://localhost/").unwrap());
    for every in [1, 1_000_000] {
        let (raw, io) = tokio::io::duplex(1024);
        let _peer = drip(raw, b"HTTP/1.1 101 Switching Protocols", secs(every));
        let begun = Instant::now();
        let error = connect_over(io, &request, HandshakeLimits::default(), quiet()).await.unwrap_err();
        assert!(matches!(error, Error::Handshake(HandshakeError::Timeout)), "{error:?}");
        assert_eq!(begun.elapsed().as_secs(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_the_request_is_given_up_after_ten_seconds() {
    let request = ClientRequest::new(Uri::parse("ws://localhost/").unwrap());
    let (_raw, io) = tokio::io::duplex(16);
    let begun = Instant::now();
    let error = connect_over(io, &request, HandshakeLimits::default(), quiet()).await.unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::Timeout)), "{error:?}");
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_the_response_is_given_up_after_ten_seconds() {
    let page = vec![b'x'; 100_000];
    for is_page in [true, false] {
        let (mut raw, io) = tokio::io::duplex(64);
        let sending = tokio::spawn(async move {
            raw.write_all(REQUEST).await.unwrap();
            raw
        });
        let incoming = receive_request(io, HandshakeLimits::default()).await.unwrap();
        let _raw = sending.await.unwrap();
        let begun = Instant::now();
        let answering = async {
            if is_page {
                incoming.respond(&Response::new(200).body(&page)).await
            } else {
                incoming.accept(&AcceptOptions::default(), quiet()).await.map(|_| ())
            }
        };
        let result = timeout(secs(1000), answering).await.expect("waits for ever");
        assert!(matches!(result, Err(Error::Handshake(HandshakeError::Timeout))), "{result:?}");
        assert_eq!(begun.elapsed().as_secs(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_the_response_and_stays_is_left_after_ten_seconds() {
    let (mut raw, io) = tokio::io::duplex(4096);
    raw.write_all(REQUEST).await.unwrap();
    let incoming = receive_request(io, HandshakeLimits::default()).await.unwrap();
    let begun = Instant::now();
    let _peer = drip(raw, b"more", secs(1));
    incoming.respond(&Response::new(200).body(b"page")).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 10);
}

/// Asking a database who somebody is may take longer than the handshake has; the answer still has its time.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_long_in_the_making_still_arrives() {
    for is_page in [true, false] {
        let (mut raw, io) = tokio::io::duplex(32);
        let peer = tokio::spawn(async move {
            raw.write_all(REQUEST).await.unwrap();
            let mut response = Vec::new();
            while response.len() < 150 && raw.read_buf(&mut response).await.unwrap() > 0 {
                if response.ends_with(b"Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n") {
                    break;
                }
            }
            response
        });
        let incoming = receive_request(io, HandshakeLimits::default()).await.unwrap();
        sleep(secs(60)).await;
        if is_page {
            let body = "p".repeat(80);
            incoming.respond(&Response::new(200).body(body.as_bytes())).await.unwrap();
        } else {
            let _ws = incoming.accept(&AcceptOptions::default(), quiet()).await.unwrap();
        }
        assert!(peer.await.unwrap().starts_with(b"HTTP/1.1 "));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_lives_for_an_hour() {
    let (mut client, mut server) = pair(Config::default());
    let peer = tokio::spawn(async move { echo(&mut client).await });
    let begun = Instant::now();
    let mut pongs = 0;
    while let Ok(message) = timeout(secs(3600) - begun.elapsed(), server.recv()).await {
        match message.unwrap().unwrap() {
            Message::Pong(_) => pongs += 1,
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
    // One every 20 seconds.
    assert!((178..=180).contains(&pongs), "{pongs}");
    server.close(CloseCode::NORMAL, "").await.unwrap();
    peer.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn bytes_are_no_proof_of_life() {
    // A message that never ends, and one of the smallest now and then.
    for message in [&[0x82, 0xFE, 0x70, 0x00, 1, 2, 3, 4][..], &[0x82, 0x80, 1, 2, 3, 4]] {
        let (raw, io) = tokio::io::duplex(1024);
        let mut ws = server(io, Config::default());
        let mut raw = raw;
        raw.write_all(message).await.unwrap();
        let peer = drip(raw, b"\x82\x80\x01\x02\x03\x04", secs(19));
        let begun = Instant::now();
        let error = echo(&mut ws).await.unwrap_err();
        assert!(is_timeout(&error, TimeoutReason::Pong), "{error:?}");
        assert_eq!(begun.elapsed().as_secs(), 40);
        drop(ws);
        peer.abort();
    }
}

/// The ping has to wait for the end of the message, and the peer for the ping.
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_long_for_a_large_message_is_alive() {
    let (raw, io) = tokio::io::duplex(4096);
    let mut ws = server(io, Config::default());
    let (mut reader, mut writer) = tokio::io::split(raw);
    let peer = tokio::spawn(async move {
        let mut left = (1 << 20) + 10;
        while left > 0 {
            sleep(Duration::from_millis(400)).await;
            left -= (&mut reader).take(left).read(&mut [0; 4096]).await.unwrap() as u64;
        }
        let (opcode, payload) = read_frame(&mut reader).await.unwrap().unwrap();
        assert_eq!(opcode, PING);
        writer.write_all(&[masked(PONG, &payload), masked(TEXT, b"got it")].concat()).await.unwrap();
    });
    let begun = Instant::now();
    ws.feed(Message::binary(vec![0; 1 << 20])).await.unwrap();
    assert!(matches!(ws.recv().await.unwrap(), Some(Message::Pong(_))));
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("got it")));
    assert!(begun.elapsed() > secs(100));
    peer.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_pong_that_answers_no_ping_of_ours_is_no_proof_of_life() {
    let (mut raw, io) = tokio::io::duplex(1024);
    let mut ws = server(io, Config::default());
    let _peer = tokio::spawn(async move {
        while raw.write_all(&masked(PONG, b"unasked")).await.is_ok() {
            sleep(secs(5)).await;
        }
    });
    let begun = Instant::now();
    let error = echo(&mut ws).await.unwrap_err();
    assert!(is_timeout(&error, TimeoutReason::Pong), "{error:?}");
    assert_eq!(begun.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_with_1001_whatever_pings_it_sees() {
    let (mut raw, io) = tokio::io::duplex(4096);
    let mut ws = server(io, quiet().idle_timeout(Some(secs(60))));
    let begun = Instant::now();
    let peer = tokio::spawn(async move {
        sleep(secs(30)).await;
        raw.write_all(&masked(TEXT, b"not yet")).await.unwrap();
        for _ in 0..5 {
            sleep(secs(10)).await;
            raw.write_all(&masked(PING, b"")).await.unwrap();
            assert_eq!(read_frame(&mut raw).await.unwrap(), Some((PONG, Vec::new())));
        }
        let frame = read_frame(&mut raw).await.unwrap();
        assert_eq!(frame, Some((CLOSE, close_body(1001, ""))));
        assert_eq!(begun.elapsed().as_secs(), 90);
        raw.write_all(&masked(CLOSE, &close_body(1001, ""))).await.unwrap();
        assert_eq!(read_frame(&mut raw).await.unwrap(), None);
    });
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("not yet")));
    let error = loop {
        match ws.recv().await {
            Ok(message) => assert_eq!(message, Some(Message::Ping(Vec::new().into()))),
            Err(error) => break error,
        }
    };
    assert!(is_timeout(&error, TimeoutReason::Idle), "{error:?}");
    assert_eq!(begun.elapsed().as_secs(), 90);
    assert!(matches!(ws.recv().await, Ok(None)));
    peer.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_a_close_is_left_after_ten_seconds() {
    for is_client in [false, true] {
        for reads in [true, false] {
            let (mut raw, io) = tokio::io::duplex(8);
            let mut ws = if is_client { client(io, quiet()) } else { server(io, quiet()) };
            let _peer = tokio::spawn(async move {
                while reads && read_frame(&mut raw).await.unwrap().is_some() {}
                sleep(secs(1_000_000)).await;
                drop(raw);
            });
            let begun = Instant::now();
            let error = ws.close(CloseCode::NORMAL, "a reason longer than the pipe").await.unwrap_err();
            assert!(is_timeout(&error, TimeoutReason::Close), "{error:?}");
            assert_eq!(begun.elapsed().as_secs(), 10);
            assert!(matches!(ws.recv().await, Ok(None)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_streams_for_ever_after_our_close_is_left_after_ten_seconds() {
    for is_client in [false, true] {
        let (mut raw, io) = tokio::io::duplex(4096);
        let mut ws = if is_client { client(io, quiet()) } else { server(io, quiet()) };
        let message = if is_client { frame(0x82, &[0; 1000]) } else { masked(0x82, &[0; 1000]) };
        let _peer = tokio::spawn(async move {
            while raw.write_all(&message).await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        });
        let begun = Instant::now();
        let error = ws.close(CloseCode::NORMAL, "").await.unwrap_err();
        assert!(is_timeout(&error, TimeoutReason::Close), "{error:?}");
        assert_eq!(begun.elapsed().as_secs(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_our_close_and_stays_is_left_after_ten_seconds_without_an_error() {
    let (mut raw, io) = tokio::io::duplex(4096);
    let mut ws = server(io, quiet());
    let _peer = tokio::spawn(async move {
        raw.write_all(&masked(CLOSE, &close_body(1000, ""))).await.unwrap();
        while raw.write_all(b"junk").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    let begun = Instant::now();
    ws.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert!(ws.connection().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_violates_the_protocol_and_stays_is_left_after_ten_seconds() {
    let (mut raw, io) = tokio::io::duplex(4096);
    let mut ws = server(io, quiet());
    raw.write_all(&[0xFF, 0xFF]).await.unwrap();
    let begun = Instant::now();
    let error = ws.recv().await.unwrap_err();
    assert!(matches!(error, Error::Connection(Cause::Protocol(_))), "{error:?}");
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert_eq!(read_frame(&mut raw).await.unwrap(), Some((CLOSE, close_body(1002, ""))));
}

#[tokio::test(start_paused = true)]
async fn sending_to_a_peer_that_stops_reading_fails_after_thirty_seconds() {
    let (mut raw, io) = tokio::io::duplex(1000);
    let mut ws = server(io, Config::default());
    let begun = Instant::now();
    let error = ws.send(Message::binary(vec![0; 100_000])).await.unwrap_err();
    assert!(is_timeout(&error, TimeoutReason::WriteStall), "{error:?}");
    assert_eq!(begun.elapsed().as_secs(), 30);
    assert!(matches!(ws.recv().await, Ok(None)));
    drop(ws);
    // What had got into the pipe, and nothing else.
    let mut received = Vec::new();
    raw.read_to_end(&mut received).await.unwrap();
    assert_eq!(received.len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn every_way_to_send_notices_a_peer_that_stops_reading() {
    for how in 0..5 {
        let (_raw, io) = tokio::io::duplex(1000);
        let mut ws = server(io, quiet());
        let payload = vec![0; 1 << 19];
        let begun = Instant::now();
        let sending = async {
            loop {
                let result = match how {
                    0 => ws.feed(Message::binary(payload.clone())).await,
                    1 => ws.send_fragment(ws_proto::Kind::Binary, &payload, true).await,
                    2 => futures_util::SinkExt::feed(&mut ws, Message::binary(payload.clone())).await,
                    3 => futures_util::SinkExt::send(&mut ws, Message::binary(payload.clone())).await,
                    _ => ws.send(Message::binary(payload.clone())).await,
                };
                if let Err(error) = result {
                    return error;
                }
            }
        };
        let error = timeout(secs(1000), sending).await.expect("waits for ever");
        assert!(is_timeout(&error, TimeoutReason::WriteStall), "{how}: {error:?}");
        assert_eq!(begun.elapsed().as_secs(), 30);
        assert!(ws.send(Message::text("more")).await.is_err());
        assert!(matches!(ws.recv().await, Ok(None)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_echo_to_a_peer_that_stops_reading_fails_after_thirty_seconds() {
    let (mut raw, io) = tokio::io::duplex(1000);
    let mut ws = server(io, quiet());
    let _peer = tokio::spawn(async move {
        let message = masked(0x82, &[0; 60_000]);
        while raw.write_all(&message).await.is_ok() {}
        sleep(secs(1_000_000)).await;
    });
    let error = timeout(secs(1000), echo(&mut ws)).await.expect("waits for ever").unwrap_err();
    assert!(is_timeout(&error, TimeoutReason::WriteStall), "{error:?}");
}

/// Each byte that the transport takes is progress: a slow reader is no dead one.
#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_waited_for() {
    let (mut raw, io) = tokio::io::duplex(10);
    let mut ws = server(io, quiet());
    let peer = tokio::spawn(async move {
        let mut received = 0;
        while received < 102 {
            sleep(secs(29)).await;
            received += raw.read(&mut [0; 8]).await.unwrap();
        }
    });
    ws.send(Message::binary(vec![0; 100])).await.unwrap();
    peer.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_kept_between_calls_too() {
    let (_raw, io) = tokio::io::duplex(4096);
    let mut ws = server(io, quiet().idle_timeout(Some(secs(5))));
    sleep(secs(3600)).await;
    let error = timeout(secs(10), ws.recv()).await.unwrap().unwrap_err();
    assert!(is_timeout(&error, TimeoutReason::Idle), "{error:?}");
}

/// The one timer is set to the next ping already when the nearer deadline begins.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_is_nearer_than_the_one_waited_for_is_kept() {
    let (_raw, io) = tokio::io::duplex(4096);
    let mut ws = server(io, Config::default());
    assert!(timeout(secs(1), ws.recv()).await.is_err());
    let begun = Instant::now();
    let error = ws.close(CloseCode::NORMAL, "").await.unwrap_err();
    assert!(is_timeout(&error, TimeoutReason::Close), "{error:?}");
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_nothing_to_receive_holds_no_buffer() {
    let (mut peer, io) = tokio::io::duplex(1 << 20);
    let mut ws = server(io, quiet().ping_interval(Some(secs(20))));
    let large = vec![7; 300 << 10];
    peer.write_all(&masked(BINARY, &large)).await.unwrap();
    let (event, mut reply) = ws.next().await.unwrap().unwrap();
    let Event::Data(message) = event else { panic!("{event:?}") };
    reply.send(message).await.unwrap();
    reply.flush().await.unwrap();
    let capacity = |ws: &dyn std::fmt::Debug| {
        let text = format!("{ws:?}");
        let (_, behind) = text.split_once("capacity: ").unwrap();
        behind.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse::<usize>().unwrap()
    };
    assert!(capacity(&ws) >= large.len());
    assert!(timeout(secs(1), ws.recv()).await.is_err(), "there is nothing to receive");
    assert_eq!(capacity(&ws), 0);
    peer.write_all(&masked(BINARY, &large)).await.unwrap();
    let message = ws.recv().await.unwrap().unwrap();
    assert_eq!(capacity(&ws), 0, "a large message takes its buffer along");
    assert_eq!(message, Message::binary(large));
}
