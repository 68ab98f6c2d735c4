//! Messages in pieces, in both directions.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::io;
use std::time::Duration;

use futures_util::stream;
use support::{
    CLOSE, PING, PONG, client, close_body, frame, masked, pair, quiet, read_frame, recv_data, server,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use ws_proto::{Chunk, CloseCode, Event, Kind, Message as Borrowed, SendError};
use ws_tokio::{Error, Message};

#[tokio::test]
async fn pieces_arrive_before_their_frame_is_complete_and_control_frames_between_them() {
    let (mut peer, io) = duplex(1 << 16);
    let mut ws = server(io, quiet());
    let whole = masked(0x01, &[b'a'; 1000]);
    peer.write_all(&whole[..508]).await.unwrap();

    let Some((Event::Data(Chunk::FrameStart(header)), _)) = ws.next_chunk().await.unwrap() else { panic!() };
    assert_eq!((header.kind, header.fin, header.len), (Kind::Text, false, 1000));
    let Some((Event::Data(Chunk::Data(Borrowed::Text(piece))), _)) = ws.next_chunk().await.unwrap() else {
        panic!()
    };
    assert_eq!(piece.len(), 500);

    peer.write_all(&whole[508..]).await.unwrap();
    peer.write_all(&masked(PING, b"now")).await.unwrap();
    peer.write_all(&masked(0x80, b"")).await.unwrap();
    let mut seen = Vec::new();
    while let Some((event, _)) = ws.next_chunk().await.unwrap() {
        let last = matches!(event, Event::Data(Chunk::FrameEnd { fin: true }));
        seen.push(match event {
            Event::Data(Chunk::Data(piece)) => format!("{} bytes", piece.as_bytes().len()),
            Event::Data(Chunk::FrameStart(header)) => format!("start {}", header.continuation),
            Event::Data(Chunk::FrameEnd { fin }) => format!("end {fin}"),
            Event::Ping(payload) => format!("ping {}", payload.len()),
            other => format!("{other:?}"),
        });
        if last {
            break;
        }
    }
    assert_eq!(seen, ["500 bytes", "end false", "ping 3", "start true", "end true"]);
}

#[tokio::test]
async fn a_reader_gives_one_message_and_the_next_reader_the_next() {
    let (mut sender, mut receiver) = pair(quiet());
    let sending = async {
        sender.send_fragment(Kind::Binary, &[1; 3000], false).await.unwrap();
        sender.feed(Message::Ping("between".into())).await.unwrap();
        sender.send_fragment(Kind::Binary, &[2; 10], true).await.unwrap();
        sender.send(Message::text("skipped")).await.unwrap();
        sender.send(Message::text("ünd noch eine")).await.unwrap();
        sender.close(CloseCode::NORMAL, "").await.unwrap();
    };
    let receiving = async {
        let mut message = receiver.next_message().await.unwrap().unwrap();
        assert_eq!((message.kind(), message.len_hint()), (Kind::Binary, None));
        let mut bytes = Vec::new();
        message.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, [vec![1; 3000], vec![2; 10]].concat());
        drop(message);

        let mut message = receiver.next_message().await.unwrap().unwrap();
        assert_eq!((message.kind(), message.len_hint()), (Kind::Text, Some(7)));
        let mut two = [0; 2];
        message.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"sk");
        drop(message);

        let mut text = String::new();
        receiver.next_message().await.unwrap().unwrap().read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "ünd noch eine");
        assert!(receiver.next_message().await.unwrap().is_none());
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn what_is_left_of_a_message_whose_reader_was_dropped_is_passed_over_by_every_way_to_receive() {
    let (mut peer, io) = duplex(1 << 16);
    let mut ws = server(io, quiet());
    for next in 0..3 {
        peer.write_all(&masked(0x01, b"begun")).await.unwrap();
        drop(ws.next_message().await.unwrap().unwrap());
        peer.write_all(&masked(PING, b"between")).await.unwrap();
        peer.write_all(&masked(0x80, b" and finished")).await.unwrap();
        peer.write_all(&masked(0x81, b"next")).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::Ping("between".into())));
        match next {
            0 => assert_eq!(ws.recv().await.unwrap(), Some(Message::text("next"))),
            1 => {
                let (event, _) = ws.next_chunk().await.unwrap().unwrap();
                assert!(matches!(event, Event::Data(Chunk::FrameStart(header)) if !header.continuation));
                assert_eq!(ws.recv().await.unwrap(), Some(Message::text("next")));
            }
            _ => {
                let mut text = String::new();
                ws.next_message().await.unwrap().unwrap().read_to_string(&mut text).await.unwrap();
                assert_eq!(text, "next");
            }
        }
    }
}

