//! The turn: events out, bytes both ways, and the end.

use std::io;

use ws_proto::{Chunk, Connection, Event, Instant, ReadyChunk, TransportAction};

use crate::error::Error;
use crate::lent::Received;
use crate::link::Moved;
use crate::output::{EVENT_BUDGET, Output};
use crate::reply::Reply;
use crate::transport::Transport;
use crate::websocket::WebSocket;

impl<IO: Transport> WebSocket<IO> {
    /// The next event and the means to answer it, or `None` if the turn is over.
    ///
    /// The event lies in the receive buffer and borrows it; the answer goes into the send queue. With `None`
    /// everything queued has been written, as far as the transport takes it and a turn allows.
    ///
    /// # Errors
    ///
    /// Why the connection failed, once; after that it gives `None`, and is to be served until it
    /// [`is_closed`](Self::is_closed). There is none after a complete closing handshake.
    #[allow(clippy::should_implement_trait)] // An iterator could not lend.
    #[inline]
    pub fn next(&mut self, now: Instant) -> Result<Option<(Event<'_>, Reply<'_>)>, Error> {
        let ready = match self.receive_at_hand(now, Connection::poll_receive) {
            Some(ready) => ready,
            None if self.receiving_stopped => return self.next_close(now),
            None => match self.turn(now, Connection::poll_receive) {
                Ok(Some(ready)) => ready,
                Ok(None) => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        Ok(Some(give(ready.event(self.rx.needed()), &mut self.output, now)))
    }

    /// The same as [`next`](Self::next) without putting messages together: a frame begins, as soon as its header has
    /// arrived; pieces of its payload arrive; the frame ends. Control frames are whole, between the pieces.
    ///
    /// Messages may be of any size, and cost no more memory than what one read gives; for `Config::max_message_size`
    /// and `Config::max_fragments` bound what is put together, and so have no say here. `Config::max_frame_size` has.
    /// Text is checked, and its pieces are whole characters.
    ///
    /// Both ways can be mixed: what arrived of a message before the change is given by whichever comes next, together
    /// with what follows.
    ///
    /// ```
    /// # use ws_mio::{Chunk, Error, Event, Instant, Kind, SendError, Transport, WebSocket};
    /// /// One turn of an echo that never holds a message.
    /// fn echo<IO: Transport>(ws: &mut WebSocket<IO>, now: Instant) -> Result<(), Error> {
    ///     while let Some((event, mut reply)) = ws.next_chunk(now)? {
    ///         let kind = reply.received_kind();
    ///         let _ = match event {
    ///             Event::Data(Chunk::Data(piece)) => reply.send_fragment(kind, piece.as_bytes(), false),
    ///             Event::Data(Chunk::FrameEnd { fin: true }) => reply.send_fragment(kind, &[], true),
    ///             _ => Ok(()),
    ///         };
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    pub fn next_chunk(&mut self, now: Instant) -> Result<Option<(Event<'_, Chunk<'_>>, Reply<'_>)>, Error> {
        let ready = match self.receive_at_hand(now, Connection::poll_receive_chunk) {
            Some(ready) => ready,
            None if self.receiving_stopped => return self.next_close(now),
            None => match self.turn(now, Connection::poll_receive_chunk)? {
                Some(ready) => ready,
                None => return Ok(None),
            },
        };
        Ok(Some(give(ready.event(self.rx.needed()), &mut self.output, now)))
    }

    /// The one event that is still wanted when receiving was stopped.
    // Inlined together with its caller, for an event that passes through memory on its way is twice as dear; and `?` sends
    // it there.
    #[inline(always)]
    fn next_close<D>(&mut self, now: Instant) -> Result<Option<(Event<'_, D>, Reply<'_>)>, Error> {
        let ready = match self.turn(now, receive_close) {
            Ok(Some(ready)) => ready,
            Ok(None) => return Ok(None),
            Err(error) => return Err(error),
        };
        match ready.event(self.rx.needed()) {
            Event::Close(frame) => Ok(Some(give(Event::Close(frame), &mut self.output, now))),
            _ => Ok(None),
        }
    }

    /// An event that lies in the buffer already, as most do.
    #[inline]
    fn receive_at_hand<R>(
        &mut self,
        now: Instant,
        receive: impl FnOnce(&mut Connection, Instant, &mut Received) -> Result<Option<R>, ws_proto::Error>,
    ) -> Option<R> {
        if self.turn_only || self.output.event_budget == 0 || self.should_transmit() {
            return None;
        }
        // An error is given by the turn.
        let ready = receive(&mut self.output.connection, now, self.rx.get_mut()?).ok()??;
        self.output.event_budget -= 1;
        Some(ready)
    }

    #[inline(never)]
    fn turn<R>(
        &mut self,
        now: Instant,
        receive: impl Fn(&mut Connection, Instant, &mut Received) -> Result<Option<R>, ws_proto::Error>,
    ) -> Result<Option<R>, Error> {
        if self.closed {
            return Ok(None);
        }
        let mut more = false;
        loop {
            if self.should_transmit() {
                more |= self.transmit(now);
            }
            if self.reading_paused || self.output.has_enough() {
                break;
            }
            if self.output.event_budget == 0 {
                more = true;
                break;
            }
            // An error is given below, when the Close frame is on its way. What still arrives is drained.
            if let Ok(Some(ready)) = receive(&mut self.output.connection, now, self.rx.needed()) {
                self.output.event_budget -= 1;
                return Ok(Some(ready));
            }
            match self.link.read(self.rx.needed()) {
                Ok(Moved::Bytes(_)) => {}
                Ok(Moved::Blocked) => break,
                Ok(Moved::Later) => {
                    more = true;
                    break;
                }
                Ok(Moved::Eof) => {
                    self.handle_eof();
                    break;
                }
                Err(error) => {
                    self.handle_failure(error);
                    self.handle_eof();
                    break;
                }
            }
        }
        if self.reading_paused && self.link.is_hung_up() {
            self.handle_eof();
        }
        more |= self.transmit(now);
        self.wind_up(more);
        self.end_turn(more);
        self.take_error().map_or(Ok(None), Err)
    }

    /// Whether not to wait for the end of the turn with writing.
    #[inline]
    fn should_transmit(&self) -> bool {
        self.output.has_enough() || self.output.connection.should_transmit()
    }

    /// Writes what waits, as far as the transport takes it. Says whether there is more to write, but not in this turn.
    fn transmit(&mut self, now: Instant) -> bool {
        if self.writing_paused {
            return false;
        }
        self.output.settle(now);
        let mut more = false;
        'transport: loop {
            let sources_have_more = self.output.pump(now);
            while let Some(mut transmit) = self.output.connection.poll_transmit(now, self.output.tx.needed())
            {
                match self.link.write(&transmit) {
                    Ok(Moved::Bytes(n)) => transmit.advance(n),
                    Ok(Moved::Later) => return true,
                    Ok(Moved::Blocked | Moved::Eof) => break 'transport,
                    Err(error) => {
                        self.handle_failure(error);
                        break 'transport;
                    }
                }
            }
            if !sources_have_more {
                break;
            }
            if !self.output.may_pump() {
                more = true;
                break;
            }
        }
        match self.link.flush() {
            Ok(moved) => more | (moved == Moved::Later),
            Err(error) => {
                self.handle_failure(error);
                false
            }
        }
    }

    /// Does with the transport what the connection says.
    fn wind_up(&mut self, more: bool) {
        // What was received before the transport failed comes first.
        if self.output.rare.has_failure() && !more {
            self.close_transport();
        }
        match self.output.connection.transport_action(self.output.tx.queue()) {
            TransportAction::Keep => {}
            TransportAction::ShutdownWrite => {
                if !self.link.is_unflushed()
                    && let Err(error) = self.link.shutdown_write()
                {
                    self.handle_failure(error);
                    self.close_transport();
                }
            }
            TransportAction::Close => {
                // Closing is dropping, which is the application's; the peer need not wait for that.
                let _ = self.link.shutdown_write();
                self.close_transport();
            }
        }
    }

    const fn close_transport(&mut self) {
        self.closed = true;
        self.update_turn_only();
    }

    fn end_turn(&mut self, more: bool) {
        self.output.event_budget = EVENT_BUDGET;
        self.output.end_turn();
        self.output.observe();
        self.link.end_turn(more);
        if !more {
            // Idle connections hold no memory.
            self.rx.give_back();
            self.output.tx.give_back();
        }
    }

    /// The outcome, if it is an error and was not given yet.
    #[inline]
    fn take_error(&mut self) -> Option<Error> {
        if self.output.connection.error().is_none() && !self.output.rare.has_source_error() && !self.closed {
            return None;
        }
        self.take_some_error()
    }

    #[cold]
    fn take_some_error(&mut self) -> Option<Error> {
        let error = self.find_error()?;
        self.reported = true;
        self.output.rare.ending().keep_error(error.duplicate());
        Some(error)
    }

    /// The first cause counts.
    fn find_error(&mut self) -> Option<Error> {
        if self.reported {
            return None;
        }
        if let Some(error) = self.output.rare.take_source_error() {
            return Some(Error::Source(error));
        }
        if self.output.connection.is_clean() {
            return None;
        }
        match (self.output.connection.error(), self.closed) {
            (Some(ws_proto::Error::UnexpectedEof), _) | (None, true) if self.output.rare.has_failure() => {
                self.output.rare.take_failure().map(Error::Io)
            }
            (error, _) => error.map(Error::Protocol),
        }
    }

    fn handle_failure(&mut self, error: io::Error) {
        if !self.output.rare.has_failure() {
            self.output.rare.set_failure(error);
        }
    }

    fn handle_eof(&mut self) {
        // Its error is the connection's from now on, and given by `take_error`.
        let _ = self.output.connection.receive_eof();
    }
}

/// The event, with the means to answer it. The last thing that it passes before the application has it.
#[inline(always)]
fn give<'a, D>(event: Event<'a, D>, output: &'a mut Output, now: Instant) -> (Event<'a, D>, Reply<'a>) {
    if let Event::Close(frame) = event {
        output.keep_peer_close(frame);
    }
    (event, Reply::new(output, now))
}

/// Receives, and passes over everything but a Close frame. In pieces, so that no message is put together.
fn receive_close(
    connection: &mut Connection,
    now: Instant,
    rx: &mut Received,
) -> Result<Option<ReadyChunk>, ws_proto::Error> {
    while let Some(ready) = connection.poll_receive_chunk(now, rx)? {
        if matches!(ready.event(rx), Event::Close(_)) {
            return Ok(Some(ready));
        }
    }
    Ok(None)
}
