//! How a connection ended.

use core::fmt;

use ws_proto::{CloseCode, CloseFrame, Connection};

use crate::error::Error;

/// How a connection ended, all in one: from [`WebSocket::outcome`](crate::WebSocket::outcome).
///
/// Its `Display` is one line for a log.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Outcome<'a> {
    /// Who closed the connection; `None` if nobody did, but it broke.
    pub closed_by: Option<Side>,
    /// The Close frame that we sent, or had queued when the connection broke; of our own accord, as an echo, or because of
    /// an error.
    pub local: Option<CloseFrame<'a>>,
    /// The Close frame that the peer sent.
    pub peer: Option<CloseFrame<'a>>,
    /// Whether the closing handshake was completed, and the peer did nothing wrong before.
    pub clean: bool,
    /// The error that [`WebSocket::next`](crate::WebSocket::next) gave, if it gave one.
    pub error: Option<&'a Error>,
}

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Side {
    /// This one: our Close frame was queued before the peer's came.
    Local,
    /// The other one.
    Peer,
}

impl Outcome<'_> {
    /// "The WebSocket connection close code" of RFC 6455 section 7.1.5: that of the peer's Close frame,
    /// [`CloseCode::NO_STATUS`] if it was empty, [`CloseCode::ABNORMAL`] if there was none.
    pub fn code(&self) -> CloseCode {
        self.peer.map_or(CloseCode::ABNORMAL, |frame| frame.code)
    }
}

impl fmt::Display for Outcome<'_> {
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

/// What the connection itself does not keep of its end. It exists only if there is something to keep.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// What our Close frame says beside this code.
    local: Option<(CloseCode, Box<str>)>,
    peer_reason: Box<str>,
    error: Option<Error>,
}

impl Ending {
    /// A Close frame of ours was queued.
    pub(crate) fn keep_local(ending: &mut Option<Box<Self>>, code: CloseCode, reason: &str) {
        if !reason.is_empty() {
            ending.get_or_insert_default().local = Some((code, reason.into()));
        }
    }

    /// The peer's Close frame was received, and possibly answered.
    pub(crate) fn keep_peer(ending: &mut Option<Box<Self>>, frame: CloseFrame<'_>, connection: &Connection) {
        if frame.reason.is_empty() {
            return;
        }
        ending.get_or_insert_default().peer_reason = frame.reason.into();
        if connection.is_closed_by_peer()
            && let Some(echoed) = connection.local_close()
        {
            Self::keep_local(ending, echoed, frame.reason);
        }
    }

    pub(crate) fn keep_error(ending: &mut Option<Box<Self>>, error: &Error) {
        ending.get_or_insert_default().error = Some(error.duplicate());
    }

    pub(crate) fn outcome<'a>(ending: Option<&'a Self>, connection: &Connection) -> Outcome<'a> {
        let local = connection.local_close().map(|code| CloseFrame {
            code,
            // One that was queued and then gave way to that of a failure does not count.
            reason: match ending.and_then(|ending| ending.local.as_ref()) {
                Some((queued, reason)) if *queued == code => reason,
                _ => "",
            },
        });
        let peer = connection
            .peer_close()
            .map(|code| CloseFrame { code, reason: ending.map_or("", |ending| &ending.peer_reason) });
        let closed_by = match (local, peer) {
            _ if connection.is_closed_by_peer() => Some(Side::Peer),
            (Some(_), _) => Some(Side::Local),
            (None, _) => None,
        };
        let error = ending.and_then(|ending| ending.error.as_ref());
        Outcome { closed_by, local, peer, clean: connection.is_clean(), error }
    }
}
