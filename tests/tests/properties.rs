//! Properties that hold for any input, any cut, and any interleaving.
#![allow(clippy::panic, clippy::unwrap_used)]

use core::time::Duration;

use proptest::prelude::*;
use ws_proto::{CloseCode, Config, Kind, Outbound, Role, SendBuf, SendQueue, State, TransportAction};
use ws_tests::{
    Endpoint, Frame, Pair, Seen, Side, any_frame, at_ms, chop, client_role, close, cont, fixed_key_role,
    frames, ping, repair, text, wire,
};

fn config() -> Config {
    Config::default().ping_interval(None)
}

// However the bytes are cut.

fn stream() -> impl Strategy<Value = (Vec<Frame>, bool, Vec<(prop::sample::Index, u8)>)> {
    (
        prop::collection::vec(any_frame(), 1..15),
        prop::bool::weighted(0.8),
        prop_oneof![
            3 => Just(Vec::new()),
            1 => prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
        ],
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn however_the_bytes_are_cut_the_events_and_the_output_are_the_same(
        (mut script, legal, flips) in stream(),
        is_server: bool,
        sizes in prop::collection::vec(1..200_usize, 1..8),
        limit in prop_oneof![Just(2000_usize), 0..300_usize],
    ) {
        if legal {
            repair(&mut script);
        }
        let mut bytes = wire(&script, is_server);
        for (index, flip) in flips {
            let at = index.index(bytes.len());
            bytes[at] ^= flip;
        }
        let config = config().max_message_size(limit).max_fragments(8);
        let role = || if is_server { Role::Server } else { fixed_key_role() };
        let mut expected = None;
        for sizes in [&[usize::MAX][..], &[1], &sizes] {
            let pieces = chop(&bytes, sizes);
            let mut vec = Endpoint::with(role(), config, Vec::new(), SendBuf::new(Vec::new()));
            let mut fixed = Endpoint::with(role(), config, [0xAA; 2500], SendBuf::new([0; 16]));
            let said = vec.converse(&pieces);
            let got = (said, vec.events(), vec.error());
            let said = fixed.converse(&pieces);
            prop_assert_eq!(&got, &(said, fixed.events(), fixed.error()));
            prop_assert_eq!(expected.get_or_insert_with(|| got.clone()), &got);
            if let Some(error) = got.2 {
                let said = frames(&got.0, !is_server);
                let code = error.close_code().map(CloseCode::as_u16);
                prop_assert_eq!(said.last().cloned(), code.map(close));
                prop_assert_eq!(said.iter().filter(|frame| frame.opcode == 8).count(), 1);
            }
        }
    }

    #[test]
    fn random_bytes_never_panic_and_end_in_an_error_or_in_waiting(
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        is_server: bool,
    ) {
        let mut end = Endpoint::of(is_server);
        end.converse(&chop(&bytes, &[100]));
        prop_assert!(end.rx.capacity() <= 64 << 10);
    }
}

// What is sent arrives.

#[derive(Clone, Debug)]
enum Command {
    Binary(Vec<u8>),
    Close(u16, String),
    Fragments(bool, Vec<usize>, String),
    Owned(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Text(String),
}

fn big() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 0..300),
        1 => (1000..5000_usize, any::<u8>()).prop_map(|(n, byte)| vec![byte; n]),
        1 => (65_530..65_540_usize, any::<u8>()).prop_map(|(n, byte)| vec![byte; n]),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let control = || prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        4 => big().prop_map(Command::Binary),
        4 => big().prop_map(Command::Owned),
        4 => "\\PC{0,60}".prop_map(Command::Text),
        4 => (any::<bool>(), prop::collection::vec(0..60_usize, 0..5), "\\PC{0,100}")
            .prop_map(|(text, cuts, content)| Command::Fragments(text, cuts, content)),
        3 => control().prop_map(Command::Ping),
        1 => control().prop_map(Command::Pong),
    ]
}

fn script() -> impl Strategy<Value = (Vec<Command>, Option<Command>)> {
    let end =
        prop::option::of((3000..5000_u16, "[a-z€]{0,40}").prop_map(|(code, why)| Command::Close(code, why)));
    (prop::collection::vec(command(), 0..8), end)
}

