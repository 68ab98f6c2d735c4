//! What a byte stream has to offer beyond `Read` and `Write`.

use std::io::{self, Read, Write};

/// A non-blocking byte stream that a connection can run over.
///
/// Implemented for mio's `TcpStream`, and on Unix for `UnixStream`. For anything else, TLS for example, one method is
/// enough:
///
/// ```
/// use std::io::{self, Read, Write};
/// use ws_mio::Transport;
///
/// struct Tls(mio::net::TcpStream /* and the TLS session */);
/// # impl Read for Tls { fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> { self.0.read(buf) } }
/// # impl Write for Tls {
/// #     fn write(&mut self, buf: &[u8]) -> io::Result<usize> { self.0.write(buf) }
/// #     fn flush(&mut self) -> io::Result<()> { self.0.flush() }
/// # }
///
/// impl Transport for Tls {
///     fn shutdown_write(&mut self) -> io::Result<()> {
///         // TLS would send close_notify first.
///         self.0.shutdown(std::net::Shutdown::Write)
///     }
/// }
/// ```
pub trait Transport: Read + Write {
    /// Whether a read or a write that did less than it was asked for has thereby exhausted the transport, so that new
    /// readiness will be reported as a new event. True for sockets under epoll and kqueue, where it saves a system
    /// call a turn.
    ///
    /// Default: false, which is always right. Then reading goes on until [`WouldBlock`](io::ErrorKind::WouldBlock).
    const SHORT_MEANS_BLOCKED: bool = false;

    /// Ends the writing side and leaves the reading side as it is: the peer reads the end of the stream behind
    /// all that was written.
    ///
    /// The end of a connection needs this, for closing a socket whose input is not read to its end destroys output
    /// that is on its way. A transport without such a thing returns `Ok(())`.
    ///
    /// # Errors
    ///
    /// Whatever the transport reports; the connection is then over.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Whether the transport is connected by now; asked when it becomes writable for the first time, by clients.
    ///
    /// Default: yes.
    ///
    /// # Errors
    ///
    /// Why it cannot be connected.
    fn poll_connected(&mut self) -> io::Result<bool> {
        Ok(true)
    }
}

/// The systems whose selector in mio is epoll or kqueue, edge-triggered by nature.
const EDGE_TRIGGERED: bool = cfg!(any(
    target_os = "android",
    target_os = "freebsd",
    target_os = "ios",
    target_os = "linux",
    target_os = "macos",
    target_os = "netbsd",
    target_os = "openbsd",
));

impl Transport for mio::net::TcpStream {
    const SHORT_MEANS_BLOCKED: bool = EDGE_TRIGGERED;

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }

    fn poll_connected(&mut self) -> io::Result<bool> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        // As mio's documentation of `connect` prescribes: the address of the peer is known once there is one. What
        // keeps it from being known is what `take_error` gives.
        Ok(self.peer_addr().is_ok())
    }
}

#[cfg(unix)]
impl Transport for mio::net::UnixStream {
    const SHORT_MEANS_BLOCKED: bool = EDGE_TRIGGERED;

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }

    fn poll_connected(&mut self) -> io::Result<bool> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        Ok(self.peer_addr().is_ok())
    }
}
