//! Benchmarks of ws-proto, ws-mio and ws-tokio beside their peers. `README.md` says how they are run and what they
//! showed.

pub mod case;
pub mod payload;
pub mod wire;

#[cfg(feature = "peers")]
pub mod load;
#[cfg(feature = "peers")]
pub mod measure;
#[cfg(feature = "peers")]
pub mod memory_io;
#[cfg(feature = "peers")]
pub mod options;
#[cfg(feature = "peers")]
pub mod peers;
#[cfg(feature = "peers")]
pub mod server;
#[cfg(feature = "peers")]
pub mod table;
