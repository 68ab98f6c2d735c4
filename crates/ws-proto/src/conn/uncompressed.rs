//! What stands for `deflate` where that feature is off: no message is compressed, and none of this is ever called but
//! `has_deflate`, so that the compiler drops it.

use super::Connection;
use super::recv_payload::Form;
use super::send::First;
use super::stream::{Pulled, Source};
use crate::buf::outbound::Outbound;
use crate::buf::recv::{EventNumber, RecvBuf};
use crate::buf::storage::Storage;
use crate::error::{Error, SendError};
use crate::event::Kind;
use crate::time::Instant;
use crate::wire::header::Header;

/// How far what is compressed has to come out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Flush {
    Finish,
    None,
    Sync,
}

impl Connection {
    pub(super) const fn has_deflate(&self) -> bool {
        false
    }

    pub(super) const fn check_compressed_size(&self, _header: Header) -> Result<(), Error> {
        Ok(())
    }

    pub(super) const fn begin_compressed_frame(&mut self, _len: u64) {}

    pub(super) const fn take_compressed<S: Storage>(
        &mut self,
        _now: Instant,
        _rx: &mut RecvBuf<S>,
        _form: Form,
    ) -> Result<(), Error> {
        Ok(())
    }

    pub(super) const fn end_compressed_message<S: Storage>(&mut self, _rx: &RecvBuf<S>) -> bool {
        true
    }

    pub(super) fn deliver_inflated<S: Storage>(&self, rx: &mut RecvBuf<S>, text: bool) -> EventNumber {
        rx.deliver_message(text)
    }

    pub(super) fn deliver_inflated_piece<S: Storage>(
        &self,
        rx: &mut RecvBuf<S>,
        text: bool,
    ) -> Option<EventNumber> {
        rx.deliver_piece(text)
    }

    pub(super) fn forget_inflated<S: Storage>(&self, rx: &mut RecvBuf<S>) {
        rx.discard_message();
    }

    pub(super) const fn compresses_from(&self) -> Option<usize> {
        None
    }

    pub(super) const fn compresses(&self, _len: usize) -> bool {
        false
    }

    pub(super) fn push_compressed<O: Outbound>(
        &mut self,
        tx: &mut O,
        kind: Kind,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        self.push_message(tx, First::new(kind), bytes, true)
    }

    pub(super) fn push_compressed_piece<O: Outbound>(
        &mut self,
        tx: &mut O,
        first: First,
        bytes: &[u8],
        flush: Flush,
    ) -> Result<bool, SendError> {
        self.push_message(tx, first, bytes, flush == Flush::Finish).map(|()| true)
    }

    pub(super) const fn pull_compressed<O: Outbound, S: Source + ?Sized>(
        &mut self,
        _tx: &mut O,
        _source: &mut S,
    ) -> Result<Pulled, SendError> {
        Err(SendError::NoMessage)
    }

    pub(super) const fn compressible<O: Outbound>(
        &mut self,
        _tx: &mut O,
        len: usize,
    ) -> Result<usize, SendError> {
        Ok(len)
    }

    pub(super) const fn forget_compressed(&mut self) {}

    pub(super) const fn release_deflate(&mut self) {}
}