/// Does what `command` says to a connection with any kind of output.
fn obey<O: Outbound>(
    end: &mut Endpoint<Vec<u8>, O>,
    command: &Command,
    owned: fn(&mut Endpoint<Vec<u8>, O>, &[u8]),
) {
    match command {
        Command::Binary(bytes) => end.send_binary(bytes).unwrap(),
        Command::Owned(bytes) => owned(end, bytes),
        Command::Text(text) => end.send_text(text).unwrap(),
        Command::Close(code, reason) => end.close(*code, reason).unwrap(),
        Command::Ping(payload) => end.conn.ping(payload).unwrap(),
        Command::Pong(payload) => end.conn.pong(payload).unwrap(),
        Command::Fragments(text, cuts, content) => {
            let kind = if *text { Kind::Text } else { Kind::Binary };
            let mut rest = content.as_bytes();
            for cut in cuts {
                let (piece, behind) = rest.split_at((*cut).min(rest.len()));
                end.send_fragment(kind, piece, false).unwrap();
                rest = behind;
            }
            end.send_fragment(kind, rest, true).unwrap();
        }
    }
}

/// What the other side has to see of it.
fn seen(command: &Command) -> Seen {
    match command {
        Command::Binary(bytes) | Command::Owned(bytes) => Seen::binary(bytes),
        Command::Text(text) | Command::Fragments(true, _, text) => Seen::text(text),
        Command::Fragments(false, _, content) => Seen::binary(content),
        Command::Close(code, reason) => Seen::close(*code, reason),
        Command::Ping(payload) => Seen::ping(payload),
        Command::Pong(payload) => Seen::pong(payload),
    }
}

fn by_copy<O: Outbound>(end: &mut Endpoint<Vec<u8>, O>, bytes: &[u8]) {
    end.send_binary(bytes).unwrap();
}

fn by_owning(end: &mut Endpoint<Vec<u8>, SendQueue<Vec<u8>>>, bytes: &[u8]) {
    end.conn.send_owned(&mut end.tx, Kind::Binary, bytes.to_vec()).unwrap();
}

/// Mostly with enough room for the header, and sometimes with too little.
fn in_place(end: &mut Endpoint<Vec<u8>, SendQueue<Vec<u8>>>, bytes: &[u8]) {
    let headroom = bytes.len() % 17;
    let frame = [&[0xAA; 17][..headroom], bytes].concat();
    end.conn.send_in_place(&mut end.tx, Kind::Binary, frame, headroom).unwrap();
}

