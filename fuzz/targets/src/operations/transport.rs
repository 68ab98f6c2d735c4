//! What happens outside of the two connections: bytes move, time passes, transports end.

use ws_proto::{Instant, TransportAction};

use super::end::{control_bound, with_output};
use super::{Output, Pair};
use crate::input::bit;

impl Pair {
    /// The end and the other one.
    fn both(&mut self, side: usize) -> (&mut super::End, &mut super::End) {
        let [client, server] = &mut self.ends;
        if side == 0 { (client, server) } else { (server, client) }
    }

    pub(super) fn transmit(&mut self, side: usize, room: usize) {
        let now = self.now();
        let pipe = &mut self.pipes[1 - side];
        if pipe.ended || pipe.broken {
            return;
        }
        let end = &mut self.ends[side];
        let waiting = with_output!(&mut end.tx, tx => ws_proto::Outbound::buffered_amount(tx));
        let sent = end.transmit(now, room);
        assert!(sent.len() <= waiting + control_bound(), "{} bytes of {waiting}", sent.len());
        pipe.bytes.extend(&sent);
    }

    pub(super) fn deliver(&mut self, side: usize, room: usize, ways: u8) {
        let now = self.now();
        let pipe = &mut self.pipes[side];
        if pipe.broken {
            return;
        }
        let n = room.min(pipe.bytes.len());
        let bytes: Vec<u8> = pipe.bytes.drain(..n).collect();
        let at_end = pipe.bytes.is_empty() && pipe.ended && !pipe.end_seen;
        pipe.end_seen |= at_end;
        let (end, other) = self.both(side);
        assert_eq!(end.rx.extend_from_slice(&bytes), bytes.len(), "no room in a buffer that grows");
        end.receive(now, ways, other);
        if at_end {
            let failed = end.conn.peer_close().is_none() && end.conn.error().is_none();
            let result = end.conn.receive_eof();
            assert_eq!(result.is_err(), failed || end.conn.error().is_some());
            end.receive(now, ways, other);
        }
    }

    /// Only control frames, as an adapter does that is busy sending: nothing is lost, and no data is taken.
    pub(super) fn control(&mut self, side: usize) {
        let now = self.now();
        let end = &mut self.ends[side];
        let (error, peer_close) = (end.conn.error(), end.conn.peer_close());
        // Everything was received when it arrived, so that nothing can be left but a part of a frame.
        match end.conn.poll_receive_control(now, &mut end.rx) {
            Ok(event) => assert_eq!((event, error, end.conn.peer_close()), (None, None, peer_close)),
            Err(now) => assert!(error.is_none_or(|before| before == now)),
        }
    }

    pub(super) fn time(&mut self, millis: u64) {
        self.now += millis;
        let now = self.now();
        for end in &mut self.ends {
            end.conn.handle_timeout(now);
            assert!(end.conn.poll_timeout().is_none_or(|next| next > now), "a busy loop");
        }
    }

    /// Does to the transport what the connection says.
    pub(super) fn act(&mut self, side: usize) {
        let action = self.ends[side].action();
        match action {
            TransportAction::Keep => {}
            TransportAction::ShutdownWrite => self.pipes[1 - side].ended = true,
            TransportAction::Close => {
                self.pipes[1 - side].ended = true;
                self.pipes[side].broken = true;
            }
        }
    }

    /// The transport ends on its own: from one end to the other, or for good.
    pub(super) fn tear(&mut self, side: usize, how: u8) {
        // Most inputs would end too soon otherwise.
        if how & 7 != 0 {
            return;
        }
        self.torn = true;
        self.pipes[1 - side].ended = true;
        if bit(how, 3) {
            let _ = self.ends[side].conn.transport_failed();
            assert_eq!(self.ends[side].action(), TransportAction::Close);
        }
    }

    /// From here on each end does only what it is told, when it is told; and one of them wants to close.
    pub(super) fn finish(&mut self, options: [u8; 2]) {
        for side in [0, 1] {
            if options[1] & 3 != 2 - side as u8 {
                let _ = self.ends[side].conn.close(self.now(), ws_proto::CloseCode::NORMAL, "");
                self.ends[side].partial = None;
            }
        }
        let piece = if options[1] >> 4 == 0 { usize::MAX } else { 40 * usize::from(options[1] >> 4) };
        let begun = self.now;
        for _ in 0..40 {
            self.settle(piece);
            let done = [self.ends[0].action(), self.ends[1].action()] == [TransportAction::Close; 2];
            let next = self.ends.iter().filter_map(|end| end.conn.poll_timeout()).min();
            let Some(next) = next else {
                assert!(done, "nothing is going to happen any more");
                self.judge_the_end();
                return;
            };
            assert!(!done && next > self.now(), "a busy loop");
            assert!(next <= Instant::from_millis(begun + 90_000), "{next:?} is beyond all deadlines");
            self.now = next.as_duration().as_millis() as u64;
            self.time(0);
        }
        panic!("it does not end");
    }

    /// Lets bytes go both ways and the transports be wound up, until nothing moves any more; no time passes.
    fn settle(&mut self, piece: usize) {
        loop {
            let before = self.moved();
            for side in [0, 1] {
                self.transmit(side, piece);
                self.deliver(side, piece, (piece % 256) as u8);
                self.act(side);
                self.ends[side].check();
            }
            if self.moved() == before && self.pipes.iter().all(|pipe| pipe.bytes.is_empty() || pipe.broken) {
                return;
            }
        }
    }

    /// What changes while something moves.
    fn moved(&mut self) -> Vec<usize> {
        let mut moved = Vec::new();
        for (end, pipe) in self.ends.iter_mut().zip(&self.pipes) {
            moved.push(with_output!(&mut end.tx, tx => ws_proto::Outbound::buffered_amount(tx)));
            moved.push(with_output!(&mut end.tx, tx => usize::from(end.conn.wants_transmit(tx))));
            moved.extend([usize::from(pipe.ended), usize::from(pipe.end_seen), usize::from(pipe.broken)]);
            moved.push(pipe.bytes.len());
        }
        moved
    }

    /// Both are done. What was accepted has arrived, if nothing came in between.
    fn judge_the_end(&mut self) {
        let torn = self.torn;
        for side in [0, 1] {
            let (sender, receiver) = self.both(side);
            let whole = sender.conn.is_clean() && receiver.conn.is_clean();
            if whole && receiver.conn.is_closed_by_peer() && !sender.dropped {
                assert_eq!(sender.reported, sender.accepted.len(), "messages are lost");
                assert_eq!(sender.pings_reported, sender.pings.len(), "pings are lost");
            }
            // A transport that fails behind the peer's Close frame, with ours still waiting, is neither: the peer was heard.
            let heard = torn && sender.conn.peer_close().is_some();
            let ended = sender.conn.error().is_some() || sender.conn.is_clean() || heard;
            assert!(ended, "no outcome: {:?}", sender.conn.state());
        }
        let clean = self.ends.iter().all(|end| end.conn.is_clean());
        assert!(clean || self.torn || self.ends.iter().any(|end| end.conn.error().is_some()));
    }
}
