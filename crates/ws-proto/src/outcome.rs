//! How a connection ended, all in one.

use alloc::boxed::Box;
use core::fmt;

use crate::close_code::CloseCode;
use crate::conn::Connection;
use crate::event::CloseFrame;

/// How a connection ended, all in one: what an adapter tells at the end, made by [`Ending::outcome`].
///
/// `E` is the adapter's error. Its `Display` is one line for a log.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Outcome<'a, E> {
    /// Who closed the connection; `None` if nobody did, but it broke.
    pub closed_by: Option<Side>,
    /// The Close frame that we sent, or had queued when the connection broke; of our own accord, as an echo, or
    /// because of an error.
    pub local: Option<CloseFrame<'a>>,
    /// The Close frame that the peer sent.
    pub peer: Option<CloseFrame<'a>>,
    /// Whether the closing handshake was completed, and the peer did nothing wrong before.
    pub clean: bool,
    /// Why it failed, if it did.
    pub error: Option<&'a E>,
}

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Side {
    /// This one: our Close frame was queued before the peer's came.
    Local,
    /// The other one.
    Peer,
}

impl<E> Outcome<'_, E> {
    /// "The WebSocket connection close code" of RFC 6455 section 7.1.5: that of the peer's Close frame,
    /// [`CloseCode::NO_STATUS`] if it was empty, [`CloseCode::ABNORMAL`] if there was none.
    pub fn code(&self) -> CloseCode {
        self.peer.map_or(CloseCode::ABNORMAL, |frame| frame.code)
    }
}

impl<E: fmt::Display> fmt::Display for Outcome<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.closed_by {
            Some(Side::Local) => "closed by us",
            Some(Side::Peer) => "closed by the peer",
            None => "broken",
        })?;
        for (what, frame) in [("received", self.peer), ("sent", self.local)] {
            match frame {
                Some(frame) if frame.reason.is_empty() => write!(f, ", {what} {}", frame.code)?,
                Some(frame) => write!(f, ", {what} {} {:?}", frame.code, frame.reason)?,
                None => write!(f, ", {what} nothing")?,
            }
        }
        match self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

/// What a [`Connection`] does not keep of its end: the reasons of both Close frames, and the adapter's error.
///
/// It takes the room of one pointer until there is something to keep, and the adapter tells it what happens.
#[derive(Debug)]
pub struct Ending<E> {
    kept: Option<Box<Kept<E>>>,
}

#[derive(Debug)]
struct Kept<E> {
    /// What our Close frame says beside this code.
    local: Option<(CloseCode, Box<str>)>,
    peer_reason: Box<str>,
    error: Option<E>,
}

impl<E> Ending<E> {
    /// Nothing has ended yet.
    pub const fn new() -> Self {
        Self { kept: None }
    }

    /// A Close frame of ours was queued: [`Connection::close`] or [`Connection::close_now`] took it.
    pub fn keep_local(&mut self, code: CloseCode, reason: &str) {
        if !reason.is_empty() {
            self.kept().local = Some((code, reason.into()));
        }
    }

    /// The peer's Close frame was received, and possibly answered.
    pub fn keep_peer(&mut self, frame: CloseFrame<'_>, connection: &Connection) {
        if frame.reason.is_empty() {
            return;
        }
        self.kept().peer_reason = frame.reason.into();
        if connection.is_closed_by_peer()
            && let Some(echoed) = connection.local_close()
        {
            self.keep_local(echoed, frame.reason);
        }
    }

    /// The connection failed.
    pub fn keep_error(&mut self, error: E) {
        self.kept().error = Some(error);
    }

    /// All of it, together with what the connection itself keeps.
    pub fn outcome(&self, connection: &Connection) -> Outcome<'_, E> {
        let kept = self.kept.as_deref();
        let local = connection.local_close().map(|code| CloseFrame {
            code,
            // One that was queued and then gave way to that of a failure does not count.
            reason: match kept.and_then(|kept| kept.local.as_ref()) {
                Some((queued, reason)) if *queued == code => reason,
                _ => "",
            },
        });
        let peer = connection
            .peer_close()
            .map(|code| CloseFrame { code, reason: kept.map_or("", |kept| &kept.peer_reason) });
        let closed_by = match (local, peer) {
            _ if connection.is_closed_by_peer() => Some(Side::Peer),
            (Some(_), _) => Some(Side::Local),
            (None, _) => None,
        };
        let error = kept.and_then(|kept| kept.error.as_ref());
        Outcome { closed_by, local, peer, clean: connection.is_clean(), error }
    }

    fn kept(&mut self) -> &mut Kept<E> {
        self.kept
            .get_or_insert_with(|| Box::new(Kept { local: None, peer_reason: Box::default(), error: None }))
    }
}

impl<E> Default for Ending<E> {
    fn default() -> Self {
        Self::new()
    }
}
