//! The message that is put together: where it lies, and whether it is text so far.

use super::RecvBuf;
use crate::buf::storage::Storage;
use crate::utf8::{InvalidUtf8, Utf8Validator};

impl<S: Storage> RecvBuf<S> {
    /// Passes over `n` unparsed bytes: a header, or something that nobody wants.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.filled - self.parsed);
        self.forget_delivered();
        self.parsed = (self.parsed + n).min(self.filled);
    }

    /// Passes over all unparsed bytes and forgets the unfinished message.
    pub(crate) fn discard(&mut self) {
        self.reset();
        self.begin_message();
    }

    /// Forgets the unfinished message; unparsed bytes stay.
    pub(crate) fn discard_message(&mut self) {
        self.forget_delivered();
        self.begin_message();
    }

    /// Begins a message at the first unparsed byte, so that its first frame need not move.
    #[inline]
    pub(crate) fn begin_message(&mut self) {
        #[cfg(feature = "deflate")]
        self.discard_inflated();
        self.begin_region();
    }

    #[inline]
    pub(super) fn begin_region(&mut self) {
        self.message_start = self.parsed;
        self.message_end = self.parsed;
        self.unchecked = 0;
        self.utf8 = Utf8Validator::new();
    }

    /// Takes the next `n` unparsed bytes into the message. They are the last ones of what comes back, to be unmasked and
    /// moved to its front by whoever called, in one pass; the other number is how far, mostly not at all.
    ///
    /// ```text
    ///   before  | message |  hole  | unparsed      |
    ///                     |  from  | n bytes | these come back, and belong to the message from the hole on
    /// ```
    #[inline]
    pub(crate) fn append_to_message(&mut self, n: usize) -> (&mut [u8], usize) {
        debug_assert!(n <= self.filled - self.parsed);
        self.forget_delivered();
        if self.message_start == self.message_end {
            // Nothing before it: the message may as well begin here.
            self.message_start = self.parsed;
            self.message_end = self.parsed;
        }
        let (from, to) = (self.parsed, self.message_end);
        self.message_end += n;
        self.parsed += n;
        self.unchecked += n;
        (&mut self.storage.bytes_mut()[to..from + n], from - to)
    }

    /// The first `n` bytes of the message were compressed, and are inflated.
    #[cfg(feature = "deflate")]
    pub(in crate::buf) fn consume_compressed(&mut self, n: usize) {
        self.message_start += n.min(self.message_len());
        self.unchecked = self.unchecked.min(self.message_len());
        if self.message_len() == 0 {
            self.begin_region();
        }
    }

    /// Checks what was taken into the message since this was last asked: as text that goes on from what is before it.
    /// Of what is not, the part before the fault stays.
    ///
    /// The last `ascii` bytes of it are known to be ASCII; if that is all of it, it is not looked at again.
    #[inline]
    pub(crate) fn check_text(&mut self, ascii: usize) -> Result<(), InvalidUtf8> {
        let from = self.message_end - self.unchecked;
        let seen = ascii == self.unchecked && self.ends_with_character();
        self.unchecked = 0;
        if seen {
            return Ok(());
        }
        let checked = self.utf8.update(&self.storage.bytes()[from..self.message_end]);
        checked.inspect_err(|fault| self.message_end = from + fault.valid_up_to)
    }

    /// Whether the message, as far as it was checked, does not stop inside a character.
    #[inline]
    pub(crate) fn ends_with_character(&self) -> bool {
        self.utf8.finish().is_ok()
    }
}
