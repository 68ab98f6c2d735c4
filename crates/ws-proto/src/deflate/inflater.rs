//! Inflating the messages of a connection: RFC 7692 section 7.2.2.

use super::WindowBits;
use super::codec::{Inflate as _, Inflating, InvalidData, Until};
use super::history::History;
use super::pool::{self, IdleInflating, Owner, Seen};

/// Section 7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message."
const TAIL: usize = 4;
/// The same, and one more byte: after which of them the codec stops at the end of a block says whether one ended there.
const TAIL_AND_MORE: [u8; TAIL + 1] = [0x00, 0x00, 0xFF, 0xFF, 0x00];

/// What inflates the messages that a peer sends.
///
/// Between messages it holds no more than the bytes to which the next one may refer: up to the peer's window, and none
/// without context takeover. The state of the codec is taken from the thread's pool for as long as a message lasts.
#[derive(Debug)]
pub(crate) struct Inflater {
    state: Option<Inflating>,
    history: History,
    /// How far back the peer may refer.
    window: usize,
    /// Who this is, if the history goes on over messages.
    owner: Option<Owner>,
    /// How many bytes of the tail the codec has seen, and the one behind it.
    tail: u8,
    /// The codec has seen a byte since a block with BFINAL, or since the message began.
    in_blocks: bool,
}

/// What one call did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Inflated {
    /// So many bytes of the input were used.
    pub(crate) consumed: usize,
    /// So many bytes of the room were written.
    pub(crate) produced: usize,
    /// The message is complete.
    pub(crate) finished: bool,
}

impl Inflater {
    /// For a peer that sends with this window, and begins anew with each message or not.
    pub(crate) fn new(window_bits: WindowBits, no_context_takeover: bool) -> Self {
        Self {
            state: None,
            history: History::default(),
            window: 1 << window_bits.get(),
            owner: if no_context_takeover { None } else { Some(Owner::new()) },
            tail: 0,
            in_blocks: false,
        }
    }

    /// Inflates some of `input` into `room`, which is not empty; `last` if no more of the message follows it. To be
    /// called again until all of `input` is consumed, and if it is the last, until the message is finished.
    pub(crate) fn inflate(
        &mut self,
        input: &[u8],
        last: bool,
        room: &mut [u8],
    ) -> Result<Inflated, InvalidData> {
        let tail = usize::from(self.tail);
        let is_tail = input.is_empty() && last;
        let finished = Inflated { consumed: 0, produced: 0, finished: true };
        let (input, until) = match is_tail {
            false => (input, Until::Input),
            // An empty payload, or a block with BFINAL that nothing follows: peers that do not know of the tail.
            true if !self.in_blocks => return Ok(finished),
            // Where all the room was used before, the codec may have held back more.
            true if tail >= TAIL => (&[][..], Until::Input),
            true => (&TAIL_AND_MORE[tail..], Until::Block),
        };
        let state = self.state();
        let progress = state.inflate(input, room, until)?;
        self.history.push(&room[..progress.produced], self.window);
        if progress.ended {
            // Section 7.2.3.4: other blocks may follow one with BFINAL; and in them all that came before can be
            // referred to.
            self.restart();
        }
        if is_tail {
            self.tail += progress.consumed as u8;
            let finished = usize::from(self.tail) >= TAIL && progress.produced < room.len();
            return Ok(Inflated { consumed: 0, produced: progress.produced, finished });
        }
        if progress.consumed == 0 && progress.produced == 0 && !input.is_empty() && !progress.ended {
            // It would go on like that for ever.
            return Err(InvalidData);
        }
        self.in_blocks |= progress.consumed > 0 && !progress.ended;
        Ok(Inflated { consumed: progress.consumed, produced: progress.produced, finished: false })
    }

    /// The message is complete. What follows begins a new one.
    pub(crate) fn end_message(&mut self) {
        // A message that stops inside a block has nothing behind it: the next one begins with a block all the same.
        let ended_with_block = !self.in_blocks || usize::from(self.tail) == TAIL;
        self.tail = 0;
        self.in_blocks = false;
        if let Some(state) = self.state.take() {
            let seen = self.seen().filter(|_| ended_with_block);
            let spare = if self.owner.is_none() { self.history.take_cleared() } else { History::default() };
            pool::give_inflating(IdleInflating { state, seen, spare });
        }
    }

    /// Nothing will be inflated any more.
    pub(crate) fn release(&mut self) {
        self.owner = None;
        self.end_message();
        self.history = History::default();
    }

    /// The state that this message is inflated with; one that has seen the history.
    fn state(&mut self) -> &mut Inflating {
        let Self { state, history, owner, .. } = self;
        state.get_or_insert_with(|| {
            let seen = owner.map(|owner| owner.seen(history));
            let mut idle = pool::take_inflating(seen);
            if owner.is_none() {
                *history = idle.spare;
            }
            if seen.is_none() || idle.seen != seen {
                idle.state.restart(history.parts());
            }
            idle.state
        })
    }

    fn restart(&mut self) {
        self.in_blocks = false;
        if let Some(state) = &mut self.state {
            state.restart(self.history.parts());
        }
    }

    fn seen(&self) -> Option<Seen> {
        self.owner.map(|owner| owner.seen(&self.history))
    }
}
