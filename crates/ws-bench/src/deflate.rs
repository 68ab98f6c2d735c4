//! Connections of ours, and with them what is needed where messages are compressed: a wire to decode, and a reader of
//! what was encoded.

use ws_proto::deflate::{DeflateConfig, DeflateParams};
use ws_proto::{Config, Connection, Event, Instant, MaskKeys, Message, RecvBuf, SendBuf};

use crate::case::{ContextTakeover, DecodeCase, Role};
use crate::payload::Content;
use crate::peers::MAX_MESSAGE;
use crate::wire::Wire;

/// How hard all contenders try when they compress: ours by default, and the one that peers name as the fast one.
pub const LEVEL: u8 = 1;

/// How hard the sender of what is decoded tried: zlib's default. Its blocks have Huffman codes of their own, those of
/// level 1 do not.
pub const WIRE_LEVEL: u8 = 6;

/// A connection of ours, which compresses if it is to.
pub fn connection(role: Role, deflate: Option<ContextTakeover>) -> Connection {
    connection_with(role, deflate, DeflateConfig::new().level(LEVEL))
}

fn connection_with(
    role: Role,
    deflate: Option<ContextTakeover>,
    deflate_config: DeflateConfig,
) -> Connection {
    let role = match role {
        Role::Client => ws_proto::Role::Client(MaskKeys::from_seed([7; 32])),
        Role::Server => ws_proto::Role::Server,
    };
    let config = Config::default().max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    let mut connection = Connection::new(role, config, Instant::ZERO);
    if let Some(takeover) = deflate {
        let params = DeflateParams {
            server_no_context_takeover: takeover == ContextTakeover::Without,
            client_no_context_takeover: takeover == ContextTakeover::Without,
            ..DeflateParams::default()
        };
        connection.enable_deflate(params, &deflate_config);
    }
    connection
}

/// Texts that the case decodes or encodes in turn: as many as make 256 KiB, at least 2, so that with context takeover
/// none is still in the window when it comes again.
pub fn texts(content: Content, size: usize) -> Vec<Vec<u8>> {
    let count = (256 * 1024 / size).max(2);
    (0..count).map(|index| content.payload(size, 7 * index as u64)).collect()
}

/// The wire of a case with compressed texts, and the texts. It has no end, as others have none: the first message
/// refers to nothing before it, so it can come again.
///
/// # Panics
///
/// If the case is not about texts, which are not fragmented.
pub fn wire(case: &DecodeCase) -> (Wire, Vec<Vec<u8>>) {
    assert!(case.content.is_text() && case.fragments == 1);
    let messages = texts(case.content, case.size);
    let config = DeflateConfig::new().level(WIRE_LEVEL).memory_level(8);
    let mut sender = connection_with(case.role.other(), case.deflate, config);
    let mut tx = SendBuf::new(Vec::new());
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for message in &messages {
        sender.send(&mut tx, Message::Text(str::from_utf8(message).unwrap())).unwrap();
        while let Some(mut transmit) = sender.poll_transmit(Instant::ZERO, &mut tx) {
            let slices = transmit.slices().concat();
            bytes.extend_from_slice(&slices);
            transmit.advance(slices.len());
        }
        ends.push(bytes.len());
    }
    assert!(bytes.len() < messages.concat().len(), "nothing was compressed");
    (Wire::from_parts(bytes, ends, case.reads), messages)
}

/// The texts in what `role` has encoded, and how many of them were compressed.
///
/// # Panics
///
/// If it is not well-formed, or something else than text.
pub fn read_texts(role: Role, takeover: ContextTakeover, mut bytes: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let mut receiver = connection(role.other(), Some(takeover));
    let mut rx = RecvBuf::new(Vec::new());
    let (mut texts, mut compressed) = (Vec::new(), 0);
    loop {
        while let Some(event) = receiver.receive(Instant::ZERO, &mut rx).unwrap() {
            let Event::Data(Message::Text(text)) = event else { panic!("no text: {event:?}") };
            texts.push(text.as_bytes().to_vec());
            compressed += usize::from(receiver.received_compressed());
        }
        if bytes.is_empty() {
            return (texts, compressed);
        }
        let spare = rx.spare_mut();
        let (next, rest) = bytes.split_at(spare.len().min(bytes.len()));
        spare[..next.len()].copy_from_slice(next);
        rx.commit(next.len());
        bytes = rest;
    }
}
