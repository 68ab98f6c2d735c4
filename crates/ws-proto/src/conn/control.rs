//! Control frames on their way out: a small fixed outbox for pings and pongs, and one slot for Close.
//!
//! Both hold encoded frames, so that transmitting is slicing. Neither grows: a flood of pings costs a constant.

mod room;
#[cfg(test)]
mod tests;

use self::room::Room;
use crate::rsv::Rsv;
use crate::wire::header::{EncodedHeader, MAX_CONTROL_FRAME, MAX_CONTROL_PAYLOAD, Opcode, encoded_frame};
use crate::wire::mask;

/// Room for two of the largest control frames, or for many small ones.
const OUTBOX_SIZE: usize = 2 * MAX_CONTROL_FRAME;

/// What of it is there for good where there is an allocator: room for a keepalive ping and its like.
const SMALL_OUTBOX: usize = 24;
/// The same for the Close frame: room for a code without a reason, masked.
const SMALL_CLOSE: usize = 8;

/// Encodes a control frame into `out` and says how long it is. The payload is at most 125 bytes.
fn encode(out: &mut [u8], opcode: Opcode, payload: &[u8], masking_key: Option<[u8; 4]>) -> usize {
    let header = EncodedHeader::new(true, Rsv::NONE, opcode, payload.len(), masking_key);
    let header = header.as_slice();
    let size = header.len() + payload.len();
    out[..header.len()].copy_from_slice(header);
    let body = &mut out[header.len()..size];
    match masking_key {
        Some(key) => mask::copy(key, payload, body),
        None => body.copy_from_slice(payload),
    }
    size
}

/// Pings and pongs in the order in which they go out.
///
/// ```text
///   0          start       start + front_left                     end       262
///   | sent     | rest of a | whole pings and pongs                | free    |
///              | frame     |
/// ```
///
/// RFC 6455 section 5.5.3: "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in response to
/// previous Ping frame(s), the endpoint MAY elect to send a Pong frame for only the most recently processed Ping
/// frame." So when there is no room for a pong, pongs that wait give way to it, the newest first. Pings never take the
/// room that a pong needs, and therefore are not dropped. Nor does a pong give way of which a part is transmitted; so
/// beside the pings there is always room for two of the pongs: the longest that waits, which may be on its way when
/// the next one comes, and that one.
#[derive(Debug)]
pub(super) struct Outbox {
    room: Room<Span, OUTBOX_SIZE, SMALL_OUTBOX>,
}

/// Which bytes of the outbox wait.
// INVARIANT: start <= start + front_left <= end <= OUTBOX_SIZE
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u16,
    front_left: u16,
    end: u16,
}

impl Span {
    const EMPTY: Self = Self { start: 0, front_left: 0, end: 0 };

    const fn is_empty(self) -> bool {
        self.start == self.end
    }

    fn len(self) -> usize {
        usize::from(self.end - self.start)
    }
}

/// The outbox has no room for a ping now.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutboxFull;

impl Outbox {
    pub(super) const fn new() -> Self {
        Self { room: Room::new(Span::EMPTY) }
    }

    /// What waits.
    pub(super) fn waiting(&self) -> &[u8] {
        let span = self.room.known();
        &self.room.bytes()[usize::from(span.start)..usize::from(span.end)]
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.room.known().is_empty()
    }

    /// Whether the next pong may have to replace one that waits.
    pub(super) fn is_tight(&self) -> bool {
        self.free() < MAX_CONTROL_FRAME
    }

    /// Queues a pong. There is always room for the newest.
    pub(super) fn push_pong(&mut self, payload: &[u8], masking_key: Option<[u8; 4]>) {
        let size = EncodedHeader::size_for(payload.len(), masking_key.is_some()) + payload.len();
        while self.free() < size {
            if !self.remove_newest_pong() {
                debug_assert!(false, "pings leave room for a pong");
                return;
            }
        }
        self.push(Opcode::Pong, payload, masking_key);
    }

    /// Queues a ping, if that leaves the room that pongs may need.
    pub(super) fn push_ping(
        &mut self,
        payload: &[u8],
        masking_key: impl FnOnce() -> Option<[u8; 4]>,
    ) -> Result<(), OutboxFull> {
        // As if it were masked: the key is drawn only if the frame is sent.
        let size = EncodedHeader::size_for(payload.len(), true) + payload.len();
        if self.free() < size || self.reserved() + size + MAX_CONTROL_FRAME > OUTBOX_SIZE {
            return Err(OutboxFull);
        }
        self.push(Opcode::Ping, payload, masking_key());
        Ok(())
    }

    /// The first `n` waiting bytes are transmitted.
    pub(super) fn consume(&mut self, n: usize) {
        let mut left = n;
        let mut span = self.room.known();
        while left > 0 && !span.is_empty() {
            if span.front_left == 0 {
                span.front_left = self.frame_size_at(usize::from(span.start)) as u16;
            }
            let step = left.min(usize::from(span.front_left));
            span.start += step as u16;
            span.front_left -= step as u16;
            left -= step;
        }
        self.settle(span);
    }

    /// Drops all that waits but the rest of a frame that is partly transmitted.
    pub(super) fn discard_frames(&mut self) {
        let mut span = self.room.known();
        span.end = span.start + span.front_left;
        self.settle(span);
    }

    /// This is what still waits. If it is nothing, the room is given back.
    fn settle(&mut self, span: Span) {
        if span.is_empty() {
            *self.room.known_mut() = Span::EMPTY;
            self.room.release();
        } else {
            *self.room.known_mut() = span;
        }
    }

    /// How many bytes are free, those in front included.
    fn free(&self) -> usize {
        OUTBOX_SIZE - self.room.known().len()
    }

