//! Two halves in two tasks.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use support::{CLOSE, PING, PONG, close_body, masked, pair, quiet, read_frame, server, tcp_pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use ws_proto::{CloseCode, Kind, Rsv, SendError};
use ws_tokio::{Error, Message};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_at_full_speed_in_four_tasks_lose_nothing() {
    const MESSAGES: u32 = 5_000;
    let (a, b) = tcp_pair().await;
    let (client_end, server_end) = (support::client(a, quiet()), server(b, quiet()));
    let mut tasks = Vec::new();
    for ws in [client_end, server_end] {
        let (mut reader, mut writer) = ws.split();
        tasks.push(tokio::spawn(async move {
            for n in 0..MESSAGES {
                writer.feed(Message::text(n.to_string())).await.unwrap();
            }
            writer.flush().await.unwrap();
        }));
        tasks.push(tokio::spawn(async move {
            for n in 0..MESSAGES {
                let message = reader.recv().await.unwrap().unwrap();
                assert_eq!(message.as_text(), Some(&*n.to_string()));
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn the_reading_half_answers_pings_and_the_close_while_the_other_does_nothing() {
    let (mut peer, io) = duplex(1 << 16);
    let (mut reader, _writer) = server(io, quiet()).split();
    let receiving = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(message) = reader.recv().await.unwrap() {
            seen.push(message);
        }
        seen
    });
    peer.write_all(&masked(PING, b"1")).await.unwrap();
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (PONG, b"1".to_vec()));
    peer.write_all(&masked(CLOSE, &close_body(1000, "bye"))).await.unwrap();
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (CLOSE, close_body(1000, "bye")));
    peer.shutdown().await.unwrap();
    assert_eq!(receiving.await.unwrap(), [Message::Ping("1".into()), support::close_message(1000, "bye")]);
}

#[tokio::test]
async fn what_is_fed_goes_out_although_only_the_reading_half_is_awaited() {
    let (mut peer, io) = duplex(1 << 16);
    let (mut reader, mut writer) = server(io, quiet()).split();
    let receiving = tokio::spawn(async move { reader.recv().await.map(|_| ()) });
    // Let the reader wait first: it is to be woken.
    tokio::task::yield_now().await;
    writer.feed(Message::text("fed")).await.unwrap();
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (0x81, b"fed".to_vec()));
    receiving.abort();
}

#[tokio::test]
async fn a_writer_that_waits_for_room_is_woken_when_the_peer_reads_whoever_asked_the_transport_last() {
    let (mut peer, io) = duplex(1 << 10);
    let (mut reader, mut writer) = server(io, quiet()).split();
    let payload = vec![9; 3 << 20];
    let sent = payload.clone();
    let writing = tokio::spawn(async move { writer.send(Message::binary(sent)).await });
    tokio::task::yield_now().await;
    // The reader polls the transport for writing as well, and so replaces the waker there.
    let receiving = tokio::spawn(async move { reader.recv().await });
    tokio::task::yield_now().await;
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (0x82, payload));
    writing.await.unwrap().unwrap();
    receiving.abort();
}

#[tokio::test(start_paused = true)]
async fn closing_through_the_writing_half_wakes_the_reader_and_keeps_the_deadline() {
    let (mut peer, io) = duplex(1 << 16);
    let (mut reader, mut writer) = server(io, quiet().close_timeout(Duration::from_secs(3))).split();
    let receiving = tokio::spawn(async move { reader.recv().await });
    tokio::task::yield_now().await;
    let began = tokio::time::Instant::now();
    writer.close(CloseCode::GOING_AWAY, "").await.unwrap();
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (CLOSE, close_body(1001, "")));
    // The peer never answers.
    let error = receiving.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Connection(ws_proto::Error::Timeout(_))), "{error:?}");
    assert_eq!(began.elapsed().as_secs(), 3);
    assert!(matches!(writer.send(Message::text("late")).await, Err(Error::Send(SendError::Closing))));
}

#[tokio::test]
async fn a_writer_that_waits_is_told_when_the_connection_ends() {
    let (mut peer, io) = duplex(1 << 10);
    let (mut reader, mut writer) = server(io, quiet()).split();
    let writing = tokio::spawn(async move { writer.send(Message::binary(vec![0; 1 << 20])).await });
    tokio::task::yield_now().await;
    let receiving = tokio::spawn(async move { while let Ok(Some(_)) = reader.recv().await {} });
    tokio::task::yield_now().await;
    // A frame that is not masked, and the end.
    peer.write_all(&[0x81, 0]).await.unwrap();
    drop(peer);
    assert!(writing.await.unwrap().is_err());
    receiving.await.unwrap();
}