#[tokio::test]
async fn a_message_far_beyond_the_limit_passes_in_pieces_through_a_small_buffer() {
    const SIZE: u64 = 64 << 20;
    let (mut sender, mut receiver) = pair(quiet().max_message_size(1000));
    let sending = async {
        let mut source = tokio::io::repeat(7).take(SIZE);
        assert_eq!(sender.send_reader(Kind::Binary, &mut source).await.unwrap(), SIZE);
    };
    let receiving = async {
        let mut message = receiver.next_message().await.unwrap().unwrap();
        let mut buffer = vec![0; 64 << 10];
        let mut total = 0;
        loop {
            let n = message.read(&mut buffer).await.unwrap();
            if n == 0 {
                break;
            }
            assert!(buffer[..n].iter().all(|&byte| byte == 7));
            total += n as u64;
        }
        assert_eq!(total, SIZE);
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn a_connection_that_ends_inside_a_message_is_an_unexpected_end_of_file() {
    for end in [Vec::new(), frame(CLOSE, &close_body(1001, ""))] {
        let (mut peer, io) = duplex(1 << 16);
        let mut ws = client(io, quiet());
        peer.write_all(&frame(0x02, b"half")).await.unwrap();
        peer.write_all(&end).await.unwrap();
        peer.shutdown().await.unwrap();
        let mut bytes = Vec::new();
        let mut message = ws.next_message().await.unwrap().unwrap();
        let error = message.read_to_end(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(bytes, b"half");
    }
}

#[tokio::test]
async fn what_is_written_is_one_message_and_each_write_a_fragment() {
    let (mut peer, io) = duplex(1 << 16);
    let mut ws = server(io, quiet());
    let mut message = ws.begin_message(Kind::Text).unwrap();
    message.write_all("grü".as_bytes()).await.unwrap();
    // Half a character; the other half is in the next fragment.
    message.write_all(&"ß".as_bytes()[..1]).await.unwrap();
    message.write_all(&"ß".as_bytes()[1..]).await.unwrap();
    message.finish().await.unwrap();
    ws.send(Message::text("next")).await.unwrap();
    let mut frames = Vec::new();
    while frames.len() < 5 {
        frames.push(read_frame(&mut peer).await.unwrap().unwrap());
    }
    let sharp = "ß".as_bytes();
    assert_eq!(
        frames,
        [
            (0x01, "grü".as_bytes().to_vec()),
            (0x00, sharp[..1].to_vec()),
            (0x00, sharp[1..].to_vec()),
            (0x80, vec![]),
            (0x81, b"next".to_vec())
        ]
    );
}

#[tokio::test]
async fn a_writer_dropped_half_way_closes_with_1011_and_one_not_begun_does_not() {
    let (mut peer, io) = duplex(1 << 16);
    let mut ws = server(io, quiet());
    drop(ws.begin_message(Kind::Text).unwrap());
    ws.send(Message::text("all is well")).await.unwrap();
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap().0, 0x81);

    let mut message = ws.begin_message(Kind::Text).unwrap();
    message.write_all(b"half").await.unwrap();
    drop(message);
    assert!(matches!(ws.send(Message::text("no")).await, Err(Error::Send(SendError::Closing))));
    ws.flush().await.unwrap();
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (0x01, b"half".to_vec()));
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (CLOSE, close_body(1011, "")));
}

#[tokio::test]
async fn while_one_message_is_written_no_other_can_be_begun() {
    let (_peer, io) = duplex(1 << 16);
    let mut ws = server(io, quiet());
    ws.send_fragment(Kind::Text, b"open", false).await.unwrap();
    assert!(matches!(ws.begin_message(Kind::Text), Err(Error::Send(SendError::MessageInProgress))));
}

#[tokio::test]
async fn a_source_waits_for_a_message_that_waits_in_front_of_a_full_queue() {
    const SIZE: usize = 2 << 20;
    let (mut peer, io) = duplex(1 << 16);
    let mut ws = server(io, quiet());
    let reading = tokio::spawn(async move {
        let mut seen = Vec::new();
        while seen.len() < 7 {
            let (first, payload) = read_frame(&mut peer).await.unwrap().unwrap();
            seen.push((first, payload.len()));
        }
        seen
    });
    ws.feed(Message::binary(vec![1; SIZE])).await.unwrap();
    ws.feed(Message::text("in front")).await.unwrap();
    // What cannot wait says so.
    assert!(matches!(ws.begin_message(Kind::Text), Err(Error::Send(SendError::Full))));
    assert_eq!(ws.send_reader(Kind::Text, &mut &b"source"[..]).await.unwrap(), 6);

    ws.feed(Message::binary(vec![1; SIZE])).await.unwrap();
    ws.feed(Message::text("in front")).await.unwrap();
    let items = [Ok::<_, io::Error>("stream")];
    assert_eq!(ws.send_stream(Kind::Text, &mut stream::iter(items)).await.unwrap(), 6);
    let round = [(0x82, SIZE), (0x81, 8), (0x01, 6), (0x80, 0)];
    assert_eq!(reading.await.unwrap(), [&round[..], &round[..3]].concat());
}

