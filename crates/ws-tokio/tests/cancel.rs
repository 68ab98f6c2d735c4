//! Cancel safety: a future that is dropped at any of its await points loses nothing and does nothing twice.
//!
//! The transport moves a few bytes at a time and waits before each step, so that the await points are many.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::time::{interval, timeout};
use ws_proto::{CloseCode, Event, Kind};
use ws_tokio::{Message, WebSocket};

use support::transport::Choppy;
use support::{client, close_message, poll_up_to, quiet, recv_all, recv_data, server};

/// More than any scenario here needs; reached only if something never ends.
const MANY: usize = 10_000;

type Ends = (WebSocket<Choppy<DuplexStream>>, WebSocket<Choppy<DuplexStream>>);

fn ends(step: usize) -> Ends {
    let (a, b) = tokio::io::duplex(64);
    (client(Choppy::new(a, step), quiet()), server(Choppy::new(b, step), quiet()))
}

fn payload(n: u8, len: usize) -> Message {
    Message::binary(vec![n; len])
}

async fn within<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.expect("hangs")
}

#[tokio::test]
async fn receiving_that_is_dropped_loses_no_message() {
    for polls in 1..40 {
        let (mut client, mut server) = ends(7);
        let sending = tokio::spawn(async move {
            for n in 0..20 {
                client.send(payload(n, usize::from(n) * 10)).await.unwrap();
            }
            client.close(CloseCode::NORMAL, "").await.unwrap();
        });
        let receiving = async {
            let mut received = Vec::new();
            for _ in 0..MANY {
                // The borrowing interface and the owned one by turns.
                let next = if received.len() % 2 == 0 {
                    poll_up_to(polls, server.recv()).await
                } else {
                    let next =
                        async { server.next().await.map(|next| next.map(|(event, _)| Message::from(event))) };
                    poll_up_to(polls, next).await
                };
                match next {
                    Some(Ok(Some(message))) => received.push(message),
                    Some(Ok(None)) => break,
                    Some(Err(error)) => panic!("{error}"),
                    None => tokio::task::yield_now().await,
                }
            }
            received
        };
        let received = within(receiving).await;
        let mut expected: Vec<_> = (0..20).map(|n| payload(n, usize::from(n) * 10)).collect();
        expected.push(close_message(1000, ""));
        assert_eq!(received, expected, "{polls} polls");
        within(sending).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn receiving_in_a_select_with_a_ticking_clock_loses_no_message() {
    let (mut client, mut server) = ends(5);
    let sending = tokio::spawn(async move {
        for n in 0..=255 {
            client.send(payload(n, 20)).await.unwrap();
            tokio::time::sleep(Duration::from_micros(700)).await;
        }
        client.close(CloseCode::NORMAL, "").await.unwrap();
    });
    let mut clock = interval(Duration::from_millis(1));
    let (mut ticks, mut received) = (0, Vec::new());
    loop {
        tokio::select! {
            biased;
            _ = clock.tick() => ticks += 1,
            message = server.recv() => match message.unwrap() {
                Some(message) => received.push(message),
                None => break,
            },
        }
    }
    assert!(ticks > 100, "{ticks}");
    assert_eq!(received.len(), 257);
    assert!((0..=255).zip(&received).all(|(n, message)| *message == payload(n, 20)));
    sending.await.unwrap();
}

/// What was queued when a future is dropped; nothing is in part, and nothing twice, however often it goes on.
#[tokio::test]
async fn sending_that_is_dropped_has_queued_the_message_whole_or_not_at_all() {
    for is_client in [true, false] {
        for polls in 1..60 {
            let (client, server) = ends(7);
            let (mut sender, mut receiver) = if is_client { (client, server) } else { (server, client) };
            let receiving = tokio::spawn(async move { recv_all(&mut receiver).await });
            let mut expected = Vec::new();
            for n in 0..10 {
                let before = sender.connection().state();
                let queued = sender.buffered_amount();
                let outcome = poll_up_to(polls, sender.send(payload(n, 100))).await;
                assert_eq!(sender.connection().state(), before);
                match outcome {
                    Some(result) => {
                        result.unwrap();
                        expected.push(payload(n, 100));
                        assert_eq!(sender.buffered_amount(), 0);
                    }
                    // With room in the queue it is in there at the first poll.
                    None => {
                        assert!(sender.buffered_amount() > 0 || queued > 0);
                        expected.push(payload(n, 100));
                    }
                }
            }
            within(sender.close(CloseCode::NORMAL, "")).await.unwrap();
            expected.push(close_message(1000, ""));
            let (received, error) = within(receiving).await.unwrap();
            assert!(error.is_none(), "{error:?}");
            assert_eq!(received, expected, "{polls} polls, {is_client}");
        }
    }
}

/// The ways to queue wait only for room; dropped while they do, they have queued nothing, and can be repeated.
#[tokio::test]
async fn queueing_that_is_dropped_while_the_queue_is_full_can_be_repeated() {
    const LARGE: usize = 600_000;
    for how in 0..4 {
        for polls in 1..6 {
            let (a, b) = tokio::io::duplex(64 << 10);
            let (mut client, mut server) = (client(a, quiet()), server(Choppy::new(b, 32 << 10), quiet()));
            client.send(Message::text("go")).await.unwrap();
            let receiving = tokio::spawn(async move { recv_all(&mut client).await });
            let mut tries = 0;
            let (_, mut reply) = server.next().await.unwrap().unwrap();
            for n in 0..6_u8 {
                let bytes = vec![n; LARGE];
                for _ in 0..MANY {
                    tries += 1;
                    let queued = match how {
                        0 => poll_up_to(polls, reply.send(ws_proto::Message::Binary(&bytes))).await,
                        1 => poll_up_to(polls, reply.send_fragment(Kind::Binary, &bytes, true)).await,
                        2 => poll_up_to(polls, reply.send_owned(Message::binary(bytes.clone()))).await,
                        _ => {
                            // Dropped like the others, and what it had written stays written.
                            if let Some(result) = poll_up_to(polls, reply.flush()).await {
                                result.unwrap();
                            }
                            poll_up_to(polls, reply.send_owned(Message::binary(bytes.clone()))).await
                        }
                    };
                    if let Some(result) = queued {
                        result.unwrap();
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            assert!(tries > 6 || polls > 4 || how == 3, "the queue was never full: {how} {polls}");
            within(server.close(CloseCode::NORMAL, "")).await.unwrap();
            let (received, error) = within(receiving).await.unwrap();
            assert!(error.is_none(), "{error:?}");
            assert_eq!(received.len(), 7, "way {how}, {polls} polls");
            assert!((0..6).zip(&received).all(|(n, message)| *message == payload(n, LARGE)));
        }
    }
}

#[tokio::test]
async fn flushing_that_is_dropped_loses_nothing() {
    for polls in 1..60 {
        let (mut client, mut server) = ends(7);
        let receiving = tokio::spawn(async move { recv_all(&mut server).await });
        for n in 0..10 {
            client.feed(payload(n, 50)).await.unwrap();
            if let Some(result) = poll_up_to(polls, client.flush()).await {
                result.unwrap();
            }
        }
        within(client.close(CloseCode::NORMAL, "")).await.unwrap();
        let (received, error) = within(receiving).await.unwrap();
        assert!(error.is_none(), "{error:?}");
        assert_eq!(received.len(), 11);
        assert!((0..10).zip(&received).all(|(n, message)| *message == payload(n, 50)), "{polls} polls");
    }
}

#[tokio::test]
async fn closing_that_is_dropped_has_begun_and_goes_on_with_whatever_receives() {
    for how in 0..3 {
        for polls in 1..60 {
            let (mut client, mut server) = ends(3);
            let receiving = tokio::spawn(async move { recv_all(&mut server).await });
            client.feed(Message::text("before")).await.unwrap();
            let outcome = match how {
                1 => poll_up_to(polls, client.close(CloseCode::NORMAL, "bye")).await,
                _ => poll_up_to(polls, futures_util::SinkExt::close(&mut client)).await,
            };
            assert_eq!(client.connection().local_close(), Some(CloseCode::NORMAL));
            if outcome.is_none() {
                match how {
                    0 => while within(client.recv()).await.unwrap().is_some() {},
                    1 => within(client.close(CloseCode::GOING_AWAY, "again")).await.unwrap(),
                    _ => within(futures_util::SinkExt::close(&mut client)).await.unwrap(),
                }
            }
            assert!(client.connection().is_clean());
            let reason = if how == 1 { "bye" } else { "" };
            let (received, error) = within(receiving).await.unwrap();
            assert_eq!(received, [Message::text("before"), close_message(1000, reason)], "{how} {polls}");
            assert!(error.is_none());
        }
    }
}

/// An echo whose every future is dropped and tried again, the answer included.
#[tokio::test]
async fn an_echo_that_is_cancelled_all_the_time_is_still_an_echo() {
    for polls in 1..12 {
        let (mut client, mut server) = ends(4);
        let serving = tokio::spawn(async move {
            for _ in 0..100 * MANY {
                match poll_up_to(polls, server.next()).await {
                    None => {}
                    Some(Err(error)) => panic!("{error}"),
                    Some(Ok(None)) => return,
                    Some(Ok(Some((Event::Data(message), mut reply)))) => {
                        while poll_up_to(polls, reply.send(message)).await.is_none() {}
                        let _ = poll_up_to(polls, reply.flush()).await;
                    }
                    Some(Ok(Some(_))) => {}
                }
                tokio::task::yield_now().await;
            }
        });
        for n in 0..10 {
            client.feed(payload(n, 30)).await.unwrap();
        }
        for n in 0..10 {
            assert_eq!(within(recv_data(&mut client)).await.unwrap(), Some(payload(n, 30)), "{polls} polls");
        }
        within(client.close(CloseCode::NORMAL, "")).await.unwrap();
        within(serving).await.unwrap();
    }
}

#[tokio::test]
async fn the_next_message_given_up_while_the_rest_of_another_is_passed_over_leaves_no_tail_of_that() {
    let (mut raw, io) = tokio::io::duplex(64);
    let mut ws = client(io, quiet());
    raw.write_all(b"\x82\x06ab").await.unwrap();
    assert!(poll_up_to(1, ws.recv()).await.is_none());
    raw.write_all(b"cd").await.unwrap();
    assert!(poll_up_to(1, ws.next_message()).await.is_none());
    raw.write_all(b"ef\x82\x01x").await.unwrap();
    assert_eq!(within(ws.recv()).await.unwrap(), Some(Message::binary("x")));
}