    fn push(&mut self, opcode: Opcode, payload: &[u8], masking_key: Option<[u8; 4]>) {
        let frame = EncodedHeader::size_for(payload.len(), masking_key.is_some()) + payload.len();
        let mut span = self.room.known();
        let bytes = self.room.at_least(span.len() + frame);
        if span.start > 0 {
            bytes.copy_within(usize::from(span.start)..usize::from(span.end), 0);
            span.end -= span.start;
            span.start = 0;
        }
        span.end += encode(&mut bytes[usize::from(span.end)..], opcode, payload, masking_key) as u16;
        *self.room.known_mut() = span;
    }

    /// The size of the frame that begins at `at`; never zero, so that walking ends.
    fn frame_size_at(&self, at: usize) -> usize {
        let rest = &self.room.bytes()[at..usize::from(self.room.known().end)];
        encoded_frame(rest).map_or(rest.len(), |frame| frame.size.clamp(1, rest.len()))
    }

    /// Calls `visit` with the place and size of each pong of which nothing is transmitted yet.
    fn for_each_pong(&self, mut visit: impl FnMut(usize, usize)) {
        let span = self.room.known();
        let mut at = usize::from(span.start + span.front_left);
        while at < usize::from(span.end) {
            let size = self.frame_size_at(at);
            if self.room.bytes()[at] & 0x0F == Opcode::Pong as u8 {
                visit(at, size);
            }
            at += size;
        }
    }

    /// How many of the waiting bytes may be in the way of a pong to come: all pings, and of the pongs the longest, for
    /// any one of them may be on its way by then.
    fn reserved(&self) -> usize {
        let span = self.room.known();
        let front_left = usize::from(span.front_left);
        let (mut pongs, mut longest) = (0, front_left);
        self.for_each_pong(|_, size| {
            pongs += size;
            longest = longest.max(size);
        });
        span.len() - front_left - pongs + longest
    }

    fn remove_newest_pong(&mut self) -> bool {
        let mut newest = None;
        self.for_each_pong(|at, size| newest = Some((at, size)));
        let Some((at, size)) = newest else { return false };
        let end = usize::from(self.room.known().end);
        self.room.at_least(0).copy_within(at + size..end, at);
        self.room.known_mut().end -= size as u16;
        true
    }
}

/// The one Close frame that a connection sends.
#[derive(Debug)]
pub(super) struct CloseSlot {
    room: Room<Progress, MAX_CONTROL_FRAME, SMALL_CLOSE>,
}

/// How long the Close frame is, if there is one, and how much of it is transmitted.
#[derive(Clone, Copy, Debug)]
struct Progress {
    len: u8,
    sent: u8,
}

impl CloseSlot {
    pub(super) const fn new() -> Self {
        Self { room: Room::new(Progress { len: 0, sent: 0 }) }
    }

    /// Whether a Close frame was queued, at any time.
    pub(super) const fn is_queued(&self) -> bool {
        self.room.known().len > 0
    }

    /// Whether the Close frame is transmitted.
    pub(super) const fn is_sent(&self) -> bool {
        let Progress { len, sent } = self.room.known();
        len > 0 && sent == len
    }

    /// Whether a part of the Close frame is transmitted, but not all of it.
    pub(super) const fn is_inside_frame(&self) -> bool {
        let Progress { len, sent } = self.room.known();
        sent > 0 && sent < len
    }

    /// What of it waits.
    pub(super) fn waiting(&self) -> &[u8] {
        // Of a frame that is transmitted, no more is kept than that it was.
        let Progress { len, sent } = self.room.known();
        self.room.bytes().get(usize::from(sent)..usize::from(len)).unwrap_or(&[])
    }

    /// Queues the Close frame with this body of at most 125 bytes.
    pub(super) fn queue(&mut self, body: &[u8], masking_key: Option<[u8; 4]>) {
        debug_assert!(!self.is_queued());
        let size = EncodedHeader::size_for(body.len(), masking_key.is_some()) + body.len();
        let len = encode(self.room.at_least(size), Opcode::Close, body, masking_key) as u8;
        self.room.known_mut().len = len;
    }

    /// Whether another Close frame may take its place: there is none, or nothing of it is transmitted.
    pub(super) const fn is_replaceable(&self) -> bool {
        self.room.known().sent == 0
    }

    /// Takes back a Close frame of which nothing is transmitted.
    pub(super) fn withdraw(&mut self) {
        debug_assert!(self.is_replaceable());
        self.room.known_mut().len = 0;
        self.room.release();
    }

    pub(super) fn consume(&mut self, n: usize) {
        let Progress { len, sent } = self.room.known();
        let sent = len.min(sent.saturating_add(n.min(MAX_CONTROL_FRAME) as u8));
        self.room.known_mut().sent = sent;
        if sent == len {
            self.room.release();
        }
    }
}

/// The body of a Close frame: the code in network byte order, then the reason; or nothing at all.
pub(super) struct CloseBody {
    bytes: [u8; MAX_CONTROL_PAYLOAD],
    len: usize,
}

impl CloseBody {
    pub(super) const EMPTY: Self = Self { bytes: [0; MAX_CONTROL_PAYLOAD], len: 0 };

    /// `None` if the reason is longer than 123 bytes.
    pub(super) fn new(code: u16, reason: &str) -> Option<Self> {
        let mut bytes = [0; MAX_CONTROL_PAYLOAD];
        let len = 2 + reason.len();
        bytes[..2].copy_from_slice(&code.to_be_bytes());
        bytes.get_mut(2..len)?.copy_from_slice(reason.as_bytes());
        Some(Self { bytes, len })
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