#[tokio::test]
async fn a_source_that_fails_closes_with_1011_and_its_error_is_told() {
    let (mut peer, io) = duplex(1 << 16);
    let mut ws = server(io, quiet());
    let items = [Ok(&b"first"[..]), Err(io::Error::other("broken"))];
    let error = ws.send_stream(Kind::Binary, &mut stream::iter(items)).await.unwrap_err();
    assert_eq!(error.to_string(), "broken");
    ws.flush().await.unwrap();
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (0x02, b"first".to_vec()));
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (CLOSE, close_body(1011, "")));
}

#[tokio::test]
async fn a_slow_source_blocks_neither_pongs_nor_the_answer_to_a_close() {
    let (mut peer, io) = duplex(1 << 16);
    let mut ws = server(io, quiet());
    let (mut feed, mut source) = duplex(64);
    let sending = tokio::spawn(async move {
        let result = ws.send_reader(Kind::Binary, &mut source).await;
        (ws, result)
    });
    feed.write_all(b"one").await.unwrap();
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (0x02, b"one".to_vec()));
    peer.write_all(&masked(PING, b"there?")).await.unwrap();
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (PONG, b"there?".to_vec()));
    peer.write_all(&masked(CLOSE, &close_body(1000, ""))).await.unwrap();
    assert_eq!(read_frame(&mut peer).await.unwrap().unwrap(), (CLOSE, close_body(1000, "")));
    let (_, result) = sending.await.unwrap();
    assert!(matches!(result, Err(Error::Send(SendError::Closing))), "{result:?}");
}

#[tokio::test]
async fn data_that_arrives_while_a_source_is_slow_waits_for_whoever_receives_next() {
    let (mut peer, io) = duplex(1 << 16);
    let mut ws = server(io, quiet());
    let (mut feed, mut source) = duplex(64);
    peer.write_all(&masked(0x81, b"question")).await.unwrap();
    let sending = async {
        feed.write_all(b"one").await.unwrap();
        // The piece has been sent, so the data before it has been looked at.
        assert_eq!(read_frame(&mut peer).await.unwrap().unwrap().0, 0x02);
        drop(feed);
    };
    let (sent, ()) = tokio::join!(ws.send_reader(Kind::Binary, &mut source), sending);
    assert_eq!(sent.unwrap(), 3);
    assert_eq!(recv_data(&mut ws).await.unwrap(), Some(Message::text("question")));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_ends_a_streamed_message_at_the_write_stall_deadline() {
    let (_peer, io) = duplex(1 << 10);
    let mut ws = server(io, quiet().write_stall_timeout(Some(Duration::from_secs(5))));
    let began = tokio::time::Instant::now();
    let error = ws.send_reader(Kind::Binary, &mut tokio::io::repeat(0)).await.unwrap_err();
    assert!(matches!(error, Error::Connection(ws_proto::Error::Timeout(_))), "{error:?}");
    assert_eq!(began.elapsed().as_secs(), 5);
}

/// The most memory that this process ever had resident, in KiB.
#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Run alone, for the memory is that of the whole process: `cargo test --release -p ws-tokio --test streaming --
/// --ignored --exact four_gib_pass_both_ways_with_less_than_16_mib_of_memory`
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "echoes 4 GiB over loopback, which takes a minute in a release build"]
async fn four_gib_pass_both_ways_with_less_than_16_mib_of_memory() {
    const SIZE: u64 = 4 << 30;
    let (a, b) = support::tcp_pair().await;
    let echo = tokio::spawn(async move {
        let mut ws = server(b, quiet());
        let mut kind = Kind::Binary;
        while let Some((event, mut reply)) = ws.next_chunk().await? {
            match event {
                Event::Data(Chunk::FrameStart(header)) => kind = header.kind,
                Event::Data(Chunk::Data(piece)) => reply.send_fragment(kind, piece.as_bytes(), false).await?,
                Event::Data(Chunk::FrameEnd { fin: true }) => reply.send_fragment(kind, &[], true).await?,
                _ => {}
            }
        }
        Ok::<_, Error>(())
    });
    let (mut reader, mut writer) = client(a, quiet()).split();
    let sending = tokio::spawn(async move {
        let mut source = tokio::io::repeat(7).take(SIZE);
        let sent = writer.send_reader(Kind::Binary, &mut source).await;
        (writer, sent)
    });
    let mut message = reader.next_message().await.unwrap().unwrap();
    let (mut buffer, mut total) = (vec![0; 64 << 10], 0);
    loop {
        let n = message.read(&mut buffer).await.unwrap();
        if n == 0 {
            break;
        }
        assert!(buffer[..n].iter().all(|&byte| byte == 7), "a byte was damaged");
        total += n as u64;
    }
    drop(message);
    let (mut writer, sent) = sending.await.unwrap();
    assert_eq!((sent.unwrap(), total), (SIZE, SIZE));
    writer.close(CloseCode::NORMAL, "").await.unwrap();
    while reader.recv().await.unwrap().is_some() {}
    echo.await.unwrap().unwrap();
    let peak = peak_memory();
    println!("4 GiB echoed; at most {peak} KiB of memory");
    assert!(peak < 16 << 10, "{peak} KiB");
}
