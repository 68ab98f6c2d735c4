//! `Stream` and `Sink`, alone and split between tasks.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};
use ws_proto::{CloseCode, SendError};
use ws_tokio::{Error, Message};

use support::{BINARY, PONG, TEXT, client, close_message, frame, masked, pair, quiet, read_frame, server};

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn forward_echoes_until_the_end() {
    let (mut client, server) = pair(quiet());
    let serving = tokio::spawn(async move {
        let (sink, stream) = StreamExt::split(server);
        stream.try_filter(|message| future::ready(message.is_data())).forward(sink).await
    });
    for n in 0..1000_u32 {
        client.send(Message::binary(n.to_be_bytes().to_vec())).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(Message::binary(n.to_be_bytes().to_vec())));
    }
    client.close(CloseCode::NORMAL, "").await.unwrap();
    timeout(LIMIT, serving).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_ends_after_the_close_and_stays_ended() {
    let (mut client, mut server) = pair(quiet());
    let closing = tokio::spawn(async move { client.close(CloseCode::NORMAL, "bye").await });
    let messages: Vec<_> = server.by_ref().collect().await;
    assert!(matches!(&messages[..], [Ok(message)] if *message == close_message(1000, "bye")));
    assert!(StreamExt::next(&mut server).await.is_none());
    closing.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_gives_an_error_once_and_ends() {
    let (mut raw, io) = tokio::io::duplex(1024);
    let ws = server(io, quiet());
    raw.write_all(&masked(TEXT, b"\xFF")).await.unwrap();
    raw.shutdown().await.unwrap();
    let messages: Vec<_> = ws.collect().await;
    assert!(matches!(&messages[..], [Err(Error::Connection(ws_proto::Error::InvalidUtf8))]), "{messages:?}");
}

#[tokio::test]
async fn send_all_goes_out_and_a_sink_that_is_full_takes_no_more() {
    let (mut client, mut server) = pair(quiet());
    let messages = (0..100_u8).map(|n| Ok(Message::binary(vec![n; 50_000])));
    let sending = tokio::spawn(async move {
        server.send_all(&mut futures_util::stream::iter(messages)).await.unwrap();
        server
    });
    for n in 0..100 {
        assert_eq!(client.recv().await.unwrap(), Some(Message::binary(vec![n; 50_000])));
    }
    let mut server = sending.await.unwrap();
    for _ in 0..2 {
        // One fills the queue, one waits before it.
        server.start_send_unpin(Message::binary(vec![0; 1 << 20])).unwrap();
    }
    assert!(server.buffered_amount() >= 2 << 20);
    let refused = server.start_send_unpin(Message::text("one too many"));
    assert!(matches!(refused, Err(Error::Send(SendError::Full))));
}

#[tokio::test]
async fn a_sink_that_closes_says_1000_and_takes_nothing_more() {
    let (mut client, mut server) = pair(quiet());
    let receiving = tokio::spawn(async move { support::recv_all(&mut client).await.0 });
    SinkExt::close(&mut server).await.unwrap();
    assert!(matches!(
        SinkExt::send(&mut server, Message::text("late")).await,
        Err(Error::Send(SendError::Closing))
    ));
    assert_eq!(receiving.await.unwrap(), [close_message(1000, "")]);
}

/// The transport remembers one waker a direction. The half that receives writes as well, so it must not take the place
/// of the half that waits until its message is written.
#[tokio::test(start_paused = true)]
async fn a_half_that_sends_is_woken_although_the_half_that_receives_has_written() {
    let (mut raw, io) = tokio::io::duplex(1000);
    let (mut sink, mut stream) = StreamExt::split(server(io, quiet()));
    let sending = tokio::spawn(async move {
        sink.send(Message::binary(vec![7; 5000])).await.unwrap();
        sink
    });
    let receiving = tokio::spawn(async move {
        // What arrives makes this half poll, and write what it can. Then it is busy with something else for long.
        let first = stream.next().await;
        assert!(matches!(first, Some(Ok(Message::Text(_)))));
        tokio::select! { biased; _ = stream.next() => {} () = future::ready(()) => {} }
        sleep(Duration::from_secs(1_000_000)).await;
        drop(stream);
    });
    tokio::task::yield_now().await;
    raw.write_all(&masked(TEXT, b"wake up")).await.unwrap();
    tokio::task::yield_now().await;
    let (received, sent) = tokio::join!(timeout(LIMIT, read_frame(&mut raw)), timeout(LIMIT, sending));
    assert_eq!(received.expect("the half that sends was not woken").unwrap(), Some((BINARY, vec![7; 5000])));
    drop(sent.expect("the half that sends was not woken").unwrap());
    receiving.abort();
}

/// The same with both halves at work: what the receiving half has written in the end, the sending half is told.
#[tokio::test(start_paused = true)]
async fn a_half_that_sends_is_woken_when_the_half_that_receives_has_written_everything() {
    let (mut raw, io) = tokio::io::duplex(1000);
    let (mut sink, mut stream) = StreamExt::split(server(io, quiet()));
    let sending = tokio::spawn(async move { sink.send(Message::binary(vec![7; 5000])).await });
    let receiving = tokio::spawn(async move { while stream.next().await.is_some() {} });
    tokio::task::yield_now().await;
    raw.write_all(&masked(support::PING, b"wake up")).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(read_frame(&mut raw).await.unwrap(), Some((BINARY, vec![7; 5000])));
    timeout(LIMIT, sending).await.expect("the half that sends was not woken").unwrap().unwrap();
    assert_eq!(read_frame(&mut raw).await.unwrap(), Some((PONG, b"wake up".to_vec())));
    receiving.abort();
}

/// Closing a sink receives, and so the other half must be told what came of it.
#[tokio::test(start_paused = true)]
async fn a_half_that_receives_is_woken_when_the_half_that_sends_has_closed() {
    let (mut raw, io) = tokio::io::duplex(1000);
    let (mut sink, stream) = StreamExt::split(client(io, quiet()));
    let receiving = tokio::spawn(async move { stream.collect::<Vec<_>>().await });
    tokio::task::yield_now().await;
    let closing = tokio::spawn(async move { sink.close().await });
    let (opcode, body) = read_frame(&mut raw).await.unwrap().unwrap();
    raw.write_all(&frame(opcode, &body)).await.unwrap();
    raw.shutdown().await.unwrap();
    timeout(LIMIT, closing).await.unwrap().unwrap().unwrap();
    let received = timeout(LIMIT, receiving).await.expect("the half that receives was not woken").unwrap();
    assert!(received.iter().all(Result::is_ok), "{received:?}");
}

/// A deadline concerns both halves; the error is told to one of them, and the other sees the end.
#[tokio::test(start_paused = true)]
async fn a_deadline_wakes_both_halves() {
    let (_raw, io) = tokio::io::duplex(1000);
    let (mut sink, stream) = StreamExt::split(server(io, quiet()));
    let receiving = tokio::spawn(async move { stream.collect::<Vec<_>>().await });
    let sending = tokio::spawn(async move { sink.send(Message::binary(vec![0; 5000])).await });
    let sent =
        timeout(Duration::from_secs(60), sending).await.expect("the half that sends was not woken").unwrap();
    let received = timeout(Duration::from_secs(60), receiving)
        .await
        .expect("the half that receives was not woken")
        .unwrap();
    let told = received.iter().filter(|item| item.is_err()).count();
    let told_sender = usize::from(matches!(sent, Err(Error::Connection(_))));
    assert!(sent.is_err());
    assert_eq!(told + told_sender, 1, "{sent:?} {received:?}");
}

/// The half that sends meets the error; the one that receives is not left waiting for a peer that is gone.
#[tokio::test(start_paused = true)]
async fn a_failed_write_of_one_half_ends_the_other() {
    let (raw, io) = tokio::io::duplex(1000);
    let io = support::transport::Faulty::new(
        io,
        1,
        support::transport::Fault::Error(std::io::ErrorKind::BrokenPipe),
    );
    let (mut sink, stream) = StreamExt::split(server(io, quiet()));
    let receiving = tokio::spawn(async move { stream.collect::<Vec<_>>().await });
    // The first operation is the read of the other half; the second, which fails, the write of this one.
    tokio::task::yield_now().await;
    assert!(matches!(sink.send(Message::text("hello")).await, Err(Error::Io(_))));
    let received = timeout(LIMIT, receiving).await.expect("the half that receives was not woken").unwrap();
    assert!(received.is_empty(), "{received:?}");
    drop(raw);
}

/// Both halves of both ends at once, on several threads, over TCP: nobody is left sleeping.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn four_halves_on_several_threads_keep_each_other_awake() {
    const MESSAGES: u32 = 3000;
    let mut conversations = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (a, b) = support::tcp_pair().await;
        let (mut sink, stream) = StreamExt::split(client(a, quiet()));
        let (server_sink, server_stream) = StreamExt::split(server(b, quiet()));
        conversations.spawn(async move {
            let data = server_stream.try_filter(|message| future::ready(message.is_data()));
            // Its peer goes without a Close frame.
            let error = data.forward(server_sink).await.unwrap_err();
            assert!(matches!(error, Error::Connection(ws_proto::Error::UnexpectedEof)), "{error:?}");
        });
        conversations.spawn(async move {
            for n in 0..MESSAGES {
                let size = 4 + (n as usize * 37) % 3000;
                let mut payload = n.to_be_bytes().to_vec();
                payload.resize(size, 0);
                sink.send(Message::binary(payload)).await.unwrap();
            }
            sink.send(Message::text("!end")).await.unwrap();
        });
        conversations.spawn(async move {
            let mut stream = stream;
            for n in 0..MESSAGES {
                let Some(Ok(Message::Binary(payload))) = stream.next().await else { panic!("message {n}") };
                assert_eq!(payload[..4], n.to_be_bytes());
            }
            assert!(matches!(stream.next().await, Some(Ok(Message::Text(_)))));
        });
    }
    let all = async {
        while let Some(result) = conversations.join_next().await {
            result.unwrap();
        }
    };
    timeout(Duration::from_secs(30), all).await.expect("somebody sleeps");
}

#[tokio::test]
async fn a_sink_is_ready_when_there_is_room_and_not_only_when_all_is_gone() {
    let (mut peer, io) = tokio::io::duplex(64 << 10);
    let mut ws = server(io, quiet());
    // One message fills the queue far beyond the pipe, the next waits in front of it.
    SinkExt::feed(&mut ws, Message::binary(vec![0; 900 << 10])).await.unwrap();
    SinkExt::feed(&mut ws, Message::binary(vec![0; 200 << 10])).await.unwrap();
    let mut third = core::pin::pin!(SinkExt::feed(&mut ws, Message::text("third")));
    assert!(futures_util::poll!(third.as_mut()).is_pending());
    let mut some = vec![0; 200 << 10];
    let mut read = 0;
    while futures_util::poll!(third.as_mut()).is_pending() {
        read += tokio::io::AsyncReadExt::read(&mut peer, &mut some).await.unwrap();
        assert!(read < 400 << 10, "the sink waits for the whole queue");
    }
}