/// The output of a script, transmitted in pieces of these sizes.
fn output<O: Outbound>(
    role: Role,
    config: Config,
    tx: O,
    commands: &[Command],
    sizes: &[usize],
    owned: fn(&mut Endpoint<Vec<u8>, O>, &[u8]),
) -> Vec<u8> {
    let mut end = Endpoint::with(role, config, Vec::new(), tx);
    let mut sizes = sizes.iter().copied().cycle();
    let mut bytes = Vec::new();
    for command in commands {
        obey(&mut end, command, owned);
        // A part of it now, so that control frames meet half-sent ones; and enough for the outbox.
        bytes.extend(end.transmit(sizes.next().unwrap() + 300));
    }
    while end.conn.wants_transmit(&end.tx) {
        bytes.extend(end.transmit(sizes.next().unwrap()));
    }
    assert_eq!((end.tx.buffered_amount(), end.tx.queued_messages()), (0, 0));
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_sent_arrives_through_any_link(
        (to_server, end_of_client) in script(),
        (to_client, end_of_server) in script(),
        fragment_size in prop::option::of(prop_oneof![1..10_usize, 100..70_000_usize]),
        cut in prop::collection::vec(prop_oneof![1..8_usize, 1..5000_usize], 1..6),
    ) {
        // Many tiny frames are what `max_fragments` is for.
        let config = config().fragment_size(fragment_size).max_fragments(u32::MAX);
        let mut pair = Pair::new(config).cut(&cut);
        for (side, commands, end) in
            [(Side::Client, &to_server, &end_of_client), (Side::Server, &to_client, &end_of_server)]
        {
            for command in commands {
                // A ping needs room, and those before it may wait for the rest of a large message.
                match command {
                    Command::Ping(payload) if pair.side(side).conn.ping(payload).is_ok() => {}
                    _ => {
                        if matches!(command, Command::Ping(_)) {
                            pair.transmit(side, usize::MAX);
                        }
                        obey(pair.side(side), command, by_copy);
                    }
                }
                // A part goes out now, the rest with what comes next.
                pair.transmit(side, cut[0] + 300);
            }
            if let Some(close) = end {
                obey(pair.side(side), close, by_copy);
            }
        }
        pair.settle();
        let closing = end_of_client.is_some() || end_of_server.is_some();
        for (side, commands, end) in
            [(Side::Server, &to_server, &end_of_client), (Side::Client, &to_client, &end_of_server)]
        {
            let is_data = |seen: &Seen| matches!(seen, Seen::Text(_) | Seen::Binary(_));
            let events = pair.side(side).events();
            prop_assert_eq!(pair.side(side).error(), None);
            let sent: Vec<Seen> = commands.iter().map(seen).collect();
            let data: Vec<&Seen> = sent.iter().filter(|seen| is_data(seen)).collect();
            let got: Vec<&Seen> = events.iter().filter(|seen| is_data(seen)).collect();
            let pings = |all: &[Seen]| all.iter().filter(|seen| matches!(seen, Seen::Ping(_))).count();
            let we_close = if side == Side::Server { &end_of_server } else { &end_of_client };
            if we_close.is_some() {
                // Data that meets our own Close is passed over.
                prop_assert!(data.starts_with(&got));
            } else {
                prop_assert_eq!(got, data);
                prop_assert_eq!(pings(&events), pings(&sent));
            }
            if closing {
                let last = events.last().unwrap();
                let expected = end.as_ref().or(we_close.as_ref()).map(seen).unwrap();
                prop_assert_eq!(last, &expected);
                prop_assert!(pair.side(side).conn.is_clean());
            }
        }
    }

    #[test]
    fn every_kind_of_output_gives_the_same_bytes(
        (mut commands, end) in script(),
        fragment_size in prop::option::of(prop_oneof![1..10_usize, 100..70_000_usize]),
        sizes in prop::collection::vec(prop_oneof![1..8_usize, 1..5000_usize], 1..6),
        is_server: bool,
    ) {
        commands.extend(end);
        let role = || if is_server { Role::Server } else { client_role() };
        let config = config().fragment_size(fragment_size).write_stall_timeout(None);
        let vec = output(role(), config, SendBuf::new(Vec::new()), &commands, &sizes, by_copy);
        let mut array = vec![0; 6 << 20];
        let array = output(role(), config, SendBuf::new(&mut array[..]), &commands, &sizes, by_copy);
        let copied = output(role(), config, SendQueue::<Vec<u8>>::new().limit(1 << 30), &commands, &sizes, by_copy);
        let owned = output(role(), config, SendQueue::<Vec<u8>>::new().limit(1 << 30), &commands, &sizes, by_owning);
        let placed = output(role(), config, SendQueue::<Vec<u8>>::new().limit(1 << 30), &commands, &sizes, in_place);
        prop_assert!(vec == placed, "SendBuf and SendQueue, in place");
        prop_assert!(vec == array, "SendBuf<Vec<u8>> and SendBuf<&mut [u8]>");
        prop_assert!(vec == copied, "SendBuf and SendQueue, copied");
        prop_assert!(vec == owned, "SendBuf and SendQueue, owned");
        frames(&vec, !is_server);
    }
}

// The closing handshake.

#[derive(Clone, Copy, Debug)]
enum Act {
    Break(Side),
    Close(Side, u16),
    CloseNow(Side, u16),
    Deliver(Side, usize),
    Inject(Side, usize),
    Ping(Side),
    Send(Side, usize),
    Time(u64),
    Transmit(Side, usize),
    Transport(Side),
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Client), Just(Side::Server)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => side().prop_map(Act::Break),
        2 => (side(), 3000..3010_u16).prop_map(|(side, code)| Act::Close(side, code)),
        1 => (side(), 3000..3010_u16).prop_map(|(side, code)| Act::CloseNow(side, code)),
        12 => (side(), prop_oneof![1..10_usize, Just(10_000)]).prop_map(|(side, n)| Act::Deliver(side, n)),
        1 => (side(), 0..4_usize).prop_map(|(side, which)| Act::Inject(side, which)),
        2 => side().prop_map(Act::Ping),
        6 => (side(), 0..300_usize).prop_map(|(side, n)| Act::Send(side, n)),
        4 => prop_oneof![0..1000_u64, 0..20_000_u64].prop_map(Act::Time),
        12 => (side(), prop_oneof![1..10_usize, Just(10_000)]).prop_map(|(side, n)| Act::Transmit(side, n)),
        4 => side().prop_map(Act::Transport),
    ]
}