#[tokio::test]
async fn halves_stream_messages_and_can_be_put_together_again() {
    let (client_end, server_end) = pair(quiet());
    let (mut reader, writer) = server_end.split();
    let (client_reader, mut client_writer) = client_end.split();

    let mut source: &[u8] = &[3; 100_000];
    let sending = client_writer.send_reader(Kind::Binary, &mut source);
    let receiving = async {
        let mut bytes = Vec::new();
        reader.next_message().await.unwrap().unwrap().read_to_end(&mut bytes).await.unwrap();
        bytes
    };
    let (sent, received) = tokio::join!(sending, receiving);
    assert_eq!((sent.unwrap(), received.len()), (100_000, 100_000));

    let mismatch = reader.reunite(client_writer).unwrap_err();
    let (reader, client_writer) = (mismatch.0, mismatch.1);
    let mut server_end = reader.reunite(writer).unwrap();
    let mut client_end = client_reader.reunite(client_writer).unwrap();
    client_end.send(Message::text("together")).await.unwrap();
    assert_eq!(server_end.recv().await.unwrap().unwrap().as_text(), Some("together"));
}

#[tokio::test]
async fn the_halves_are_a_stream_and_a_sink() {
    let (client_end, server_end) = pair(quiet());
    let (reader, writer) = server_end.split();
    let echo = tokio::spawn(
        reader.filter(|m| core::future::ready(m.as_ref().is_ok_and(Message::is_data))).forward(writer),
    );
    let (mut reader, mut writer) = client_end.split();
    for text in ["a", "b"] {
        SinkExt::send(&mut writer, Message::text(text)).await.unwrap();
        assert_eq!(StreamExt::next(&mut reader).await.unwrap().unwrap().as_text(), Some(text));
    }
    SinkExt::close(&mut writer).await.unwrap();
    while let Some(message) = StreamExt::next(&mut reader).await {
        message.unwrap();
    }
    echo.await.unwrap().unwrap();
}

/// Both halves in one task, which is what `join!` makes: what one of them does must not wake the task to do it again.
#[tokio::test]
async fn halves_that_wait_in_one_task_let_it_sleep() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake, Waker};

    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    for way in 0..4 {
        let (_peer, io) = duplex(1 << 10);
        let (mut reader, mut writer) = server(io, quiet()).split();
        let writing = async {
            writer.feed(Message::binary(vec![0; 2 << 20])).await.unwrap();
            match way {
                0 => writer.begin_message(Kind::Binary).unwrap().write_all(&[0; 1 << 20]).await.unwrap(),
                1 => writer.begin_message(Kind::Binary).unwrap().finish().await.unwrap(),
                2 => writer.feed(Message::text("in front")).await.unwrap(),
                _ => SinkExt::<Message>::close(&mut writer).await.unwrap(),
            }
            if way == 2 {
                writer.send_reader(Kind::Binary, &mut &b"source"[..]).await.unwrap();
            }
        };
        let mut both = std::pin::pin!(async { tokio::join!(reader.recv(), writing) });
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&flag));
        let mut polls = 0;
        while flag.0.swap(false, Ordering::Relaxed) {
            assert!(both.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            polls += 1;
            assert!(polls < 10, "the task goes round and round, way {way}");
        }
    }
}

#[tokio::test]
async fn the_writing_half_sends_reserved_bits_that_are_allowed() {
    let (mut peer, io) = duplex(1 << 10);
    let (mut reader, mut writer) = server(io, quiet().allowed_rsv(Rsv::RSV2)).split();
    let refused = writer.send_with_rsv(Rsv::RSV1, Kind::Binary, b"no").await;
    assert!(matches!(refused, Err(Error::Send(SendError::ReservedBits))));
    writer.send_with_rsv(Rsv::RSV2, Kind::Text, b"not \xff text").await.unwrap();
    tokio::select! {
        frame = read_frame(&mut peer) => {
            assert_eq!(frame.unwrap(), Some((0xA1, b"not \xff text".to_vec())));
        }
        received = reader.recv() => panic!("received {received:?}"),
    }
}

#[tokio::test]
async fn the_writing_half_sends_parts_gives_back_what_finds_no_room_and_closes_at_once() {
    let (mut peer, io) = duplex(1 << 10);
    let (mut reader, mut writer) = server(io, quiet()).split();
    let receiving = tokio::spawn(async move {
        while reader.recv().await?.is_some() {}
        Ok::<_, Error>(())
    });
    writer.send_fragment(Kind::Text, b"in ", false).await.unwrap();
    writer.send_fragment(Kind::Text, b"parts", true).await.unwrap();
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (0x01, b"in ".to_vec()));
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (0x80, b"parts".to_vec()));

    writer.try_send(Message::binary(vec![0; 1 << 20])).unwrap();
    let (error, message) = writer.try_send(Message::text("no room")).unwrap_err();
    assert_eq!((error, message), (SendError::Full, Message::text("no room")));
    assert_eq!(writer.queued_messages(), 1);
    assert!(writer.buffered_amount() >= 1 << 20);

    // What is left of it is dropped, but for the frame that is on its way.
    let closing = tokio::spawn(async move { writer.close_now(CloseCode::NORMAL, "").await });
    let mut frames = Vec::new();
    while let Some(frame) = read_frame(&mut peer).await.unwrap() {
        let last = frame.0 == CLOSE;
        frames.push(frame.0);
        if last {
            peer.write_all(&masked(CLOSE, &close_body(1000, ""))).await.unwrap();
            peer.shutdown().await.unwrap();
        }
    }
    assert_eq!(frames.last(), Some(&CLOSE));
    closing.await.unwrap().unwrap();
    receiving.await.unwrap().unwrap();
}
