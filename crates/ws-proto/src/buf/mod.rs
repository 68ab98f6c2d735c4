//! The caller's buffers: where received bytes wait and messages are put together, and where output waits.

#[cfg(feature = "deflate")]
mod inflated;
pub(crate) mod outbound;
#[cfg(feature = "alloc")]
pub(crate) mod queue;
pub(crate) mod recv;
mod run;
pub(crate) mod send;
#[cfg(feature = "std")]
mod spare;
pub(crate) mod storage;
mod text;
