//! Messages go there and come back, through every interface, over TCP.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use ws_proto::{CloseCode, Config, Event, Kind, Rsv, SendError};
use ws_tokio::{Error, Message, WebSocket, accept, connect};

use support::transport::Counting;
use support::{BINARY, echo, frame, masked, quiet, recv_data, server};

const LARGE: usize = 16 << 20;

/// The interface that a server echoes with.
#[derive(Clone, Copy, Debug)]
enum Interface {
    /// `next` and `Reply`.
    Borrowing,
    /// `recv` and `send`.
    Owned,
    /// `Stream` and `Sink`.
    Traits,
}

const INTERFACES: [Interface; 3] = [Interface::Borrowing, Interface::Owned, Interface::Traits];

impl Interface {
    async fn echo(self, mut ws: WebSocket<TcpStream>) -> Result<(), Error> {
        match self {
            Self::Borrowing => echo(&mut ws).await?,
            Self::Owned => {
                while let Some(message) = ws.recv().await? {
                    if message.is_data() {
                        ws.send(message).await?;
                    }
                }
            }
            Self::Traits => {
                while let Some(message) = StreamExt::next(&mut ws).await {
                    let message = message?;
                    if message.is_data() {
                        SinkExt::send(&mut ws, message).await?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Serves one connection, and gives the URL and what came of it.
async fn serve(interface: Interface, config: Config) -> (String, tokio::task::JoinHandle<Result<(), Error>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        interface.echo(accept(stream, config).await?).await
    });
    (url, serving)
}

fn payloads() -> Vec<Message> {
    let long: String = "grüße, \u{1F600} ".chars().cycle().take(70_000).collect();
    let bytes: Vec<u8> = (0..70_000_u32).map(|n| (n % 251) as u8).collect();
    vec![
        Message::text("hello"),
        Message::text(""),
        Message::text("€ und \u{1F600}"),
        Message::text("x".repeat(200)),
        Message::text(long),
        Message::binary(Vec::new()),
        Message::binary(vec![0, 255, 128]),
        Message::binary(bytes[..200].to_vec()),
        Message::binary(bytes),
    ]
}

#[tokio::test]
async fn every_payload_comes_back_through_every_interface() {
    for interface in INTERFACES {
        let (url, serving) = serve(interface, Config::default()).await;
        let mut ws = connect(&url, Config::default()).await.unwrap();
        for message in payloads() {
            ws.send(message.clone()).await.unwrap();
            assert_eq!(recv_data(&mut ws).await.unwrap(), Some(message), "{interface:?}");
        }
        ws.close(CloseCode::NORMAL, "enough").await.unwrap();
        assert!(ws.connection().is_clean());
        serving.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn sixteen_mebibytes_come_back_where_the_limit_allows_them() {
    let config = Config::default().max_message_size(LARGE);
    for interface in INTERFACES {
        let (url, serving) = serve(interface, config).await;
        let mut ws = connect(&url, config).await.unwrap();
        let message = Message::binary(vec![0x5A; LARGE]);
        ws.send(message.clone()).await.unwrap();
        assert!(recv_data(&mut ws).await.unwrap() == Some(message), "{interface:?}");
        ws.close(CloseCode::NORMAL, "").await.unwrap();
        serving.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_answered_with_1009_at_its_header() {
    let (url, serving) = serve(Interface::Borrowing, Config::default()).await;
    let mut ws = connect(&url, Config::default()).await.unwrap();
    // The server may stop reading while this is on its way.
    let _ = ws.send(Message::binary(vec![0; (1 << 20) + 1])).await;
    let _ = recv_data(&mut ws).await;
    assert_eq!(ws.connection().peer_close(), Some(CloseCode::MESSAGE_TOO_BIG));
    let error = serving.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Connection(ws_proto::Error::MessageTooBig { limit }) if limit == 1 << 20));
}

#[tokio::test]
async fn a_server_speaks_first() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut ws = accept(stream, Config::default()).await.unwrap();
        for message in payloads() {
            ws.feed(message).await.unwrap();
        }
        ws.flush().await.unwrap();
        assert_eq!(ws.buffered_amount(), 0);
        ws.close(CloseCode::GOING_AWAY, "said all").await.unwrap();
    });
    let mut ws = connect(&url, Config::default()).await.unwrap();
    for message in payloads() {
        assert_eq!(ws.recv().await.unwrap(), Some(message));
    }
    assert_eq!(ws.recv().await.unwrap(), Some(support::close_message(1001, "said all")));
    assert_eq!(ws.recv().await.unwrap(), None);
    serving.await.unwrap();
}

#[tokio::test]
async fn fragments_arrive_as_one_message() {
    let (mut client, mut server) = support::pair(quiet());
    let text = "fragments, cut inside €";
    let cut = text.len() - 2;
    client.send_fragment(Kind::Text, &text.as_bytes()[..3], false).await.unwrap();
    client.send(Message::Ping("between".into())).await.unwrap();
    client.send_fragment(Kind::Text, &text.as_bytes()[3..cut], false).await.unwrap();
    let refused = client.feed(Message::text("another")).await;
    assert!(matches!(refused, Err(Error::Send(SendError::MessageInProgress))));
    client.send_fragment(Kind::Text, &text.as_bytes()[cut..], true).await.unwrap();
    client.send(Message::text("another")).await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some(Message::Ping("between".into())));
    assert_eq!(server.recv().await.unwrap(), Some(Message::text(text)));
    assert_eq!(server.recv().await.unwrap(), Some(Message::text("another")));
}

#[tokio::test]
async fn pings_are_answered_in_order_and_reported() {
    let (mut client, mut server) = support::pair(quiet());
    for n in 0..10 {
        client.send(Message::Ping(vec![n].into())).await.unwrap();
    }
    client.send(Message::text("done")).await.unwrap();
    for n in 0..10 {
        assert_eq!(server.recv().await.unwrap(), Some(Message::Ping(vec![n].into())));
    }
    assert_eq!(server.recv().await.unwrap(), Some(Message::text("done")));
    server.flush().await.unwrap();
    for n in 0..10 {
        assert_eq!(client.recv().await.unwrap(), Some(Message::Pong(vec![n].into())));
    }
}

#[tokio::test]
async fn a_hundred_large_pings_read_at_once_all_get_their_pong() {
    let (mut raw, io) = tokio::io::duplex(1 << 20);
    let mut ws = server(io, quiet());
    let serving = tokio::spawn(async move { echo(&mut ws).await });
    let mut pings = Vec::new();
    for n in 0..100_u32 {
        pings.extend(masked(support::PING, &[&n.to_be_bytes()[..], &[7; 121]].concat()));
    }
    raw.write_all(&pings).await.unwrap();
    for n in 0..100_u32 {
        let (opcode, payload) = support::read_frame(&mut raw).await.unwrap().unwrap();
        assert_eq!((opcode, &payload[..4]), (support::PONG, &n.to_be_bytes()[..]));
    }
    drop(raw);
    assert!(serving.await.unwrap().is_err());
}

const PIPELINED: usize = 10_000;

#[tokio::test]
async fn pipelined_messages_are_answered_with_far_fewer_writes() {
    let (mut raw, io) = tokio::io::duplex(1 << 20);
    let (io, calls) = Counting::new(io);
    let mut ws = server(io, quiet());
    let serving = tokio::spawn(async move { echo(&mut ws).await });

    let (mut requests, mut answers) = (Vec::new(), Vec::new());
    for n in 0..PIPELINED as u64 {
        requests.extend(masked(BINARY, &n.to_be_bytes()));
        answers.extend(frame(BINARY, &n.to_be_bytes()));
    }
    raw.write_all(&requests).await.unwrap();
    let mut echoed = vec![0; answers.len()];
    raw.read_exact(&mut echoed).await.unwrap();
    assert!(echoed == answers);
    assert!(calls.writes() <= 50, "{} writes for {PIPELINED} messages", calls.writes());
    assert!(calls.flushes() <= 50, "{} flushes for {PIPELINED} messages", calls.flushes());
    drop(raw);
    assert!(serving.await.unwrap().is_err());
}

#[tokio::test]
async fn fed_messages_go_out_together() {
    let (mut raw, io) = tokio::io::duplex(1 << 20);
    let (io, calls) = Counting::new(io);
    let mut ws = server(io, quiet());
    for n in 0..PIPELINED as u64 {
        ws.feed(Message::binary(n.to_be_bytes().to_vec())).await.unwrap();
    }
    assert_eq!((calls.writes(), ws.buffered_amount()), (0, 10 * PIPELINED));
    ws.flush().await.unwrap();
    assert!(calls.writes() <= 5, "{} writes", calls.writes());
    for n in 0..PIPELINED as u64 {
        let frame = support::read_frame(&mut raw).await.unwrap().unwrap();
        assert_eq!(frame, (BINARY, n.to_be_bytes().to_vec()));
    }
}

#[tokio::test]
async fn an_owned_payload_is_shared_by_the_connections_that_it_is_sent_to() {
    let payload = bytes::Bytes::from(vec![3; 100_000]);
    let mut ends = Vec::new();
    for _ in 0..3 {
        let (mut client, mut server) = support::pair(quiet());
        server.feed(Message::Binary(payload.clone())).await.unwrap();
        ends.push(tokio::spawn(async move {
            server.flush().await.unwrap();
            server
        }));
        let Some((Event::Data(message), _)) = client.next().await.unwrap() else { panic!("no data") };
        assert_eq!(message.as_bytes(), payload);
    }
    for end in ends {
        end.await.unwrap();
    }
}

#[tokio::test]
async fn reserved_bits_that_are_allowed_are_sent_and_reported_and_others_refused() {
    let (mut client, mut server) = support::pair(quiet().allowed_rsv(Rsv::RSV2));
    let refused = client.send_with_rsv(Rsv::RSV1, Kind::Text, b"no").await;
    assert!(matches!(refused, Err(Error::Send(SendError::ReservedBits))));
    client.send_with_rsv(Rsv::RSV2, Kind::Text, b"not \xff text").await.unwrap();
    client.flush().await.unwrap();
    let (event, mut reply) = server.next().await.unwrap().unwrap();
    assert_eq!(event, Event::Data(ws_proto::Message::Binary(b"not \xff text")));
    assert_eq!(
        (reply.connection().received_rsv(), reply.connection().received_kind()),
        (Rsv::RSV2, Kind::Text)
    );
    reply.send_with_rsv(Rsv::RSV2, Kind::Binary, b"back").await.unwrap();
    server.flush().await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some(Message::binary(&b"back"[..])));
    assert_eq!(client.connection().received_rsv(), Rsv::RSV2);
}

#[tokio::test]
async fn a_flood_of_tiny_messages_lets_other_tasks_have_their_turn() {
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::Arc;

    const MESSAGES: usize = 8_000;
    let (mut peer, io) = tokio::io::duplex(64 << 10);
    // All of them lie in the receive buffer at once: no operation of the transport comes between.
    let flood = masked(BINARY, b"").repeat(MESSAGES);
    let mut ws = WebSocket::from_upgraded(io, ws_proto::Role::Server, quiet(), &flood);
    peer.shutdown().await.unwrap();
    let turns = Arc::new(AtomicUsize::new(0));
    let other = tokio::spawn({
        let turns = Arc::clone(&turns);
        async move {
            loop {
                turns.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    for _ in 0..MESSAGES {
        assert!(ws.recv().await.unwrap().is_some());
    }
    other.abort();
    assert!(turns.load(Ordering::Relaxed) >= MESSAGES / 1024, "{turns:?}");
}

/// What `next` gave can be had owned, once, and as long as nothing was received since; of any size.
#[tokio::test]
async fn the_message_that_next_gave_can_be_taken_once() {
    let (mut peer, io) = tokio::io::duplex(1 << 20);
    let mut ws = server(io, quiet());
    assert_eq!(ws.take_message(), None, "nothing was received");
    for size in [0, 20, (64 << 10) - 1, 64 << 10, 300 << 10] {
        let payload: Vec<u8> = (0..size).map(|n| n as u8).collect();
        let ping = masked(0x89, b"?");
        peer.write_all(&[masked(BINARY, &payload), ping].concat()).await.unwrap();
        let (event, mut reply) = ws.next().await.unwrap().unwrap();
        assert_eq!(event, Event::Data(ws_proto::Message::Binary(&payload)));
        reply.flush().await.unwrap();
        assert_eq!(ws.take_message(), Some(Message::binary(payload)), "{size}");
        assert_eq!(ws.take_message(), None, "{size}: taken already");
        assert_eq!(ws.recv().await.unwrap(), Some(Message::Ping("?".into())), "{size}: what is behind stays");
        assert_eq!(ws.take_message(), None, "{size}: not given by `next`");
    }
}
