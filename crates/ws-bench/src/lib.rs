//! Benchmarks of ws-proto, ws-mio and ws-tokio beside their peers. `README.md` says how they are run and what they
//! showed.

pub mod case;
pub mod payload;
pub mod wire;

#[cfg(feature = "peers")]
pub mod deflate;
#[cfg(feature = "peers")]
pub mod load;
#[cfg(any(feature = "peers", feature = "deflate-libraries"))]
pub mod measure;
#[cfg(feature = "peers")]
pub mod memory_io;
#[cfg(any(feature = "peers", feature = "deflate-libraries"))]
pub mod options;
#[cfg(feature = "peers")]
pub mod peers;
#[cfg(feature = "peers")]
pub mod server;
#[cfg(any(feature = "peers", feature = "deflate-libraries"))]
pub mod table;
