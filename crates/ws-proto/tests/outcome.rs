//! How a connection ended, as adapters tell it.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used)]

use ws_proto::{
    CloseCode, CloseFrame, Config, Connection, Ending, Event, Instant, RecvBuf, Role, SendBuf, Side,
};

const NOW: Instant = Instant::ZERO;

/// A server whose peer closed, or which does, with what is kept of it.
struct Server {
    conn: Connection,
    rx: RecvBuf<Vec<u8>>,
    ending: Ending<&'static str>,
}

impl Server {
    fn new(config: Config) -> Self {
        let conn = Connection::new(Role::Server, config, NOW);
        Self { conn, rx: RecvBuf::new(Vec::new()), ending: Ending::new() }
    }

    fn close(&mut self, code: CloseCode, reason: &str) {
        self.conn.close(NOW, code, reason).unwrap();
        self.ending.keep_local(code, reason);
    }

    /// A Close frame of the client arrives, masked with zeros.
    fn hear_close(&mut self, code: u16, reason: &str) {
        let mut frame = vec![0x88, 0x80 | (2 + reason.len()) as u8, 0, 0, 0, 0];
        frame.extend(code.to_be_bytes());
        frame.extend(reason.bytes());
        self.rx.extend_from_slice(&frame);
        match self.conn.receive(NOW, &mut self.rx).unwrap() {
            Some(Event::Close(frame)) => self.ending.keep_peer(frame, &self.conn),
            other => unreachable!("{other:?}"),
        }
    }

    fn transmit(&mut self) {
        let mut tx = SendBuf::new([0; 0]);
        while let Some(mut transmit) = self.conn.poll_transmit(NOW, &mut tx) {
            let n = transmit.slices()[0].len();
            transmit.advance(n);
        }
    }
}

/// Who closed, with which code, and whether it was clean; the frames; the line for logs.
type Told = (Option<Side>, u16, bool, [Option<(u16, String)>; 2], String);

fn tell(server: &Server) -> Told {
    let outcome = server.ending.outcome(&server.conn);
    let frame =
        |frame: Option<CloseFrame<'_>>| frame.map(|frame| (frame.code.as_u16(), frame.reason.to_owned()));
    let frames = [frame(outcome.peer), frame(outcome.local)];
    (outcome.closed_by, outcome.code().as_u16(), outcome.clean, frames, outcome.to_string())
}

fn said(code: u16, reason: &str) -> Option<(u16, String)> {
    Some((code, reason.to_owned()))
}

#[test]
fn section_7_1_5_a_close_by_the_peer_is_told_with_its_reason_which_the_answer_repeats() {
    for reason in ["", "bye"] {
        let mut server = Server::new(Config::default());
        server.hear_close(4000, reason);
        let quoted = if reason.is_empty() { "" } else { " \"bye\"" };
        let line =
            format!("closed by the peer, received 4000 private use{quoted}, sent 4000 private use{quoted}");
        let frames = [said(4000, reason), said(4000, reason)];
        assert_eq!(tell(&server), (Some(Side::Peer), 4000, false, frames.clone(), line.clone()));
        server.transmit();
        assert_eq!(tell(&server), (Some(Side::Peer), 4000, true, frames, line));
    }
}

#[test]
fn section_7_1_5_a_close_of_ours_has_the_code_of_the_answer() {
    let mut server = Server::new(Config::default());
    server.close(CloseCode::GOING_AWAY, "later");
    server.transmit();
    // Before the answer "_The WebSocket Connection Close Code_ is considered to be 1006".
    let line = "closed by us, received nothing, sent 1001 going away \"later\"".to_owned();
    assert_eq!(tell(&server), (Some(Side::Local), 1006, false, [None, said(1001, "later")], line));
    server.hear_close(1000, "");
    let line = "closed by us, received 1000 normal closure, sent 1001 going away \"later\"".to_owned();
    assert_eq!(tell(&server), (Some(Side::Local), 1000, true, [said(1000, ""), said(1001, "later")], line));
    // The same where the answer has a reason: it does not become ours.
    let mut server = Server::new(Config::default());
    server.close(CloseCode::NORMAL, "ours");
    server.hear_close(1000, "theirs");
    assert_eq!(tell(&server).3, [said(1000, "theirs"), said(1000, "ours")]);
}

#[test]
fn section_7_1_5_a_peer_that_is_not_answered_has_closed_all_the_same() {
    let mut server = Server::new(Config::default().automatic_close(false));
    server.hear_close(1000, "theirs");
    let line = "closed by the peer, received 1000 normal closure \"theirs\", sent nothing".to_owned();
    assert_eq!(tell(&server), (Some(Side::Peer), 1000, false, [said(1000, "theirs"), None], line));
}

#[test]
fn a_broken_connection_says_so_and_why() {
    let mut server = Server::new(Config::default());
    assert_eq!(server.ending.outcome(&server.conn).error, None);
    let error = server.conn.receive_eof().unwrap_err();
    server.ending.keep_error("reset");
    let line = "broken, received nothing, sent nothing: reset".to_owned();
    assert_eq!(tell(&server), (None, 1006, false, [None, None], line));
    assert_eq!(
        (server.ending.outcome(&server.conn).error, server.conn.error()),
        (Some(&"reset"), Some(error))
    );
}

#[test]
fn the_reason_of_a_close_frame_that_gave_way_to_a_failure_is_not_told() {
    let mut server = Server::new(Config::default());
    server.close(CloseCode::NORMAL, "done");
    // Not masked.
    server.rx.extend_from_slice(&[0x81, 0]);
    server.conn.receive(NOW, &mut server.rx).unwrap_err();
    assert_eq!(tell(&server).3, [None, said(1002, "")]);
}