/// What holds for an endpoint at any time.
fn invariants(pair: &mut Pair, side: Side) -> Result<(), TestCaseError> {
    let sent = ws_tests::frames_and_rest(pair.sent_by(side), side == Side::Client).0;
    let end = pair.side(side);
    prop_assert!(sent.iter().filter(|frame| frame.opcode == 8).count() <= 1, "two Close frames");
    if let Some(at) = sent.iter().position(|frame| frame.opcode == 8) {
        prop_assert!(sent[at..].iter().all(|frame| frame.opcode >= 8), "data behind a Close frame");
        prop_assert!(end.conn.local_close().is_some());
    }
    prop_assert!(end.conn.poll_timeout().is_none_or(|next| next.as_duration() < Duration::MAX));
    if end.conn.transport_action(&end.tx) == TransportAction::Close {
        prop_assert_eq!(end.conn.poll_timeout(), None, "nothing is left to wait for");
    }
    let clean = end.conn.is_clean();
    prop_assert_eq!(clean, clean && end.conn.error().is_none());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_closing_handshake_ends_for_both_in_time_whatever_happens(
        acts in prop::collection::vec(act(), 1..120),
        idle in prop::option::of(1..30_u64),
    ) {
        let config = Config::default().idle_timeout(idle.map(Duration::from_secs));
        let mut pair = Pair::new(config);
        let mut now = 0;
        for act in acts {
            let before = [pair.client.conn.state(), pair.server.conn.state()];
            let errors = [pair.client.conn.error(), pair.server.conn.error()];
            match act {
                Act::Break(side) => pair.break_off(side),
                Act::Close(side, code) => drop(pair.side(side).close(code, "bye")),
                Act::CloseNow(side, code) => drop(pair.side(side).close_now(code, "")),
                Act::Deliver(side, n) => drop(pair.deliver(side, n)),
                Act::Inject(side, which) => {
                    // Something that the peer never sent, at a frame boundary or not: a broken peer.
                    let frame = [cont(""), ping("x"), close(1000), text(b"\xff")][which].clone();
                    pair.side(side).hear(&[frame]);
                }
                Act::Ping(side) => drop(pair.side(side).conn.ping(b"ping")),
                Act::Send(side, n) => drop(pair.side(side).send_binary(&vec![0; n])),
                Act::Time(ms) => {
                    now += ms;
                    pair.time(at_ms(now));
                    for end in [&pair.client, &pair.server] {
                        prop_assert!(end.conn.poll_timeout().is_none_or(|next| next > at_ms(now)), "a busy loop");
                    }
                }
                Act::Transmit(side, n) => drop(pair.transmit(side, n)),
                Act::Transport(side) => drop(pair.act(side)),
            }
            for (side, before, error) in
                [(Side::Client, before[0], errors[0]), (Side::Server, before[1], errors[1])]
            {
                invariants(&mut pair, side)?;
                let end = pair.side(side);
                if error.is_some() {
                    prop_assert_eq!(end.conn.error(), error, "errors are sticky");
                    prop_assert!(!end.receive_one());
                }
                // States only go forward.
                match before {
                    State::Open => {}
                    State::Closing => prop_assert_ne!(end.conn.state(), State::Open),
                    State::Closed => prop_assert_eq!(end.conn.state(), State::Closed),
                }
            }
        }
        // From here on each side only does what it is told to when it is told to; the server wants to go.
        let _ = pair.server.close(1001, "");
        let _ = pair.client.close(1001, "");
        let deadline = now + 10_000;
        let mut turns = 0;
        loop {
            pair.settle();
            let actions = [pair.act(Side::Client), pair.act(Side::Server)];
            if actions == [TransportAction::Close; 2] {
                break;
            }
            let next = [&pair.client, &pair.server].into_iter().filter_map(|end| end.conn.poll_timeout()).min();
            let Some(next) = next else {
                prop_assert!(false, "nothing is going to happen any more: {:?}", actions);
                break;
            };
            prop_assert!(next > at_ms(now), "a busy loop");
            prop_assert!(next <= at_ms(deadline), "{:?} is beyond the deadline", next);
            now = u64::try_from(next.as_duration().as_millis()).unwrap();
            pair.time(next);
            turns += 1;
            prop_assert!(turns < 20);
        }
        for side in [Side::Client, Side::Server] {
            invariants(&mut pair, side)?;
            prop_assert_eq!(pair.side(side).conn.poll_timeout(), None);
            let closes = pair.side(side).events().iter().filter(|event| matches!(event, Seen::Close(..))).count();
            prop_assert!(closes <= 1, "Event::Close is the last event");
        }
    }
}
