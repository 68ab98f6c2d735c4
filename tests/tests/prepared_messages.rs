//! Messages prepared for many connections, whatever connection they are sent on; and what gets into logs of it all.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;

use ws_proto::deflate::{DeflateConfig, DeflateParams, WindowBits};
use ws_proto::{Config, Kind, Message, PreparedMessage, RecvBuf, Role, Rsv, SendBuf, SendQueue};
use ws_tests::{Endpoint, Frame, binary, client_role, text};

type Prepared = PreparedMessage<Arc<[u8]>>;

fn sends(role: Role, config: Config, deflate: Option<DeflateParams>, message: &Prepared) -> Vec<Frame> {
    let config = config.ping_interval(None);
    let mut end = Endpoint::with(role, config, Vec::new(), SendQueue::<Arc<[u8]>>::new());
    if let Some(params) = deflate {
        end.conn.enable_deflate(params, &DeflateConfig::new());
    }
    end.conn.send_prepared(&mut end.tx, message).unwrap();
    let sent = end.say();
    end.tx.shrink(0);
    assert!(end.tx.is_empty());
    sent
}

#[test]
fn a_prepared_message_is_the_same_on_every_connection() {
    let message = Prepared::new(Message::Text("prepared"));
    assert_eq!((message.kind(), &message.payload()[..]), (Kind::Text, &b"prepared"[..]));
    for role in [Role::Server, client_role()] {
        assert_eq!(sends(role, Config::default(), None, &message), [text("prepared")]);
    }
    let parts = [text("pre").more(), ws_tests::cont("par"), ws_tests::cont("ed")];
    let sent = sends(Role::Server, Config::default().fragment_size(Some(3)), None, &message);
    assert_eq!(
        sent.iter().map(|frame| &frame.payload).collect::<Vec<_>>(),
        parts.each_ref().map(|part| &part.payload)
    );
    let owned = PreparedMessage::<Vec<u8>>::from_text(String::from("text"));
    assert_eq!((owned.kind(), &owned.payload()[..]), (Kind::Text, &b"text"[..]));
    assert_eq!(format!("{owned:?}"), "PreparedMessage { kind: Text, len: 4, .. }");
}

#[test]
fn section_7_1_2_of_7692_a_prepared_message_is_compressed_only_for_windows_that_are_agreed_on() {
    let bits = |bits| WindowBits::new(bits).unwrap();
    let params = |window| DeflateParams { server_max_window_bits: bits(window), ..DeflateParams::default() };
    let config = DeflateConfig::new().min_size(64);
    let zeros = Prepared::from_binary(Arc::from(vec![0; 5000])).compressed(&config, bits(12));
    for (window, compressed) in [(9, false), (11, false), (12, true), (15, true)] {
        let sent = sends(Role::Server, Config::default(), Some(params(window)), &zeros);
        assert_eq!(sent[0].rsv == 4, compressed, "{window}");
        assert_eq!(sent[0] == binary(vec![0; 5000]), !compressed, "{window}");
    }
    // What is too short, or does not shrink, is never compressed.
    let short = vec![0; 63];
    let mut state = 1_u64;
    let noise: Vec<u8> = core::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    })
    .take(5000)
    .collect();
    for bytes in [short, noise] {
        let message = Prepared::from_binary(Arc::from(&bytes[..])).compressed(&config, bits(12));
        let sent = sends(Role::Server, Config::default(), Some(params(15)), &message);
        assert!(sent == [binary(&bytes)], "{} bytes", bytes.len());
    }
}

#[test]
fn an_owned_message_is_cut_and_compressed_like_any_other() {
    for (config, deflate, count, rsv) in [
        (Config::default().fragment_size(Some(1000)), false, 5, 0),
        (Config::default(), false, 1, 0),
        (Config::default(), true, 1, 4),
    ] {
        let mut end =
            Endpoint::with(Role::Server, config.ping_interval(None), Vec::new(), SendQueue::<Vec<u8>>::new());
        if deflate {
            end.conn.enable_deflate(DeflateParams::default(), &DeflateConfig::new());
        }
        end.conn.send_owned(&mut end.tx, Kind::Binary, vec![1; 5000]).unwrap();
        let sent = end.say();
        assert_eq!((sent.len(), sent[0].rsv), (count, rsv));
    }
}

