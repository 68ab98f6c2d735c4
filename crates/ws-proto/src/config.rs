//! The limits and timeouts of a connection, each default with its reason.

use core::time::Duration;

use crate::rsv::Rsv;
use crate::time::Instant;

/// Limits, timeouts and policies of one connection.
///
/// The defaults are meant for a server on the open internet. Every setter takes and returns the configuration:
///
/// ```
/// use core::time::Duration;
/// use ws_proto::Config;
///
/// let config = Config::default()
///     .max_message_size(64 << 20)
///     .ping_interval(Some(Duration::from_secs(60)));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    pub(crate) max_message_size: usize,
    pub(crate) max_frame_size: usize,
    pub(crate) fragment_size: usize,
    pub(crate) max_fragments: u32,
    pub(crate) close_timeout: Millis,
    pub(crate) idle_timeout: Millis,
    pub(crate) ping_interval: Millis,
    pub(crate) pong_timeout: Millis,
    pub(crate) write_stall_timeout: Millis,
    pub(crate) allowed_rsv: Rsv,
    pub(crate) automatic_pong: bool,
    pub(crate) automatic_close: bool,
}

impl Config {
    /// The defaults, as [`Default`] gives them, in a `const` context.
    pub const fn new() -> Self {
        Self {
            max_message_size: 1 << 20,
            max_frame_size: usize::MAX,
            fragment_size: usize::MAX,
            max_fragments: 16_384,
            close_timeout: Millis::from_secs(10),
            idle_timeout: Millis::NEVER,
            ping_interval: Millis::from_secs(20),
            pong_timeout: Millis::from_secs(20),
            write_stall_timeout: Millis::from_secs(30),
            allowed_rsv: Rsv::NONE,
            automatic_pong: true,
            automatic_close: true,
        }
    }

    /// The largest message that is received, in bytes, all fragments together. Checked on each frame header, before the
    /// payload arrives. Does not concern control frames, nor what is sent.
    ///
    /// Default: 1 MiB. A peer can make each connection hold this much, so it is what a thousand hostile connections
    /// cost in MiB.
    #[must_use]
    pub const fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// The largest data frame that is received, in bytes of payload. Checked on the frame header.
    ///
    /// Default: `usize::MAX`, which is no limit, so that there is one number to think of; `max_message_size` holds for
    /// each frame of a message that is put together.
    #[must_use]
    pub const fn max_frame_size(mut self, bytes: usize) -> Self {
        self.max_frame_size = bytes;
        self
    }

    /// The largest number of frames that a received message may have, empty ones included.
    ///
    /// Default: 16,384. Empty fragments cost the peer six bytes and escape every limit on size; a message of 1 MiB
    /// in fragments of 64 bytes still passes.
    #[must_use]
    pub const fn max_fragments(mut self, fragments: u32) -> Self {
        self.max_fragments = fragments;
        self
    }

    /// Cuts messages that are sent into frames of at most this many bytes of payload, so that a pong or another
    /// control frame waits for no more than one of them. 0 counts as 1.
    ///
    /// Default: `None`, one message is one frame: what most peers expect, and what costs least.
    #[must_use]
    pub const fn fragment_size(mut self, bytes: Option<usize>) -> Self {
        self.fragment_size = match bytes {
            None => usize::MAX,
            Some(0) => 1,
            Some(bytes) => bytes,
        };
        self
    }

    /// How long the closing handshake may take, from the moment our Close frame is queued until the peer has answered
    /// and ended the connection. Absolute: nothing that the peer sends extends it.
    ///
    /// Default: 10 seconds, enough for a bad mobile connection; the peer cannot hold the connection longer.
    #[must_use]
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = Millis::from_duration(Some(timeout));
        self
    }

    /// Closes the connection with 1001 when no data arrives for this long: no byte of a message. Pings and pongs do
    /// not count.
    ///
    /// Default: `None`. Many applications are silent for hours; whether the peer is alive is what pings find out.
    #[must_use]
    pub const fn idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.idle_timeout = Millis::from_duration(timeout);
        self
    }

    /// Sends a keepalive ping this long after the last proof of a round trip.
    ///
    /// Default: 20 seconds. It notices peers that vanished, and keeps the mappings of proxies and address translators,
    /// which commonly expire after 60 seconds, alive. `None` sends none.
    #[must_use]
    pub const fn ping_interval(mut self, interval: Option<Duration>) -> Self {
        self.ping_interval = Millis::from_duration(interval);
        self
    }

    /// How long the peer has to answer a keepalive ping. Only the pong that answers it counts: bytes that arrive are
    /// no proof that the peer still reads.
    ///
    /// It counts from when the ping goes out. As long as it waits for a frame that is on its way, it counts from when
    /// the transport last took something of that.
    ///
    /// Default: 20 seconds. `None` waits for ever.
    #[must_use]
    pub const fn pong_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.pong_timeout = Millis::from_duration(timeout);
        self
    }

    /// How long the transport may refuse to take output that is waiting for it.
    ///
    /// Default: 30 seconds. A peer that stops reading would otherwise hold our output and the connection for ever.
    /// `None` waits for ever.
    #[must_use]
    pub const fn write_stall_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.write_stall_timeout = Millis::from_duration(timeout);
        self
    }

    /// The reserved bits that messages may carry, in both directions, because an extension of the caller's gives them a
    /// meaning. Others fail the connection. On continuation and control frames none is ever allowed.
    ///
    /// A message with reserved bits belongs to the extension: its payload is not checked to be UTF-8, and is given as
    /// `Message::Binary` whatever its opcode; `Connection::received_rsv` and `received_kind` tell what it was.
    ///
    /// Default: none (RFC 6455 section 5.2).
    #[must_use]
    pub const fn allowed_rsv(mut self, bits: Rsv) -> Self {
        self.allowed_rsv = bits;
        self
    }

    /// Whether pings are answered by themselves. Default: yes (RFC 6455 section 5.5.2). Pings are reported either way;
    /// without this the caller answers with `Connection::pong`.
    #[must_use]
    pub const fn automatic_pong(mut self, yes: bool) -> Self {
        self.automatic_pong = yes;
        self
    }

    /// Whether a Close frame of the peer is answered by itself, with the same code and reason. Default: yes (RFC 6455
    /// section 5.5.1). Without this the caller answers with `Connection::close`, within `close_timeout`.
    #[must_use]
    pub const fn automatic_close(mut self, yes: bool) -> Self {
        self.automatic_close = yes;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// A timeout as it is stored: milliseconds, 0 for "never", so that a `Config` stays small.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Millis(u32);

impl Millis {
    pub(crate) const NEVER: Self = Self(0);

    pub(crate) const fn from_secs(secs: u32) -> Self {
        Self(secs * 1000)
    }

    pub(crate) const fn from_duration(duration: Option<Duration>) -> Self {
        let Some(duration) = duration else { return Self(0) };
        let millis = duration.as_millis();
        // Rounded up to one, for a zero means never; saturating after 49 days.
        Self(if millis == 0 {
            1
        } else if millis > u32::MAX as u128 {
            u32::MAX
        } else {
            millis as u32
        })
    }

    /// When it is over if it begins at `now`.
    #[inline]
    pub(crate) const fn after(self, now: Instant) -> Option<Instant> {
        if self.0 == 0 { None } else { Some(now.saturating_add_millis(self.0)) }
    }
}
