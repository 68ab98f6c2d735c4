//! What a connection has only if something happened, mostly at its end.

use std::io;

use ws_proto::{Connection, Ending, SendError};

use crate::Outcome;
use crate::error::Error;
use crate::flow::{Flow, WaterMarks};

/// All of that, in the room of a pointer as long as nothing has happened.
#[derive(Debug)]
pub(crate) struct Rare(Option<Box<Content>>);

#[derive(Debug, Default)]
struct Content {
    marks: Option<WaterMarks>,
    ending: Ending<Error>,
    failure: Option<io::Error>,
    source_error: Option<SendError>,
}

impl Rare {
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Whether anything has happened.
    #[inline]
    pub(crate) const fn is_there(&self) -> bool {
        self.0.is_some()
    }

    #[cold]
    fn content(&mut self) -> &mut Content {
        self.0.get_or_insert_default()
    }

    /// What there is to tell of the end.
    pub(crate) fn ending(&mut self) -> &mut Ending<Error> {
        &mut self.content().ending
    }

    pub(crate) fn outcome(&self, connection: &Connection) -> Outcome<'_> {
        static NOTHING: Ending<Error> = Ending::new();
        self.0.as_ref().map_or(&NOTHING, |content| &content.ending).outcome(connection)
    }

    /// The transport failed; reported as soon as what it had delivered before is.
    pub(crate) fn set_failure(&mut self, error: io::Error) {
        self.content().failure = Some(error);
    }

    pub(crate) fn has_failure(&self) -> bool {
        self.0.as_ref().is_some_and(|content| content.failure.is_some())
    }

    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        self.0.as_mut()?.failure.take()
    }

    /// A source failed, which is to be reported.
    pub(crate) fn set_source_error(&mut self, error: SendError) {
        self.content().source_error = Some(error);
    }

    pub(crate) fn has_source_error(&self) -> bool {
        self.0.as_ref().is_some_and(|content| content.source_error.is_some())
    }

    pub(crate) fn take_source_error(&mut self) -> Option<SendError> {
        self.0.as_mut()?.source_error.take()
    }

    pub(crate) fn set_water_marks(&mut self, marks: WaterMarks) {
        self.content().marks = Some(marks);
    }

    /// So many bytes wait.
    #[cold]
    pub(crate) fn observe(&mut self, amount: usize) {
        if let Some(marks) = self.0.as_mut().and_then(|content| content.marks.as_mut()) {
            marks.observe(amount);
        }
    }

    pub(crate) fn poll_water_marks(&mut self) -> Option<Flow> {
        self.0.as_mut()?.marks.as_mut()?.poll()
    }
}