#[test]
fn what_was_received_or_waits_does_not_get_into_logs() {
    let mut end = Endpoint::server();
    end.rx.extend_from_slice(b"secret");
    end.send_text("secret").unwrap();
    let mut queue = SendQueue::<Vec<u8>>::default();
    end.conn.send_owned(&mut queue, Kind::Text, b"secret".to_vec()).unwrap();
    let logged = format!("{:?} {:?} {queue:?} {:?}", end.rx, end.tx, end.conn);
    assert!(logged.contains("unparsed: 6"), "{logged}");
    let numbers = format!("{:?}", b"secret");
    assert!(!logged.contains("secret") && !logged.contains(&numbers[1..numbers.len() - 1]), "{logged}");
    assert_eq!(format!("{:?}", WindowBits::new(9).unwrap()), "WindowBits(9)");
}

#[test]
fn a_connection_says_what_it_was_made_with() {
    let bits = Rsv::RSV2;
    let end = Endpoint::client_with(Config::default().allowed_rsv(bits));
    assert_eq!(end.conn.allowed_rsv(), bits);
    assert!(matches!(end.conn.role(), Role::Client(_)));
    assert!(matches!(Endpoint::server().conn.role(), Role::Server));
    assert_eq!(DeflateConfig::default(), DeflateConfig::new());
}

#[test]
fn memory_shrinks_to_what_is_asked_and_fixed_memory_stays() {
    let mut grown = RecvBuf::new(Vec::new());
    let _ = grown.spare_mut();
    assert!(grown.capacity() > 100);
    grown.shrink(100);
    assert_eq!(grown.capacity(), 100);
    let mut fixed = RecvBuf::new([0; 200]);
    fixed.shrink(100);
    assert_eq!(fixed.capacity(), 200);
    let mut storage = [0; 200];
    let mut borrowed = RecvBuf::new(&mut storage[..]);
    borrowed.shrink(100);
    assert_eq!(borrowed.capacity(), 200);
    assert_eq!(SendBuf::new([7; 3]).into_storage(), [7; 3]);
}

#[test]
fn more_buffers_than_a_thread_keeps_can_give_their_memory_back_and_take_new() {
    let mut buffers: Vec<_> = (0..20).map(|_| RecvBuf::<Vec<u8>>::default()).collect();
    for _ in 0..2 {
        for buffer in &mut buffers {
            assert_eq!(buffer.extend_from_slice(b"received"), 8);
        }
        for buffer in &mut buffers {
            buffer.shrink(0);
            assert_eq!(
                (buffer.unparsed(), buffer.is_empty()),
                (&b"received"[..], false),
                "what is kept stays"
            );
        }
        for buffer in &mut buffers {
            let mut conn =
                ws_proto::Connection::new(Role::Server, Config::default(), ws_proto::Instant::ZERO);
            assert!(conn.receive(ws_proto::Instant::ZERO, buffer).is_err());
            buffer.shrink(0);
            assert_eq!((buffer.capacity(), buffer.is_empty()), (0, true));
            buffer.shrink(0);
        }
    }
}

#[test]
fn to_flush_a_message_that_is_not_compressed_adds_nothing() {
    let mut end = Endpoint::server();
    end.conn.begin_message(Kind::Text).unwrap();
    assert_eq!(end.conn.write_message(&mut end.tx, b"piece"), Ok(5));
    end.conn.flush_message(&mut end.tx).unwrap();
    assert_eq!(end.say(), [text("piece").more()]);
    end.conn.flush_message(&mut end.tx).unwrap();
    assert_eq!(end.say(), []);
    end.conn.finish_message(&mut end.tx).unwrap();
    assert_eq!(end.say(), [ws_tests::cont("")]);
}

#[test]
fn more_messages_than_there_are_slices_go_out_in_order_with_the_close_frame_last() {
    let mut end = Endpoint::with(Role::Server, Config::default(), Vec::new(), SendQueue::<Vec<u8>>::new());
    let messages: Vec<_> = (0..100).map(|n| vec![n; 5000]).collect();
    for message in &messages {
        end.conn.send_owned(&mut end.tx, Kind::Binary, message.clone()).unwrap();
    }
    end.close(1000, "").unwrap();
    let transmit = end.conn.poll_transmit(end.now, &mut end.tx).unwrap();
    assert_eq!(transmit.slices().iter().count(), ws_proto::MAX_SLICES);
    let mut expected: Vec<_> = messages.iter().map(binary).collect();
    expected.push(ws_tests::close(1000));
    assert!(end.say() == expected);
}
