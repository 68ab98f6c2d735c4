//! Flow control.

use crate::websocket::WebSocket;

impl<IO> WebSocket<IO> {
    /// Stops receiving: no events, and nothing is read, so that the peer has to wait. What was read already is kept.
    /// Deadlines run on, and keepalive with them: a peer whose pongs are not read seems dead.
    pub const fn pause_reading(&mut self) {
        self.reading_paused = true;
    }

    /// Goes on receiving.
    pub const fn resume_reading(&mut self) {
        self.reading_paused = false;
        self.link.set_more();
    }

    /// Stops writing: what is queued is kept, and so are the limits on it.
    pub const fn pause_writing(&mut self) {
        self.writing_paused = true;
    }

    /// Goes on writing.
    pub const fn resume_writing(&mut self) {
        self.writing_paused = false;
        self.link.set_more();
    }
}
