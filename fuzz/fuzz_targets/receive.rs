//! Any bytes, cut any way, to either role: nothing panics, each poll makes progress, and the cuts make no difference.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_proto::{Config, Connection, Instant, MaskKeys, RecvBuf, Role, SendBuf};

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    client: bool,
    max_message_size: u16,
    max_fragments: u8,
    fixed_storage: bool,
    cuts: &'a [u8],
    bytes: &'a [u8],
}

/// What came of the bytes: the events as text, and the bytes that went out.
#[derive(Debug, Eq, PartialEq)]
struct Outcome {
    events: Vec<String>,
    error: Option<ws_proto::Error>,
    output: Vec<u8>,
}

fn run<S: ws_proto::Storage>(input: &Input<'_>, cuts: &[u8], storage: S) -> Outcome {
    let role = if input.client { Role::Client(MaskKeys::from_fn(|| [1, 2, 3, 4])) } else { Role::Server };
    let config = Config::default()
        .max_message_size(usize::from(input.max_message_size))
        .max_fragments(u32::from(input.max_fragments));
    let mut conn = Connection::new(role, config, Instant::ZERO);
    let mut rx = RecvBuf::new(storage);
    let mut tx = SendBuf::new([0_u8; 0]);
    let mut outcome = Outcome { events: Vec::new(), error: None, output: Vec::new() };
    let mut polls = 0;
    let mut cuts = cuts.iter().cycle();
    let mut rest = input.bytes;
    loop {
        loop {
            polls += 1;
            assert!(polls <= 4 * input.bytes.len() + 16, "polls without progress");
            match conn.receive(Instant::ZERO, &mut rx) {
                Ok(Some(event)) => outcome.events.push(format!("{event:?}")),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(conn.receive(Instant::ZERO, &mut rx), Err(error), "errors are sticky");
                    outcome.error = Some(error);
                    break;
                }
            }
            transmit(&mut conn, &mut tx, &mut outcome.output);
        }
        transmit(&mut conn, &mut tx, &mut outcome.output);
        if rest.is_empty() || outcome.error.is_some() {
            return outcome;
        }
        let spare = rx.spare_mut();
        assert!(!spare.is_empty(), "a read into nothing looks like the end of the stream");
        let n = usize::from(*cuts.next().unwrap_or(&255)).clamp(1, rest.len()).min(spare.len());
        spare[..n].copy_from_slice(&rest[..n]);
        rx.commit(n);
        rest = &rest[n..];
    }
}

fn transmit(conn: &mut Connection, tx: &mut SendBuf<[u8; 0]>, output: &mut Vec<u8>) {
    while let Some(mut transmit) = conn.poll_transmit(Instant::ZERO, tx) {
        let slice = transmit.slices()[0].to_vec();
        transmit.advance(slice.len());
        output.extend(slice);
    }
}

fuzz_target!(|input: Input<'_>| {
    let (whole, cut) = if input.fixed_storage {
        (run(&input, &[255], [0_u8; 512]), run(&input, input.cuts, [0_u8; 512]))
    } else {
        (run(&input, &[255], Vec::new()), run(&input, input.cuts, Vec::new()))
    };
    assert_eq!(whole, cut, "the cuts make a difference");
});
